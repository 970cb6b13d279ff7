"""Stop, kill and notify the workers of a run all the time: what it costs, and that all is right.

    python -m tests.benchmarks.chaos [JOBS SEED...]

Every job must be done once, with the outputs that follow from its input and values alone, and
nothing may be left in the queue. tests/worker/machine/test_chaos.py does it with few jobs.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from distributed_something.local.machines.metadata import FakeMetadata
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from tests.worker.world import World, loops_of

MACHINE = "i-0123456789abcdef0"
WORKERS = 4
VISIBILITY = 4  # seconds
STUCK = 300.0  # seconds without a job that is done, after which a run will never end
TABLE = "".join(f"row {n}\n" for n in range(1000))


def send_jobs(world: World, count: int) -> list[str]:
    """Jobs of a second or two whose three outputs follow from their input and values alone."""
    world.put("shared/table.txt", TABLE)
    script = (
        'sleep 1.$((number % 5)); sha256sum < "$INPUT_DIR/table.txt" > "$OUTPUT_DIR/sum.txt"; '
        'seq "$number" $((number + 5000)) > "$OUTPUT_DIR/seq.txt"; '
        'sleep 0.1; echo "$number" > "$OUTPUT_DIR/number.txt"'
    )
    shared = {"command": script, "shell": True, "inputs": ["shared/"], "name": "{number}"}
    return [world.send({**shared, "group": {"number": n}}) for n in range(count)]


def expected_results(count: int) -> dict[str, bytes]:
    """What an undisturbed worker makes of so many jobs."""
    found = {}
    for n in range(count):
        found[f"{n}/sum.txt"] = f"{hashlib.sha256(TABLE.encode()).hexdigest()}  -\n".encode()
        found[f"{n}/seq.txt"] = "".join(f"{line}\n" for line in range(n, n + 5001)).encode()
        found[f"{n}/number.txt"] = f"{n}\n".encode()
    return found


def judge(world: World, jobs: list[str]) -> str:
    """Every job done once, bytes as undisturbed, nothing in flight; returns the figures."""
    assert sorted(world.done()) == sorted(jobs)
    assert world.counts() == (0, 0)
    assert world.dead_letters() == []
    assert world.results() == expected_results(len(jobs))
    attempts = world.attempts()
    assert [state for state, _ in attempts].count("done") == len(jobs)
    return f"{len(jobs)} jobs, {figures(attempts)}"


def figures(attempts: list[tuple[str, Attempt]]) -> str:
    """What the disturbances cost: seconds at work that came to nothing, and work done twice."""
    ended = {a.attempt_id for state, a in attempts if state != "started"}
    begun = [a for state, a in attempts if state == "started"]
    vanished = [a for a in begun if a.attempt_id not in ended]
    cut = [a for state, a in attempts if state == "interrupted"]
    twice = [a for a in cut if "Another attempt completed" in a.reason]
    longest = max(lasted(a) for state, a in attempts if state == "done")
    return (
        f"{len(begun)} attempts, {len(cut)} interrupted "
        f"({sum(map(lasted, cut)):.1f} s wasted), "
        f"{sum(state == 'failed' for state, _ in attempts)} failed, "
        f"{len(vanished)} vanished (at most {len(vanished) * longest:.1f} s wasted), "
        f"{len(twice)} duplicates"
    )


def lasted(attempt: Attempt) -> float:
    return (attempt.ended or attempt.started) - attempt.started


@dataclass
class Fleet:
    """So many workers, each replaced when it ends, one of them disturbed every now and then."""

    start: Callable[[dict[str, str]], object]
    is_alive: Callable[[object], bool]
    disturbances: list[Callable[[object], None]]
    random: random.Random
    workers: int = WORKERS
    running: list[tuple[object, FakeMetadata]] = field(default_factory=list)
    disturbed: int = 0

    def refill(self) -> None:
        for worker, metadata in list(self.running):
            if not self.is_alive(worker):
                self.running.remove((worker, metadata))
                metadata.__exit__(None, None, None)
        while len(self.running) < self.workers:
            metadata = FakeMetadata(MACHINE).__enter__()
            self.running.append((self.start(metadata.environment), metadata))

    def disturb(self) -> None:
        """Each way in turn, so that a short run has all of them, to any worker."""
        worker, metadata = self.random.choice(self.running)
        kinds = [*self.disturbances, None]
        kind = kinds[self.disturbed % len(kinds)]
        if kind is None:
            metadata.give_notice()
        else:
            kind(worker)
        self.disturbed += 1

    def work_off(self, world: World) -> None:
        """Keep the workers disturbed until the queue is empty."""
        seen, moved = 0, time.monotonic()
        next_one, next_done = time.monotonic() + 2, 0
        while world.counts() != (0, 0):
            self.refill()
            # Every so many jobs too: a slow machine must still get on.
            done = len(world.done())
            if done > seen:
                seen, moved = done, time.monotonic()
            assert time.monotonic() < moved + STUCK, f"{world.counts()} are left"
            if time.monotonic() >= next_one and done >= next_done:
                self.disturb()
                next_one = time.monotonic() + self.random.uniform(0.5, 1.5)
                next_done = done + self.random.randint(1, 4)
            time.sleep(0.1)
        for _, metadata in self.running:
            metadata.__exit__(None, None, None)


def kill_all(worker: subprocess.Popen[bytes]) -> None:
    """What the end of a machine does: every process at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(worker.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    worker.kill()


def kill_a_loop(worker: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        for loop in loops_of(worker.pid)[:1]:
            loop.kill()


def disturb_processes(world: World, count: int, seed: int, workers: int = WORKERS) -> str:
    """Work so many jobs off with disturbed processes, judge the run, and return its figures."""
    jobs = send_jobs(world, count)

    def start(variables: dict[str, str]) -> object:
        return world.start_worker(
            variables, docker_cores=2, sqs_message_visibility=VISIBILITY, job_retries=50
        )

    fleet = Fleet(
        start=start,
        is_alive=lambda worker: worker.poll() is None,  # type: ignore[attr-defined]
        disturbances=[
            lambda worker: worker.send_signal(signal.SIGTERM),  # type: ignore[attr-defined]
            kill_all,  # type: ignore[list-item]
            kill_a_loop,  # type: ignore[list-item]
        ],
        random=random.Random(seed),
        workers=workers,
    )
    fleet.work_off(world)
    world.stop()
    return f"seed {seed}, {fleet.disturbed} disturbances, {judge(world, jobs)}"


def main(count: int, seeds: list[int]) -> None:
    """Do it once for each seed, and print the figures of each."""
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                world = World(simulator, Path(folder))
                try:
                    print(disturb_processes(world, count, seed))
                finally:
                    world.close()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(numbers[0] if numbers else 300, numbers[1:] or [1, 2, 3])
