"""Listings that we read ourselves say what botocore would say of them."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.protocol.sessions import read_quickly

_WRITTEN = "<LastModified>2026-12-01T12:00:00.000Z</LastModified>"
_ETAG = "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
_SUMS = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
_CHECKSUMS = {"ChecksumAlgorithm", "ChecksumType"}
KEYS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


def parsers() -> tuple[Any, Any]:
    """What reads an answer as botocore does, and as our clients do."""
    found = []
    for is_ours in (False, True):
        session = botocore.session.Session()
        if is_ours:
            read_quickly(session, parse_timestamp)
        found.append(session.get_component("response_parser_factory").create_parser("rest-xml"))
    return found[0], found[1]


BOTOCORE, OURS = parsers()
MODEL = botocore.session.Session().get_service_model("s3").operation_model("ListObjectsV2")


def read(parser: Any, objects: str, status: int = 200) -> Any:
    """What a parser reads from a listing of these objects."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lab</Name>'
        f"<KeyCount>1</KeyCount><IsTruncated>true</IsTruncated>{objects}"
        "<CommonPrefixes><Prefix>runs/</Prefix></CommonPrefixes>"
        "<NextContinuationToken>next</NextContinuationToken></ListBucketResult>"
    )
    answer = {"body": text.encode(), "headers": {}, "status_code": status}
    parsed = parser.parse(answer, MODEL.output_shape)
    for one in parsed.get("Contents", []):
        for name in _CHECKSUMS:
            one.pop(name, None)
    return parsed


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**50), st.booleans()), max_size=5))
def test_a_listing_is_what_botocore_takes_it_for(objects: list[tuple[str, int, bool]]) -> None:
    text = "".join(
        f"<Contents><Key>{escape(key)}</Key>{_WRITTEN}{_ETAG}{_SUMS * new}<Size>{size}</Size>"
        f"<StorageClass>{'STANDARD' if new else 'GLACIER'}</StorageClass></Contents>"
        for key, size, new in objects
    )
    assert read(OURS, text) == read(BOTOCORE, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"<Contents>\n <Key>a</Key>\n {_WRITTEN}{_ETAG}<Size>1</Size></Contents>",
        f"<Contents><Size>1</Size><Key>a</Key>{_WRITTEN}{_ETAG}</Contents>",
        f"<Contents><Key>a</Key>{_WRITTEN}{_ETAG}<Size>1</Size><Owner><ID>me</ID></Owner></Contents>",
        f"<Contents><Key>a</Key>{_WRITTEN}{_ETAG}<Size>1</Size></Contents><Contents><Key>b</Key></Contents>",
    ],
)
def test_a_listing_that_is_written_in_another_way_is_left_to_botocore(text: str) -> None:
    assert read(OURS, text) == read(BOTOCORE, text)


def test_an_error_in_place_of_a_listing_is_left_to_botocore() -> None:
    assert read(OURS, "", status=503) == read(BOTOCORE, "", status=503)


def test_our_clients_do_not_walk_through_the_xml_of_objects() -> None:
    seen = f"<Contents><Key>a</Key>{_WRITTEN}{_ETAG}<Size>1</Size></Contents>"
    (listed,) = read(OURS, seen.replace("<Size>", f"{_SUMS}<Size>"))["Contents"]
    assert listed.keys() == {"Key", "LastModified", "ETag", "Size"}
