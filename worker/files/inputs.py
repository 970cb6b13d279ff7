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
    is_guessed,
    place_of,
    read_sources,
    source_problems,
)
from distributed_something.protocol.tables.paths import TableFault
from distributed_something.protocol.tables.table import choose_rows

from ..job.outcomes import Hopeless
from .cache import Cache
from .downloads import Input, fetch, link
from .mount import Bucket
from .refusals import readable
from .tables import localise, localise_list, read_table, write_table
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
        self._above: dict[Path, str] = {}  # folders, and an object in each

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
                raise Hopeless(
                    f"The input {own} is listed twice, once for the files that it names."
                )
            self._fetch(iter([replace(own, is_rewritten=True)]))
            yield from self._named(source, own)

    def _named(self, source: FileList | FileTable, own: Input) -> list[Input]:
        """The objects that a list or table names; it names their places here afterwards."""
        found: list[Input] = []

        def bring(place: str) -> Path:
            item = self._item(place)
            found.extend(self._new(item))
            return item.path

        try:
            if isinstance(source, FileList):
                localise_list(own.path, str(own), source.paths, bring)
            else:
                table = choose_rows(read_table(own.path, str(own)), source.where or ())
                write_table(localise(table, source.paths, bring), own.path)
        except TableFault as fault:
            hint = ' Say which rows are meant with "where".' if is_guessed(source) else ""
            raise Hopeless(f"{fault}{hint}") from None
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
            steps = [step for step in below.split("/") if step not in ("", ".")]
            if ".." in steps:
                raise Hopeless(f"The input s3://{bucket}/{key} would leave its folder.")
            count += 1
            path = self._folder.joinpath(*steps)
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
        if self._taken.get(item.path) == name:
            return False
        self._refuse_clash(item, name)
        self._taken[item.path] = name
        self._above.update(dict.fromkeys(self._folders_of(item.path), name))
        return True

    def _refuse_clash(self, item: Input, name: str) -> None:
        """Raise Hopeless for two objects of one file, and for a file where a folder must be."""
        if other := self._taken.get(item.path):
            raise Hopeless(
                f"The inputs {other} and {name} would both be "
                f"{item.path.relative_to(self._folder)}."
            )
        if within := self._above.get(item.path):
            raise self._clash(name, item.path, within)
        for folder in self._folders_of(item.path):
            if other := self._taken.get(folder):
                raise self._clash(other, folder, name)

    def _clash(self, file: str, path: Path, within: str) -> Hopeless:
        return Hopeless(
            f"The input {file} would be the file {path.relative_to(self._folder)}, and {within} "
            "needs a folder of this name."
        )

    def _folders_of(self, path: Path) -> Iterator[Path]:
        """The folders of a file, below the input folder."""
        for folder in path.parents:
            if folder == self._folder:
                return
            yield folder
