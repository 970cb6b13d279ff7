"""Plan, check, quote and order a run's machines."""
