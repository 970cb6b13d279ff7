"""Send files to S3; a part of a large one that does not arrive is sent again, not the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ..job.judge import may_pass
from .transfers import LARGE, Crew

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Seconds between tries of one request, after the SDK's own: hours of a tool's work are in the file.
PAUSES = (2.0, 5.0, 15.0, 30.0, 60.0)
_PART = 8 * 2**20  # bytes; as many parts as there are threads are in memory
_PARTS_AT_ONCE = 6
_MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html


def upload(
    s3: S3Client,
    path: Path,
    bucket: str,
    key: str,
    extra: dict[str, Any],
    crew: Crew,
    *,
    pauses: tuple[float, ...] = PAUSES,
) -> None:
    """Send one file; the SDK sends a checksum with it, or with each part, which S3 verifies.

    A request that fails in passing is made again after each of the `pauses` (seconds).
    """
    crew.check()
    if path.stat().st_size >= LARGE:
        with crew.large_turn():
            _Parts(s3, path, bucket, key, extra, crew, pauses).send()
        return

    def send() -> None:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)

    _patiently(send, key, crew, pauses)


def _patiently(request: Callable[[], T], key: str, crew: Crew, pauses: tuple[float, ...]) -> T:
    for pause in pauses:
        try:
            return request()
        except (ClientError, BotoCoreError) as error:
            if not may_pass(error):
                raise
            logger.warning(
                "%s could not be uploaded (%s); trying again in %g s.", key, error, pause
            )
        crew.pause(pause)
    return request()


@dataclass
class _Parts:
    """The upload of one large file in parts."""

    s3: S3Client
    path: Path
    bucket: str
    key: str
    extra: dict[str, Any]
    crew: Crew
    pauses: tuple[float, ...]
    upload_id: str = ""

    def send(self) -> None:
        """Send all parts, and take them back if they cannot all be sent."""
        begin = partial(
            self.s3.create_multipart_upload,
            Bucket=self.bucket,
            Key=self.key,
            **{**self.extra, "ChecksumAlgorithm": self._checksum},
        )
        self.upload_id = self._ask(begin)["UploadId"]
        try:
            parts = self._send_parts()
            self.crew.check()
            self._ask(partial(self._complete, parts))
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self.s3.abort_multipart_upload(
                    Bucket=self.bucket, Key=self.key, UploadId=self.upload_id, **self._payer
                )
            raise

    @property
    def _checksum(self) -> Any:
        return self.extra.get("ChecksumAlgorithm", "CRC32")

    @property
    def _payer(self) -> dict[str, Any]:
        """What S3 wants with each of the requests, where who asks is to pay."""
        return {name: self.extra[name] for name in ("RequestPayer",) if name in self.extra}

    def _send_parts(self) -> list[Any]:
        size = self.path.stat().st_size
        part = max(_PART, -(-size // _MOST_PARTS))
        with ThreadPoolExecutor(_PARTS_AT_ONCE, "part") as pool:
            futures = [
                pool.submit(self._send_part, number, part) for number in range(-(-size // part))
            ]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send_part(self, number: int, part: int) -> Any:
        self.crew.check()
        with self.path.open("rb") as file:
            file.seek(number * part)
            body = file.read(part)
        answer = self._ask(
            partial(
                self.s3.upload_part,
                Bucket=self.bucket,
                Key=self.key,
                UploadId=self.upload_id,
                PartNumber=number + 1,
                Body=body,
                ChecksumAlgorithm=self._checksum,
                **self._payer,
            )
        )
        names = ("ETag", f"Checksum{self._checksum}")
        told = {name: answer[name] for name in names if name in answer}
        return {"PartNumber": number + 1, **told}

    def _complete(self, parts: list[Any]) -> Any:
        return self.s3.complete_multipart_upload(
            Bucket=self.bucket,
            Key=self.key,
            UploadId=self.upload_id,
            MultipartUpload={"Parts": parts},
            **self._payer,
        )

    def _ask(self, request: Callable[[], Any]) -> Any:
        return _patiently(request, self.key, self.crew, self.pauses)
