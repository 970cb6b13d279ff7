"""Bring a job's inputs from S3 to its input folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .outcomes import Hopeless
from .transfers import download, run_all

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Input:
    """One object, and the file that it becomes."""

    bucket: str
    key: str
    path: Path


def fetch_inputs(
    s3: S3Client, bucket: str, places: tuple[str, ...], folder: Path, check: Callable[[], None]
) -> None:
    """Bring keys (to `folder` itself) and prefixes that end in / (their tree below `folder`).

    A place that is an s3:// address has its own bucket. Raises Hopeless for a missing input.
    """
    if not places:
        return
    steps = (
        partial(download, s3, item.bucket, item.key, item.path)
        for item in find_inputs(s3, bucket, places, folder)
    )
    run_all(steps, check)


def find_inputs(
    s3: S3Client, bucket: str, places: tuple[str, ...], folder: Path
) -> Iterator[Input]:
    """The objects of every place, prefixes listed; raises Hopeless where two become one file."""
    taken: dict[Path, str] = {}
    for place in places:
        place_bucket, key = split_address(place, bucket)
        found = (
            _tree(s3, place_bucket, key, folder)
            if key.endswith("/") or not key
            else iter([Input(place_bucket, key, folder / key.rsplit("/", 1)[-1])])
        )
        for item in found:
            if item.path in taken:
                raise Hopeless(
                    f"The inputs {taken[item.path]} and s3://{item.bucket}/{item.key} "
                    f"would both be {item.path.relative_to(folder)}."
                )
            taken[item.path] = f"s3://{item.bucket}/{item.key}"
            yield item


def _tree(s3: S3Client, bucket: str, prefix: str, folder: Path) -> Iterator[Input]:
    count = 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", []):
            below = item["Key"][len(prefix) :]
            if not below or below.endswith("/"):
                continue  # a console's "folder"
            if ".." in below.split("/") or below.startswith("/"):
                raise Hopeless(f"The input s3://{bucket}/{item['Key']} would leave its folder.")
            count += 1
            yield Input(bucket, item["Key"], folder / below)
    if not count:
        raise Hopeless(f"There is nothing below the input s3://{bucket}/{prefix}.")


def split_address(place: str, bucket: str) -> tuple[str, str]:
    """The bucket and key of an s3:// address, or of a key in `bucket`."""
    if place.startswith("s3://"):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        return bucket, key
    return bucket, place.lstrip("/")
