"""Find keys of a job file that are likely reserved ones, misspelt; values of a user's own stay."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from ..protocol import templates
from ..protocol.families import Family
from ..protocol.jobs import RESERVED_KEYS, BadJob, JobKeys
from .near_names import is_other_form, likely_meant

_WORD = re.compile(r"\w+")
# Columns such as `Name` and `env` are ordinary; these can hardly be anything but the slip.
_SLIPS_OF_COLUMNS = frozenset({"commands", "input", "outputs"})


def misspelt_keys(given: Collection[str], keys: JobKeys, family: Family) -> Iterator[str]:
    """A sentence for each shared key that is likely a reserved one misspelt.

    A key that a template uses, or that the family has, is none. Without a command all is for
    `worker/something.py`, which may well read an `input` of its own; a `comand` is a slip there
    too.
    """
    known = {*RESERVED_KEYS, family.list_key}
    own = {*known, *family.required, *(family.sent or ()), *family.objects, *used_names(keys)}
    for key in sorted(set(given) - own):
        meant = likely_meant(key, known)
        if meant and not (is_other_form(key, meant) and _may_be_own(key, meant, given, keys)):
            yield _sentence(key, meant)


def misspelt_columns(
    values: Mapping[str, object], message: Mapping[str, object], family: Family
) -> Iterator[str]:
    """The same for a row of a table, or a line, whose keys are reserved ones or values.

    `message` is all that its job has, which says what its templates use.
    """
    slips = {name: meant for name in values if (meant := slip_of_column(name))}
    if not slips:
        return
    try:
        keys = JobKeys.read(message, family)
    except BadJob:
        return  # which is told elsewhere
    for name in sorted(set(slips) - used_names(keys)):
        meant = slips[name]
        if not (is_other_form(name, meant) and _may_be_own(name, meant, message, keys)):
            yield _sentence(name, meant)


def slip_of_column(name: str) -> str:
    """The reserved key that a column's name may be meant for; '' if it is surely none."""
    meant = likely_meant(name, RESERVED_KEYS)
    if meant and is_other_form(name, meant) and name not in _SLIPS_OF_COLUMNS:
        return ""
    return meant


def idle_keys(values: Mapping[str, object], keys: JobKeys) -> list[str]:
    """The keys of a JSON file's group that would mean something only beside `groups`."""
    if not keys.command:
        return []
    names = set(values) - used_names(keys) - {"name"}
    return sorted(name for name in names if name in RESERVED_KEYS or slip_of_column(name))


def _may_be_own(name: str, meant: str, given: Collection[str], keys: JobKeys) -> bool:
    """Whether another form of a reserved key may be there for a reason of its own."""
    return meant in given or (not keys.command and name.casefold() != meant)


def used_names(keys: JobKeys) -> set[str]:
    """The names of which a job's templates make something, or its shell line as variables."""
    used = set(keys.own_keys)
    used |= {field for template, _ in keys.templates() for field in templates.fields(template)}
    if keys.shell:
        used |= {word for line in keys.command for word in _WORD.findall(line)}
    return used


def _sentence(key: str, meant: str) -> str:
    return (
        f"`{key}` means nothing here, and no template uses it; did you mean `{meant}`? A value of "
        f'your own needs another name, or "own_keys": ["{key}"].'
    )
