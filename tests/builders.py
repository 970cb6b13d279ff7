"""Configs, settings and files for tests, each with what a test does not care about filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distributed_something.inputs.settings import Settings, make_settings

CONSTANTS: dict[str, object] = {
    "APP_NAME": "Counting",
    "DOCKERHUB_TAG": "lab/counting:1.0",
    "AWS_REGION": "us-east-1",
    "AWS_BUCKET": "lab-data",
    "ECS_CLUSTER": "counting",
    "CLUSTER_MACHINES": 2,
    "MACHINE_TYPE": ["m5.xlarge"],
    "MACHINE_PRICE": 0.10,
    "DOCKER_CORES": 1,
    "MEMORY": 7000,
    "SQS_DEAD_LETTER_QUEUE": "lab_DeadMessages",
}


def constants(**changes: object) -> dict[str, object]:
    """The constants of a config file that is right, with some changed; None takes one out."""
    merged = {**CONSTANTS, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def settings(**changes: object) -> Settings:
    """Settings as `config.py` would give them, constants named as there."""
    return make_settings(constants(**changes), "config.py")


def write_config(folder: Path, **changes: object) -> Path:
    """A config file in a folder; returns its path."""
    path = folder / "config.py"
    path.write_text(
        "".join(f"{name} = {value!r}\n" for name, value in constants(**changes).items())
    )
    return path


def write_json(path: Path, content: Any) -> Path:
    """A JSON file; returns its path."""
    path.write_text(json.dumps(content))
    return path
