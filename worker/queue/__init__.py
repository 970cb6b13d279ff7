"""Take a message, hold its lease, settle it."""
