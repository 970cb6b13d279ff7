"""Verbs around the four of a run: begin a project, upload files, run all, list runs."""
