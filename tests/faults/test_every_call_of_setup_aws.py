"""Every API call of `setup_AWS.py` and of its `destroy` fails in turn; both are run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.setting_up.setup_account import destroy_account, setup_account
from distributed_something.definitions.policies.scope import Scope
from distributed_something.local.simulator import ACCOUNT, Simulator, server
from tests.functional.setting_up.test_setup_account import account_inventory

from .states import all_backends, write_state
from .trials import Meeting, try_every_call
from .wire import Fault, Wire

SCOPE = Scope(ACCOUNT, ("us-east-1",), ("lab-data",))
BUCKETS = ["new-data"]


class Account:
    """An account and our side of it, whose calls may fail."""

    def __init__(self, simulator: Simulator) -> None:
        self.ours, self.theirs = simulator.aws(), simulator.aws()
        self.wire = Wire(self.ours, server.application)
        Wire(self.theirs, server.application)
        self.failures: list[str] = []

    def make(self) -> None:
        setup_account(self.ours, SCOPE, BUCKETS, sleep=lambda _: None)

    def destroy(self) -> None:
        self.failures = destroy_account(self.ours, SCOPE, BUCKETS)

    def state(self) -> str:
        return write_state(time.time(), all_backends())

    def inventory(self) -> dict[str, Any]:
        return account_inventory(self.theirs) | {"policy": _policy(self.theirs)}


def _policy(aws: Aws) -> str:
    """The new bucket's policy; it stays when its bucket does."""
    try:
        return aws.s3.get_bucket_policy(Bucket=BUCKETS[0])["Policy"]
    except aws.s3.exceptions.ClientError:
        return ""


@contextmanager
def _open_account() -> Iterator[Account]:
    with Simulator() as simulator:
        simulator.aws().s3.create_bucket(Bucket="lab-data")
        yield Account(simulator)


def _finish(
    account: Account, verb: str, empty: dict[str, Any], whole: dict[str, Any], met: Meeting
) -> None:
    """Make or empty the account again, and empty it in the end."""
    fault, said = met.trial.fault, account.failures or met.error
    if verb == "destroy" and fault is Fault.DENIED and not said:
        met.wrong.append("what was denied was not said")
    if verb == "destroy" and fault in (Fault.THROTTLED, Fault.UNHEARD) and said:
        met.wrong.append(f"it is called a failure: {said}")
    met.go_on(verb, account.state())
    getattr(account, verb)()
    if verb == "make":
        met.go_on("destroy", account.state())
        met.wrong += _differences(whole, account.inventory())
        account.destroy()
    met.wrong += [*account.failures, *_differences(empty, account.inventory())]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", ["make", "destroy"])
def test_an_account_is_made_and_emptied_whatever_call_fails_on_the_way(
    verb: str, states: Path, record_property: Callable[[str, object], None]
) -> None:
    with _open_account() as account:
        account.theirs.s3.create_bucket(Bucket=BUCKETS[0])
        empty = account.inventory()
        account.make()
        whole = account.inventory()
        if verb == "make":
            account.destroy()
            account.theirs.s3.delete_bucket(Bucket=BUCKETS[0])
        report = try_every_call(
            f"setup_AWS.py, {verb}",
            account.wire,
            getattr(account, verb),
            partial(_finish, account, verb, empty, whole),
            states=states,
        )
    record_property("tried", str(report))
    assert not report.complaint, report.complaint
    assert len(report.wrong) > 100


def _differences(wanted: dict[str, Any], there: dict[str, Any]) -> list[str]:
    return [
        f"{kind}: {there[kind]} and not {wanted[kind]}"
        for kind in wanted
        if there[kind] != wanted[kind]
    ]
