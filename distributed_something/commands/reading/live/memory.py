"""Ask S3 once for each object that never changes, however often a page is made again."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MOST = 64 << 20  # bytes that are kept


class RememberingS3:
    """An S3 client that keeps what objects with a `is_fixed` key hold; all else it passes on."""

    def __init__(self, s3: S3Client, is_fixed: Callable[[str], bool]) -> None:
        self._s3 = s3
        self._is_fixed = is_fixed
        self._kept: dict[tuple[str, str], bytes] = {}
        self._size = 0

    @classmethod
    def over(cls, s3: S3Client, is_fixed: Callable[[str], bool]) -> S3Client:
        """Such a client, to be used in the place of `s3`."""
        return cast("S3Client", cls(s3, is_fixed))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **request: Any) -> Any:
        """The object, from memory if it was asked for before."""
        place = (request["Bucket"], request["Key"])
        if set(request) != {"Bucket", "Key"} or not self._is_fixed(request["Key"]):
            return self._s3.get_object(**request)
        if place in self._kept:
            return {"Body": BytesIO(self._kept[place])}
        answer = self._s3.get_object(**request)
        if answer["ContentLength"] > _MOST - self._size:
            return answer
        body = answer["Body"].read()
        self._kept[place] = body
        self._size += len(body)
        return {"Body": BytesIO(body)}
