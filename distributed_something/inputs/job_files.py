"""Read job files (JSON, JSON Lines, CSV) group by group, never whole: a million groups are fine."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import ijson

from ..command_lines import run_line
from ..errors import UsageError
from ..protocol.families import CELLPROFILER, SOMETHING, Family, family_of_file, family_of_line
from ..protocol.jobs import BadJob, own_keys
from ..protocol.templates import TemplateError
from .forms.command_prefix import KEY as PREFIX
from .forms.command_prefix import with_prefix
from .forms.job_tables import (
    is_table,
    refuse_spreadsheet,
    say_separator,
    split_cells,
    table_rows,
)
from .forms.key_patterns import KeyPattern, read_pattern
from .forms.repeated_keys import KeyWatch, refuse_repeated, unrepeated
from .jobs import Group, share, split_row, without_comments
from .json_faults import TOO_DEEP, fault_words, number_words
from .product import read_product
from .text import as_file, read_lines

logger = logging.getLogger(__name__)

_BOM = b"\xef\xbb\xbf"  # Windows editors put it before UTF-8
_DEEPEST = 100  # levels of a value; what is deeper is no one's, and ends Python's readers
_LISTED = object()  # stands for a list of groups, which is not held in memory
_LISTS = frozenset({"groups", "plates"})
_OF_A_FLEET = {"IamFleetRole", "LaunchSpecifications", "LaunchTemplateConfigs"}
_OF_A_FLEET |= {"SpotFleetRequestConfig"}


@dataclass(frozen=True)
class JobFile:
    """A job file that was looked through once; `groups` reads them afresh at each call.

    Iterating raises UsageError where the file stops being what it seemed. `dropped` are keys of
    the file that its family does not send.
    """

    path: Path
    shared: Mapping[str, object]
    groups: Callable[[], Iterator[Group]]
    noun: str = "Group"  # what a person counts in such a file
    family: Family = SOMETHING
    dropped: tuple[str, ...] = ()
    table: Path | None = None  # of its groups, where another file holds them
    pattern: KeyPattern | None = None  # of the files that make its groups


def open_job_file(
    path: Path, defaults: Mapping[str, object], family: Family | None = None
) -> JobFile:
    """Look through a job file; `defaults` are shared keys for where it has none of its own.

    The family is seen from the file's keys unless one is given. Raises UsageError, with line and
    column where there are such, if it is no job file.
    """
    return with_prefix(_open(as_file(path, "job file"), defaults, family))


def _open(path: Path, defaults: Mapping[str, object], family: Family | None) -> JobFile:
    refuse_spreadsheet(path)
    shared = _as_json(defaults)
    own = own_keys(shared)
    if is_table(path):
        if family not in (None, SOMETHING):
            raise UsageError(f"{path}: a table of jobs has no family; leave out --family.")
        say_separator(path)
        return JobFile(
            path, shared, lambda: (split_cells(row, own) for row in table_rows(path)), "Row"
        )
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        form = family or _family_of_lines(path)
        return JobFile(path, shared, lambda: _json_lines(path, form, own), "Line", form)
    return _open_json_file(path, shared, family)


def _open_json_file(path: Path, defaults: Mapping[str, object], family: Family | None) -> JobFile:
    watch = KeyWatch()
    own, lists = _scan(path, _LISTS, watch)
    if not lists and not _OF_A_FLEET.isdisjoint(own):
        raise UsageError(
            f"{path} is a fleet file, which `{run_line('startCluster')}` takes: name a job file."
        )
    form = family or family_of_file({*own, *lists})
    if set(lists) - {form.list_key}:  # what looked like a list of jobs is a key like any other
        own, lists = _scan(path, frozenset({form.list_key}), watch)
    if watch.has_repeated:
        refuse_repeated(path, own, form, read_lines(path))
    read_groups = _group_reader(path, lists.get(form.list_key), form)
    try:
        shared, dropped = share(without_comments(own), defaults, form)
    except BadJob as error:
        way_out = "if it is none, give --family something." if family is None else ""
        raise UsageError("\n  ".join([f"{path}:", *error.problems, way_out]).rstrip()) from None
    if form is CELLPROFILER and lists.get("groups") is _LISTED:
        dropped += [f"{key} (of a group)" for key in _beside_metadata(path)]
    noun = "Plate" if form.list_key == "plates" else "Group"
    groups = lists.get(form.list_key)
    table, pattern = _table_of(path, groups), _pattern_of(path, groups)
    return JobFile(path, shared, read_groups, noun, form, tuple(dropped), table, pattern)


def _beside_metadata(path: Path) -> list[str]:
    """What the first group holds beside its `Metadata`, of which CellProfiler's jobs consist."""
    first = next(_listed(path, "groups"), None)
    if not isinstance(first, Mapping) or "Metadata" not in first:
        return []
    return sorted(key for key in set(first) - {"Metadata"} if not key.startswith("_comment"))


def _as_json(defaults: Mapping[str, object]) -> dict[str, object]:
    """JOB_DEFAULTS as a job file would hold them: Python's tuples become lists."""
    try:
        values: dict[str, object] = json.loads(json.dumps(dict(defaults), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UsageError(f"JOB_DEFAULTS holds what JSON cannot: {error}.") from None
    return without_comments(values)


# JSON


def _scan(
    path: Path, listed: frozenset[str], watch: KeyWatch
) -> tuple[dict[str, object], dict[str, object]]:
    """The shared keys, and what each key of `listed` is (`_LISTED` for a list) where it is there.

    Raises UsageError.
    """
    shared: dict[str, object] = {}
    lists: dict[str, object] = {}
    with _open_json(path) as file:
        try:
            events = watch.over(ijson.basic_parse(file, use_float=True))
            if next(events) != ("start_map", None):
                raise UsageError(f"{path} is not a job file: its JSON must be an object.")
            for event, key in events:
                if event == "end_map":
                    break
                if key not in listed:
                    shared[key] = _build(events)
                else:
                    lists[key] = _build_unless_list(events)
            for _ in events:  # what follows the object must be nothing
                pass
        except (ijson.JSONError, StopIteration, UnicodeDecodeError) as error:
            _refuse_json(path, error)
    return shared, lists


def _build(events: Iterator[tuple[str, Any]]) -> object:
    """The value that the next events describe."""
    builder = ijson.ObjectBuilder()
    depth = 0
    for event, value in events:
        builder.event(event, value)
        depth += event.startswith("start_")
        if depth > _DEEPEST:
            raise ijson.JSONError(TOO_DEEP)
        depth -= event.startswith("end_")
        if depth == 0:
            break
    return builder.value


def _build_unless_list(events: Iterator[tuple[str, Any]]) -> object:
    event, value = next(events)
    if event == "start_map":
        return _build(_put_back((event, value), events))
    if event != "start_array":
        return value if value is not None else ""
    depth = 1
    for event, _ in events:
        if event in ("start_map", "start_array"):
            depth += 1
        elif event in ("end_map", "end_array"):
            depth -= 1
            if depth == 0:
                break
    return _LISTED


def _put_back(
    first: tuple[str, Any], events: Iterator[tuple[str, Any]]
) -> Iterator[tuple[str, Any]]:
    yield first
    yield from events


def _group_reader(path: Path, groups: object, family: Family) -> Callable[[], Iterator[Group]]:
    """How to read the groups that a job file's `groups` or `plates` names."""
    key = family.list_key
    if groups is _LISTED:
        return lambda: (Group(family.item_of(group)) for group in _listed(path, key))
    if groups is None:
        raise UsageError(f'{path} has no "{key}": add a list with an entry for each job.')
    if key == "plates":
        raise UsageError(f'{path}: "plates" must be a list of plates\' names.')
    if isinstance(groups, Mapping) and "product" in groups:
        problems: list[str] = []
        product = read_product(groups, problems)
        if problems:
            raise UsageError("\n  ".join([f"{path}, groups:", *problems]))
        return lambda: (Group(family.item_of(group)) for group in product.groups())
    if table := _table_of(path, groups):
        if not table.is_file():
            raise UsageError(f"{path}, groups: no file {table}; the name is relative to {path}.")
        refuse_spreadsheet(table)
        say_separator(table)
        return lambda: (Group(family.item_of(row)) for row in table_rows(table))
    if _pattern_of(path, groups):
        return lambda: iter(())  # `find_files` knows them
    raise UsageError(
        f'{path}: "groups" must be a list, {{"csv": "plates.csv"}}, '
        '{"files": "images/{plate}/{well}_*.tif"}, or '
        '{"product": {"plate": ["P1"], "well": "A01..H12"}}.'
    )


def _pattern_of(path: Path, groups: object) -> KeyPattern | None:
    """The pattern of the files that make the groups; raises UsageError for one without fields."""
    if not (isinstance(groups, Mapping) and set(groups) == {"files"}):
        return None
    text = groups["files"]
    try:
        pattern = read_pattern(text) if isinstance(text, str) else None
    except (TemplateError, UsageError) as error:
        raise UsageError(f"{path}, groups: {error}") from None
    if pattern is None or not pattern.fields or "files" in pattern.fields:
        raise UsageError(
            f'{path}, groups: "files" must be a text with fields, such as '
            '"images/{plate}/{well}_*.tif"; files with the same fields make one job.'
        )
    return pattern


def _table_of(path: Path, groups: object) -> Path | None:
    """The table that a job file's `groups` names, whether or not it is there."""
    if isinstance(groups, Mapping) and set(groups) == {"csv"} and isinstance(groups["csv"], str):
        return path.parent / groups["csv"]
    return None


def _listed(path: Path, key: str) -> Iterator[object]:
    with _open_json(path) as file:
        try:
            yield from ijson.items(file, f"{key}.item", use_float=True)
        except (ijson.JSONError, UnicodeDecodeError) as error:  # within the list
            _refuse_json(path, error)


def _open_json(path: Path) -> IO[bytes]:
    file = path.open("rb")
    if file.read(len(_BOM)) != _BOM:
        file.seek(0)
    return file


def _refuse_json(path: Path, error: Exception) -> NoReturn:
    """Raise the UsageError that says where the JSON breaks; the streaming reader cannot."""
    content = path.read_bytes().removeprefix(_BOM)
    if not content.strip():
        raise UsageError(f"{path} is empty; a job file is a JSON object with groups.") from None
    try:
        json.loads(content.decode())
    except json.JSONDecodeError as fault:
        raise UsageError(_where(path, fault.lineno, fault)) from None
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise UsageError(f"{path}, line {line}: the text is not UTF-8; save it as UTF-8.") from None
    except RecursionError:
        raise UsageError(f"{path}: {TOO_DEEP}.") from None
    except ValueError as fault:
        raise UsageError(f"{path}: {number_words(fault)}.") from None
    if TOO_DEEP in str(error):
        raise UsageError(f"{path}: {TOO_DEEP}.") from None
    raise UsageError(
        f"{path} cannot be read ({str(error).splitlines()[0]}): numbers must be JSON's own, no NaN "
        "and at most 18 digits; put longer ones in quotes."
    ) from None


def _where(path: Path, line: int, fault: json.JSONDecodeError) -> str:
    return f"{path}, line {line}, column {fault.colno}: this is not JSON: {fault_words(fault)}."


# JSON Lines


def _family_of_lines(path: Path) -> Family:
    """The family of the messages that the lines are, as the first one shows."""
    first = next(_rows(path), None)
    return SOMETHING if first is None else family_of_line(first[1])


def _json_lines(path: Path, family: Family, claimed: frozenset[str]) -> Iterator[Group]:
    """One job a line: its reserved keys are its own, the others its group.

    A line that has a `group`, or is a message of another family, is a whole message: what stands
    beside the group is the job's own.
    """
    for number, row in _rows(path):
        key = family.item_key
        if key in row:
            own = {name: value for name, value in row.items() if name != key}
            if "command" in own:  # as it was sent
                own[PREFIX] = ""
            yield Group(row[key], own or None)
        elif family is SOMETHING:
            yield split_row(row, claimed)
        else:
            raise UsageError(f"{path}, line {number}: a {family.title} message has a {key!r}.")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Each line's number and object, comments taken out; raises UsageError."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_refuse_constant, object_pairs_hook=unrepeated)
        except json.JSONDecodeError as fault:
            raise UsageError(_where(path, number, fault)) from None
        except RecursionError:
            raise UsageError(f"{path}, line {number}: {TOO_DEEP}.") from None
        except ValueError as fault:
            raise UsageError(f"{path}, line {number}: {number_words(fault)}.") from None
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: a line must be a JSON object.")
        if "groups" in row:
            raise UsageError(
                f'{path}, line {number} has "groups": name a file with groups {path.stem}.json.'
            )
        yield number, without_comments(row)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
