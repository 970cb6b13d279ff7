"""One module a service: a client in, one operation out; nothing here decides what a run needs."""
