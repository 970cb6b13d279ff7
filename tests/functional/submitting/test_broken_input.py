"""Whatever a user gets wrong: one clear message, the right exit code, and nothing made or sent."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from distributed_something.local.simulator import Simulator
from distributed_something.resources.table import take_inventory
from tests.builders import write_config, write_json

CLONE = Path(__file__).parents[3]
USAGE, FAILED = 2, 1
KEYS = {"AWS_ACCESS_KEY_ID": "nobodys", "AWS_SECRET_ACCESS_KEY": "nobodys"}
GOOD_JOBS = {"command": "echo {plate}", "groups": [{"plate": "A"}]}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.aws().s3.create_bucket(Bucket="lab-data")
        yield simulator


def run(
    folder: Path,
    *words: str,
    simulator: Simulator | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """One verb in a process of its own, as a user types it, with nothing of this shell's AWS."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    clean |= {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **environment}
    if simulator is not None:
        clean |= simulator.environment
    return subprocess.run(
        [sys.executable, str(CLONE / "run.py"), *words],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(
    simulator: Simulator, folder: Path, *words: str, exit_code: int = USAGE
) -> subprocess.CompletedProcess[str]:
    """The outcome of a verb that must be refused and must leave the account as it was."""
    before = take_inventory(simulator.aws())
    outcome = run(folder, *words, simulator=simulator)
    assert outcome.returncode == exit_code, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""
    assert take_inventory(simulator.aws()) == before
    return outcome


def test_a_config_with_five_faults_names_all_five(simulator: Simulator, tmp_path: Path) -> None:
    write_config(
        tmp_path,
        AWS_REGION="us-east-1a",
        CLUSTER_MACHINES=0,
        MEMORY=None,
        CREATE_DASHBOARD="perhaps",
        AWS_BUCKET="s3://lab-data",
    )
    told = refused(simulator, tmp_path, "setup").stderr
    assert "config.py has 5 problems" in told
    for words in (
        "AWS_REGION = 'us-east-1a': is an availability zone; its region is 'us-east-1'",
        "CLUSTER_MACHINES = 0",
        "MEMORY is missing",
        "CREATE_DASHBOARD = 'perhaps': must be 'True' or 'False'",
        "AWS_BUCKET = 's3://lab-data'",
    ):
        assert words in told


def test_a_job_file_that_is_not_json_is_shown_by_line_and_column(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    (tmp_path / "jobs.json").write_text('{\n  "command": "echo",\n  "groups": [,]\n}')
    told = refused(simulator, tmp_path, "submitJob", "jobs.json").stderr
    assert "jobs.json" in told
    assert "line 3" in told
    assert "column 14" in told


@pytest.mark.parametrize("groups", [{}, {"groups": []}])
def test_a_job_file_without_groups_is_refused(
    simulator: Simulator, tmp_path: Path, groups: dict[str, object]
) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", {"command": "echo", **groups})
    assert "groups" in refused(simulator, tmp_path, "submitJob", "jobs.json").stderr


def test_the_one_group_that_lacks_a_templates_field_is_named(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    groups = [{"plate": f"P{number}", "well": "A01"} for number in range(1, 31)]
    del groups[16]["well"]
    write_json(tmp_path / "jobs.json", {"command": "echo {plate} {well}", "groups": groups})
    told = refused(simulator, tmp_path, "submitJob", "jobs.json").stderr
    assert "group 17" in told.lower()
    assert "well" in told


def test_a_message_over_the_size_of_sqs_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    jobs = {**GOOD_JOBS, "groups": [{"plate": "A"}, {"plate": "B" * 1_100_000}]}
    write_json(tmp_path / "jobs.json", jobs)
    told = refused(simulator, tmp_path, "submitJob", "jobs.json").stderr
    assert "group 2" in told.lower()
    assert "B" * 1000 not in told


def test_a_fleet_file_without_launch_specifications_is_refused(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "fleet.json", {"IamFleetRole": "arn:aws:iam::123456789012:role/fleet"})
    told = refused(simulator, tmp_path, "startCluster", "fleet.json").stderr
    assert "LaunchSpecifications" in told


def test_an_unknown_verb_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    assert "submitJobs" in refused(simulator, tmp_path, "submitJobs").stderr


def test_a_missing_file_is_named(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    for verb in ("submitJob", "startCluster", "monitor"):
        assert "nowhere.json" in refused(simulator, tmp_path, verb, "nowhere.json").stderr


def test_a_queue_that_does_not_exist_yet_names_the_verb_that_makes_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", GOOD_JOBS)
    told = refused(simulator, tmp_path, "submitJob", "jobs.json", exit_code=FAILED).stderr
    assert "CountingQueue" in told
    assert "run.py setup" in told


def test_a_bucket_that_does_not_exist_is_named(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path, AWS_BUCKET="nobodys-bucket")
    told = refused(simulator, tmp_path, "setup", exit_code=FAILED).stderr
    assert "nobodys-bucket" in told


def test_without_credentials_the_ways_to_get_them_are_shown(tmp_path: Path) -> None:
    write_config(tmp_path)
    outcome = run(tmp_path, "setup")
    assert outcome.returncode == FAILED
    assert "aws configure" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_an_unknown_profile_is_named(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path, AWS_PROFILE="nobody")
    told = refused(simulator, tmp_path, "setup").stderr
    assert "nobody" in told
    assert "AWS_PROFILE" in told


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    write_config(tmp_path)
    # Port 9 (discard) is below the ports that a simulator may be given.
    nowhere = "http://127.0.0.1:9"
    outcome = run(tmp_path, "setup", environment={"AWS_ENDPOINT_URL": nowhere, **KEYS})
    assert outcome.returncode == FAILED
    assert nowhere in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_server_that_is_no_server_for_this_is_named(tmp_path: Path) -> None:
    """TLS to a port that speaks something else, and a proxy that does not exist."""
    write_config(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        answering = threading.Thread(target=_hang_up_on_all, args=(listener,), daemon=True)
        answering.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        over_tls = run(
            tmp_path, "setup", environment={"AWS_ENDPOINT_URL": f"https://{address}", **KEYS}
        )
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    behind_proxy = run(tmp_path, "setup", environment={**proxy, **KEYS})
    for outcome in (over_tls, behind_proxy):
        assert outcome.returncode == FAILED
        assert "check the network" in outcome.stderr
        assert "Traceback" not in outcome.stderr


def _hang_up_on_all(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"no TLS here")
            connection.close()


def test_a_folder_that_cannot_hold_the_monitor_file_is_named(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path, APP_NAME="Filed", DOCKERHUB_TAG="lab/filed:1")
    write_json(tmp_path / "jobs.json", GOOD_JOBS)
    (tmp_path / "files").write_text("not a folder")
    assert run(tmp_path, "setup", simulator=simulator).returncode == 0
    outcome = run(tmp_path, "submitJob", "jobs.json", simulator=simulator)
    assert outcome.returncode == FAILED
    assert "FiledSpotFleetRequestId.json cannot be written" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_without_a_verb_the_cheat_sheet_is_shown(tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.returncode == USAGE
    assert "submitJob JOBS.json" in outcome.stdout + outcome.stderr


def test_without_its_packages_run_says_how_to_get_them(tmp_path: Path) -> None:
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _RUN_BARE.format(run=str(CLONE / "run.py"))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert bare.returncode == FAILED
    assert " is not installed" in bare.stderr and ": run `" in bare.stderr
    assert "Traceback" not in bare.stderr


# -S leaves the installed packages out; -I the folder of the test.
_RUN_BARE = """
import runpy, sys
sys.path.insert(0, {run!r}.rsplit("/", 1)[0])
runpy.run_path({run!r}, run_name="__main__")
"""
