"""What a run makes in an account, kind by kind: how to list it, find it and delete it."""
