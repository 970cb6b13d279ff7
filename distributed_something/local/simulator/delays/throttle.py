"""Request rates of the simulated AWS: token buckets with AWS's quotas, on the simulated clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .. import rules


@dataclass(frozen=True)
class Quota:
    """How many requests a second are answered, and how many at once after a pause."""

    rate: float
    burst: float


# CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
# Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
QUOTAS: Mapping[str, Quota] = {
    "PutMetricAlarm": Quota(3, 3),
    "DescribeAlarms": Quota(9, 9),
    "DeleteAlarms": Quota(3, 3),
    "PutMetricData": Quota(500, 500),
    "CreateLogStream": Quota(50, 50),
    "PutLogEvents": Quota(5000, 5000),
    "s3:PUT": Quota(3500, 3500),
    "s3:GET": Quota(5500, 5500),
}
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


class Throttle:
    """What is left of each bucket; S3's are one a prefix."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # tokens, when they were counted
        self.refused: dict[str, int] = {}

    def empty(self) -> None:
        self._left.clear()
        self.refused.clear()

    def admits(self, operation: str, prefix: str = "") -> bool:
        """Take a token, if there is one."""
        quota = QUOTAS.get(operation)
        if quota is None or not rules.current().is_throttled:
            return True
        bucket = f"{operation} {prefix}"
        now = rules.current().clock()
        left, since = self._left.get(bucket, (quota.burst, now))
        left = min(quota.burst, left + max(0.0, now - since) * quota.rate)
        if left < 1:
            self._left[bucket] = (left, now)
            self.refused[operation] = self.refused.get(operation, 0) + 1
            return False
        self._left[bucket] = (left - 1, now)
        return True


def operation_of(service: str, environ: Mapping[str, Any], body: bytes) -> tuple[str, str]:
    """What a request asks for, as QUOTAS names it, and the prefix that it is counted by."""
    if service == "s3":
        path = unquote(str(environ.get("PATH_INFO", "")))
        kind = "GET" if environ["REQUEST_METHOD"] in ("GET", "HEAD") else "PUT"
        return f"s3:{kind}", path.rpartition("/")[0]
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2], ""
    found = _ACTION.search(body)
    return (found[1].decode() if found else ""), ""


def refusal(service: str, operation: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """What a service answers to a request that comes too soon: status, headers, body."""
    if service == "s3":
        body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
        return "503 Slow Down", [("Content-Type", "application/xml")], f"{body}</Error>".encode()
    text = "Rate exceeded"
    content = json.dumps({"__type": "ThrottlingException", "message": text})
    headers = [
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-ErrorType", "ThrottlingException"),
    ]
    if service == "monitoring":  # it spoke another protocol before, and keeps its codes
        headers.append(("x-amzn-query-error", "Throttling;Sender"))
    return f"400 {operation}", headers, content.encode()
