"""Show a run's report in a browser while the run goes on: the page, its pictures, its server."""
