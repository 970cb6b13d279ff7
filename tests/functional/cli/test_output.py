"""What verbs print: an example in each help, JSON for programs, colour and bars on terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.setting_up.setup import setup
from distributed_something.local.simulator import Simulator
from tests.account import new_account
from tests.builders import settings, write_config, write_json
from tests.golden import CLONE, screen
from tests.verbs import VERBS

JOBS = {"command": "count {plate}", "groups": [{"plate": "A"}, {"plate": "B"}]}
WITH_TABLES = (
    *("rehearse", "check", "submitJob", "startCluster", "monitor", "status"),
    *("retry", "download", "report", "cancel"),
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        setup(new_account(simulator), settings())
        yield simulator


def on_terminal(words: list[str], folder: Path, **environment: str) -> str:
    """What `run.py` writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "NO_COLOR"))}
    running = subprocess.Popen(
        [sys.executable, str(CLONE / "run.py"), *words],
        cwd=folder,
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "100", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 65536):
            seen += part
    except OSError:  # the terminal's other end was closed
        pass
    finally:
        running.wait(timeout=60)
        os.close(ours)
    return seen.decode()


@pytest.mark.parametrize("name", sorted(VERBS))
def test_the_help_of_every_verb_has_one_example_of_it(name: str) -> None:
    told = VERBS[name].help or ""
    examples = re.findall(r"Example: python run\.py (\S+)", told)
    assert examples == [name]


def test_the_example_of_rehearse_needs_nothing_that_a_clone_does_not_have() -> None:
    (line,) = re.findall(r"Example: python run\.py (.+)", VERBS["rehearse"].help or "")
    _, path, *options = line.split()
    assert options == ["--jobs", "2"]
    content = json.loads((CLONE / path).read_text())
    assert "inputs" not in content  # else it would need --data, and a folder with them
    assert content["command"].startswith("printf ")  # which every bash has


@pytest.mark.parametrize("name", WITH_TABLES)
def test_a_verb_with_a_table_has_it_as_json(name: str) -> None:
    names = {one for param in VERBS[name].params for one in param.opts}
    assert "--json" in names


@pytest.mark.slow
def test_colour_is_for_terminals_and_not_for_who_wants_none(tmp_path: Path) -> None:
    write_config(tmp_path)
    colour = re.compile(r"\x1b\[(\d+;)*3\d")
    assert colour.search(on_terminal(["check", "--offline"], tmp_path))
    assert not colour.search(on_terminal(["check", "--offline"], tmp_path, NO_COLOR="1"))
    _, _, seen = screen(["check", "--offline"], tmp_path, {"NO_COLOR": ""})
    assert "\x1b" not in seen


def test_a_bar_is_shown_on_a_terminal_alone(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    words = ["submitJob", "jobs.json"]
    assert "jobs/s" in on_terminal(words, tmp_path, **simulator.environment)
    code, out, seen = screen(words, tmp_path, simulator.environment)
    assert code == 0
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}\n", out)  # the run's id, for another program
    assert "jobs/s" not in seen


@pytest.mark.slow
def test_retry_and_download_tell_a_program_what_they_did(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    _, run_id, _ = screen(["submitJob", "jobs.json"], tmp_path, simulator.environment)
    words = ["retry", "A", "--yes", "--json", "--run", run_id.strip()]
    code, out, _ = screen(words, tmp_path, simulator.environment)
    told = json.loads(out)
    assert (code, told["sent"], told["plan"]["names"]) == (0, 1, ["A"])
    words = ["download", "results", "--json", "--run", run_id.strip()]
    code, out, seen = screen(words, tmp_path, simulator.environment)
    assert json.loads(out) == {
        **json.loads(out),
        "folder": "results",
        "run_id": run_id.strip(),
        "files": 0,
    }
    assert "Next: python run.py report" in seen
    for verb in (["retry", "--yes"], ["download"]):
        code, _, seen = screen([*verb, "--run", "nope"], tmp_path, simulator.environment)
        assert code == 1
        assert "No run nope of Counting" in seen


@pytest.mark.slow
def test_rehearse_tells_a_program_how_it_went(tmp_path: Path) -> None:
    write_config(tmp_path)
    jobs = {"command": "true", "groups": [{"plate": "A"}, {"plate": "B"}]}
    write_json(tmp_path / "jobs.json", jobs)
    words = ["rehearse", "jobs.json", "--runtime", "process", "--json"]
    code, out, seen = screen(words, tmp_path, {})
    assert code == 0, seen
    told = json.loads(out)
    assert (told["app_name"], told["summary"]["done"], told["succeeded"]) == ("Counting", 2, True)
    assert (told["left_over"], told["page"]) == ([], "rehearsal/Counting/report.html")
    assert told["suggestion"]["machine_type"] == "m5.xlarge"
    assert "Rehearsal of" not in seen and "Next: the same run for real" in seen
    code, _, seen = screen(["rehearse", "--serve", "--json"], tmp_path, {})
    assert code == 2 and "leave out --serve" in seen
