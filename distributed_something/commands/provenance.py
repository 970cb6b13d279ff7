"""Keep beside a run's ledger what it was made with: enough to run it again, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ledger import list_keys

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from ..protocol.ledger_keys import RunKeys


def read_provenance(s3: S3Client, bucket: str, keys: RunKeys) -> dict[str, str]:
    """The kept files by name, those that are long cut short."""
    found = {}
    for key in list_keys(s3, bucket, f"{keys.prefix}made_with/"):
        body = s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-19999")["Body"].read()
        found[key.rpartition("/")[2]] = body.decode(errors="replace")
    return found
