"""Jobs that do their worst to a real container: each ends right, and the next one runs."""

from __future__ import annotations

from typing import Any

import pytest

from distributed_something.protocol.ledger.attempts import Attempt

from ..containers import Containers
from ..world import World, until

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PLAIN = {"command": "true", "group": {"plate": "the next one"}}


def python(script: str) -> list[str]:
    return ["python3", "-uc", script.replace("{", "{{").replace("}", "}}")]


def outlive(
    world: World, containers: Containers, job: dict[str, Any], slots: int = 1, **options: Any
) -> Attempt:
    """How a job ended in a container that then ran a plain one, and was stopped in good order."""
    hard = world.send({"group": {"plate": "hard"}, **job})
    container = containers.start(settings={"job_retries": 1, "docker_cores": slots}, **options)
    world.until_empty()
    plain = world.send(PLAIN)
    world.until_empty()
    assert plain in world.done()
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    (attempt,) = world.ended(hard)
    return attempt


def reason_given(world: World) -> str:
    ((_, reason),) = world.dead_letters()
    return reason


@pytest.mark.parametrize("slots", [1, 2])
def test_a_job_that_fills_the_disk_is_told_so(
    world: World, containers: Containers, slots: int
) -> None:
    """The other slot looks at the disk meanwhile, and does not take the machine for broken."""
    script = 'dd if=/dev/zero of="$OUTPUT_DIR/big" bs=1M count=400 || { sleep 4; exit 1; }'
    job = {"command": script, "shell": True}
    tmpfs = {"/home/ubuntu/work": "size=260m,uid=61000"}
    attempt = outlive(world, containers, job, slots, tmpfs=tmpfs)
    assert not world.object_keys(world.keys.broken_machines)
    assert attempt.state == "failed" and attempt.exit_code == 1
    assert "The disk was full when it ended" in reason_given(world)
    assert "EBS_VOL_SIZE" in attempt.reason
    assert "No space left on device" in attempt.log_tail


def test_a_machine_whose_disk_stays_full_is_broken(world: World, containers: Containers) -> None:
    world.write_record()
    world.send(PLAIN)
    tmpfs = {"/home/ubuntu/work": "size=100m,uid=61000"}
    containers.start({"WORKER_ROOM_SECONDS": "2", "INSTANCE_ID": "i-full"}, tmpfs=tmpfs)
    key = world.keys.broken_machine("i-full")
    until(lambda: key in world.object_keys(world.keys.broken_machines), "the machine is broken")
    assert "raise EBS_VOL_SIZE" in world.read(key).decode()
    assert world.attempts() == []


def test_a_job_that_exhausts_the_memory_is_told_so(world: World, containers: Containers) -> None:
    job = {"command": python("x = b'x' * (1 << 30)")}
    attempt = outlive(world, containers, job, mem_limit="256m", memswap_limit="256m")
    assert (attempt.state, attempt.exit_code) == ("failed", -9)
    reason = reason_given(world)
    assert "memory" in reason and "MEMORY" in reason


def test_a_job_a_part_of_which_exhausts_the_memory_is_told_so(
    world: World, containers: Containers
) -> None:
    job = {"command": "python3 -c \"x = b'x' * (1 << 30)\"; exit $?", "shell": True}
    attempt = outlive(world, containers, job, mem_limit="256m", memswap_limit="256m")
    assert (attempt.state, attempt.exit_code) == ("failed", 137)
    assert "a part of it was killed" in reason_given(world) and "MEMORY" in attempt.reason


def test_a_job_that_ignores_term_is_killed_at_its_timeout(
    world: World, containers: Containers
) -> None:
    job = {"command": 'trap "" TERM; while true; do sleep 1; done', "shell": True, "timeout": 2}
    attempt = outlive(world, containers, job)
    assert (attempt.state, attempt.exit_code) == ("failed", -9)
    assert "it ran longer than its timeout of 2 s" in reason_given(world)


def test_a_job_that_prints_100_mb_on_one_line_is_done(world: World, containers: Containers) -> None:
    script = "import sys\nfor _ in range(100): sys.stdout.write('x' * 1000000)\nprint('END')"
    attempt = outlive(world, containers, {"command": python(script)}, mem_limit="512m")
    assert attempt.state == "done"
    assert any(line.endswith("END") for line in attempt.log_tail.splitlines())


def test_a_job_that_prints_bytes_that_are_no_text_is_done(
    world: World, containers: Containers
) -> None:
    script = "import sys; sys.stdout.buffer.write(b'caf\\xe9 \\xff\\x00 end\\n')"
    attempt = outlive(world, containers, {"command": python(script)})
    assert attempt.state == "done"
    assert "caf\ufffd \ufffd\ufffd end" in world.log("hard")


def test_a_job_that_forks_children_and_exits_leaves_none(
    world: World, containers: Containers
) -> None:
    script = "sleep 623 & setsid sleep 624 & (setsid sh -c 'sleep 625 & sleep 626' &) ; exit 0"
    hard = world.send({"command": script, "shell": True, "group": {"plate": "hard"}})
    container = containers.start()
    world.until_empty()
    plain = world.send({**PLAIN, "command": "cat /proc/[0-9]*/cmdline", "shell": True})
    world.until_empty()
    container.stop(timeout=30)
    assert sorted(world.done()) == sorted([hard, plain])
    printed = "".join(world.log("the next one")[1:])
    assert "worker" in printed
    assert not any(
        f"sleep\0{n}" in printed or f"sleep\ufffd{n}" in printed for n in range(623, 627)
    )


def test_a_job_whose_input_is_missing_is_given_up_at_once(
    world: World, containers: Containers
) -> None:
    attempt = outlive(world, containers, {"command": "true", "inputs": ["no/such.tif"]})
    assert (attempt.state, attempt.number) == ("failed", 1)
    assert reason_given(world) == f"The input s3://{world.bucket}/no/such.tif does not exist."
