"""What every verb needs to know of a run: its record, its fleets, its cost."""
