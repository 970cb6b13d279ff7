"""Tell by its parts' digests whether a large file is still what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 2**20  # bytes


@dataclass(frozen=True)
class Digest:
    """The digest of a file's parts' MD5 digests, as S3 makes an ETag of them."""

    text: str
    part: int  # bytes in each part but the last

    @classmethod
    def of(cls, parts: Sequence[str], part: int) -> Digest:
        """Join the parts' own digests."""
        joined = hashlib.md5(bytes.fromhex("".join(parts)), usedforsecurity=False).hexdigest()
        return cls(f"{joined}-{len(parts)}", part)

    def fits(self, path: Path) -> bool:
        """Whether a file has this digest."""
        found = []
        with path.open("rb") as file:
            while block := file.read(min(_BLOCK, self.part)):
                digest, left = hashlib.md5(block, usedforsecurity=False), self.part - len(block)
                while left and (block := file.read(min(_BLOCK, left))):
                    digest.update(block)
                    left -= len(block)
                found.append(digest.hexdigest())
        return Digest.of(found, self.part) == self
