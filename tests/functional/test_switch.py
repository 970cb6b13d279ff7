"""A user of Distributed-CellProfiler switches: files, roles and dead-letter queue stay theirs.

IAM is enforced, as far as the simulated one can: the commands have the rights that are printed for
a person, the worker those of the task role.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.aws import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.inventory import take_inventory, what_stays
from distributed_something.commands.monitor import monitor
from distributed_something.commands.setup import setup
from distributed_something.commands.setup_account import setup_account
from distributed_something.definitions.account import LAMBDA_ROLE, TASK_ROLE
from distributed_something.definitions.task import worker_environment
from distributed_something.errors import UsageError
from distributed_something.ledger import summarise
from distributed_something.local.account import make_roles
from distributed_something.local.machines import Interruptions, Machines
from distributed_something.local.scheduler import Scheduler
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.record import RunRecord, read_record_file
from distributed_something.settings import Settings, load_settings
from tests.family_files import CONFIGS
from tests.lives import Clock, Life
from tests.worker.test_something import clone_with

from .test_rights import OPERATOR, SCOPE, check_rights, give_rights, take_role, user
from .test_upstream_files import FORMS, KEY, fill_in

ROOT = Path(__file__).parents[2]
OLD_IMAGE = "cellprofiler/distributed-cellprofiler:2.2.0_4.2.8"
SOMETHING = ROOT / "examples" / "cellprofiler" / "something.py"
CELLPROFILER = """#!/bin/bash
while [ $# -gt 0 ]; do
    case $1 in
        -d) done_file=$2 ;;
        -o) output=$2 ;;
        -g) group=$2 ;;
        --data-file=*) table=${1#*=} ;;
    esac
    shift
done
test -s "$(tail -n 1 "$table" | cut -d , -f 2)/$(tail -n 1 "$table" | cut -d , -f 1)" || exit 1
echo "$group" > "$output/Image.csv"
echo Complete > "$done_file"
"""
TABLE = "FileName_DNA,PathName_DNA,Metadata_Plate,Metadata_Well,Metadata_Site\n" + "".join(
    f"s{site}.tif,/home/ubuntu/bucket/projects/counts/images,BR001,A01,{site}\n" for site in (1, 2)
)
# Where their worker put results, and where they still look for them.
RESULTS = {f"projects/counts/analysis/BR001/analysis/BR001-A01-{site}/Image.csv" for site in (1, 2)}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """An account as upstream left it: roles, a bucket with data, an old letter, a key pair."""
    with Simulator(rules=Rules(deleted_queue_seconds=0.0)) as simulator:
        aws = simulator.aws()
        make_roles(aws)
        aws.ec2.create_key_pair(KeyName=KEY)
        aws.ecs.create_cluster(clusterName="default")
        aws.s3.create_bucket(Bucket="lab-data")
        for key, text in {
            "projects/counts/pipelines/analysis.cppipe": "a pipeline",
            "projects/counts/load_data_csv/BR001/load_data.csv": TABLE,
            "projects/counts/images/s1.tif": "1",
            "projects/counts/images/s2.tif": "2",
        }.items():
            aws.s3.put_object(Bucket="lab-data", Key=key, Body=text.encode())
        dead = aws.sqs.create_queue(QueueName="user_DeadMessages")["QueueUrl"]
        aws.sqs.send_message(QueueUrl=dead, MessageBody="an old letter")
        try:
            yield simulator
        finally:
            check_rights(simulator, False)


def their_config(folder: Path, image: str) -> Path:
    """The config that they have, with their bucket in it; only its image is ever changed."""
    config = {**CONFIGS["CellProfiler"], "DOCKERHUB_TAG": image, "DOCKER_CORES": 1}
    config |= dict.fromkeys(("AWS_BUCKET", "SOURCE_BUCKET", "DESTINATION_BUCKET"), "lab-data")
    path = folder / "config.py"
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in config.items()))
    return path


def admin_of(simulator: Simulator) -> Aws:
    admin = user(simulator, "admin")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    admin.iam.put_user_policy(
        UserName="admin",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return admin


def verb(person: Aws, folder: Path, *words: str) -> None:
    """One verb as they always typed it, with that person's credentials."""
    credentials = person.session.get_credentials()
    assert credentials is not None
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", *words],
        cwd=folder,
        env={
            **clean,
            "HOME": str(folder),
            "AWS_ENDPOINT_URL": str(person.endpoint_url),
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"


def work(task: dict[str, str], admin: Aws, record: RunRecord, own: Settings, folder: Path) -> str:
    """Let a real worker with the new image's code do all jobs, with the task role's rights."""
    clone = clone_with(folder / "clone", SOMETHING.read_text())
    program = folder / "bin" / "cellprofiler"
    program.parent.mkdir()
    program.write_text(CELLPROFILER)
    program.chmod(0o755)
    urls = [
        queues.find_queue(admin.sqs, name) for name in (own.sqs_queue_name, "user_DeadMessages")
    ]
    log = folder / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=clone,
            env={
                **worker_environment(own, *urls),
                **task,
                "PATH": f"{program.parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(clone),
                "AWS_ENDPOINT_URL": str(admin.endpoint_url),
                "AWS_EC2_METADATA_DISABLED": "true",
                "INSTANCE_ID": "i-00000000000000000",
                "WORKER_DIRECTORY": str(folder / "work"),
                "WORKER_POLL_SECONDS": "1",
                "SECONDS_TO_START": "0",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    try:
        while summarise(admin.s3, record.bucket, record.keys).done < 2:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(60)
    return log.read_text()


def keys(aws: Aws, prefix: str) -> set[str]:
    page = aws.s3.list_objects_v2(Bucket="lab-data", Prefix=prefix)
    return {one["Key"] for one in page.get("Contents", [])}


@pytest.mark.slow
def test_the_four_commands_work_as_before_on_unchanged_files(
    simulator: Simulator, tmp_path: Path
) -> None:
    admin, person = admin_of(simulator), user(simulator, "person")
    (tmp_path / "files").mkdir()
    job = FORMS / "jobs" / "cellprofiler_text.json"
    fleet = fill_in(admin, FORMS / "fleets" / "linux1.json", tmp_path)
    theirs = {role["RoleName"] for role in admin.iam.list_roles()["Roles"]}

    # The old image is refused, before anything is made, with the line that builds the new one.
    before = take_inventory(admin)
    old = load_settings(their_config(tmp_path, OLD_IMAGE))
    with pytest.raises(UsageError, match=r"build --base cellprofiler/cellprofiler"):
        setup(admin, old, labels_of=lambda _: {})
    assert take_inventory(admin) == before

    # One run of setup_AWS.py.
    setup_account(admin, SCOPE)
    for part in (*OPERATOR, TASK_ROLE, LAMBDA_ROLE):
        give_rights(admin, part)
    own = load_settings(their_config(tmp_path, "lab/cellprofiler:1.0"))
    task = take_role(simulator, TASK_ROLE)
    check_rights(simulator, True)
    before = take_inventory(admin)

    verb(person, tmp_path, "setup")
    verb(person, tmp_path, "submitJob", str(job))
    verb(person, tmp_path, "startCluster", str(fleet), "--yes")
    record = read_record_file(tmp_path / "files" / "DistributedCPSpotFleetRequestId.json")
    life = Life(person, own, tmp_path, Clock())
    life.world = admin  # what EC2, ECS and the machines do is AWS's own affair
    life.machines = Machines(admin, Interruptions())
    life.scheduler = Scheduler(admin, most_tasks=100)
    life.tick()
    log = work(task, admin, record, own, tmp_path)
    life.clock.during = life.tick
    outcome = monitor(person, record, folder=tmp_path / "files", **life.times)

    assert (outcome.summary.done, outcome.summary.dead) == (2, 0)
    assert "denied" not in log.lower()
    assert keys(admin, "projects/counts/analysis/") == RESULTS
    assert theirs <= {role["RoleName"] for role in admin.iam.list_roles()["Roles"]}
    assert take_inventory(admin) - before <= what_stays(outcome.record)
    url = queues.find_queue(admin.sqs, "user_DeadMessages")
    (letter,) = admin.sqs.receive_message(QueueUrl=url)["Messages"]
    assert letter["Body"] == "an old letter"
