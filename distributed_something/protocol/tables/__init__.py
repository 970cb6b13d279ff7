"""Lists and tables that name a job's files: how they are read, and which objects they mean."""
