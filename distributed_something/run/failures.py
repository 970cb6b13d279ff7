"""Sum up how jobs failed: the kind of each reason, the jobs that it met, the tool's last line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..protocol.ledger.attempts import Attempt
from ..protocol.ledger.survey import Survey

_LONGEST = 100  # characters of a kind or a last line
_NAMES = 3  # of a kind's jobs
_COUNTED = re.compile(r"^\d[\d,]* attempts failed; the last one: ")
# Reasons as workers write them, and what they are to a person; the first that fits counts.
_KINDS = (
    (re.compile(r"its timeout of (\S+) s"), "timed out after {0} s"),
    (re.compile(r"its memory_limit of (.+? MiB)"), "more memory than its memory_limit of {0}"),
    (re.compile(r"exit code (\d+)"), "exit code {0}"),
    (re.compile(r"(?:killed|ended)(?: by)? \(?(SIG[A-Z]+)"), "ended by {0}"),
    (re.compile(r"[Tt]he input .* does not exist|nothing below the input"), "input missing"),
    (re.compile(r"[Tt]he input .* is archived"), "input archived"),
    (re.compile(r"[Tt]he input .* (?:may not be read|is encrypted)"), "input may not be read"),
    (re.compile(r"^('[^']*') cannot be started: ([^.]*)"), "{0} cannot be started: {1}"),
    (re.compile(r"failed or disappeared"), "worker disappeared"),
)
# What workers write around a tool's own lines.
_OURS = re.compile(r"^(start run |Attempt \d+ )")


@dataclass(frozen=True)
class FailureGroup:
    """Jobs that failed in one way; `names` has the first, `last_line` is one tool's own."""

    kind: str
    count: int
    names: tuple[str, ...]
    last_line: str

    @property
    def sentence(self) -> str:
        """Such as `exit code 3 (2): A02, B01: no such plate`."""
        more = self.count - len(self.names)
        names = ", ".join(self.names) + (f" and {more:,} more" if more else "")
        said = f": {self.last_line}" if self.last_line else ""
        return f"{self.kind} ({self.count:,}): {names}{said}"


def kind_of(reason: str) -> str:
    """The kind of failure that a reason tells of, in a few words without the job's own."""
    reason = _COUNTED.sub("", " ".join(reason.split()))
    for pattern, kind in _KINDS:
        if found := pattern.search(reason):
            return kind.format(*found.groups())
    return reason.partition(". ")[0].rstrip(".")[:_LONGEST] or "no reason is known"


def group_failures(attempts: Iterable[Attempt]) -> tuple[FailureGroup, ...]:
    """The last attempts of jobs that failed, by kind, what met most of them first."""
    names: dict[str, list[str]] = {}
    lines: dict[str, str] = {}
    for attempt in attempts:
        kind = kind_of(attempt.reason)
        names.setdefault(kind, []).append(attempt.name)
        if line := last_line(attempt.log_tail):
            lines.setdefault(kind, line)
    groups = (
        FailureGroup(kind, len(found), tuple(sorted(found)[:_NAMES]), lines.get(kind, ""))
        for kind, found in names.items()
    )
    return tuple(sorted(groups, key=lambda group: -group.count))


def last_line(log_tail: str) -> str:
    """The last line that a tool printed itself; empty if it printed none."""
    lines = (line.strip() for line in reversed(log_tail.splitlines()))
    own = (line for line in lines if line and not _OURS.match(line))
    return next(own, "")[:_LONGEST]


def find_common_failure(survey: Survey, *, least: int, machines: int) -> str:
    """The id of a job, where none is done and all of the `least` or more given up failed alike.

    They must have failed on so many `machines`. Empty if it is not so.
    """
    if survey.done or len(survey.dead) < least:
        return ""
    lasts = [last.key for last in survey.dead.values() if last is not None and last.has_failed]
    reasons = {key.reason for key in lasts}
    if len(lasts) < len(survey.dead) or len(reasons) != 1 or "" in reasons:
        return ""
    return lasts[0].job_id if len({key.instance_id for key in lasts}) >= machines else ""
