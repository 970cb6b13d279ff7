"""The container: a supervisor that starts loops, and the loop that takes a job, runs it and keeps its results."""
