"""Make the job of each group of a job file: its message, id and name, and what is wrong with it.

What the groups share is read, checked and written as JSON once; a group costs microseconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..protocol import templates
from ..protocol.jobs import (
    ATTRIBUTE_BYTES,
    DIRECTORY_FIELDS,
    MESSAGE_BYTES,
    RESERVED_KEYS,
    BadJob,
    Job,
    JobKeys,
    is_scalar,
    job_id,
    job_name,
    job_values,
)

_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_PLAIN = json.JSONEncoder(allow_nan=False).encode
# Texts that need a longer look: `..`, a NUL, and values that fill a template with nothing.
_SUSPECT = re.compile(r'\.\.|\\u0000|""|null')
_LONG_PLACE = 450  # characters: above it a place's bytes are counted
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

    @property
    def size(self) -> int:
        """What SQS counts, in bytes."""
        return len(self.body) + ATTRIBUTE_BYTES


class Problem(NamedTuple):
    """What is wrong with a group; groups with the same `kind` suffer from the same fault."""

    kind: str
    sentence: str


class JobMaker:
    """Makes the jobs of groups that share keys; raises BadJob if the shared keys are wrong."""

    def __init__(self, shared: Mapping[str, object]) -> None:
        self.shared = dict(shared)
        self.keys = JobKeys.read(self.shared)
        self._head = _PLAIN(self.shared)[:-1] + (", " if self.shared else "") + '"group": '
        before = {key: value for key, value in self.shared.items() if key < "group"}
        after = {key: value for key, value in self.shared.items() if key > "group"}
        head = _SORTED(before)[:-1] + ("," if before else "") + '"group":'
        self._hash = hashlib.sha256(head.encode())
        self._hashed_tail = ("," + _SORTED(after)[1:] if after else "}").encode()
        self._shared_values = job_values(self.shared)
        self._needed = self.keys.needed_fields() - set(self._shared_values)
        places = filter(None, (*self.keys.inputs, self.keys.output))
        self._places = [self._measure(place) for place in places]
        self._always_look = self.keys.has_formats() or bool(_SUSPECT.search(self._head))

    def make(self, group: Group) -> JobMessage:
        """The job of a group; the group must be free of problems."""
        if group.own:
            message = self.message(group)
            name = job_name(message, JobKeys.read(message))
            return JobMessage(job_id(message), name, _PLAIN(message))
        return JobMessage(self._id(group.value), self._name(group.value), self._body(group.value))

    def message(self, group: Group) -> dict[str, object]:
        """The message's object: the shared keys, the job's own, and last the group."""
        return {**self.shared, **(group.own or {}), "group": group.value}

    def problems(self, group: Group) -> Iterator[Problem]:
        """What is wrong with a group's job; nothing if it can be sent."""
        if not isinstance(group.value, Mapping) and not _names_something(group.value):
            shown = json.dumps(group.value)[:60]
            yield Problem("kind", f"{shown} is no group; a group is an object of names and values.")
            return
        size = len(_PLAIN(self.message(group)) if group.own else self._body(group.value))
        if size > MESSAGE_BYTES - ATTRIBUTE_BYTES:
            yield Problem(
                "size", f"its message has {size:,} bytes, and SQS takes {MESSAGE_BYTES:,}."
            )
        if group.own or self._always_look or not self._is_plainly_right(group.value):
            yield from self._closer_look(group)

    def output_of(self, group: Group) -> object:
        """The template of where the job's outputs go; None if they go where its name says."""
        return (group.own or {}).get("output", self.keys.output)

    def _body(self, group: object) -> str:
        return f"{self._head}{_PLAIN(group)}}}"

    def _id(self, group: object) -> str:
        """What `protocol.jobs.job_id` gives for the message, without hashing the shared part."""
        digest = self._hash.copy()
        digest.update(_SORTED(group).encode())
        digest.update(self._hashed_tail)
        return digest.hexdigest()[:20]

    def _name(self, group: object) -> str:
        message = {"group": group} if self.keys.name is None else {**self.shared, "group": group}
        return job_name(message, self.keys)

    def _measure(self, place: str) -> tuple[int, int]:
        """The length of what a place has from all groups alike, and how many fields come from one."""
        fixed, count = 0, 0
        for text, field, _ in templates.parse(place):
            fixed += len(text)
            if field in self._shared_values:
                fixed += len(templates.plain(self._shared_values[field]))
            count += field is not None
        return fixed, count

    def _is_plainly_right(self, group: object) -> bool:
        text = _PLAIN(group)
        if _SUSPECT.search(text):
            return False
        if any(fixed + count * len(text) > _LONG_PLACE for fixed, count in self._places):
            return False
        values = group if isinstance(group, Mapping) else {}
        return all(field in values and is_scalar(values[field]) for field in self._needed)

    def _closer_look(self, group: Group) -> Iterator[Problem]:
        message = self.message(group)
        try:
            keys = JobKeys.read(message) if group.own else self.keys
        except BadJob as error:
            yield from (Problem(sentence, sentence) for sentence in error.problems)
            return
        if "\\u0000" in _PLAIN(message):
            yield Problem("NUL", "it holds a NUL character, which no program's arguments can.")
        broken = list(_unfillable(message, keys))
        yield from broken
        if not broken:
            try:
                Job.filled(message, keys)
            except BadJob as error:
                yield from (Problem(sentence.split()[0], sentence) for sentence in error.problems)


def split_row(row: Mapping[str, object]) -> Group:
    """The group of a row that may hold reserved keys too: those become the job's own.

    Such a job without a `name` is named by its group's values and its id: two commands for the
    same values are two jobs.
    """
    own = {key: value for key, value in row.items() if key in RESERVED_KEYS and value is not None}
    values = {key: value for key, value in row.items() if key not in RESERVED_KEYS}
    if own and "name" not in own:
        shown = [templates.plain(value) for value in values.values() if is_scalar(value)]
        label = "-".join(part for part in shown if part).replace("{", "{{").replace("}", "}}")
        own["name"] = f"{label}-{{job_id}}" if label else "{job_id}"
    return Group(values, own or None)


def without_comments(values: Mapping[str, object]) -> dict[str, object]:
    """The keys but for those that begin with `_comment`."""
    return {key: value for key, value in values.items() if not key.startswith("_comment")}


def _names_something(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def _unfillable(message: Mapping[str, object], keys: JobKeys) -> Iterator[Problem]:
    """Every template that this job cannot fill in."""
    values = {"name": "name", **job_values(message), "job_id": job_id(message), **_DIRECTORIES}
    for template, given in keys.templates():
        hidden = (frozenset(_DIRECTORIES) | {"name"}) - given - set(job_values(message))
        try:
            templates.render(template, {k: v for k, v in values.items() if k not in hidden})
        except templates.TemplateError as error:
            yield Problem(template, str(error))
