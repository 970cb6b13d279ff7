"""See how far a run is from one listing of its ledger, however many jobs it has.

Every fact is in a key, a thousand to a request. The first page tells about how many there are;
the rest is cut at job ids, which are spread evenly, and listed side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .attempts import AttemptKey, AttemptState
from .facts import HEARTBEAT_LIVE_SECONDS, Beat, LedgerSummary, job_number
from .keys import RunKeys, job_list_count
from .objects import Item, Objects
from .unreadable import LeftOut, Unreadable

PARALLEL_LISTINGS = 16
# A cut costs half a page, since pages do not end at it: so many parts for each page of all.
_PARTS_A_PAGE = 0.2
_DIGITS = 8  # of a job id, enough to say where to cut
_STATES: Mapping[str, AttemptState] = {state.value: state for state in AttemptState}


@dataclass(frozen=True)
class LastAttempt:
    """How a job's last attempt stands; `attempts` is how many it has had, `failed` of them did."""

    key: AttemptKey
    attempts: int
    failed: int = 0
    last_failed: AttemptKey | None = None  # the last of these

    @property
    def state(self) -> AttemptState:
        return self.key.state

    @property
    def has_failed(self) -> bool:
        return self.state is AttemptState.FAILED


@dataclass
class Survey:
    """What a run's keys say; times are seconds since 1970 by the bucket's clock."""

    looked: float = 0.0
    submitted: int = 0
    done: list[str] = field(default_factory=list)  # job ids
    # Jobs that were given up and are not done after all; None for one that was never tried.
    dead: dict[str, LastAttempt | None] = field(default_factory=dict)
    # Jobs that were tried and are neither done nor dead, with how their last attempt stands.
    open: dict[str, LastAttempt] = field(default_factory=dict)
    attempts: Counter[AttemptState] = field(default_factory=Counter)
    done_at: Counter[int] = field(default_factory=Counter)  # jobs by the minute of their mark
    beats: list[Beat] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # ids of machines that could not work
    watched: float | None = None  # when the monitor or the Lambda last looked
    is_stopped: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)  # keys that could not be read
    attempt_names: list[str] = field(default_factory=list)  # `<job>/<attempt>`, where asked for

    @property
    def summary(self) -> LedgerSummary:
        """How far the run is, in numbers."""
        return LedgerSummary(
            submitted=self.submitted,
            done=len(self.done),
            dead=len(self.dead),
            attempts=self.attempts.total(),
            failed=self.attempts[AttemptState.FAILED],
            interrupted=self.attempts[AttemptState.INTERRUPTED],
            open=self.attempts[AttemptState.STARTED],
        )

    def done_between(self, since: float, until: float) -> int:
        """How many jobs were done in some minutes, to the minute."""
        first, last = since // 60, until // 60
        return sum(count for minute, count in self.done_at.items() if first < minute <= last)

    def at_work(self, live_seconds: float = HEARTBEAT_LIVE_SECONDS) -> dict[str, AttemptKey]:
        """The attempts that slots are at now, by job: the last that a slot which is alive began.

        A slot is alive whose heartbeat is younger than `live_seconds`.
        """
        alive = {
            (beat.instance_id, beat.slot)
            for beat in self.beats
            if beat.is_busy and beat.age < live_seconds
        }
        last: dict[tuple[str, str], AttemptKey] = {}
        for begun in self.begun():
            place = (begun.instance_id, begun.slot)
            if place in alive and (place not in last or begun.started > last[place].started):
                last[place] = begun
        return {begun.job_id: begun for begun in last.values()}

    def begun(self) -> Iterable[AttemptKey]:
        """The attempts without an end at jobs without one: they run, or vanished."""
        return (last.key for last in self.open.values() if last.state is AttemptState.STARTED)


def survey_run(objects: Objects, keys: RunKeys, *, keeps_attempts: bool = False) -> Survey:
    """List the whole ledger of a run, in parallel where it is long.

    With `keeps_attempts` the survey has the names of all attempts too, in the order of their keys.
    """
    first, has_more, looked = objects.first_page(keys.prefix)
    parts = [_Part(keys, keeps_attempts)]
    if not has_more:
        parts[0].take(first, until=None)
    else:
        after, until = first_cut(keys, first[-1].key)
        parts[0].take(first, until)
        ranges = cut_ranges(keys.prefix, after)
        with ThreadPoolExecutor(PARALLEL_LISTINGS) as pool:
            parts += pool.map(
                lambda cut: _list_part(objects, _Part(keys, keeps_attempts), *cut), ranges
            )
    return _together(parts, looked)


def first_cut(keys: RunKeys, last: str) -> tuple[str, str | None]:
    """Where the rest begins after a first page, and what of that page is the rest's, if any.

    A job's attempts are read together: the page's last job is left to the rest.
    """
    if not last.startswith(keys.attempts):
        return last, None
    job = keys.attempts + last.removeprefix(keys.attempts).split("/", 1)[0]
    return job, job


def cut_ranges(prefix: str, last: str) -> list[tuple[str, str | None]]:
    """Where to cut what comes after a key of the first page: from where and until before what.

    Attempts come first and are two thirds of a usual ledger's keys, done marks the last third.
    """
    attempts = f"{prefix}attempts/"
    digits = last.removeprefix(attempts)[:_DIGITS]
    begun = _fraction(digits) if last.startswith(attempts) else 0.0
    pages = 1.5 / begun if begun else 1
    count = max(1, min(PARALLEL_LISTINGS, int(pages * _PARTS_A_PAGE)))
    of_attempts, of_marks = count - count // 3, count // 3
    cuts = [last]
    cuts += [attempts + cut for cut in _even_cuts(begun, of_attempts)]
    if of_marks:
        cuts.append(f"{prefix}attempts0")  # what comes after the last attempt
        kinds = ("dead/", "done/") if of_marks > 2 else ("done/",)
        cuts += [prefix + kind + cut for kind in kinds for cut in _even_cuts(0.0, of_marks)]
    ends: list[str | None] = [*cuts[1:], None]
    return list(zip(cuts, ends, strict=True))


def _even_cuts(begun: float, count: int) -> list[str]:
    """The first digits of job ids at which what is left of them falls into `count` equal parts."""
    step = (1 - begun) / count
    return [_digits(begun + step * part) for part in range(1, count)]


def _fraction(digits: str) -> float:
    try:
        return int(digits, 16) / float(16 ** len(digits))
    except ValueError:  # no job id of ours: there is nothing to reckon with
        return 0.0


def _digits(fraction: float) -> str:
    return format(int(fraction * 16**_DIGITS), f"0{_DIGITS}x")


class _Part:
    """What a part of the listing says, key by key in order; a job's attempts are all in one."""

    def __init__(self, keys: RunKeys, keeps_attempts: bool = False) -> None:
        self.survey = Survey(left_out=LeftOut(is_quiet=True))
        self.keys = keys
        self._keeps_attempts = keeps_attempts
        self._skip = len(keys.prefix)
        self._job = ""
        self._attempt = ""  # its id
        self._last = ""  # what the key that counts for it says
        self._state = AttemptState.STARTED
        self._attempts = 0
        self._failed = 0
        self._last_failed = ""

    def take(self, page: Iterable[Item], until: str | None) -> bool:
        """Read a page; False once the part's end is reached."""
        for item in page:
            if until is not None and item.key >= until:
                return False
            try:
                self._take_item(item)
            except Unreadable as error:
                self.survey.left_out.add(item.key, error)
        return True

    def end(self) -> None:
        """Count the last job."""
        if self._job:
            self._end_attempt()
            if self._state is not AttemptState.DONE and (last := self._read(self._last)):
                failed = self._read(self._last_failed) if self._failed else None
                self.survey.open[self._job] = LastAttempt(
                    last, self._attempts, self._failed, failed
                )
        self._job = self._attempt = self._last_failed = ""
        self._attempts = self._failed = 0

    def _read(self, name: str) -> AttemptKey | None:
        try:
            return AttemptKey.parse(self._job, name)
        except Unreadable as error:
            self.survey.left_out.add(f"{self.keys.attempts_of(self._job)}{name}", error)
            return None

    def _take_item(self, item: Item) -> None:
        kind, _, name = item.key[self._skip :].partition("/")
        if kind == "attempts":
            self._take_attempt(name)
            if self._keeps_attempts:
                self.survey.attempt_names.append(name)
        elif kind == "done":
            job_number(name)
            self.survey.done.append(name)
            self.survey.done_at[int(item.written) // 60] += 1
        elif kind == "dead":
            job_number(name)
            self.survey.dead[name] = None
        elif kind == "heartbeats":
            self.survey.beats.append(Beat.of(item))
        elif kind == "broken":
            self.survey.broken.add(name)
        elif kind == "jobs":
            self.survey.submitted += job_list_count(item.key)
        elif item.key == self.keys.machine_book:
            self.survey.watched = item.written
        elif item.key == self.keys.stopped:
            self.survey.is_stopped = True

    def _take_attempt(self, name: str) -> None:
        """The keys of an attempt's end, of which the last counts, come before that of its start."""
        job, _, rest = name.partition("/")
        attempt, _, more = rest.partition(".")
        state = _STATES.get(more.partition(".")[0])
        if state is None:
            raise Unreadable("it is no key of an attempt")
        if job != self._job:
            job_number(job)
            self.end()
            self._job = job
        elif attempt == self._attempt:
            if state is not AttemptState.STARTED:
                self._state, self._last = state, rest
            return
        else:
            self._end_attempt()
        self._attempt, self._state, self._last = attempt, state, rest
        self._attempts += 1

    def _end_attempt(self) -> None:
        self.survey.attempts[self._state] += 1
        if self._state is AttemptState.FAILED:
            self._failed += 1
            self._last_failed = self._last


def _list_part(objects: Objects, part: _Part, after: str, until: str | None) -> _Part:
    for page in objects.pages(part.keys.prefix, after):
        if not part.take(page, until):
            break
    return part


def _together(parts: Sequence[_Part], looked: float) -> Survey:
    """One survey of all parts; a done mark outweighs all else that is said of its job."""
    whole = Survey(looked=looked)
    for part in parts:
        part.end()
        found = part.survey
        whole.submitted += found.submitted
        whole.done += found.done
        whole.dead |= found.dead
        whole.open |= found.open
        whole.attempt_names += found.attempt_names
        whole.attempts += found.attempts
        whole.done_at += found.done_at
        whole.beats += found.beats
        whole.broken |= found.broken
        whole.watched = found.watched if whole.watched is None else whole.watched
        whole.is_stopped |= found.is_stopped
        whole.left_out.take_in(found.left_out)
    for job_id in whole.done:
        whole.open.pop(job_id, None)
        whole.dead.pop(job_id, None)
    for job_id in whole.dead:
        whole.dead[job_id] = whole.open.pop(job_id, None)
    return whole
