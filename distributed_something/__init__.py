"""Run any Dockerised tool over many inputs on AWS spot machines, and leave nothing running."""

__version__ = "0.1.0"
