"""What a worker's loop reads of its run, and what it makes of an answer that was lost."""

from __future__ import annotations

import json
from dataclasses import replace

from distributed_something.protocol.attempts import Attempt
from distributed_something.protocol.ledger_keys import AttemptState
from worker import ledger

from .world import RUN_ID, World, until


def test_a_done_marker_that_is_sent_twice_is_still_this_attempts_own(world: World) -> None:
    mine = Attempt(
        job_id="0" * 20,
        name="P1",
        attempt_id="1700000000000-aaaaaa",
        number=1,
        state=AttemptState.DONE.value,
        instance_id="i-0",
        slot="slot-1",
        started=1_700_000_000.0,
    )
    other = replace(mine, attempt_id="1700000000000-bbbbbb")
    place = (world.aws.s3, world.bucket, world.keys)
    assert ledger.mark_done(*place, mine)
    assert ledger.mark_done(*place, mine)
    assert not ledger.mark_done(*place, other)


def test_a_worker_that_starts_in_a_stopped_run_takes_no_job(world: World) -> None:
    world.put(f"monitors/{world.name}SpotFleetRequestId.json", json.dumps({"run_id": RUN_ID}))
    world.put(world.keys.stopped, "Enough has failed.")
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    world.start_worker({"WORKER_HEARTBEAT_SECONDS": "1"})
    until(lambda: "The run is stopped: Enough has failed." in world.worker_log()
          or world.attempts(job), "it looks at the run")  # fmt: skip
    world.stop()
    assert world.attempts(job) == []
    assert world.counts() == (1, 0)
    assert [beat.job_id for beat in world.heartbeats()] == [""]
