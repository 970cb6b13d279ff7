"""A run's record and ledger in the bucket: every fact is written and read here."""
