"""Read an input as the verbs read it: each loader ends well, or in a sentence for the user."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from distributed_something.cli.app import run_command, verbs
from distributed_something.command_lines import DEFAULT_CONFIG, use_config
from distributed_something.commands.submitting.submit_job import (
    check_groups,
    make_maker,
    unique_jobs,
)
from distributed_something.definitions.task import task_definition
from distributed_something.errors import DistributedSomethingError
from distributed_something.inputs.fleets.fleet_file import read_fleet_file
from distributed_something.inputs.job_files import open_job_file
from distributed_something.inputs.settings import load_settings
from distributed_something.inputs.text import read_text
from distributed_something.inputs.type_runs import type_settings
from distributed_something.protocol.jobs import BadJob, Job
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp
from distributed_something.protocol.ledger.record import RunRecord, read_record_file
from distributed_something.protocol.ledger.unreadable import LeftOut
from distributed_something.run.machine_book import MachineBook
from tests.builders import write_config, write_json
from tests.fleet_files import fleet

_RIGHT = {"command": "echo {plate}", "groups": [{"plate": "A"}]}
_FEW = 20  # jobs of a file that are made; all its groups are looked at


@dataclass(frozen=True)
class Loader:
    """A kind of input: the name of its file, how it is read, and whether a first parse passes."""

    file: str
    read: Callable[[Path], object]
    is_parsed: Callable[[bytes], object]


def refusal(loader: Loader, folder: Path, content: bytes) -> str:
    """What a user is told of an input; '' if it is taken. Any other error is a bug and goes on."""
    path = folder / loader.file
    path.write_bytes(content)
    try:
        loader.read(path)
    except (DistributedSomethingError, BadJob) as error:
        return str(error)
    return ""


def passes_first_parse(loader: Loader, content: bytes) -> bool:
    try:
        loader.is_parsed(content)
    except (ValueError, SyntaxError, RecursionError, csv.Error, MemoryError):
        return False
    return True


def _read_jobs(path: Path) -> None:
    file = open_job_file(path, {})
    maker = make_maker(file)
    check_groups(file, maker)
    for job in islice(unique_jobs(file, maker), _FEW):
        Job.from_message(job.body)


def _read_config(path: Path) -> None:
    for settings in type_settings(load_settings(path)):
        json.dumps(task_definition(settings, "https://sqs/q", "https://sqs/d")).encode("ascii")


def _read_fleet(path: Path) -> None:
    read_fleet_file(read_text(path, "fleet file"), str(path))


def _read_record(path: Path) -> None:
    record = read_record_file(path)
    assert RunRecord.from_json(record.to_json(), "again") == record


def _read_fact(kind: Callable[[bytes], object]) -> Callable[[Path], object]:
    """How a kind of object of a ledger is read: left out if it cannot be."""

    def read(path: Path) -> None:
        left_out = LeftOut()
        found = list(left_out.read(kind, [(str(path), path.read_bytes())]))
        json.dumps(list(map(str, found))).encode()

    return read


def _read_message(path: Path) -> None:
    Job.from_message(path.read_bytes().decode(errors="replace"))


def _check_up(path: Path) -> None:
    """What `check` says of all that needs no account, with this file in its place."""
    folder = path.parent
    config = path if path.suffix == ".py" else write_config(folder)
    jobs = path if path.name.startswith("jobs") else write_json(folder / "right.json", _RIGHT)
    fleet_file = path if path.name == "fleet.json" else write_json(folder / "f.json", fleet())
    run("--config", str(config), "check", "--offline", str(jobs), str(fleet_file))


def _read_words(path: Path) -> None:
    """A command line, a word a line; there is no config, so that no verb gets far."""
    words = path.read_bytes().decode(errors="surrogateescape").split("\n")
    run("--config", str(path.parent / "none.py"), *words)


def run(*words: str) -> str:
    """Run a verb here as its program would; what a person and a program read of it."""
    out, told = io.BytesIO(), io.BytesIO()
    screen = io.TextIOWrapper(told, encoding="utf-8", errors="backslashreplace", write_through=True)
    pipe = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    before, sys.argv = sys.argv, ["run.py", *words]
    try:
        with redirect_stderr(screen), redirect_stdout(pipe):
            code = run_command(verbs, "run.py")
    finally:
        sys.argv = before
        use_config(DEFAULT_CONFIG)
    assert code in (0, 1, 2), code
    return (told.getvalue() + out.getvalue()).decode()


def _json(content: bytes) -> None:
    json.loads(content)


def _json_lines(content: bytes) -> None:
    for line in content.decode("utf-8-sig").splitlines():
        json.loads(line)


def _table(content: bytes) -> None:
    text = io.StringIO(content.decode("utf-8-sig"))
    if len({len(row) for row in csv.reader(text, strict=True) if row}) != 1:
        raise ValueError("rows of several lengths")


def _python(content: bytes) -> None:
    compile(content, "config.py", "exec")


LOADERS: Mapping[str, Loader] = {
    "config": Loader("config.py", _read_config, _python),
    "jobs": Loader("jobs.json", _read_jobs, _json),
    "lines": Loader("jobs.jsonl", _read_jobs, _json_lines),
    "table": Loader("jobs.csv", _read_jobs, _table),
    "fleet": Loader("fleet.json", _read_fleet, _json),
    "message": Loader("message.json", _read_message, _json),
    "record": Loader("record.json", _read_record, _json),
    "attempt": Loader("attempt.json", _read_fact(Attempt.from_json), _json),
    "given up": Loader("dead.json", _read_fact(GivenUp.from_json), _json),
    "machine book": Loader("machines.json", _read_fact(MachineBook.from_json), _json),
    "check config": Loader("config.py", _check_up, _python),
    "check jobs": Loader("jobs.json", _check_up, _json),
    "check table": Loader("jobs.csv", _check_up, _table),
    "check fleet": Loader("fleet.json", _check_up, _json),
    "words": Loader("words.txt", _read_words, bytes.decode),
}
