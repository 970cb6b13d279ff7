"""`rehearse --serve` in one terminal, the four verbs in others, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from distributed_something.aws.session import Aws
from distributed_something.protocol.ledger.record import find_record
from distributed_something.resources.table import take_inventory, what_stays
from tests.builders import write_json

CLONE = Path(__file__).parents[3]

# The form of the family's shipped config, before a user has changed much.
CONFIG = """
APP_NAME = 'DistributedSomething'
LOG_GROUP_NAME = APP_NAME
DOCKERHUB_TAG = 'user/distributed-something:sometag'
AWS_REGION = 'us-east-1'
AWS_PROFILE = 'default'
SSH_KEY_NAME = 'your-key-file.pem'
AWS_BUCKET = 'your-bucket-name'
ECS_CLUSTER = 'default'
CLUSTER_MACHINES = 3
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ['m4.xlarge']
MACHINE_PRICE = 0.10
EBS_VOL_SIZE = 30
ASSIGN_IP = 'False'
DOCKER_CORES = 4
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 15000
SECONDS_TO_START = 3*60
SQS_QUEUE_NAME = APP_NAME + '{word}Queue'
SQS_MESSAGE_VISIBILITY = 1*60
SQS_DEAD_LETTER_QUEUE = 'user_DeadMessages'
AUTO_MONITOR = 'True'
CREATE_DASHBOARD = 'True'
CLEAN_DASHBOARD = 'True'
CHECK_IF_DONE_BOOL = 'False'
EXPECTED_NUMBER_FILES = 7
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ''
"""
COMMAND = """
WRITE = "echo {word} {{job_flag_2}}{{job_flag_3}} > {{output_dir}}/out.txt"
JOB_DEFAULTS = {{"command": ["sh", "-c", WRITE]}}
"""
GROUPS = [("A", "foo"), ("A", "bar"), ("B", "foo"), ("B", "bar")]
JOBS = {
    "_comment0": "left out of every message",
    "input_location": "Somewhere/on/your/bucket",
    "job_flag_1": "True",
    "_comment1": "so is this one",
    "groups": [{"job_flag_2": two, "job_flag_3": three} for two, three in GROUPS],
}
RESULTS = "results/DistributedSomething/"


@contextmanager
def served(clone: Path) -> Iterator[dict[str, str]]:
    """`rehearse --serve` in a process of its own; the environment that its one line exports."""
    said = clone / "said.txt"
    with said.open("w") as errors:
        serving = subprocess.Popen(
            [sys.executable, "run.py", "rehearse", "--serve", "--runtime", "process"],
            cwd=clone,
            env=without_aws(clone),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    exported: dict[str, str] = {}
    try:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        assert line.startswith("export AWS_ENDPOINT_URL="), line
        exported |= dict(word.split("=", 1) for word in line.split()[1:])
        yield exported
    finally:
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=60) == 130
    last = said.read_text().splitlines()[-6:]
    assert any("The simulated AWS has ended" in line for line in last), last
    assert any("What stays: " in line for line in last), last
    assert f"  unset {' '.join(exported)}" in last


def without_aws(home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | {"HOME": str(home)}


def verb(clone: Path, exported: dict[str, str], *words: str) -> str:
    """One verb as a user types it, which must succeed; what a person sees of it."""
    outcome = subprocess.run(
        [sys.executable, "run.py", *words],
        cwd=clone,
        env=without_aws(clone) | exported,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome.returncode == 0, f"{words}: {outcome.stderr}"
    return outcome.stderr


def make_clone(folder: Path, word: str) -> Path:
    """What a user has after cloning and configuring: the code, a config and an example's files.

    Each has a queue of its own: the name of one that was deleted is free only after a minute.
    """
    ignored = shutil.ignore_patterns(".git", ".venv", "rehearsal", "__pycache__", ".*_cache")
    shutil.copytree(CLONE, folder, ignore=ignored)
    (folder / "config.py").write_text((CONFIG + COMMAND).format(word=word))
    write_json(folder / "files" / "exampleJob.json", JOBS)
    fleet = folder / "files" / "exampleFleet_us-east-1.json"
    filled = json.dumps(json.loads(fleet.read_text())).replace("XXXXXXXXXXXX", "123456789012")
    fleet.write_text(filled)
    for record in (folder / "files").glob("*SpotFleetRequestId.json"):
        record.unlink()
    return folder


def outputs(aws: Aws) -> dict[str, str]:
    """Every result in the bucket, by the end of its key."""
    page = aws.s3.list_objects_v2(Bucket="your-bucket-name", Prefix=RESULTS)
    return {
        item["Key"].removeprefix(RESULTS): aws.s3.get_object(
            Bucket="your-bucket-name", Key=item["Key"]
        )["Body"]
        .read()
        .decode()
        for item in page.get("Contents", [])
    }


def runs(aws: Aws) -> set[str]:
    """The ids of the runs that have a ledger."""
    page = aws.s3.list_objects_v2(
        Bucket="your-bucket-name", Prefix="runs/DistributedSomething/", Delimiter="/"
    )
    return {prefix["Prefix"].split("/")[2] for prefix in page.get("CommonPrefixes", [])}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_clones_each_live_through_a_run_of_the_same_job_file(tmp_path: Path) -> None:
    first = make_clone(tmp_path / "first", "one")
    second = make_clone(tmp_path / "second", "two")
    with served(first) as exported:
        aws = Aws(
            boto3.Session(
                exported["AWS_ACCESS_KEY_ID"], exported["AWS_SECRET_ACCESS_KEY"], None, "us-east-1"
            ),
            exported["AWS_ENDPOINT_URL"],
        )
        before = take_inventory(aws)

        verb(first, exported, "setup")
        said = verb(first, exported, "submitJob", "files/exampleJob.json")
        assert f"Next: python run.py startCluster {exported['REHEARSAL_FLEET_FILE']}\n" in said
        said = verb(first, exported, "startCluster", "files/exampleFleet_us-east-1.json")
        assert f"simulated at {exported['AWS_ENDPOINT_URL']}" in said
        assert said.count("Simulated AWS at") == 1 and "Pages of the AWS console" not in said
        record = "files/DistributedSomethingSpotFleetRequestId.json"
        assert (first / record).is_file()
        verb(first, exported, "monitor", record)
        assert outputs(aws) == {f"{a}-{b}/out.txt": f"one {a}{b}\n" for a, b in GROUPS}
        stays = take_inventory(aws) - before
        ended = find_record(aws.s3, "your-bucket-name", "DistributedSomething")
        assert ended is not None and stays <= what_stays(ended)

        verb(second, exported, "setup")
        verb(second, exported, "submitJob", "files/exampleJob.json")
        verb(second, exported, "startCluster", "files/exampleFleet_us-east-1.json")
        (second / record).unlink()
        verb(second, exported, "monitor")
        assert outputs(aws) == {f"{a}-{b}/out.txt": f"two {a}{b}\n" for a, b in GROUPS}
        assert take_inventory(aws) - before == stays
        assert len(runs(aws)) == 2
