"""Which keys a bucket lacks: the same as looking for each, with few listings."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.aws.presence import find_absent

KEYS = st.text(st.sampled_from("a0/~é\x7f"), min_size=1, max_size=4)


class Listing:
    """A bucket that lists its keys in order, a page at a time, and counts the requests."""

    def __init__(self, keys: set[str], page: int) -> None:
        self.keys, self.page, self.requests = sorted(keys), page, 0

    def list_objects_v2(self, *, StartAfter: str, **_: Any) -> dict[str, Any]:
        self.requests += 1
        after = [key for key in self.keys if key > StartAfter]
        contents = [{"Key": key} for key in after[: self.page]]
        return {"Contents": contents, "IsTruncated": len(after) > self.page}


def absent(bucket: Listing, wanted: set[str]) -> list[str]:
    return find_absent(cast("Any", bucket), "lab-data", wanted)


def lacks(there: set[str], key: str) -> bool:
    if key.endswith("/"):
        return not any(name.startswith(key) and name != key for name in there)
    return key not in there


@given(st.sets(KEYS, max_size=12), st.sets(KEYS, max_size=12), st.integers(1, 4))
def test_what_is_absent_is_what_a_look_for_each_key_would_not_find(
    there: set[str], wanted: set[str], page: int
) -> None:
    found = absent(Listing(there, page), wanted)
    assert sorted(found) == sorted(key for key in wanted if lacks(there, key))


@pytest.mark.parametrize(
    ("others", "most"),
    [({}, 2), ({f"before/{n:04}" for n in range(5000)} | {f"z/{n}" for n in range(5000)}, 2)],
)
def test_a_thousand_keys_that_lie_together_take_two_listings(others: set[str], most: int) -> None:
    wanted = {f"images/P1_{n:04}.tif" for n in range(1000)}
    bucket = Listing({*others, *wanted} - {"images/P1_0007.tif"}, page=1000)
    assert absent(bucket, wanted) == ["images/P1_0007.tif"]
    assert bucket.requests <= most


def test_keys_far_apart_take_a_listing_each() -> None:
    wanted = {f"plate{n:03}/images/A01.tif" for n in range(50)}
    others = {f"plate{n:03}/images/B{site:04}.tif" for n in range(50) for site in range(1000)}
    bucket = Listing(wanted | others, page=1000)
    assert absent(bucket, wanted) == []
    assert bucket.requests <= len(wanted)
