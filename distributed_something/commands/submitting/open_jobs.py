"""Open a job file with the groups and inputs that the files of its buckets make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...aws.storage import list_objects
from ...inputs.forms.found_files import ListKeys, find_files
from ...inputs.job_files import JobFile, open_job_file
from ...protocol.buckets import Buckets
from ...protocol.families import FAMILIES

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings


def open_jobs(
    settings: Settings, path: Path, family: str | None, list_keys: ListKeys | None
) -> JobFile:
    """A job file that was looked through once; `family` is a word of `FAMILIES`, or None.

    Raises UsageError if it is none; NotListed, when groups are read, if they depend on files and
    there is no `list_keys`.
    """
    form = FAMILIES[family] if family else None
    return find_files(open_job_file(path, settings.job_defaults, form), list_keys)


def keys_in(aws: Aws | None, settings: Settings) -> ListKeys | None:
    """What lists the keys below the start of a place in the config's buckets; None without AWS."""
    if aws is None:
        return None
    buckets = Buckets.of(settings)

    def list_keys(place: str) -> Iterator[str]:
        bucket, prefix = buckets.find(place, buckets.source)
        return (item["Key"] for item in list_objects(aws.s3, bucket, prefix))

    return list_keys
