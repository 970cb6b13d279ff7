"""Tell which bucket a place is in: the four that the config names, or one of an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Named(Protocol):
    """The settings that name buckets, as the config file's or the worker's; '' is left out."""

    @property
    def aws_bucket(self) -> str: ...

    @property
    def source_bucket(self) -> str: ...

    @property
    def workspace_bucket(self) -> str: ...

    @property
    def destination_bucket(self) -> str: ...


@dataclass(frozen=True)
class Buckets:
    """The buckets by their roles, each with what stands in for one that the config leaves out."""

    log: str  # AWS_BUCKET
    source: str
    workspace: str
    destination: str

    @classmethod
    def of(cls, settings: Named) -> Buckets:
        source = settings.source_bucket or settings.aws_bucket
        return cls(
            log=settings.aws_bucket,
            source=source,
            workspace=settings.workspace_bucket or source,
            destination=settings.destination_bucket or settings.aws_bucket,
        )

    def find(self, place: str, default: str) -> tuple[str, str]:
        """The bucket and key of a key in `default`, or of an address, which may name a role."""
        if not place.startswith("s3://"):
            return default, place.lstrip("/")
        bucket, _, key = place.removeprefix("s3://").partition("/")
        return self._roles().get(bucket, bucket), key

    def _roles(self) -> dict[str, str]:
        return {
            "AWS_BUCKET": self.log,
            "SOURCE_BUCKET": self.source,
            "WORKSPACE_BUCKET": self.workspace,
            "DESTINATION_BUCKET": self.destination,
        }
