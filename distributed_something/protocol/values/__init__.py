"""Rules for single values: what may fill a command line, and what is a secret."""
