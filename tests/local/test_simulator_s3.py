"""The simulated S3 lists as S3 does: in order, by page, by prefix, by folder, after a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributed_something.aws.session import Aws
from distributed_something.local.simulator.s3 import IndexedKeyStore

BUCKET = "lab-data"
KEYS = ("a/1", "a/2", "a/b/3", "a/b/4", "a0", "b", "c/d/5", "c/é", "c/z")


@pytest.fixture
def bucket(aws: Aws) -> Aws:
    aws.s3.create_bucket(Bucket=BUCKET)
    for key in reversed(KEYS):
        aws.s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    return aws


def listed(aws: Aws, size: int = 1000, **request: Any) -> tuple[list[str], list[str]]:
    """The keys and the folders of all pages of `size`."""
    pages = aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": size}, **request
    )
    keys: list[str] = []
    folders: list[str] = []
    for page in pages:
        keys += [item["Key"] for item in page.get("Contents", [])]
        folders += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    return keys, folders


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_all_keys_are_listed_in_order_in_pages_of_any_size(bucket: Aws, size: int) -> None:
    assert listed(bucket, size) == (sorted(KEYS), [])


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_folders_are_listed_once_beside_the_keys(bucket: Aws, size: int) -> None:
    assert listed(bucket, size, Delimiter="/") == (["a0", "b"], ["a/", "c/"])
    assert listed(bucket, size, Prefix="a/", Delimiter="/") == (["a/1", "a/2"], ["a/b/"])


def test_a_listing_starts_after_a_name(bucket: Aws) -> None:
    assert listed(bucket, StartAfter="a/b/3")[0] == ["a/b/4", "a0", "b", "c/d/5", "c/z", "c/é"]
    assert listed(bucket, Prefix="c/", StartAfter="c/e")[0] == ["c/z", "c/é"]
    assert listed(bucket, StartAfter="a/zzz", Delimiter="/") == (["a0", "b"], ["c/"])


def test_a_prefix_without_keys_is_an_empty_listing(bucket: Aws) -> None:
    assert listed(bucket, Prefix="nothing/") == ([], [])


def test_deleted_and_rewritten_objects_are_listed_as_they_are(bucket: Aws) -> None:
    bucket.s3.delete_object(Bucket=BUCKET, Key="b")
    bucket.s3.delete_object(Bucket=BUCKET, Key="b")
    bucket.s3.put_object(Bucket=BUCKET, Key="a0", Body=b"again")
    assert listed(bucket)[0] == [key for key in sorted(KEYS) if key != "b"]


def test_the_old_listing_call_gives_the_same(bucket: Aws) -> None:
    pages = bucket.s3.get_paginator("list_objects").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    assert [item["Key"] for page in pages for item in page["Contents"]] == sorted(KEYS)


NAMES = st.text(st.sampled_from("ab/é"), min_size=1, max_size=5)


class _Version:
    """Stands for an object's version in a store."""

    def dispose(self) -> None:
        """Nothing is held."""


def names_after(store: IndexedKeyStore, name: str, prefix: str) -> list[str]:
    return list(store.after(name, prefix))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), NAMES)), NAMES, st.text(st.sampled_from("ab/"), max_size=2)
)
def test_the_index_says_what_sorting_all_names_would(
    changes: Sequence[tuple[bool, str]], after: str, prefix: str
) -> None:
    store = IndexedKeyStore()
    names: set[str] = set()
    for adds, name in changes:
        if adds:
            store.setlist(name, [_Version()])
            names.add(name)
        elif name in names:
            store.pop(name)
            names.discard(name)
    assert names_after(store, after, prefix) == expected(names, after, prefix)


def expected(names: Iterable[str], after: str, prefix: str) -> list[str]:
    return sorted(name for name in names if name > after and name.startswith(prefix))
