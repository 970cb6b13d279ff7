"""The tags by which our resources are known, whichever machine looks for them."""

from __future__ import annotations

from ..protocol.machine_alarm import APP_TAG as APP_TAG

RUN_TAG = "distributed-something:run"
TOKEN_TAG = "distributed-something:token"  # a spot fleet's client token, to find it after a crash


def app_tags(app_name: str) -> dict[str, str]:
    """The tags of what an app's `setup` makes, which outlives a run."""
    return {APP_TAG: app_name}


def run_tags(app_name: str, run_id: str) -> dict[str, str]:
    """The tags of what belongs to one run."""
    return {APP_TAG: app_name, RUN_TAG: run_id}


def fleet_tags(app_name: str, run_id: str, client_token: str) -> dict[str, str]:
    """The tags of one spot fleet request."""
    return {**run_tags(app_name, run_id), TOKEN_TAG: client_token}
