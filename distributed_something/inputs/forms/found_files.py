"""Make the groups and inputs of a job file from the files that are there when it is submitted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...protocol.jobs import BadJob, job_values
from ...protocol.ledger.keys import RUNS
from ...protocol.templates import TemplateError
from ..jobs import Group
from .key_patterns import KeyPattern, has_star, natural_key, nearest, read_pattern

if TYPE_CHECKING:
    from ..job_files import JobFile

# The keys below the start of a place, such as `images/P1` or `s3://bucket/images/`.
ListKeys = Callable[[str], Iterable[str]]

LIST = "{files}"  # among `inputs`: the files of the job's group
_MOST_KEYS = 1_000_000  # below the start of a pattern
_OURS = (RUNS, "monitors/")
_LOOKED_AT = 1000  # keys that are compared with a pattern that nothing matches


class NotListed(UsageError):
    """The jobs depend on files that cannot be listed here."""


def find_files(file: JobFile, list_keys: ListKeys | None) -> JobFile:
    """The job file with its groups and inputs as the files are; itself where it names all.

    A group of files has its own `inputs`: its files, in the place of `{files}` where the job file
    has `inputs`. A key with a star among `inputs` becomes those that match it. Raises UsageError
    when it is read if nothing matches, or if there is no way to list.
    """
    if file.pattern is None and not _may_have_stars(file):
        return file
    known: Callable[[str], list[str]] = cache(lambda place: _list(list_keys, file, place))

    def groups() -> Iterator[Group]:
        found = file.groups() if file.pattern is None else _groups_of_files(file, known)
        for number, group in enumerate(found, start=1):
            yield _with_inputs(file, number, group, known)

    return replace(file, groups=groups)


def _may_have_stars(file: JobFile) -> bool:
    # The jobs of a table may have inputs of their own.
    return file.noun in ("Row", "Line") or _stars(file.shared.get("inputs"))


def _stars(inputs: object) -> bool:
    return any(isinstance(source, str) and has_star(source) for source in _as_list(inputs))


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _groups_of_files(file: JobFile, known: Callable[[str], list[str]]) -> Iterator[Group]:
    """The groups of a pattern, in natural order, each with its files."""
    pattern = file.pattern
    assert pattern is not None
    found: dict[tuple[str, ...], list[str]] = {}
    for key in known(pattern.address + pattern.prefix):
        if (values := pattern.match(key)) is not None:
            found.setdefault(tuple(values.values()), []).append(key)
    if not found:
        raise UsageError(f"{file.path}, groups: {_no_match(pattern, known)}")
    for texts in sorted(found, key=lambda texts: tuple(map(natural_key, texts))):
        files = sorted(found[texts], key=natural_key)
        _refuse_same_names(file, pattern, files)
        group = dict(zip(pattern.fields, texts, strict=True))
        yield Group(file.family.item_of(group), {"inputs": _places(pattern, files)})


def _with_inputs(
    file: JobFile, number: int, group: Group, known: Callable[[str], list[str]]
) -> Group:
    """The group with the inputs that its files and stars stand for."""
    own = dict(group.own or {})
    files: list[object] = []
    given = own.get("inputs", file.shared.get("inputs"))
    if file.pattern:
        files, given = _as_list(own["inputs"]), file.shared.get("inputs") or LIST
    elif not _stars(given):
        return group
    inputs: list[object] = []
    for source in _as_list(given):
        if source == LIST and file.pattern:
            inputs += files
        elif isinstance(source, str) and has_star(source):
            inputs += _matching(file, number, group, source, known)
        else:
            inputs.append(source)
    return Group(group.value, {**own, "inputs": inputs})


def _matching(
    file: JobFile, number: int, group: Group, template: str, known: Callable[[str], list[str]]
) -> list[str]:
    """The keys that an input with stars stands for, for one group."""
    where = f"{file.path}, {file.noun} {number}: inputs"
    message = {**file.shared, **(group.own or {}), file.family.item_key: group.value}
    try:
        pattern = read_pattern(template, job_values(message, file.family))
    except (TemplateError, BadJob) as error:
        raise UsageError(f"{where}: {error}") from None
    folder = pattern.prefix[: pattern.prefix.rfind("/") + 1]
    keys = known(pattern.address + folder)
    found = []
    for key in islice(keys, bisect_left(keys, pattern.prefix), None):
        if not key.startswith(pattern.prefix):
            break
        if pattern.match(key) is not None:
            found.append(key)
    if not found:
        raise UsageError(f"{where}: {_no_match(pattern, known)}")
    found.sort(key=natural_key)
    _refuse_same_names(file, pattern, found)
    return _places(pattern, found)


def _places(pattern: KeyPattern, keys: Iterable[str]) -> list[str]:
    """Keys as `inputs` holds them: templates without fields."""
    return [(pattern.address + key).replace("{", "{{").replace("}", "}}") for key in keys]


def _refuse_same_names(file: JobFile, pattern: KeyPattern, keys: list[str]) -> None:
    """Raise UsageError for two files that would have one name in a job's folder."""
    names: dict[str, str] = {}
    for key in keys:
        name = key.rpartition("/")[2]
        if name in names:
            raise UsageError(
                f"{file.path}: {names[name]} and {key} both match {pattern.text} for one job, and "
                f"both would be {name} in its input folder: make a field of the folder's name."
            )
        names[name] = key


def _list(list_keys: ListKeys | None, file: JobFile, place: str) -> list[str]:
    """The keys below the start of a place, sorted; folders and what the toolkit keeps left out."""
    if list_keys is None:
        raise NotListed(
            f"{file.path}: its jobs are made of files, and there is nothing to list: give "
            "`rehearse` --data DIR, and leave out --offline of `check`."
        )
    keys = []
    for key in list_keys(place):
        if not key.endswith("/") and not key.startswith(_OURS):
            keys.append(key)
        if len(keys) > _MOST_KEYS:
            raise UsageError(
                f"{file.path}: more than {_MOST_KEYS:,} files are below {place or 'the bucket'!r}: "
                "let the pattern begin with the folder of yours."
            )
    return sorted(keys)


def _no_match(pattern: KeyPattern, known: Callable[[str], list[str]]) -> str:
    """That nothing matches, with the nearest keys: of the pattern's folder, or one above it."""
    folder, keys = pattern.prefix, list[str]()
    while not keys and folder:
        folder = folder.rstrip("/").rpartition("/")[0]
        folder += "/" if folder else ""
        keys = list(islice(known(pattern.address + folder), _LOOKED_AT))
    keys = keys or list(islice(known(pattern.address), _LOOKED_AT))
    text = f"no file matches {pattern.address}{pattern.text}"
    if not keys:
        return f"{text}; there are no files at all."
    return f"{text}; the nearest are {', '.join(nearest(pattern, keys))}."
