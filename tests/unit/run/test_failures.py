"""Failures are summed up by kind, with names and the tool's own last line."""

from __future__ import annotations

import pytest

from distributed_something.protocol.ledger.attempts import Attempt, AttemptKey, AttemptState
from distributed_something.protocol.ledger.survey import LastAttempt, Survey
from distributed_something.run.failures import (
    find_common_failure,
    group_failures,
    kind_of,
    last_line,
)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("The command ended with exit code 3.", "exit code 3"),
        ("2 attempts failed; the last one: The command ended with exit code 3.", "exit code 3"),
        (
            "The command was ended: it ran longer than its timeout of 15 s.",
            "timed out after 15 s",
        ),
        (
            "The command was ended: it held 200 MiB of memory, more than its memory_limit of "
            "150 MiB.",
            "more memory than its memory_limit of 150 MiB",
        ),
        ("The command was killed (SIGKILL), most often for memory.", "ended by SIGKILL"),
        ("The command was ended by SIGTERM.", "ended by SIGTERM"),
        ("The input s3://lab/in/C04.txt does not exist.", "input missing"),
        ("The input s3://lab/C04 is archived in GLACIER: restore it first.", "input archived"),
        ("The input s3://lab/C04 may not be read by the worker's role.", "input may not be read"),
        (
            "'mytol' cannot be started: No such file or directory. 2 machines saw it.",
            "'mytol' cannot be started: No such file or directory",
        ),
        (
            "4 attempts failed or disappeared, 2 of them disappeared: a worker that",
            "worker disappeared",
        ),
        ("Only 0 of 3 files. Look at done_when.", "Only 0 of 3 files"),
        ("", "no reason is known"),
    ],
)
def test_a_reason_has_a_kind_without_the_jobs_own_words(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def attempt(name: str, reason: str, log_tail: str = "") -> Attempt:
    return Attempt(
        name, name, "1-a", 1, "failed", "i-1", "s", 0.0, reason=reason, log_tail=log_tail
    )


def test_jobs_are_grouped_by_kind_and_the_commonest_comes_first() -> None:
    log = "start run A02 (attempt 1): ['x']\nloading\nno such plate\nAttempt 1 ended: failed. why"
    groups = group_failures(
        [
            attempt("A02", "The command ended with exit code 3.", log),
            *(attempt(f"B0{n}", "its timeout of 15 s") for n in range(1, 6)),
            attempt("C04", "The input in/C04.txt does not exist."),
        ]
    )
    assert [group.sentence for group in groups] == [
        "timed out after 15 s (5): B01, B02, B03 and 2 more",
        "exit code 3 (1): A02: no such plate",
        "input missing (1): C04",
    ]


def test_the_last_line_is_the_tools_own() -> None:
    assert last_line("one\ntwo\n\nAttempt 1 ended: failed. exit code 3\n") == "two"
    assert last_line("start run A (attempt 1): ['true']") == ""


def survey(reasons: list[str], machines: list[str]) -> Survey:
    """A run of which a job was given up for each reason."""
    dead: dict[str, LastAttempt | None] = {}
    for number, (reason, machine) in enumerate(zip(reasons, machines, strict=True)):
        key = AttemptKey(
            str(number), "1-a", AttemptState.FAILED, machine, "s", exit_code=1, reason=reason
        )
        dead[str(number)] = LastAttempt(key, 1, 1, key)
    return Survey(submitted=100, dead=dead)


def test_a_failure_is_common_where_all_fail_alike_and_none_is_done() -> None:
    alike = survey(["r"] * 3, ["i-1", "i-2", "i-1"])
    assert find_common_failure(alike, least=3, machines=2) == "0"
    assert find_common_failure(alike, least=4, machines=2) == ""
    assert find_common_failure(alike, least=3, machines=3) == ""
    alike.done.append("9")
    assert find_common_failure(alike, least=3, machines=2) == ""
    unlike = survey(["r", "r", "q"], ["i-1", "i-2", "i-1"])
    assert find_common_failure(unlike, least=3, machines=1) == ""
    untried = survey(["r"] * 3, ["i-1"] * 3)
    untried.dead["1"] = None
    assert find_common_failure(untried, least=3, machines=1) == ""
