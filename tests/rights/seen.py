"""Record each request of the suite with the rights it needs, and check it against the policies."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from distributed_something.definitions.account import (
    FLEET_ROLE,
    INSTANCE_ROLE,
    LAMBDA_ROLE,
    SCHEDULE_ROLE,
    TASK_ROLE,
)
from distributed_something.local.simulator.server import application

from .callers import ADMINISTRATOR, MACHINE, NOBODY, mark_requests
from .needs import Need, needs
from .requests import Asked, read
from .verdict import find_statement

FOLDER = "RIGHTS_SEEN"  # names a folder in which each process of the suite leaves what it saw
OUR_ROLES = (FLEET_ROLE, INSTANCE_ROLE, TASK_ROLE, LAMBDA_ROLE, SCHEDULE_ROLE)
# What of the simulated machines' requests a machine makes itself; the rest is EC2's and ECS's own.
AGENTS_OWN = ("RegisterContainerInstance", "SubmitTaskStateChange", "UpdateContainerInstancesState")


@dataclass
class Seen:
    """What was asked for in this process, by whom, and which statement allowed it."""

    requests: Counter[str] = field(default_factory=Counter)  # by caller and operation
    used: Counter[str] = field(default_factory=Counter)  # by policy, Sid and action
    denied: list[str] = field(default_factory=list)
    is_on: bool = False  # whether requests are looked at just now
    _lock: Lock = field(default_factory=Lock)

    def observe(self, environ: dict[str, Any]) -> None:
        """Note a request that has come to the simulated account."""
        asked = read(environ) if self.is_on else None
        if asked is None or asked.caller in (NOBODY, ADMINISTRATOR):
            return
        if asked.caller == MACHINE and asked.operation not in AGENTS_OWN:
            return
        try:
            wanted = [need for need in needs(asked) if not _is_of_ones_own(need)]
        except KeyError as error:  # an action that the reference does not have
            wanted = []
            self.denied.append(f"{asked.caller} asks for {error}, which is no action of AWS")
        found = [(need, find_statement(asked.caller, asked.region, need)) for need in wanted]
        with self._lock:
            self.requests[f"{asked.caller} {asked.service}:{asked.operation}"] += 1
            for need, statement in found:
                if statement is None:
                    self.denied.append(_denial(asked, need))
                else:
                    self.used[f"{statement.policy}|{statement.sid}|{need.action}"] += 1

    def save(self, folder: Path) -> None:
        """Leave it for the report."""
        content = {"requests": self.requests, "used": self.used, "denied": self.denied}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(content))


def _is_of_ones_own(need: Need) -> bool:
    """Whether it is for a role of one's own, for which its owner gives the rights.

    One that may not be read is reported as such by startCluster and check.
    """
    name = need.resource.rpartition("/")[2]
    is_role = ":role/" in need.resource or ":instance-profile/" in need.resource
    return need.action.startswith("iam:") and is_role and name not in OUR_ROLES


def _denial(asked: Asked, need: Need) -> str:
    return f"{asked.caller} may not {need.action} on {need.resource} ({dict(need.context)})"


def start() -> Seen:
    """Observe every request from now on."""
    seen = Seen()
    mark_requests()
    application.observers.append(seen.observe)
    return seen
