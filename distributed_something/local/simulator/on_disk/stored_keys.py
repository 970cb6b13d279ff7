"""moto's S3 objects and multipart uploads with their contents on disk."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from moto.s3 import models
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart
from moto.s3.utils import compute_checksum

from .pieces import SHELF, Piece

_SMALL = 16 * 1024  # bytes; what is larger is in a file
_SMALLEST_PART = 5 * 2**20  # bytes, of all parts but the last
_CRC_BYTES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 4}  # as moto has them without AWS's library


class StoredKey(FakeKey):
    """An object whose content is a piece of a file, unless it is small."""

    @property
    def value(self) -> Any:  # bytes, or a Piece
        return self._content

    @value.setter
    def value(self, content: bytes | str | Piece) -> None:
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, Piece) and len(content) > _SMALL:
            content = SHELF.put([content])
        self._content = content
        self.contentsize = len(content)

    @property
    def etag(self) -> str:
        if self._etag is None:
            self._etag = etag_of(self._content)
        return f'"{self._etag}"'

    def dispose(self, garbage: bool = False) -> None:
        super().dispose(garbage)
        self._content = b""


def etag_of(content: bytes | Piece) -> str:
    """The ETag, without quotes, of what is uploaded at once."""
    digest = hashlib.md5(usedforsecurity=False)
    for block in _blocks(content):
        digest.update(block)
    return digest.hexdigest()


class StoredMultipart(FakeMultipart):
    """An upload whose parts are joined on disk; they become pieces of the whole."""

    def complete(self, body: Iterator[tuple[int, str]]) -> Any:
        """The content, its ETag, and kind, value and number of parts of its checksum."""
        parts = list(self._named_parts(body))
        if not parts:
            raise MalformedXML
        algorithm = self.metadata.get("x-amz-checksum-algorithm")
        kind = self.metadata.get("x-amz-checksum-type")
        checksum = _checksum(parts, algorithm or "CRC64NVME", kind)
        whole = SHELF.put(block for part in parts for block in _blocks(part.value))
        digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
        place = 0
        for part in parts:
            part.value = whole[place : place + part.size]
            place += part.size
        digest = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        return whole, f"{digest}-{len(parts)}", checksum

    def _named_parts(self, body: Iterable[tuple[int, str]]) -> Iterator[Any]:
        last: FakeKey | None = None
        for number, etag in body:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart
            if last is not None and last.size < _SMALLEST_PART:
                raise EntityTooSmall
            yield part
            last = part


def _checksum(parts: list[Any], algorithm: str, kind: str | None) -> tuple[str, str, int]:
    """Kind, value and number of parts of the checksum that AWS gives a whole upload."""
    kind = kind or ("FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE")
    if kind == "COMPOSITE":
        own = [compute_checksum(bytes(p.value), algorithm, encode_base64=False) for p in parts]
        return kind, compute_checksum(b"".join(own), algorithm).decode(), len(parts)
    value = 0
    for part in parts:
        for block in _blocks(part.value):
            value = binascii.crc32(block, value)
    return kind, base64.b64encode(value.to_bytes(_CRC_BYTES[algorithm], "big")).decode(), 1


def _blocks(content: bytes | Piece) -> Iterable[bytes]:
    return content if isinstance(content, Piece) else (content,)


def install() -> None:
    """Have moto make objects and uploads of these kinds from now on."""
    vars(models)["FakeKey"] = StoredKey
    vars(models)["FakeMultipart"] = StoredMultipart
