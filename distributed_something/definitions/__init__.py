"""Pure functions from settings to the requests that AWS takes: no boto3, no clock, no files."""
