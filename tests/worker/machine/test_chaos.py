"""A run whose workers are stopped, killed and given notices ends as an undisturbed one."""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import docker.errors
import psutil
import pytest
from docker.models.containers import Container

from distributed_something.local.machines.metadata import FakeMetadata
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.attempts import Attempt

from ..containers import Containers
from ..test_worker import loops_of
from ..world import World, until

MACHINE = "i-0123456789abcdef0"
WORKERS = 4
JOBS, CONTAINER_JOBS = 300, 200
OUTPUTS = 3  # of each job
VISIBILITY = 4  # seconds
LONGEST = 550.0  # seconds that a run may take before the test gives up


def send_jobs(world: World, count: int) -> list[str]:
    """Jobs of half a second whose three outputs follow from their input and values alone."""
    world.put("shared/table.txt", "".join(f"row {n}\n" for n in range(1000)))
    script = (
        'sleep 0.$((number % 5)); sha256sum < "$INPUT_DIR/table.txt" > "$OUTPUT_DIR/sum.txt"; '
        'seq "$number" $((number + 5000)) > "$OUTPUT_DIR/seq.txt"; '
        'sleep 0.1; echo "$number" > "$OUTPUT_DIR/number.txt"'
    )
    shared = {"command": script, "shell": True, "inputs": ["shared/"], "name": "{number}"}
    return [world.send({**shared, "group": {"number": n}}) for n in range(count)]


def digests(world: World) -> dict[str, str]:
    """Each output in the bucket, by the digest of its bytes."""
    return {key: hashlib.sha256(body).hexdigest() for key, body in world.results().items()}


def judge(
    world: World,
    jobs: list[str],
    undisturbed: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    title: str,
) -> None:
    """Every job done once, bytes as undisturbed, nothing in flight; the figures are printed."""
    assert sorted(world.done()) == sorted(jobs)
    assert world.counts() == (0, 0)
    assert world.dead_letters() == []
    found = digests(world)
    assert len(found) == OUTPUTS * len(jobs)
    # The container's run has fewer jobs; the others' outputs are not there.
    assert found == {key: undisturbed[key] for key in found}
    attempts = world.attempts()
    states = [state for state, _ in attempts]
    assert states.count("done") == len(jobs)
    with capsys.disabled():
        print(f"\n{title}: {len(jobs)} jobs, {figures(attempts)}")


def figures(attempts: list[tuple[str, Attempt]]) -> str:
    """What the disturbances cost: seconds at work that came to nothing, and work done twice."""
    ended = {a.attempt_id for state, a in attempts if state != "started"}
    begun = [a for state, a in attempts if state == "started"]
    vanished = [a for a in begun if a.attempt_id not in ended]
    cut = [a for state, a in attempts if state == "interrupted"]
    twice = [a for a in cut if "Another attempt finished" in a.reason]
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
    running: list[tuple[object, FakeMetadata]] = field(default_factory=list)
    disturbed: int = 0

    def refill(self) -> None:
        for worker, metadata in list(self.running):
            if not self.is_alive(worker):
                self.running.remove((worker, metadata))
                metadata.__exit__(None, None, None)
        while len(self.running) < WORKERS:
            metadata = FakeMetadata(MACHINE).__enter__()
            self.running.append((self.start(metadata.environment), metadata))

    def disturb(self) -> None:
        worker, metadata = self.random.choice(self.running)
        choice = self.random.choice([*self.disturbances, None])
        if choice is None:
            metadata.give_notice()
        else:
            choice(worker)
        self.disturbed += 1

    def work_off(self, world: World) -> None:
        """Keep the workers disturbed until the queue is empty."""
        deadline = time.monotonic() + LONGEST
        next_one, next_done = time.monotonic() + 2, 0
        while world.counts() != (0, 0):
            assert time.monotonic() < deadline, f"{world.counts()} are left"
            self.refill()
            # Every so many jobs too: a slow machine must still get on.
            done = len(world.done())
            if time.monotonic() >= next_one and done >= next_done:
                self.disturb()
                next_one = time.monotonic() + self.random.uniform(0.5, 2.0)
                next_done = done + self.random.randint(2, 6)
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


@pytest.fixture(scope="module")
def undisturbed(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a worker that nobody disturbs makes of the same jobs."""
    world = World(simulator, tmp_path_factory.mktemp("undisturbed"))
    jobs = send_jobs(world, JOBS)
    world.start_worker(docker_cores=8, sqs_message_visibility=60)
    until(lambda: len(world.done()) == len(jobs), "all jobs are done", patience=LONGEST)
    world.stop()
    assert len(world.attempts()) == 2 * len(jobs)  # begun and done, each once
    return digests(world)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_disturbed_processes_do_every_job_once(
    world: World, seed: int, undisturbed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = send_jobs(world, JOBS)

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
    )
    fleet.work_off(world)
    world.stop()
    judge(
        world, jobs, undisturbed, capsys, f"processes, seed {seed}, {fleet.disturbed} disturbances"
    )


@pytest.mark.slow
@pytest.mark.docker
def test_disturbed_containers_do_every_job_once(
    world: World,
    containers: Containers,
    undisturbed: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = send_jobs(world, CONTAINER_JOBS)

    def is_alive(container: Container) -> bool:
        container.reload()
        return bool(container.status == "running")

    def stop(container: Container) -> None:
        with contextlib.suppress(docker.errors.APIError):
            container.kill(signal="SIGTERM")

    def kill(container: Container) -> None:
        with contextlib.suppress(docker.errors.APIError):
            container.kill()

    fleet = Fleet(
        start=lambda variables: containers.start(
            variables, settings={"sqs_message_visibility": VISIBILITY, "job_retries": 50}
        ),
        is_alive=is_alive,  # type: ignore[arg-type]
        disturbances=[stop, kill],  # type: ignore[list-item]
        random=random.Random(4),
    )
    fleet.work_off(world)
    for container, _ in fleet.running:
        stop(container)  # type: ignore[arg-type]
    until(lambda: not any(is_alive(c) for c, _ in fleet.running), "all containers have ended")  # type: ignore[arg-type]
    judge(world, jobs, undisturbed, capsys, f"containers, {fleet.disturbed} disturbances")
