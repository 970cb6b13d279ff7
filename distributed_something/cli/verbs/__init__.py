"""A verb a file: its options, what it calls, and what it shows.

To answer `--help` and completion at once, a verb imports what it calls when it is run.
"""
