"""One attempt at one job, from its inputs to its done marker."""
