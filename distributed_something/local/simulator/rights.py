"""Simulated rights: moto's, which takes the signature of a GET with names in its path for wrong.

The server's guard has checked the signature before a request comes here.
"""

from __future__ import annotations

from moto.iam.access_control import IAMRequest
from moto.sqs.responses import SQSResponse


def _take_any(_request: IAMRequest) -> None:
    """A request is who it says it is."""


def _queue_arn(response: SQSResponse) -> str:
    """The queue that a request names; rights to it are there before it can be used."""
    queue = response.sqs_backend.queues.get(response._get_queue_name())
    return str(queue.queue_arn) if queue is not None else "*"


def install() -> None:
    """Put these in the place of moto's checks, which are off unless a test switches them on."""
    IAMRequest.check_signature = _take_any  # type: ignore[assignment, method-assign]
    SQSResponse._determine_resource = _queue_arn  # type: ignore[assignment, method-assign]
