"""The statements that a bucket's policy gets and loses, among others' that stay."""

from __future__ import annotations

from .scope import Scope, as_list
from .statements import Document, allow, document

EXPORT_SID = "DistributedSomethingLogExport"


def log_export_policy(scope: Scope, bucket: str) -> Document:
    """A bucket's policy that lets CloudWatch write exported logs to it, of this account alone.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3ExportTasks.html
    """
    principal = {"Service": [f"logs.{region}.amazonaws.com" for region in scope.regions]}
    condition = {
        "StringEquals": {"aws:SourceAccount": scope.account},
        "ArnLike": {"aws:SourceArn": scope.arns("logs", "log-group:*")},
    }
    arn = f"arn:{scope.partition}:s3:::{bucket}"
    look = allow(f"{EXPORT_SID}Look", ["s3:GetBucketAcl"], arn)
    write = allow(f"{EXPORT_SID}Write", ["s3:PutObject"], f"{arn}/exportedlogs/*")
    return document(
        *(
            {**statement, "Principal": principal, "Condition": condition}
            for statement in (look, write)
        )
    )


def with_statements(policy: Document | None, added: Document) -> Document:
    """A bucket's policy with statements added, in the place of those with their names."""
    kept = without_statements(policy, added) or {**added, "Statement": []}
    return {**kept, "Statement": [*kept["Statement"], *added["Statement"]]}


def without_statements(policy: Document | None, removed: Document) -> Document | None:
    """A bucket's policy without the statements of these names; None if nothing is left."""
    names = {statement["Sid"] for statement in removed["Statement"]}
    kept = [
        statement
        for statement in as_list((policy or {}).get("Statement", []))
        if statement.get("Sid") not in names
    ]
    return {**(policy or {}), "Statement": kept} if kept else None
