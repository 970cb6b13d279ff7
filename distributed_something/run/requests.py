"""Reckon the requests of a run and their price: a part of its bill that short jobs make large.

Pure. Prices are those of US East: https://aws.amazon.com/s3/pricing/,
https://aws.amazon.com/sqs/pricing/, https://aws.amazon.com/cloudwatch/pricing/.
"""

from __future__ import annotations

from dataclasses import dataclass

PUT = 5.0e-6  # USD: S3's PUT and LIST
GET = 0.4e-6  # S3's GET and HEAD
SQS = 0.4e-6  # each request to a queue, beyond the first million of a month
METRIC = 10.0e-6  # CloudWatch's PutMetricData

RENEWALS_A_LEASE = 4  # a lease is renewed at a quarter of SQS_MESSAGE_VISIBILITY
_PUTS_A_JOB = 3  # the attempt's start, its end and the job's done marker
_GETS_A_JOB = 2  # is the job done already, before it is begun and before its results are sent
_SQS_A_JOB = 3  # receive, renew, delete
_MINUTE = 60.0


@dataclass(frozen=True)
class Requests:
    """How many requests of each kind a run makes."""

    puts: float  # and listings
    gets: float
    sqs: float
    metrics: float

    @property
    def dollars(self) -> float:
        return self.puts * PUT + self.gets * GET + self.sqs * SQS + self.metrics * METRIC


def requests_of(
    attempts: int,
    busy_seconds: float,
    machine_seconds: float,
    *,
    files: int,
    lease_seconds: float,
) -> Requests:
    """The requests of so many attempts whose slots were busy for so long, with `files` of results.

    A slot writes its heartbeat once a minute, a machine its metric, and reads the run's state.
    """
    renewals = busy_seconds * RENEWALS_A_LEASE / lease_seconds
    return Requests(
        puts=attempts * _PUTS_A_JOB + files + busy_seconds / _MINUTE,
        gets=attempts * _GETS_A_JOB + machine_seconds / _MINUTE,
        sqs=attempts * _SQS_A_JOB + renewals,
        metrics=machine_seconds / _MINUTE,
    )
