"""Make inputs: from grammars, and by changing files that are right."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from distributed_something.cli.app import verbs
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp
from distributed_something.run.money import MachineLife
from tests.builders import CONSTANTS
from tests.family_files import JOB_FILES
from tests.fleet_files import fleet

CLONE = Path(__file__).parents[2]

_NASTY_TEXTS = st.sampled_from(
    ["", " ", "\x00", "\x1b[2J", "\x9b31m", "\u202e", "..", "../../etc", "s3://", "s3:///", "{",
     "{a}", "{a:>999999999}", "{a!r}", "{a.b}", "{0}", "{{}}", "\ud800", "a" * 401, "ü" * 300, "}",
     "1e999", "0x10", "١٢", "²", "1..99999999", "A01..ZZ99", "9..1", "True", "None", "null", "NaN",
     "=1+1", "\r\n", "\ufeff", "{n:d}", "{n:0999999999d}", "arn:aws:iam::1:role/x", "XXXXX",
     "your-bucket"]
)  # fmt: skip
_NUMBERS = st.sampled_from(
    [0, -1, 1, 2**31, 2**63, 2**64, 10**18, 10**30, -(10**400), 0.1, -0.0, 1e308, 1e-320]
)
_CONSTANTS = st.sampled_from([float("nan"), float("inf"), float("-inf")])
scalars = st.one_of(
    st.none(), st.booleans(), _NUMBERS, _CONSTANTS, _NASTY_TEXTS, st.text(max_size=8)
)
values: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NASTY_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def changed_trees(draw: DrawFn, tree: Any, most: int = 3) -> Any:
    """A tree of JSON with a few of its places changed."""
    for _ in range(draw(st.integers(0, most))):
        tree = draw(_changed(tree))
    return tree


@st.composite
def _changed(draw: DrawFn, tree: Any) -> Any:
    """One change: here, or below one of the members."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(list(tree)))
        return draw(_with_member(tree, key))
    if isinstance(tree, list) and tree and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(tree) - 1))
        members = list(tree)
        members[place] = draw(_changed(members[place]))
        return members
    return draw(st.one_of(values, st.just([tree]), st.just({"x": tree}), st.just(str(tree))))


@st.composite
def _with_member(draw: DrawFn, tree: dict[str, Any], key: str) -> dict[str, Any]:
    others = {name: value for name, value in tree.items() if name != key}
    how = draw(st.integers(0, 5))
    if how == 0:
        return others
    if how == 1:
        return {**others, draw(st.one_of(_NASTY_TEXTS, st.just(key[:-1] or "x"))): tree[key]}
    if how == 2:
        return {**tree, draw(st.text(max_size=8)): draw(values)}
    return {**tree, key: draw(_changed(tree[key]))}


@st.composite
def changed_bytes(draw: DrawFn, content: bytes) -> bytes:
    """Some bytes with a cut, a splice or another encoding."""
    how = draw(st.integers(0, 7))
    place = draw(st.integers(0, len(content)))
    if how == 0:
        return content[:place]
    if how == 1:
        return content[:place] + draw(st.binary(min_size=1, max_size=6)) + content[place:]
    if how == 2:
        return content[:place] + content[place + draw(st.integers(1, 5)) :]
    if how == 3:
        encoding = draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"]))
        return content.decode(errors="replace").encode(encoding, "replace")
    if how == 4:  # CESU-8: what Java calls UTF-8, a lone surrogate, an overlong zero
        odd = [b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\x80", b"\xc0\x80", b"\xff\xfe", b"\x00"]
        return content[:place] + draw(st.sampled_from(odd)) + content[place:]
    if how == 5:
        depth = draw(st.sampled_from([10, 90, 400, 950, 5_000, 100_000]))
        opened, closed = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b"(", b")")]))
        texts = [found.span() for found in re.finditer(rb'"[^"]*"(?=[,\]}\n])', content)]
        start, end = draw(st.sampled_from(texts)) if texts else (place, place)
        ends = draw(st.sampled_from([closed * depth, b""]))
        return content[:start] + opened * depth + b"1" + ends + content[end:]
    if how == 6:
        return content + content
    return content.replace(b"\n", draw(st.sampled_from([b"\r", b"\r\n", b"\x85", b""])))


def _of(texts: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Two thirds as they are made, a third with their bytes changed as well."""
    return st.one_of(texts, texts, texts.flatmap(changed_bytes))


def _as_json(value: Any) -> bytes:
    """JSON with NaN where it is, and lone surrogates escaped."""
    return json.dumps(value).encode()


def _files(*patterns: str) -> list[Any]:
    found = [path for pattern in patterns for path in sorted(CLONE.glob(pattern))]
    assert found
    return [json.loads(path.read_text()) for path in found]


def _trees(seeds: list[Any]) -> SearchStrategy[Any]:
    return st.sampled_from(seeds).flatmap(changed_trees)


_JOB_FILES = [
    *_files("examples/*/job.json", "files/exampleJob.json", "tests/upstream_forms/jobs/*.json"),
    *(case.content for case in JOB_FILES.values()),
    {"command": ["echo", "{plate}"], "groups": {"product": {"plate": ["P1"], "well": "A01..H12"}}},
    {"command": "x {n:03d}", "name": "{n}", "groups": {"product": {"n": "1..9"},
     "exclude": [{"n": 3}]}},
    {"command": "c {input_dir}", "inputs": ["in/{plate}/", {"table": "t.csv", "columns": ["a"]}],
     "output": "out/{plate}", "done_when": {"files": 2, "min_bytes": 1}, "timeout": 60,
     "memory_limit": 100, "no_retry_exit_codes": [2], "environment": {"A": "{plate}"},
     "checkpoint": True, "groups": [{"plate": "P1"}, {"plate": "P2"}]},
]  # fmt: skip
_LINES = [
    [{"plate": "P1", "command": "echo a"}, {"plate": "P2", "timeout": 3}],
    [{"command": "echo {plate}", "group": {"plate": "P1"}}, {"group": {"plate": "P2"}}],
    *([case.messages] for case in JOB_FILES.values()),
]
_TABLES = [
    [["plate", "well", "command"], ["P1", "A01", "echo {plate}"], ["P2", "B02", "echo x"]],
    [["command", "inputs", "timeout", "n"], ["x {n}", '["a/"]', "5", "1"], ["y", "b", "", "2"]],
]
_RECORDS = [
    {"MONITOR_FLEET_ID": "sfr-1", "MONITOR_APP_NAME": "Counting", "MONITOR_ECS_CLUSTER": "c",
     "MONITOR_QUEUE_NAME": "CountingQueue", "MONITOR_BUCKET_NAME": "lab-data",
     "MONITOR_LOG_GROUP_NAME": "Counting", "MONITOR_START_TIME": "1500000000000",
     "CLEAN_DASHBOARD": "True"},
    {"MONITOR_FLEET_ID": "sfr-1", "MONITOR_APP_NAME": "Counting", "MONITOR_ECS_CLUSTER": "c",
     "MONITOR_QUEUE_NAME": "CountingQueue", "MONITOR_BUCKET_NAME": "lab-data",
     "MONITOR_LOG_GROUP_NAME": "Counting", "MONITOR_START_TIME": "1500000000000",
     "run_id": "20261121-142233-a1b2", "region": "us-east-1", "dead_letter_queue_name": "d",
     "tasks_per_machine": 1, "docker_cores": 4, "disk_gib": 30, "max_cost": 10.0,
     "fleets": [{"client_token": "t", "request": {"A": 1}, "target_capacity": 2,
                 "fleet_id": "sfr-1"}],
     "launch_templates": ["a", "b"], "schedule": "s", "dashboard": "d", "topic": "t",
     "ended": None, "queue_deleted": 1.5, "export_due": False, "notice_due": True},
]  # fmt: skip

_ATTEMPT = Attempt("a1b2", "P1", "1500000000000-abc123", 1, "failed", "i-1", "1", 1.5e9, 1.6e9, 1,
                   "it failed", log_tail="last words")  # fmt: skip
_LIFE = MachineLife("i-1", "m5.xlarge", "us-east-1a", 1.5e9, 1.6e9, disk_gib=30)


def _as_lines(rows: Any) -> bytes:
    listed = rows if isinstance(rows, list) else [rows]
    return b"".join(_as_json(row) + b"\n" for row in listed)


def _as_table(rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows if isinstance(rows, list) else [rows]:
        writer.writerow(row if isinstance(row, list) else [row])
    return text.getvalue().encode("utf-8", "surrogatepass")


def _as_python(constants: Any) -> bytes:
    named = constants if isinstance(constants, dict) else {"APP_NAME": constants}
    lines = [
        f"{name} = {_literal(value)}\n" for name, value in named.items() if name.isidentifier()
    ]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _literal(value: Any) -> str:
    text = repr(value)
    return text.replace("nan", "float('nan')").replace("inf", "float('inf')")


def _made(as_bytes: Callable[[Any], bytes], seeds: list[Any]) -> SearchStrategy[bytes]:
    return _of(_trees(seeds).map(as_bytes))


_MORE = {"TASKS_PER_MACHINE": 2, "MAX_COST": 5, "JOB_DEFAULTS": {"command": "x"}, "MY_NAME": "Ada",
         "RUN_PER_MACHINE_TYPE": "True", "UPLOAD_FLAGS": "--acl public-read", "ASSIGN_IP": "False",
         "EBS_VOL_SIZE": 40, "NOTIFY_EMAIL": "a@lab.org", "MAX_HOURS": 9}  # fmt: skip


@st.composite
def _command_lines(draw: DrawFn) -> list[str]:
    """Words of a verb that may fit it, some of them nasty."""
    context = click.Context(verbs)
    name = draw(st.sampled_from(sorted(verbs.list_commands(context))))
    command = verbs.get_command(context, name)
    assert command is not None
    given = [one for param in command.params for one in param.opts]
    options = st.sampled_from([one for one in given if one.startswith("-")] or ["--help"])
    word = st.one_of(
        options,
        options,
        _NASTY_TEXTS,
        st.text(max_size=8),
        _NUMBERS.map(str),
        st.sampled_from(["files/exampleJob.json", "/dev/null", "/", "a" * 5000]),
    )
    words = [
        draw(st.sampled_from([name, name, name, name[:-1]])),
        *draw(st.lists(word, max_size=6)),
    ]
    return [word.replace("\0", "") for word in words]  # no system passes a NUL on to a program


INPUTS: dict[str, SearchStrategy[bytes]] = {
    "config": _made(_as_python, [CONSTANTS, {**CONSTANTS, **_MORE}]),
    "jobs": _made(_as_json, _JOB_FILES),
    "lines": _made(_as_lines, _LINES),
    "table": _made(_as_table, _TABLES),
    "fleet": _made(
        _as_json, [fleet(), *_files("files/*Fleet*.json", "tests/upstream_forms/fleets/*.json")]
    ),
    "record": _made(_as_json, _RECORDS),
    "attempt": _made(_as_json, [asdict(_ATTEMPT)]),
    "given up": _made(_as_json, [asdict(GivenUp("a1b2", "it failed", "m", True))]),
    "machine book": _made(_as_json, [{"looked": 1.5e9, "machines": [asdict(_LIFE)]}]),
    "words": _of(_command_lines().map(lambda words: "\n".join(words).encode(errors="ignore"))),
    "message": _made(
        _as_json, [message for case in JOB_FILES.values() for message in case.messages]
    ),
}
INPUTS |= {f"check {name}": INPUTS[name] for name in ("config", "jobs", "table", "fleet")}
