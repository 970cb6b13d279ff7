"""Jobs that misbehave and machines that cannot work: each ends right, and with a reason."""

from __future__ import annotations

import errno
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.record import FleetRecord
from worker.job.blame import PERMANENT_ERRORS
from worker.job.outcomes import MachineFault
from worker.machine.faults import check_disk, end_broken_machine

from ..world import World, children_named, until


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-uc", script.replace("{", "{{").replace("}", "}}"), *arguments]


def finish(world: World, **settings: Any) -> None:
    """Let one worker do all that is in the queue, a plain job after all others included."""
    last = world.send({"command": "true", "group": {"plate": "the next one"}})
    world.start_worker(**settings)
    world.until_empty()
    assert world.stop() == [0]
    assert last in world.done()


def test_a_job_over_its_time_is_ended_with_its_children(world: World) -> None:
    script = (
        "import signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '621'], start_new_session=True)\n"
        "time.sleep(622)\n"
    )
    job = world.send({"command": python(script), "timeout": 2, "group": {"plate": "P1"}})
    finish(world, job_retries=1)
    (attempt,) = world.ended(job)
    assert "timeout of 2 s" in attempt.reason
    assert attempt.exit_code == -9
    assert not children_named(1, "sleep 621")


def test_a_job_over_its_memory_limit_is_ended_and_said_to_be(world: World) -> None:
    script = "import time; hold = bytearray(b'x') * 300_000_000; time.sleep(60)"
    job = world.send({"command": python(script), "memory_limit": 150, "group": {"plate": "P1"}})
    finish(world, job_retries=1)
    (attempt,) = world.ended(job)
    assert "more than its memory_limit of 150 MiB" in attempt.reason
    assert attempt.peak_memory_mib > 150


def test_a_job_that_prints_100_mb_on_one_line_is_done_and_logged_in_part(world: World) -> None:
    script = "import sys\nfor _ in range(100): sys.stdout.write('x' * 1000000)\nprint('END')"
    job = world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert job in world.done()
    assert world.ended(job)[0].log_tail.splitlines()[-2].endswith("END")
    assert "MiB; the rest is not logged" in world.log(world.ended(job)[0].name)[-1]


def test_a_job_that_prints_bytes_that_are_no_text_is_done(world: World) -> None:
    script = "import sys; sys.stdout.buffer.write(b'caf\\xe9 \\xff\\x00 end\\n\\n')"
    job = world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert job in world.done()
    assert "caf\ufffd \ufffd\ufffd end" in world.log("P1")


def test_a_job_that_forks_children_and_exits_leaves_none(world: World) -> None:
    script = (
        "import subprocess\n"
        "subprocess.Popen(['sleep', '623'])\n"
        "subprocess.Popen(['sleep', '624'], start_new_session=True)\n"
    )
    job = world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert job in world.done()
    assert not children_named(1, "sleep 623") and not children_named(1, "sleep 624")


@pytest.mark.slow
def test_a_job_that_closes_its_output_and_lives_on_is_waited_for(world: World) -> None:
    script = "import os, time; os.close(1); os.close(2); time.sleep(2); open('output/late', 'w')"
    job = world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert job in world.done()
    assert world.results()["P1/late"] == b""


def test_a_job_that_waits_for_input_gets_none(world: World) -> None:
    job = world.send({"command": python("input()"), "group": {"plate": "P1"}})
    finish(world, job_retries=1)
    assert world.ended(job)[0].exit_code == 1
    assert "EOFError" in world.ended(job)[0].log_tail


def test_values_that_a_shell_would_read_are_plain_text(world: World) -> None:
    value = "a; touch hacked $(touch hacked) `touch hacked` 'b' \"c\"\n../../d"
    script = "import json, sys; open('output/argv.json', 'w').write(json.dumps(sys.argv[1:]))"
    job = world.send(
        {
            "command": [*python(script), "{value}"],
            "name": "values",
            "group": {"value": value},
        }
    )
    shell = world.send(
        {
            "command": 'printf %s "$value" > "$OUTPUT_DIR/value.txt"; ls > "$OUTPUT_DIR/ls.txt"',
            "shell": True,
            "name": "shell",
            "group": {"value": value},
        }
    )
    steering = world.send(
        {
            "command": "true",
            "shell": True,
            "name": "steering",
            "group": {"BASH_ENV": f"$(touch {world.folder}/hacked)"},
        }
    )
    finish(world)
    assert {job, shell} <= set(world.done())
    assert steering not in world.done()
    assert "Rename the column" in world.dead_letters()[0][1]
    assert not (world.folder / "hacked").exists()
    results = world.results()
    assert json.loads(results["values/argv.json"]) == [value]
    assert results["shell/value.txt"].decode() == value
    assert b"hacked" not in results["shell/ls.txt"]
    assert sorted(key.split("/")[0] for key in world.object_keys()) == sorted(
        ["results"] * 3 + ["runs"] * (len(world.object_keys()) - 3)
    )


@pytest.mark.parametrize("name", ["../../up", "/etc/x", "a/../../b", ".."])
def test_a_jobs_name_does_not_lead_out_of_its_output_prefix(world: World, name: str) -> None:
    world.send({"command": python("open('output/x', 'w')"), "group": {"plate": name}})
    finish(world)
    (key,) = (key for key in world.object_keys() if key.endswith("/x"))
    assert key.startswith(f"results/{world.name}/")
    assert ".." not in key.split("/")


def test_links_out_of_the_output_folder_are_not_followed(world: World) -> None:
    script = (
        "import os\n"
        "os.symlink('/etc/passwd', 'output/passwd'); os.symlink('/etc', 'output/etc')\n"
        "os.symlink('/nowhere', 'output/broken'); os.mkfifo('output/pipe')\n"
        "open('output/real', 'w').write('r'); os.symlink('real', 'output/link')\n"
    )
    world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert world.results() == {"P1/link": b"r", "P1/real": b"r"}


def test_no_folder_is_left_even_if_its_tool_made_it_read_only(world: World) -> None:
    script = (
        "import os; os.makedirs('output/a/b'); open('output/a/b/c', 'w'); "
        "os.chmod('output/a/b', 0o500)"
    )
    world.send({"command": python(script), "group": {"plate": "P1"}})
    finish(world)
    assert list((world.folder / "work").iterdir()) == []


def test_too_many_failures_stop_the_run(world: World) -> None:
    for number in range(6):
        world.send({"command": "false", "group": {"plate": f"P{number}"}})
    world.start_worker({"WORKER_HEARTBEAT_SECONDS": "1"}, job_retries=1, max_failures=2)
    until(lambda: "The run is stopped" in world.worker_log(), "the worker stops taking jobs")
    world.stop()
    assert "2 jobs or more were given up" in world.read(world.keys.stopped).decode()
    assert len(world.object_keys(world.keys.dead_markers)) == 2
    assert world.counts() == (4, 0)


def machine(world: World) -> str:
    """A running machine of the simulated EC2."""
    started = world.aws.ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="m5.large"
    )
    return started["Instances"][0]["InstanceId"]


def machine_state(world: World, instance_id: str) -> str:
    found = world.aws.ec2.describe_instances(InstanceIds=[instance_id])
    return found["Reservations"][0]["Instances"][0]["State"]["Name"]


@pytest.mark.slow
def test_a_machine_that_cannot_start_the_tool_ends_itself_with_the_reason(world: World) -> None:
    world.write_record()
    instance_id = machine(world)
    for number in range(5):
        world.send({"command": ["no-such-tool"], "group": {"plate": f"P{number}"}})
    world.start_worker({"INSTANCE_ID": instance_id}, sqs_message_visibility=60)
    until(lambda: machine_state(world, instance_id) == "terminated", "the machine ends itself")
    assert world.stop() == [0]
    reason = json.loads(world.read(world.keys.broken_machine(instance_id)))["reason"]
    assert "3 commands in a row could not be started" in reason
    assert "no-such-tool" in reason
    assert len(world.ended()) == 3
    assert world.dead_letters() == []


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"command": ["no-such-tool"]}, "'no-such-tool' cannot be started: No such file"),
        ({"command": ["/etc/passwd"]}, "'/etc/passwd' cannot be started: Permission denied"),
        ({"command": "no-such-tool", "shell": True}, "exit code 127"),
        ({"command": "/etc/passwd", "shell": True}, "exit code 126"),
    ],
)
def test_a_program_that_two_machines_cannot_start_is_given_up(
    world: World, job: dict[str, Any], words: str
) -> None:
    job_id = world.send({**job, "group": {"plate": "P1"}})
    world.variables = {"WORKER_BACKOFF_SECONDS": "0.1"}
    world.start_worker({"INSTANCE_ID": "i-1"})
    until(lambda: world.ended(job_id), "one machine has seen it")
    assert world.dead_letters() == []
    world.start_worker({"INSTANCE_ID": "i-2"})
    ((_, reason),) = until(world.dead_letters, "both have seen it")
    assert words in reason and "2 machines saw it" in reason
    states = [attempt.state for attempt in world.ended(job_id)]
    assert states.count("failed") == 1  # what one machine alone saw does not count
    assert set(states) == {"interrupted", "failed"}


def test_what_may_pass_is_not_the_commands_fault() -> None:
    passing = {errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.EIO, errno.ETXTBSY}
    assert not passing & PERMANENT_ERRORS


def test_a_command_that_no_machine_can_start_is_its_jobs_fault(world: World) -> None:
    instance_id = machine(world)
    for number in range(2):
        many = {
            "command": ["true", *["{text}"] * 60],
            "group": {"a": number, "text": "x" * 120_000},
        }
        world.send(many)
        world.send({"command": "true {text}", "group": {"a": number, "text": "x" * 200_000}})
        world.send({"command": "true {text}", "group": {"a": number, "text": "a\0b"}})
    world.start_worker({"INSTANCE_ID": instance_id})
    world.until_empty()
    assert world.stop() == [0]
    assert machine_state(world, instance_id) == "running"
    reasons = [reason for _, reason in world.dead_letters()]
    for words in ("longer than this system takes", "200,000 bytes", "embedded null byte"):
        assert sum(words in reason for reason in reasons) == 2
    assert len(reasons) == len(world.ended()) == 6  # none was tried again


def test_a_fourth_broken_machine_is_not_replaced_and_stops_the_run(world: World) -> None:
    for number in range(3):
        world.put(world.keys.broken_machine(f"i-{number}"), "{}")
    world.write_record()
    instance_id = machine(world)
    for number in range(3):
        world.send({"command": ["true"], "group": {"plate": f"P{number}"}})
    world.start_worker({"INSTANCE_ID": instance_id, "WORKER_DIRECTORY": "/proc/nothing"})
    until(partial(world.object_keys, world.keys.stopped), "the run is stopped")
    until(lambda: machine_state(world, instance_id) == "terminated", "the machine ends itself")
    world.stop()
    assert "4 machines could not work" in world.read(world.keys.stopped).decode()
    assert world.counts() == (3, 0)
    assert world.attempts() == []


def test_a_machine_that_cannot_end_itself_says_so_and_does_not_begin_again(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.simulator.environment.items():
        monkeypatch.setenv(name, value)
    for number in range(3):
        world.put(world.keys.broken_machine(f"i-{number}"), "{}")
    world.write_record(fleets=(FleetRecord("token", {}, 1, "sfr-which-ec2-does-not-know"),))
    settings = WorkerEnvironment.from_environment(world.environment())
    end_broken_machine(settings, "i-0123456789abcdef0", "its disk is full")
    assert "This machine cannot end itself; its alarm will." in caplog.text
    assert "its disk is full" in world.read(world.keys.stopped).decode()


def test_a_full_disk_is_a_fault_of_the_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    roomy = tmp_path_factory.mktemp("roomy")
    check_disk(roomy)
    with pytest.raises(MachineFault, match="EBS_VOL_SIZE"):
        check_disk(roomy, least=2**60)
    with pytest.raises(MachineFault, match="cannot be written to"):
        check_disk(Path("/proc/nothing"))
