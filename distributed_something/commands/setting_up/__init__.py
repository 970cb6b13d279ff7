"""Before a run: the account, the image, and what `setup` makes."""
