"""Remove what a run made, and list what is left."""
