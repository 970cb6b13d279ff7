"""The container: a supervisor that starts loops; a loop takes a job, runs it, keeps its results."""
