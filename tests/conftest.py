"""Begin with the tests that take longest, check what each asks of AWS, and say what was tried.

Tests say the latter by their property `tried`. Those that took long and are not marked so are
named, too. RIGHTS_SEEN=FOLDER leaves there what was asked, for `tests.benchmarks.rights`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.rights.seen import Seen

_seen: list[Seen] = []  # what is asked of AWS in this process, once there can be a simulator


# Where a request that the policies do not allow is a failure. Other tests make things up, such as
# roles, queues and fleets without tags: of them, RIGHTS_SEEN records what they ask for.
CHECKED = (
    "tests/functional/setting_up/test_rights.py",
    "tests/functional/watching/test_monitor.py",
    "tests/functional/watching/test_request_fleets.py",
    "tests/functional/watching/test_two_monitors.py",
    "tests/worker/machine/test_idle.py",
)


@pytest.fixture(autouse=True)
def rights(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request of a verb, worker, machine or Lambda is one that the printed policies allow."""
    is_checked = request.node.nodeid.startswith(CHECKED)
    if not is_checked and not os.environ.get("RIGHTS_SEEN"):
        yield
        return
    if not _seen and "distributed_something.local.simulator.server" in sys.modules:
        from tests.rights import seen

        _seen.append(seen.start())
    before = len(_seen[0].denied) if _seen else 0
    for one in _seen:
        one.is_on = True
    yield
    for one in _seen:
        one.is_on = False
    denied = dict.fromkeys(_seen[0].denied[before:]) if _seen and is_checked else {}
    assert not denied, "\n".join(denied)


def pytest_sessionfinish() -> None:
    if _seen and os.environ.get("RIGHTS_SEEN"):
        _seen[0].save(Path(os.environ["RIGHTS_SEEN"]))


LONG = 10.0  # seconds; a test that takes so long on a quiet machine should be marked slow


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the slow tests out: each of xdist's processes, which get equal parts, begins with some.

    One that is through with its part takes over from the end of another's, where the quick ones
    are.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hands: list[list[pytest.Item]] = [[] for _ in range(processes)]
    slow = [one for one in items if one.get_closest_marker("slow")]
    for number, (_, together) in enumerate(groupby(slow, _belongs_to)):
        hands[number % processes] += together
    quick = [one for one in items if not one.get_closest_marker("slow")]
    left = len(items)
    for number, hand in enumerate(hands):
        part = left // (processes - number)
        hand += (quick.pop(0) for _ in range(min(len(quick), part - len(hand))))
        left -= part
    items[:] = [one for hand in hands for one in hand] + quick


def _belongs_to(item: pytest.Item) -> str:
    """A file's tests share what it sets up; those that may take very long go alone."""
    return item.nodeid if item.get_closest_marker("timeout") else item.nodeid.split("::")[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        one for outcome in ("passed", "failed") for one in _reports(terminalreporter, outcome)
    ]
    for report in reports:
        for name, value in report.user_properties:
            if name == "tried":
                terminalreporter.write_line(f"Tried in {report.location[0]}: {value}.")
    for report in reports:
        if report.duration > LONG and "slow" not in report.keywords:
            line = f"{report.nodeid} took {report.duration:.0f} s and is not marked slow."
            terminalreporter.write_line(line)


def _reports(terminalreporter: pytest.TerminalReporter, outcome: str) -> list[pytest.TestReport]:
    found = terminalreporter.getreports(outcome)
    return [one for one in found if isinstance(one, pytest.TestReport) and one.when == "call"]
