"""What a run's ledger says of its machines and their slots: at work, broken, closed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .facts import HEARTBEAT_LIVE_SECONDS, Beat, Heartbeat
from .keys import RunKeys
from .objects import Objects
from .unreadable import LeftOut

REFILLS = 3  # machines that a run may lose because they cannot work; no later one is replaced


class MachineFacts:
    """The part of one run's ledger that machines write about themselves, or that is about them."""

    def __init__(self, objects: Objects, keys: RunKeys, left_out: LeftOut) -> None:
        self._objects = objects
        self._keys = keys
        self._left_out = left_out

    def write_heartbeat(self, instance_id: str, slot: str, beat: Heartbeat | None) -> None:
        """Write what a slot works on; None for one that is idle."""
        self._objects.put(self._keys.heartbeat(instance_id, slot), beat.to_json() if beat else b"")

    def live_slots(self, live_seconds: float = HEARTBEAT_LIVE_SECONDS) -> list[Beat]:
        """The slots whose heartbeats are younger than `live_seconds`, busy or idle."""
        beats = (Beat.of(item) for item in self._objects.items(self._keys.heartbeats))
        return [beat for beat in beats if beat.age < live_seconds]

    def busy_slots(self, live_seconds: float = HEARTBEAT_LIVE_SECONDS) -> list[Beat]:
        """The slots that are at a job now, by heartbeats younger than `live_seconds`."""
        return [beat for beat in self.live_slots(live_seconds) if beat.is_busy]

    def read_heartbeats(self, beats: Iterable[Beat]) -> Iterator[tuple[Beat, Heartbeat]]:
        """What busy slots say that they work on; those that are idle by now are left out."""
        by_key = {self._keys.heartbeat(beat.instance_id, beat.slot): beat for beat in beats}
        for key, body in self._objects.fetch_all(by_key):
            for heartbeat in self._left_out.read(
                Heartbeat.from_json, [(key, body)] if body else []
            ):
                yield by_key[key], heartbeat

    def broken_machines(self) -> set[str]:
        """The ids of the machines of the run that could not work."""
        return {key.rpartition("/")[2] for key in self._objects.keys(self._keys.broken_machines)}

    def write_broken_machine(self, instance_id: str, reason: str, now: float) -> None:
        """Note that a machine cannot work; a run replaces REFILLS of them."""
        body = json.dumps({"reason": reason, "written": now}).encode()
        self._objects.put(self._keys.broken_machine(instance_id), body)

    def note_not_started(self, program: str, instance_id: str, *, enough: int) -> int:
        """Note that a machine cannot start a program; how many cannot, counted up to `enough`."""
        prefix = self._keys.not_started_of(program)
        self._objects.put(f"{prefix}{instance_id}", b"")
        return len(self._objects.first_page(prefix, most=enough)[0])

    def closed_machines(self) -> frozenset[str]:
        """The machines that end the jobs they have and take no more; none where it is not said."""
        body = self._objects.fetch(self._keys.closed)
        return frozenset(body.decode(errors="replace").split()) if body else frozenset()

    def write_closed_machines(self, machines: Iterable[str]) -> None:
        """Say which machines take no more jobs, in place of what was said before."""
        self._objects.put(self._keys.closed, "\n".join(sorted(machines)).encode())
