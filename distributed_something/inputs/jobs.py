"""Make the job of each group of a job file: its message, id and name, and what is wrong with it.

What the groups share is read, checked and written as JSON once; a group costs microseconds.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..protocol import templates
from ..protocol.families import CELLPROFILER, SOMETHING, Family
from ..protocol.jobs import (
    ATTRIBUTE_BYTES,
    DIRECTORY_FIELDS,
    MESSAGE_BYTES,
    RESERVED_KEYS,
    BadJob,
    Job,
    JobKeys,
    job_id,
    job_name,
    job_values,
)
from ..protocol.sources import place_problems
from ..protocol.templates import is_scalar
from ..protocol.values.safe_values import WORD_BYTES, fill_word, is_taken
from .secret_faults import job_faults, may_hold_secrets
from .shell_lines import (
    fields_of_line,
    has_variables,
    unfilled_fields,
    variables_in_templates,
)

_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_PLAIN = json.JSONEncoder(allow_nan=False).encode
# What needs a longer look: `..` and what may become it, NUL, and what may make a place empty.
_CLIMBS = re.compile(r"\.\.|\\u0000")
_HALF = r"\\ud[89a-f]"  # of a pair, which may stand alone
_SUSPECT = re.compile(
    rf'{_CLIMBS.pattern}|{_HALF}|"\.|\."|"(?:s3:)?/*"|null|:[\\/]|"(?:\\\\|~/|arn:)'
)
_ALONE = re.compile(r"[\ud800-\udfff]")  # in a text that Python has read: no pair
_LONG_PLACE = 450  # characters: above it a place's bytes are counted
_ABSENT = object()
_DIRECTORIES = {field: f"/{field}" for field in DIRECTORY_FIELDS}


class Group(NamedTuple):
    """One group of a job file; `own` are reserved keys that only this one job has."""

    value: object
    own: Mapping[str, object] | None = None


class JobMessage(NamedTuple):
    """One job, ready to be sent; `body` is ASCII, in which every character is legal to SQS."""

    job_id: str
    name: str
    body: str
    weight: float | None = None  # how long it takes beside others, if its file says


class Problem(NamedTuple):
    """What is wrong with a group; groups with the same `kind` suffer from the same fault."""

    kind: str
    sentence: str


class Look(NamedTuple):
    """What a look at a group found; groups that are the same have the same `fingerprint`."""

    size: int  # of its message, in bytes as SQS counts
    fingerprint: int  # below 2**64, of this process alone
    problems: list[Problem]


class JobMaker:
    """Makes the jobs of groups that share keys; raises BadJob if the shared keys are wrong.

    A group's value is what its family's messages hold under `item_key`.
    """

    def __init__(self, shared: Mapping[str, object], family: Family = SOMETHING) -> None:
        item = family.item_key
        self.family = family
        self._own_weights = False
        self.keys = JobKeys.read(_without(shared, "group", item), family)
        # A weight is for whoever sends a job: another one makes no other job.
        self.shared = _without(shared, "group", item, *({"weight"} - self.keys.own_keys))
        if secrets := list(job_faults(self.shared)):
            raise BadJob(secrets)
        self._head = _PLAIN(self.shared)[:-1] + (", " if self.shared else "") + f'"{item}": '
        before = {key: value for key, value in self.shared.items() if key < item}
        after = {key: value for key, value in self.shared.items() if key > item}
        head = _SORTED(before)[:-1] + ("," if before else "") + f'"{item}":'
        self._hash = hashlib.sha256(head.encode())
        self._hashed_tail = ("," + _SORTED(after)[1:] if after else "}").encode()
        self._shared_values = job_values(self.shared, family)
        self._needed = self.keys.needed_fields() - set(self._shared_values)
        self._place_templates = list(self.keys.places())
        self._longest = min(map(self._room, self._place_templates), default=_LONG_PLACE)
        self._always_look = (
            family is not SOMETHING
            or self.keys.weight is not None
            or self.keys.has_formats()
            or self.keys.has_tables()
            or (self.keys.shell and not self.keys.command)
            or bool(fields_of_line(self.keys))
            or has_variables(self.keys)
            or bool(re.search(f"{_CLIMBS.pattern}|{_HALF}", self._head))
            or any(map(self._is_wrong, self._place_templates))
            or (self.keys.shell and any(map(is_taken, self._shared_values)))
            or len(self._head) > WORD_BYTES // 2  # a group's values may make it too long a word
        )

    @property
    def has_weights(self) -> bool:
        """Whether the job file, or a group that was looked at, gives jobs weights."""
        return self.keys.weight is not None or self._own_weights

    def make(self, group: Group) -> JobMessage:
        """The job of a group; the group must be free of problems."""
        value = group.value
        if group.own:
            message = self.message(group)
            body = _PLAIN(message)
            return JobMessage(job_id(message), self.name(group), body, self._weight(group))
        digest = self._hash.copy()  # gives what protocol.jobs.job_id gives
        digest.update(_SORTED(value).encode())
        digest.update(self._hashed_tail)
        body = f"{self._head}{_PLAIN(value)}}}"
        return JobMessage(digest.hexdigest()[:20], self.name(group), body, self._weight(group))

    def message(self, group: Group) -> dict[str, object]:
        """The message's object: the shared keys, the job's own, and last the group."""
        own = _without(group.own or {}, "weight")
        return {**self.shared, **own, self.family.item_key: group.value}

    def _weight(self, group: Group) -> float | None:
        """The job's weight; None without one. Raises ValueError for what is no number above 0."""
        template = (group.own or {}).get("weight", self.keys.weight)
        if template is None:
            return None
        weight = float(templates.render(str(template), job_values(self.message(group))))
        if not 0 <= weight < math.inf:
            raise ValueError(f"{weight} is no weight")
        return weight

    def job(self, group: Group) -> Job:
        """The job as its worker sees it; the group must be free of problems."""
        message = self.message(group)
        return Job.filled(message, JobKeys.read(message, self.family) if group.own else self.keys)

    def name(self, group: Group) -> str:
        """The job's readable name."""
        message = self.message(group)
        keys = JobKeys.read(message, self.family) if group.own else self.keys
        return job_name(message, keys)

    def look(self, group: Group) -> Look:
        """What can be said of a group before anything is sent, its problems among it."""
        try:
            return self._look(group)
        except RecursionError:
            return Look(0, 0, [Problem("deep", "it is nested too deeply.")])

    def _look(self, group: Group) -> Look:
        value = group.value
        self._own_weights |= bool(group.own and "weight" in group.own)
        if not isinstance(value, Mapping) and not _names_something(value):
            return Look(0, 0, [_no_group(value)])
        if fault := self.family.problem(value):
            return Look(0, 0, [Problem("kind", fault)])
        try:
            text = _PLAIN(self.message(group) if group.own else value)
        except ValueError:
            return Look(0, 0, [Problem("number", "it holds a number that is too large for JSON.")])
        size = len(text) + ATTRIBUTE_BYTES + (0 if group.own else len(self._head) + 1)
        if group.own or self._always_look or not self._is_plainly_right(value, text):
            return Look(size, fingerprint_of(text), list(self._closer_look(group, size)))
        return Look(size, fingerprint_of(text), [])

    def output_of(self, group: Group) -> object:
        """The template of where the job's outputs go; None if they go where its name says."""
        if self.family is SOMETHING:
            return (group.own or {}).get("output", self.keys.output)
        message = self.message(group)
        if self.family is CELLPROFILER and not message.get("output_structure"):
            return None  # below the output, in a folder that is named as the job is
        return self.family.reserved(message).get("output")

    def _room(self, place: str) -> int:
        """How long a group's JSON may be without a doubt that the place stays short enough."""
        room, count = _LONG_PLACE, 1
        for text, field, _ in templates.parse(place):
            room -= len(text)
            if field in self._shared_values:
                room -= len(templates.plain(self._shared_values[field]))
            count += field is not None
        return room // count

    def _is_wrong(self, place: str) -> bool:
        """Whether what the job file itself says of a place is wrong, whatever the group."""
        values = dict.fromkeys(templates.fields(place), "x") | self._shared_values
        return any(place_problems("", templates.render(place, values)))

    def _is_plainly_right(self, group: object, text: str) -> bool:
        """Whether a glance at a group's JSON is enough to know that its job can be sent."""
        if len(text) > self._longest or _SUSPECT.search(text) or may_hold_secrets(group, text):
            return False
        if self.keys.shell and isinstance(group, Mapping) and any(map(is_taken, group)):
            return False
        for field in self._needed:
            if not isinstance(group, Mapping) or not is_scalar(group.get(field, _ABSENT)):
                return False
        return True

    def _closer_look(self, group: Group, size: int) -> Iterator[Problem]:
        if size > MESSAGE_BYTES:
            yield Problem("size", f"its message has {size:,} bytes; SQS takes {MESSAGE_BYTES:,}.")
        message = self.message(group)
        try:
            keys = JobKeys.read(message, self.family) if group.own else self.keys
        except BadJob as error:
            yield from (Problem(sentence, sentence) for sentence in error.problems)
            return
        own = {**(group.own or {}), self.family.item_key: group.value}
        yield from (Problem(sentence, sentence) for sentence in job_faults(own))
        if "\\u0000" in _PLAIN(message):
            yield Problem("NUL", "it holds a NUL character, which no program's arguments can.")
        if _has_half(message):
            yield Problem(
                "surrogate",
                "it holds half a character (a surrogate without its pair), which no name of a file "
                "and no argument can.",
            )
            return
        for sentence in (*unfilled_fields(message, keys), *variables_in_templates(message, keys)):
            yield Problem(sentence, sentence)
        broken = list(_unfillable(message, keys))
        yield from broken
        if not broken:
            try:
                Job.filled(message, keys)
            except BadJob as error:
                yield from (Problem(sentence.split()[0], sentence) for sentence in error.problems)
        try:
            self._weight(group)
        except templates.TemplateError as error:
            yield Problem("weight", f"weight: {error}")
        except ValueError:
            yield Problem("weight", "its weight is no number of 0 or more.")


def share(
    own: Mapping[str, object], defaults: Mapping[str, object], family: Family
) -> tuple[dict[str, object], list[str]]:
    """What a job file's jobs share, and the names of its `own` keys that its family does not send.

    Keys that have a meaning of ours, and `defaults`, are sent by every family. Raises BadJob if a
    key is missing.
    """
    given = {**family.defaults, **defaults, **own}
    problems = [
        f"A {family.title} job file needs the key {key!r}."
        for key in family.required
        if key not in given
    ]
    problems += [
        f"{key} is {given[key]!r}; it must be an object."
        for key in sorted(family.objects)
        if not isinstance(given[key], Mapping)
    ]
    if problems:
        raise BadJob(problems)
    dropped = {
        key
        for key in own
        if (family.sent is not None and key not in family.sent | RESERVED_KEYS)
        or (family is not SOMETHING and key in ("group", family.item_key))
    }
    return {key: value for key, value in given.items() if key not in dropped}, sorted(dropped)


def split_row(row: Mapping[str, object], claimed: frozenset[str] = frozenset()) -> Group:
    """The group of a row that may hold reserved keys too: those become the job's own.

    Those `claimed` by `own_keys` are values like any other.

    Such a job without a `name` is named by its group's values and its id: two commands for the
    same values are two jobs.
    """
    reserved = RESERVED_KEYS - claimed
    own = {key: value for key, value in row.items() if key in reserved and value is not None}
    values = {key: value for key, value in row.items() if key not in reserved}
    if own and "name" not in own:
        shown = [templates.plain(value) for value in values.values() if is_scalar(value)]
        label = "-".join(part for part in shown if part).replace("{", "{{").replace("}", "}}")
        own["name"] = f"{label}-{{job_id}}" if label else "{job_id}"
    return Group(values, own or None)


def _without(values: Mapping[str, object], *names: str) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in names}


def without_comments(values: Mapping[str, object]) -> dict[str, object]:
    """The keys but for those that begin with `_comment`."""
    return {key: value for key, value in values.items() if not key.startswith("_comment")}


def add_if_new(seen: set[int], fingerprint: int) -> bool:
    """Whether a fingerprint was not seen before; it is from now on."""
    if fingerprint in seen:
        return False
    seen.add(fingerprint)
    return True


def fingerprint_of(text: str) -> int:
    """64 bits that tell texts apart, in this process alone."""
    return hash(text) & 0xFFFF_FFFF_FFFF_FFFF


def _no_group(value: object) -> Problem:
    shown = json.dumps(value)[:60]
    return Problem("kind", f"{shown} is no group; a group is an object of names and values.")


def _has_half(value: object) -> bool:
    if isinstance(value, str):
        return bool(_ALONE.search(value))
    if isinstance(value, Mapping):
        return any(_has_half(key) or _has_half(part) for key, part in value.items())
    return isinstance(value, list) and any(map(_has_half, value))


def _names_something(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def _unfillable(message: Mapping[str, object], keys: JobKeys) -> Iterator[Problem]:
    """Every template that this job cannot fill in."""
    values = {"name": "name", **job_values(message), "job_id": job_id(message), **_DIRECTORIES}
    for template, given in keys.templates():
        hidden = (frozenset(_DIRECTORIES) | {"name"}) - given - set(job_values(message))
        shown = {key: value for key, value in values.items() if key not in hidden}
        try:
            if given >= DIRECTORY_FIELDS:
                fill_word(template, shown, _DIRECTORIES)
            else:
                templates.render(template, shown)
        except templates.TemplateError as error:
            yield Problem(template, str(error))
