"""How fast a rehearsal goes, so that it does not consist of waiting."""

from __future__ import annotations

from ..commands.watching.monitor import Pace

HEARTBEAT_SECONDS = 3.0
WORKER_PACE = {
    "SECONDS_TO_START": "0",
    "WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
    "WORKER_BACKOFF_SECONDS": "1",
    "WORKER_BACKOFF_MOST_SECONDS": "1",
    "WORKER_GRACE_SECONDS": "5",
    "WORKER_MACHINES_TO_BLAME": "1",  # all of them are this computer
    "WORKER_STOP_SECONDS": "15",
    "WORKER_SHOW_LINES": "yes",  # in the files of a rehearsal, whatever the simulated streams hold
}
# The simulated counts are exact and there is no one else, so that little patience is enough.
PACE = Pace(
    look_every=0.5,
    quiet_seconds=1.0,
    quiet_looks=2,
    heartbeat_seconds=3 * HEARTBEAT_SECONDS,
    patience=30.0,
    alike_failures=3,
    alike_machines=1,
    export_seconds=0.0,
)
