"""Listings that are read quickly say what botocore would have said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from distributed_something.aws.quick_listings import read_objects
from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Simulator
from tests.lives import handling

BUCKET = "lab-data"
ODD = ["a b", "a&b", "a<b>c", "a'\"b", "é/ü", "plus+percent%20", "a/b/c", "]]>"]


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        clients = simulator.aws()
        clients.s3.create_bucket(Bucket=BUCKET)
        for number, key in enumerate([*ODD, *(f"runs/{n:02}" for n in range(25))]):
            clients.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * number)
        yield clients


def slow(aws: Aws) -> Any:
    """A client that reads as botocore does."""
    return aws.session.client("s3", endpoint_url=aws.endpoint_url)


@pytest.mark.parametrize(
    "request_", [{}, {"MaxKeys": 7}, {"Prefix": "runs/"}, {"Prefix": "none"}, {"Delimiter": "/"}]
)
def test_a_listing_is_the_same_as_botocores(aws: Aws, request_: dict[str, Any]) -> None:
    quick = aws.s3.list_objects_v2(Bucket=BUCKET, **request_)
    plain = slow(aws).list_objects_v2(Bucket=BUCKET, **request_)
    own = ("ResponseMetadata", "NextContinuationToken")
    assert {k: v for k, v in quick.items() if k not in own} == {
        k: v for k, v in plain.items() if k not in own
    }


def test_the_simulators_listings_are_of_the_form_that_is_read_quickly(aws: Aws) -> None:
    taken: list[Any] = []

    def look(customized_response_dict: dict[str, Any], **_: Any) -> None:
        taken.append(customized_response_dict.get("Contents"))

    with handling([aws.s3], "before-parse.s3.ListObjectsV2", look):
        answer = aws.s3.list_objects_v2(Bucket=BUCKET)
    assert taken == [answer["Contents"]]


def test_all_pages_are_read(aws: Aws) -> None:
    pages = aws.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 4}
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert keys == sorted([*ODD, *(f"runs/{n:02}" for n in range(25))])


def test_a_refusal_is_still_one(aws: Aws) -> None:
    with pytest.raises(aws.s3.exceptions.NoSuchBucket):
        aws.s3.list_objects_v2(Bucket="another-bucket")


def test_what_is_escaped_is_read_as_it_was() -> None:
    body = (
        b"<Contents><Key>a&amp;b&#x20ac;</Key><LastModified>2026-11-21T00:00:00.250Z</LastModified>"
        b"<ETag>&#34;1&quot;</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )
    (one,) = read_objects(body) or []
    assert (one["Key"], one["ETag"], one["LastModified"].microsecond) == ("a&b€", '"1"', 250_000)


@pytest.mark.parametrize(
    "more",
    [
        "<Owner><ID>1</ID><DisplayName>lab</DisplayName></Owner>",
        "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>",
        "<Novelty>7</Novelty>",
        "<!-- words -->",
    ],
)
def test_what_is_not_known_is_left_to_botocore(more: str) -> None:
    known = (
        "<Key>a</Key><LastModified>2026-11-21T00:00:00.000Z</LastModified><ETag>&quot;1&quot;"
        "</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>3</Size><StorageClass>STANDARD</StorageClass>"
    )
    assert read_objects(f"<Contents>{known}</Contents>".encode())
    assert read_objects(f"<Contents>{known}{more}</Contents>".encode()) is None
