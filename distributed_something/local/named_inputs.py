"""Find the keys that jobs name as their inputs: a rehearsal's buckets need no others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..protocol.buckets import Buckets

if TYPE_CHECKING:
    from ..inputs.job_files import JobFile
    from ..inputs.jobs import JobMaker
    from ..inputs.settings import Settings


@dataclass(frozen=True)
class NamedInputs:
    """Keys by bucket; one that ends in `/` stands for all that is below it."""

    keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def files(self, bucket: str, folder: Path) -> Iterator[Path]:
        """The files of a folder that are named for a bucket."""
        for key in sorted(self.keys.get(bucket, ())):
            path = folder / key
            if key.endswith("/") or not key:
                yield from all_files(path)
            elif path.is_file() and path.relative_to(folder).as_posix() == key:
                yield path


def all_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def find_named_inputs(
    settings: Settings, file: JobFile, maker: JobMaker, limit: int | None = None
) -> NamedInputs | None:
    """What the first `limit` jobs and the config name; None where only a run can show it.

    That is so for lists and tables, for jobs without a command or without inputs, for a command
    with an address of its own, for a mounted bucket, and where results of earlier runs count.
    """
    if settings.mounts or settings.check_if_done_bool:
        return None
    buckets = Buckets.of(settings)
    named = NamedInputs()
    for place in settings.scripts.values():
        bucket, key = buckets.find(place, buckets.source)
        named.keys[bucket].add(key)
    for group in islice(file.groups(), limit):
        try:
            job = maker.job(group)
        except ValueError:  # a job that is wrong itself: submitJob says why
            continue
        places = [source for source in job.inputs if isinstance(source, str)]
        command = str(job.keys.command or "s3://")
        if not places or len(places) < len(job.inputs) or "s3://" in command:
            return None
        for place in places:
            bucket, key = buckets.find(place, buckets.source)
            named.keys[bucket].add(key)
    return named
