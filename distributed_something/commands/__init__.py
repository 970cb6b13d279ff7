"""One readable recipe a verb: what happens, in order; nothing here prints."""
