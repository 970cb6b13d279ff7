"""Whatever stands under a run's keys in the bucket: it ends, its machines end, it is cancelled."""

from __future__ import annotations

import gzip
import html
import inspect
import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.report.page import page
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.monitor import monitor
from distributed_something.protocol.ledger import keys as keys_page
from distributed_something.protocol.ledger.attempts import AttemptKey, AttemptState
from distributed_something.protocol.ledger.keys import RunKeys, record_key, upload_mark
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.words import visible
from tests.lives import Held, Life, open_life

HOSTILE = {
    "deep": b"[" * 100_000,
    "numbers": b'{"started": 1e999, "looked": %s, "machines": [{"launched": NaN}]}' % (b"9" * 4000),
    "wide": '{"state": "\x1b[2J"}'.encode("utf-16"),
    "long": b'{"reason": "' + b"x" * 3_000_000 + b'"}',
    "list": b'[1, "x", null]',
    "words": json.dumps(dict.fromkeys(
        ("job_id", "name", "attempt_id", "number", "state", "instance_id", "slot", "started",
         "reason", "machines", "looked", "began", "MONITOR_START_TIME", "run_id", "fleets"), "soon"
    )).encode(),
}  # fmt: skip


def _instead(body: bytes, _: bytes) -> bytes:
    return body


WAYS: dict[str, Callable[[bytes], bytes | None]] = {
    "absent": lambda _: None,
    "empty": lambda _: b"",
    "truncated": lambda body: body[: len(body) // 2],
    "no text": lambda _: b"\xff\xfe\xfd\x00",
    **{name: partial(_instead, body) for name, body in HOSTILE.items()},
    "bomb": lambda _: gzip.compress(b"\x00" * 50_000_000),
    "lines": lambda _: gzip.compress(
        b'{"id": "a1"}\n[]\n{"id": "zz", "name": 1, "body": {}}\n' * 9
    ),
}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.set_up()
        yield life


# What stands for each parameter by which a key of the ledger is named.
SAMPLES = {
    "job_id": "0" * 20,
    "instance_id": "i-odd",
    "slot": "\x1b[2J",
    "program": "odd",
    "what": "odd",
    "chunk": "odd",
    "count": 10**5,
    "key": AttemptKey("0" * 20, "1-odd", AttemptState.FAILED, "i-odd", "s"),
}
# What these say by being there, whatever is in them: that a job or the run is over.
MARKERS = {"done", "dead", "stopped"}


def every_key(keys: RunKeys) -> dict[str, str]:
    """A key of each kind that the ledger has, by the name of what makes it."""
    found = {}
    for name, member in vars(RunKeys).items():
        if name.startswith("_") or name in ("app_name", "run_id"):
            continue
        key = getattr(keys, name)
        if not isinstance(member, property):
            key = key(*(SAMPLES[one] for one in list(inspect.signature(member).parameters)[1:]))
        found[name] = f"{key}odd" if key.endswith("/") else key
    return found


def odd_keys(record: RunRecord) -> list[str]:
    """Keys that none of ours would be, and one for each kind of object that a run may have."""
    keys = record.keys
    kinds = {name: key for name, key in every_key(keys).items() if name not in MARKERS}
    return [
        *kinds.values(),
        f"{keys.job_lists}odd-{'9' * 300}.jsonl.gz",
        keys.attempts_of("zz") + "no.state",
        keys.attempts_of("zz") + "-1.failed.i-1.s.x.9.9.9.9.9.-.-",
        keys.attempts_of("zz") + f"{'9' * 300}.started.i-1.s",
        keys.done("not-hexadecimal"),
        keys.dead("not/hexadecimal"),
        keys.dead("0" * 20),
        upload_mark(record.app_name, "s3://lab-data/odd"),
        keys.prefix + "odd/odd",
    ]


def spoil(life: Life, record: RunRecord, way: Callable[[bytes], bytes | None]) -> int:
    """Put something else under every key of the run, and under odd ones; how many there are."""
    ledger, s3 = RunLedger.of(life.world.s3, record), life.world.s3
    kept = (record.keys.done_markers, record.keys.dead_markers)
    places = [key for key in ledger.objects.keys(record.keys.prefix) if not key.startswith(kept)]
    found = {key: ledger.objects.fetch(key) or b"" for key in places}
    found |= dict.fromkeys([record_key(record.app_name), *odd_keys(record)], b'{"a": 1}')
    for key, was in found.items():
        body = way(was)
        if body is None:
            s3.delete_object(Bucket=record.bucket, Key=key)
        else:
            s3.put_object(Bucket=record.bucket, Key=key, Body=body)
    return len(found)


def active_fleets(life: Life) -> list[str]:
    found = life.world.ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]
    return [one["SpotFleetRequestId"] for one in found if one["SpotFleetRequestState"] == "active"]


def shown(key: str) -> str:
    """A key as the page has it: no escape sequence, and HTML's own signs escaped."""
    return html.escape(visible(key))


@pytest.mark.parametrize("way", WAYS)
def test_a_run_ends_whatever_a_job_writes_under_its_keys(
    life: Life, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    life.submit("a", "b")
    record = life.buy()
    held: list[Held] = [life.take(record, one) for one in life.instances()[:2]]
    looks = 0

    def happen() -> None:
        nonlocal looks
        looks += 1
        assert looks < 200, "the monitor does not end"
        if looks == 1:
            assert spoil(life, record, WAYS[way]) > 20
        if looks == 4:
            life.finish(record, *held)
        life.tick()

    life.clock.during = happen
    with caplog.at_level(logging.WARNING):
        outcome = monitor(life.aws, record, folder=life.folder, **life.times)
    assert outcome.summary.done >= 2
    life.tick()
    assert active_fleets(life) == [] and life.instances() == []
    report = make_report(life.aws, outcome.record, now=life.clock.now)
    assert report.counts.done >= 2
    assert "\x1b" not in page(report)
    told = [one for one in caplog.messages if "ignored in the run's ledger" in one]
    assert len(told) == len(set(told))
    if way != "absent":
        assert any(record.keys.prefix in one for one in told)
        assert report.unreadable and all(
            key in page(report) for key in map(shown, report.unreadable)
        )


@pytest.mark.parametrize("way", [way for way in WAYS if way != "absent"])
@pytest.mark.parametrize("marker", sorted(MARKERS))
def test_a_run_ends_whatever_is_in_a_marker(life: Life, marker: str, way: str) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])
    key = every_key(record.keys)[marker]
    body = WAYS[way](b'{"a": 1}') or b""
    life.world.s3.put_object(Bucket=record.bucket, Key=key, Body=body)
    looks = 0

    def happen() -> None:
        nonlocal looks
        looks += 1
        assert looks < 200, "the monitor does not end"
        if looks == 4:
            life.finish(record, held)
        life.tick()

    life.clock.during = happen
    monitor(life.aws, record, folder=life.folder, **life.times)
    life.tick()
    assert active_fleets(life) == [] and life.instances() == []


def test_every_kind_of_key_is_among_those_that_are_spoilt() -> None:
    keys = RunKeys("Counting", "20261201-120000-abcd")
    found = every_key(keys)
    assert len(found) >= 25 and all(key.startswith(keys.prefix) for key in found.values())
    places = inspect.getdoc(keys_page) or ""
    named = re.findall(r"<run id>/([\w.]+)", places)
    assert {key.removeprefix(keys.prefix).split("/")[0] for key in found.values()} >= set(named)


@pytest.mark.parametrize("way", ["truncated", "deep", "words", "bomb"])
def test_a_run_is_cancelled_whatever_is_under_its_keys(life: Life, way: str) -> None:
    life.submit("a", "b")
    record = life.buy()
    spoil(life, record, WAYS[way])
    life.clock.during = life.tick
    cancel(life.aws, life.settings, folder=life.folder, **life.times)
    life.tick()
    assert active_fleets(life) == [] and life.instances() == []


@pytest.mark.parametrize("way", ["empty", "deep", "words", "numbers", "wide"])
def test_the_lambda_looks_on_whatever_is_under_its_keys(life: Life, way: str) -> None:
    life.submit("a", "b")
    record = life.buy()
    text = record.to_json().encode()
    spoil(life, record, WAYS[way])
    # One of the record's two copies is enough, and its role may write neither.
    life.world.s3.put_object(Bucket=record.bucket, Key=record_key(record.app_name), Body=text)
    ledger = RunLedger.of(life.aws.s3, record)
    for _ in range(3):
        looked = watch_once(life.aws, ledger, deadline=life.clock.now() + 600, **life.times)
        assert looked["target"] == record.fleets[0].target_capacity
        life.clock.sleep(60)
