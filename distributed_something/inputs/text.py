"""Read a user's text file: UTF-8, or UTF-16 as Windows PowerShell writes it."""

from __future__ import annotations

import atexit
import codecs
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ..errors import UsageError

_LARGEST = 50_000_000  # bytes; far above what any person writes
_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv"})
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_file(path: Path, noun: str) -> Path:
    """The path of a file that can be read again and again: a pipe's content goes into a new one.

    Such as /dev/stdin, and a shell's <(...), whose content says what kind of file it is. Raises
    UsageError if there is nothing to read.
    """
    try:
        if path.is_file():
            return path
        if not path.exists() or path.is_dir():
            raise UsageError(f"No {noun} {path} here.")
        return _spool(path)
    except (OSError, ValueError) as error:  # a name too long, or with a NUL
        raise UsageError(f"Cannot read the {noun} {str(path)[:100]!r}: {error}.") from None


def _spool(path: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="distributed-something-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    spooled = folder / path.name
    with path.open("rb") as source, spooled.open("wb") as target:
        shutil.copyfileobj(source, target)
    suffix = path.suffix if path.suffix.lower() in _SUFFIXES else _suffix(spooled)
    return spooled.rename(spooled.with_suffix(suffix))


def _suffix(path: Path) -> str:
    """That of the kind of job file that a content without a name must be."""
    with path.open("rb") as file:
        lines = [line.strip() for line in islice(file, 100)]
    lines = [line for line in lines if line]
    first = lines[0].removeprefix(codecs.BOM_UTF8) if lines else b""
    if not first.startswith(b"{"):
        return ".tsv" if b"\t" in first and b"," not in first else ".csv"
    is_whole = first.endswith(b"}") and len(lines) > 1
    return ".jsonl" if is_whole and lines[1].startswith(b"{") else ".json"


def read_text(path: Path, noun: str) -> str:
    """The text of a file that is read whole; `noun` says what it should be.

    Raises UsageError for one that does not exist, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"Cannot read the {noun} {path}: {error.strerror}.") from None
    except ValueError as error:  # a NUL in the path
        raise UsageError(f"Cannot read the {noun} {str(path)!r}: {error}.") from None
    if len(content) > _LARGEST:
        raise UsageError(f"{path} is no {noun}: it has more than {_LARGEST:,} bytes.")
    return decode(content, str(path))


def decode(content: bytes, source: str) -> str:
    """The text of some bytes; raises UsageError with the line where they are no text."""
    encoding = "utf-16" if content.startswith(_WIDE) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise UsageError(
            f"{source}, line {line}: the text is not UTF-8; save it as UTF-8."
        ) from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number, never the whole file; raises UsageError where it is no UTF-8."""
    number = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line
        except UnicodeDecodeError:
            raise UsageError(
                f"{path}: the text from line {number + 1} on is not UTF-8; save it as UTF-8."
            ) from None
