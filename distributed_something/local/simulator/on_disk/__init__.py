"""The contents of simulated objects, in files instead of memory."""
