"""Bring a job's inputs from S3 to its input folder: objects, prefixes, and what tables name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.sources import (
    FileList,
    FileTable,
    Source,
    place_of,
    read_sources,
    source_problems,
)

from ..job.outcomes import Hopeless
from .cache import Cache
from .downloads import Input, fetch, link
from .mount import Bucket
from .refusals import readable
from .tables import choose_rows, localise, localise_list, read_table, write_table
from .transfers import Step, run_all

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef


class Inputs:
    """The inputs of one attempt, by where they are here: two objects never become one file."""

    def __init__(
        self,
        s3: S3Client,
        buckets: Buckets,
        folder: Path,
        check: Callable[[], None],
        cache: Cache | None = None,
        mounted: Bucket | None = None,
    ) -> None:
        """`mounted` is a bucket that is seen as a folder: its objects are linked, not brought."""
        self._s3 = s3
        self._buckets = buckets
        self._folder = folder
        self._check = check
        self._cache = cache or Cache(None)
        self._mounted = mounted
        self._taken: dict[Path, str] = {}

    def bring(self, *sources: object) -> list[Path]:
        """Bring sources as a job file's `inputs` gives them, but filled in.

        Returns a path for each: a key's file, a prefix's folder, and for a list or table the file
        that names the others by where they are here. Raises Hopeless for what can never come.
        """
        problems: list[str] = []
        found = read_sources(list(sources), problems)
        problems += (problem for source in found for problem in source_problems(source))
        if problems:
            raise Hopeless(" ".join(problems))
        return self.bring_all(found)

    def bring_all(self, sources: tuple[Source, ...]) -> list[Path]:
        """The same for sources that were read and checked before."""
        paths: list[Path] = []
        items = (item for source in sources for item in self._find(source, paths))
        self._fetch(items)
        return paths

    def _fetch(self, items: Iterator[Input]) -> None:
        first = next(items, None)
        if first is None:
            return
        run_all((self._step(item) for item in chain([first], items)), self._check)

    def _step(self, item: Input) -> Step:
        if self._mounted and item.bucket == self._mounted.name and not item.is_rewritten:
            return partial(link, self._mounted, item)
        return partial(fetch, self._s3, item, self._cache)

    def _find(self, source: Source, paths: list[Path]) -> Iterator[Input]:
        """The objects of one source that are still to come; its own path is added to `paths`."""
        bucket, key = self._buckets.find(place_of(source), self._buckets.source)
        if isinstance(source, str) and (key.endswith("/") or not key):
            paths.append(self._folder)
            yield from self._tree(bucket, key)
            return
        own = Input(bucket, key, self._folder / key.rsplit("/", 1)[-1])
        paths.append(own.path)
        if isinstance(source, str):
            yield from self._new(own)
        else:
            if not self._is_new(own):
                raise Hopeless(f"The input {own} is named twice, once for the files that it names.")
            self._fetch(iter([replace(own, is_rewritten=True)]))
            yield from self._named(source, own)

    def _named(self, source: FileList | FileTable, own: Input) -> list[Input]:
        """The objects that a list or table names; it names their places here afterwards."""
        found: list[Input] = []

        def bring(place: str) -> Path:
            item = self._item(place)
            found.extend(self._new(item))
            return item.path

        if isinstance(source, FileList):
            localise_list(own.path, str(own), source.paths, bring)
        else:
            table = choose_rows(read_table(own.path, str(own)), source.where or ())
            write_table(localise(table, source.paths, bring), own.path)
        return found

    def _item(self, place: str) -> Input:
        """A named object, and its file: its whole key below the input folder.

        Objects of other buckets than the source bucket are in a folder of their bucket's name.
        """
        bucket, key = self._buckets.find(place, self._buckets.source)
        top = self._folder if bucket == self._buckets.source else self._folder / bucket
        return Input(bucket, key, top / key.lstrip("/"))

    def _tree(self, bucket: str, prefix: str) -> Iterator[Input]:
        count = 0
        for entry in self._listed(bucket, prefix):
            key, below = entry["Key"], entry["Key"][len(prefix) :]
            if not below or below.endswith("/"):
                continue  # a console's "folder"
            if ".." in below.split("/") or below.startswith("/"):
                raise Hopeless(f"The input s3://{bucket}/{key} would leave its folder.")
            count += 1
            path = self._folder / below
            yield from self._new(Input(bucket, key, path, entry["ETag"], entry["Size"]))
        if not count:
            raise Hopeless(f"There is nothing below the input s3://{bucket}/{prefix}.")

    def _listed(self, bucket: str, prefix: str) -> Iterator[ObjectTypeDef]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with readable(f"s3://{bucket}/{prefix}"):
            for page in pages:
                yield from page.get("Contents", [])

    def _new(self, item: Input) -> Iterator[Input]:
        if self._is_new(item):
            yield item

    def _is_new(self, item: Input) -> bool:
        """Whether an object was not asked for yet; raises Hopeless if its file is another's."""
        name = str(item)
        if item.path not in self._taken:
            self._taken[item.path] = name
            return True
        if self._taken[item.path] != name:
            raise Hopeless(
                f"The inputs {self._taken[item.path]} and {name} would both be "
                f"{item.path.relative_to(self._folder)}."
            )
        return False
