"""A user of Distributed-CellProfiler switches: files, roles and dead-letter queue stay theirs.

Every command is typed as it always was, in a process of its own; `monitor` only looks more often.
Its keys, and where AWS is, are in that user's `~/.aws`, so that nothing takes this for a rehearsal.
IAM is enforced, as far as the simulated one can: commands have the rights that are printed for a
person, workers the task role's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.definitions.account import LAMBDA_ROLE, TASK_ROLE
from distributed_something.definitions.task import worker_environment
from distributed_something.inputs.settings import Settings, load_settings
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol import IMAGE_LABEL, PROTOCOL_VERSION
from distributed_something.protocol.ledger.record import RunRecord, read_record_file
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.clock import Clock
from tests.family_files import CONFIGS
from tests.lives import Life
from tests.worker.job.test_something import clone_with

from ..setting_up.test_rights import OPERATOR, check_rights, give_rights, take_role, user
from ..submitting.test_upstream_files import FORMS, KEY, fill_in

ROOT = Path(__file__).parents[3]
OLD_IMAGE = "cellprofiler/distributed-cellprofiler:2.2.0_4.2.8"
NEW_IMAGE = "127.0.0.1:9/lab/cellprofiler:1.0"  # of a registry that does not answer
# An engine that has built the new image, and knows no other.
LABELS = json.dumps([{IMAGE_LABEL: PROTOCOL_VERSION}, "amd64", []])
DOCKER = f"#!/bin/sh\ncase \"$*\" in *{NEW_IMAGE}*) echo '{LABELS}' ;; *) exit 1 ;; esac\n"
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
    with Simulator(rules=Rules(deleted_queue_seconds=0.0, unseen_uses=0)) as simulator:
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
            check_rights(False)


def write_config(folder: Path, image: str) -> Settings:
    """The config that they have, with their bucket in it; only its image is ever changed."""
    config = {**CONFIGS["CellProfiler"], "DOCKERHUB_TAG": image, "DOCKER_CORES": 1}
    config |= dict.fromkeys(("AWS_BUCKET", "SOURCE_BUCKET", "DESTINATION_BUCKET"), "lab-data")
    path = folder / "config.py"
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in config.items()))
    return load_settings(path)


def admin_of(simulator: Simulator) -> Aws:
    admin = user(simulator, "admin")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    admin.iam.put_user_policy(
        UserName="admin",
        PolicyName="all",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return admin


@dataclass(frozen=True)
class Desk:
    """Where somebody types commands: a folder with config.py, and keys in a home of their own."""

    folder: Path
    home: Path

    @classmethod
    def of(cls, aws: Aws, folder: Path, home: Path) -> Desk:
        keys = aws.session.get_credentials()
        assert keys is not None
        (home / ".aws").mkdir(parents=True)
        (home / ".aws" / "config").write_text(
            f"[default]\nregion = us-east-1\nendpoint_url = {aws.endpoint_url}\n"
        )
        (home / ".aws" / "credentials").write_text(
            f"[default]\naws_access_key_id = {keys.access_key}\n"
            f"aws_secret_access_key = {keys.secret_key}\n"
        )
        write_program(home / "bin" / "docker", DOCKER)
        return cls(folder, home)

    def begin(self, line: str) -> subprocess.Popen[str]:
        """A command such as `python run.py setup`, with nobody at a terminal to be asked."""
        python, script, *words = line.split()
        assert python == "python"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.functional.cli.quickly", script, *words],
            cwd=self.folder,
            env={
                **clean,
                "PYTHONPATH": str(ROOT),
                "HOME": str(self.home),
                "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, line: str, expected: int = 0) -> str:
        """What a command says until it ends with the expected code."""
        typed = self.begin(line)
        said, _ = typed.communicate(timeout=120)
        assert typed.returncode == expected, f"{line}: {said}"
        return said


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def work(
    task: dict[str, str],
    admin: Aws,
    record: RunRecord,
    own: Settings,
    folder: Path,
    something: Path,
) -> str:
    """Let a real worker with the new image's code do all jobs, with the task role's rights."""
    clone = clone_with(folder / "image", something.read_text())
    program = folder / "bin" / "cellprofiler"
    write_program(program, CELLPROFILER)
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
        while RunLedger.of(admin.s3, record).summary().done < 2:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(60)
    return log.read_text()


def keys(aws: Aws, prefix: str) -> set[str]:
    page = aws.s3.list_objects_v2(Bucket="lab-data", Prefix=prefix)
    return {one["Key"] for one in page.get("Contents", [])}


def watch(desk: Desk, line: str, life: Life) -> str:
    """Let `monitor` run to its end, while EC2 and ECS do what they do by themselves."""
    watching = desk.begin(line)
    deadline = time.monotonic() + 300
    try:
        while watching.poll() is None and time.monotonic() < deadline:
            life.tick()
            time.sleep(0.5)
    finally:
        watching.kill()
        said, _ = watching.communicate()
    assert watching.returncode == 0, said
    return said


@pytest.mark.slow
def test_the_four_commands_work_as_before_on_unchanged_files(
    simulator: Simulator, tmp_path: Path
) -> None:
    admin, person = admin_of(simulator), user(simulator, "person")
    folder = tmp_path / "clone"
    (folder / "files").mkdir(parents=True)
    shutil.copy(FORMS / "jobs" / "cellprofiler_text.json", folder / "files" / "exampleJob.json")
    fill_in(admin, FORMS / "fleets" / "linux1.json", folder / "files")
    files = {path: path.read_bytes() for path in (folder / "files").iterdir()}
    owner = Desk.of(admin, folder, tmp_path / "owner")
    desk = Desk.of(person, folder, tmp_path / "person")
    theirs = {role["RoleName"] for role in admin.iam.list_roles()["Roles"]}
    for part in OPERATOR:
        give_rights(admin, part)
    check_rights(True)

    # The old image is refused, before anything is made, with the line that builds the new one.
    before = take_inventory(admin)
    write_config(folder, OLD_IMAGE)
    refused = desk.type("python run.py setup", expected=2)
    _, shown, line = " ".join(refused.split()).partition("python run.py build ")
    assert shown and line.startswith("--base cellprofiler/cellprofiler:TAG "), refused
    _, option, rest = line.partition("--something ")
    assert option, refused
    something = ROOT / rest.split()[0]
    assert take_inventory(admin) == before

    # The image is built, and setup_AWS.py run once. Then all is as it always was.
    own = write_config(folder, NEW_IMAGE)
    owner.type("python setup_AWS.py")
    for part in (TASK_ROLE, LAMBDA_ROLE):
        give_rights(admin, part)
    check_rights(False)  # AWS itself hands roles out
    task = take_role(simulator, TASK_ROLE)
    check_rights(True)
    before = take_inventory(admin)

    desk.type("python run.py setup")
    sent = desk.type("python run.py submitJob files/exampleJob.json")
    assert f"unless the workers' image was built with `--something {rest.split()[0]}`" in " ".join(
        sent.split()
    )
    desk.type("python run.py startCluster files/linux1.json")
    record = read_record_file(folder / "files" / "DistributedCPSpotFleetRequestId.json")
    life = Life(admin, own, folder, Clock())  # what EC2, ECS and the machines do is AWS's affair
    life.tick()
    log = work(task, admin, record, own, tmp_path, something)
    said = watch(desk, "python run.py monitor files/DistributedCPSpotFleetRequestId.json", life)

    assert "2 done" in said, said
    assert "denied" not in log.lower()
    assert keys(admin, "projects/counts/analysis/") == RESULTS
    assert {path: path.read_bytes() for path in files} == files
    assert theirs <= {role["RoleName"] for role in admin.iam.list_roles()["Roles"]}
    ended = read_record_file(folder / "files" / "DistributedCPSpotFleetRequestId.json")
    assert take_inventory(admin) - before <= what_stays(ended)
    url = queues.find_queue(admin.sqs, "user_DeadMessages")
    (letter,) = admin.sqs.receive_message(QueueUrl=url)["Messages"]
    assert letter["Body"] == "an old letter"
