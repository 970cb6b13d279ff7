"""What a worker does for its machine: notices, heartbeat, alarm, end."""
