"""What a job's `inputs` may be: objects, lists of objects, and rows of tables that name them.

A plain text is a key, a prefix that ends in `/`, or an `s3://` address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from . import templates
from .templates import is_scalar

# What may stand for a bucket in an address, as in `s3://WORKSPACE_BUCKET/pipelines/a.cppipe`. The
# names of buckets have no capitals, so nothing else can be meant.
BUCKET_ROLES = ("AWS_BUCKET", "SOURCE_BUCKET", "WORKSPACE_BUCKET", "DESTINATION_BUCKET")
_A_ROLE = re.compile(r"[A-Z_]+")
# What no key begins with: drives, shared folders and homes of computers, and other addresses.
_OF_A_COMPUTER = re.compile(r"[A-Za-z]:[/\\]|\\\\|~/|file:", re.IGNORECASE)
_OTHER_ADDRESS = re.compile(r"(?!s3://)(?:[A-Za-z][A-Za-z0-9+.-]+://|s3:/?[^/]|arn:aws)")
_PLACE_BYTES = 900  # S3 keys have at most 1,024, and a file's own name is still to come

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FileList:
    """A text object that names one object a line; `paths` say what its paths' beginnings mean."""

    place: str
    paths: Pairs = ()  # beginning of a path, the place that it stands for


@dataclass(frozen=True)
class FileTable:
    """A CSV object whose FileName_, PathName_ and URL_ columns name objects, a row an image set."""

    place: str
    paths: Pairs = ()
    where: Pairs | None = None  # column, value; None: the group's own names and values
    is_guessed: bool = False  # `where` are the group's own names and values


Source = str | FileList | FileTable


def read_sources(value: object, problems: list[str]) -> tuple[Source, ...]:
    """Read the key `inputs`; what is wrong is added to `problems`, one sentence each."""
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    found: list[Source] = []
    for item in items:
        if isinstance(item, str) and item:
            found.append(item)
        elif isinstance(item, Mapping):
            found += _read_object(item, problems)
        else:
            problems.append(
                f'inputs is {value!r}; it must be text, an object such as {{"csv": "a.csv"}}, '
                "or a list of these."
            )
            return ()
    return tuple(found)


def _read_object(item: Mapping[str, object], problems: list[str]) -> list[Source]:
    kinds = [kind for kind in ("list", "csv") if kind in item]
    known = {*kinds, "paths", *(["where"] if kinds == ["csv"] else [])}
    if len(kinds) != 1 or set(item) - known:
        problems.append(
            f"inputs has {dict(item)!r}; an object there has one of `list` and `csv`, and may have "
            "`paths`, and with `csv` also `where`."
        )
        return []
    place = item[kinds[0]]
    if not isinstance(place, str) or not place or place.endswith("/"):
        problems.append(f"inputs has {kinds[0]} {place!r}; it must be the key of one object.")
        return []
    paths = _pairs(item.get("paths", {}), "paths", problems)
    if kinds == ["list"]:
        return [FileList(place, paths)]
    where = _pairs(item["where"], "where", problems) if "where" in item else None
    return [FileTable(place, paths, where)]


def _pairs(value: object, key: str, problems: list[str]) -> Pairs:
    if isinstance(value, Mapping) and all(map(is_scalar, value.values())) and "" not in value:
        return tuple((str(name), templates.plain(text)) for name, text in value.items())
    problems.append(f"inputs has {key} {value!r}; it must be an object of names and texts.")
    return ()


def place_of(source: Source) -> str:
    """The object or prefix itself."""
    return source if isinstance(source, str) else source.place


def is_guessed(source: Source) -> bool:
    """Whether a table's rows are chosen by names that its job file did not mean for that."""
    return isinstance(source, FileTable) and source.is_guessed


def templates_of(source: Source) -> Iterator[str]:
    """Every template in a source."""
    yield place_of(source)
    if not isinstance(source, str):
        yield from (place for _, place in source.paths)
    if isinstance(source, FileTable):
        yield from (value for _, value in source.where or ())


def fill_source(source: Source, fill: Callable[[str], str], group: object) -> Source:
    """The source of one job; raises TemplateError, also for a table that lacks its `where`."""
    if isinstance(source, str):
        return fill(source)
    place, paths = fill(source.place), tuple((start, fill(to)) for start, to in source.paths)
    if isinstance(source, FileList):
        return replace(source, place=place, paths=paths)
    if source.where is not None:
        where = tuple((column, fill(value)) for column, value in source.where)
    elif isinstance(group, Mapping):
        where = tuple((k, templates.plain(v)) for k, v in group.items() if is_scalar(v))
    else:
        raise templates.TemplateError(
            f"The table {place} does not say which rows this job means, and its group has no "
            'names: add "where", such as {"Metadata_Plate": "{plate}"}.'
        )
    return FileTable(place, paths, where, is_guessed=source.where is None)


def place_problems(key: str, place: str, *, may_be_bare: bool = False) -> Iterator[str]:
    """What is wrong with a filled-in place; one that is the start of others `may_be_bare`."""
    if not place.removeprefix("s3://").strip("/") and not may_be_bare:
        yield f"{key} is {place!r} for this job; it must name a place in the bucket."
    if ".." in place.split("/"):
        yield f"{key} is {place!r} for this job, which leaves its folder with '..'."
    if len(place.encode(errors="replace")) > _PLACE_BYTES:
        yield f"{key} is {place[:60]!r}... for this job; S3 takes no key that long."
    if "\0" in place:
        yield f"{key} is {place!r} for this job; it holds a NUL character."
    if _OF_A_COMPUTER.match(place):
        yield (
            f"{key} is {place!r} for this job, a path of a computer: copy the files to the bucket, "
            "and name their keys."
        )
    elif _OTHER_ADDRESS.match(place):
        yield (
            f"{key} is {place!r} for this job; a place is a key, or an address such as "
            "s3://bucket/key."
        )
    if not place.startswith("s3://"):
        return
    bucket = place.removeprefix("s3://").partition("/")[0]
    if not bucket and place.removeprefix("s3://").strip("/"):
        yield f"{key} is {place!r} for this job, an address without a bucket."
    if _A_ROLE.fullmatch(bucket) and bucket not in BUCKET_ROLES:
        yield (
            f"{key} is {place!r} for this job; {bucket} is no bucket's name, and none of "
            f"{', '.join(BUCKET_ROLES)}."
        )


def source_problems(source: Source) -> Iterator[str]:
    """What is wrong with a filled-in source."""
    yield from place_problems("inputs", place_of(source))
    if not isinstance(source, str):
        for _, place in source.paths:
            yield from place_problems("paths of inputs", place, may_be_bare=True)
