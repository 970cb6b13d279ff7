"""Unpack the lists of submitted jobs within bounds, whoever wrote them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from .facts import MOST_LINE
from .keys import job_list_count
from .objects import Objects
from .unreadable import Unreadable


def lines_of(objects: Objects, key: str) -> Iterator[tuple[str, bytes]]:
    """The lines of a job list, no more than its key says and none beyond MOST_LINE.

    So a small object cannot grow without bound. Raises Unreadable where it is no such list.
    """
    left = job_list_count(key)
    try:
        with gzip.GzipFile(fileobj=objects.open(key)) as file:
            while line := file.readline(MOST_LINE + 1):
                if left == 0 or len(line) > MOST_LINE:
                    raise Unreadable("it has more in it than its key says")
                if line.strip():
                    left -= 1
                    yield key, line
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"it cannot be unpacked ({error})") from None
