"""Which log groups there are: one stream a job in the first, one a container in the second."""

from __future__ import annotations

RETENTION_DAYS = 60


def job_log_group(log_group_name: str) -> str:
    return log_group_name


def container_log_group(log_group_name: str) -> str:
    return f"{log_group_name}_perInstance"


def log_groups(log_group_name: str) -> tuple[str, str]:
    """The names of both log groups."""
    return job_log_group(log_group_name), container_log_group(log_group_name)
