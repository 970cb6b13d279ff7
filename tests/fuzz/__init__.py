"""Broken and hostile input by the thousand, for every loader."""
