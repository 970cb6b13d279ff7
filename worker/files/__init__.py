"""Move files between S3 and this machine."""
