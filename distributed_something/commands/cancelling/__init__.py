"""Stop a run now, whatever its record says."""
