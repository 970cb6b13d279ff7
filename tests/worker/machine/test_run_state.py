"""What a worker's loop reads of its run, and what it makes of an answer that was lost."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from urllib3 import HTTPResponse

from distributed_something.protocol.ledger.attempts import Attempt, AttemptState

from ..world import World, until

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


MINE = Attempt(
    job_id="0" * 20,
    name="P1",
    attempt_id="1700000000000-aaaaaa",
    number=1,
    state=AttemptState.DONE.value,
    instance_id="i-0",
    slot="slot-1",
    started=1_700_000_000.0,
)


def test_a_done_marker_that_is_sent_twice_is_still_this_attempts_own(world: World) -> None:
    other = replace(MINE, attempt_id="1700000000000-bbbbbb")
    assert world.ledger.mark_done(MINE)
    assert world.ledger.mark_done(MINE)
    assert not world.ledger.mark_done(other)


class _Meetings:
    """Answers writes of a client as S3 does those that meet others, before it lets them through."""

    def __init__(self, s3: S3Client, count: int) -> None:
        self.left = count
        events: Any = s3.meta.events
        events.register("before-send.s3.PutObject", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if not self.left:
            return None
        self.left -= 1
        body = b"<Error><Code>ConditionalRequestConflict</Code><Message>Again.</Message></Error>"
        raw: Any = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, 409, raw.headers, raw)


def test_a_marker_that_meets_others_is_written_again_but_not_for_ever(world: World) -> None:
    meetings = _Meetings(world.aws.s3, 4)
    assert world.ledger.mark_done(MINE)
    assert meetings.left == 0
    assert world.done() == [MINE.job_id]
    meetings.left = 1000
    with pytest.raises(ClientError, match="ConditionalRequestConflict"):
        world.ledger.mark_done(replace(MINE, job_id="1" * 20))
    assert meetings.left > 900


def test_a_worker_that_starts_in_a_stopped_run_takes_no_job(world: World) -> None:
    world.write_record()
    world.put(world.keys.stopped, "Enough has failed.")
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    world.start_worker({"WORKER_HEARTBEAT_SECONDS": "1"})
    until(lambda: "The run is stopped: Enough has failed." in world.worker_log()
          or world.attempts(job), "it looks at the run")  # fmt: skip
    world.stop()
    assert world.attempts(job) == []
    assert world.counts() == (1, 0)
    assert world.heartbeats() == [None]
