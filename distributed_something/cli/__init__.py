"""The command line: arguments in, a command run, its outcome shown; nothing else prints."""
