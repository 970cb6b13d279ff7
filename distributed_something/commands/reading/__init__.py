"""Read a run without changing it, its results, and queue its failed jobs again."""
