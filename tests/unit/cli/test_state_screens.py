"""The screen of `status --watch` in each state of a run, on a small and on a large terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from distributed_something.cli.advice import RunState, next_verbs
from distributed_something.cli.plain_console import PlainConsole
from distributed_something.cli.screens.status_screen import fitted_screen
from distributed_something.command_lines import run_line
from distributed_something.commands.reading.status import (
    JobCounts,
    MachineRow,
    Money,
    RunningJob,
    Status,
)
from distributed_something.commands.watching.failing import Failing
from distributed_something.run.failures import FailureGroup
from distributed_something.run.troubles import Trouble
from tests.golden import check_golden

NOW = 1.7e9
_NONE = JobCounts(0, 0, 0, 0, 0, 0, 0)
_NO_MONEY = Money(0.0, 0.0, None, 5.0, 0, 0)
SET_UP = Status(
    *("Counting", "20260102-030405-abcd", NOW, NOW - 90, None, _NONE, None, None, 0, (), ()),
    money=None,
    why=(
        Trouble(
            "nothing submitted",
            "Nothing was submitted to this run",
            "`python run.py submitJob JOBS.json`",
        ),
    ),
    unseen=(),
)
SUBMITTED = replace(
    SET_UP,
    jobs=JobCounts(384, 384, 0, 0, 0, 0, 0),
    why=(
        Trouble(
            "no machines",
            "Jobs wait, and no machine was asked for",
            "`python run.py startCluster FLEET.json`",
        ),
    ),
)


def machines(count: int, works: bool) -> tuple[MachineRow, ...]:
    """So many machines, each with two jobs if they work."""
    return tuple(
        MachineRow(
            f"i-0{number:016x}",
            "m5.xlarge",
            f"us-east-1{'abc'[number % 3]}",
            "works" if works else "starts",
            NOW - 3000 - 60 * number,
            jobs_at(number) if works else (),
            "",
        )
        for number in range(count)
    )


def jobs_at(number: int) -> tuple[RunningJob, ...]:
    machine = f"i-0{number:016x}"
    return tuple(
        RunningJob(f"{number}{slot}", f"Plate{number:02d}-A{slot:02d}", machine, f"0-{slot}", NOW)
        for slot in (1, 2)
    )


STARTING = replace(SUBMITTED, target=24, machines=machines(24, False), why=(), money=_NO_MONEY)
LIVE = replace(
    STARTING,
    jobs=JobCounts(384, 200, 48, 136, 0, 0, 0),
    rate=312.0,
    seconds_left=2860.0,
    machines=machines(24, True),
    money=Money(0.4312, 1.7112, 1.79, 5.0, 0, 0),
)
RETRYING = replace(
    LIVE,
    jobs=JobCounts(384, 197, 48, 136, 3, 0, 0),
    failing=Failing(3, 1, "exit code 3"),
    failures=(FailureGroup("exit code 3", 3, ("A02", "B01", "C04"), "no such plate"),),
)
ENDED = replace(
    LIVE,
    ended=NOW - 60,
    jobs=JobCounts(384, 0, 0, 384, 0, 0, 0),
    rate=None,
    seconds_left=None,
    target=0,
    machines=(),
    money=Money(0.004, 0.0, 0.004, 5.0, 0, 0),
)
FAILED = replace(
    ENDED,
    jobs=JobCounts(384, 0, 0, 380, 0, 0, 4),
    failures=(
        FailureGroup("exit code 3", 2, ("A02", "A03"), "no such plate"),
        FailureGroup("timed out after 15 s", 1, ("B01",), ""),
        FailureGroup("input missing", 1, ("C04",), ""),
    ),
)
UNWATCHED = replace(
    LIVE,
    why=(
        Trouble(
            "monitor not running",
            "No monitor has run for 18 min, and 24 machines run",
            "`python run.py monitor` releases idle machines, and removes the run when it is over",
        ),
    ),
)
STATES = {
    "set up": SET_UP,
    "submitted": SUBMITTED,
    "machines": STARTING,
    "live": LIVE,
    "retrying": RETRYING,
    "ended": ENDED,
    "failed": FAILED,
    "unwatched": UNWATCHED,
}


def drawn(seen: Status, width: int, height: int) -> str:
    """The screen as a terminal of that size has it, with the verbs that come next."""
    file = io.StringIO()
    console = PlainConsole(file=file, width=width, height=height, markup=False, highlight=False)
    console.print(fitted_screen(seen, console))
    return file.getvalue()


def steps(seen: Status) -> list[str]:
    verbs = next_verbs(RunState.of_status(seen), "startCluster FLEET.json")
    return [run_line(verb) for verb in verbs]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40)])
def test_the_screen_of_each_state_fits_its_terminal(width: int, height: int) -> None:
    parts = []
    for name, seen in STATES.items():
        text = drawn(seen, width, height)
        lines = text.splitlines()
        assert len(lines) < height, (name, len(lines))
        assert all(len(line) <= width for line in lines), name
        parts.append(f"=== {name}\n{text}--- next: {'; '.join(steps(seen))}\n")
    check_golden(f"states/{width}x{height}", "".join(parts))


@pytest.mark.parametrize(("name", "seen"), STATES.items())
def test_no_word_is_broken_where_the_screen_is_narrow(name: str, seen: Status) -> None:
    """Every word of the large screen's upper part is whole on the small one."""
    wide = drawn(replace(seen, machines=()), 400, 100)
    narrow = drawn(replace(seen, machines=()), 80, 24)
    words = {word for word in re.split(r"\s+", wide) if len(word) < 60 and "━" not in word}
    assert words <= set(re.split(r"\s+", narrow)), name
