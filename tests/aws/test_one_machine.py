"""A whole run on a real AWS account, with one small machine. Opt-in; it has never been run yet.

Price: one t3a.small or t3.small on the spot market, with 30 GiB of disk and a public address, for
about a quarter of an hour: one US cent. At the very most, if all that ends it fails, MAX_HOURS = 1
hour at the cap of $0.0208, with disk and address: 3 cents. Queue, logs and bucket: below a cent.

It needs an account that `python setup_AWS.py --bucket BUCKET` has prepared, and an image of the
worker that the machine can pull (`python run.py build --base debian:bookworm-slim --push`):

    export DISTRIBUTED_SOMETHING_AWS_ACCOUNT=123456789012   # says that you mean this account
    export DISTRIBUTED_SOMETHING_AWS_BUCKET=your-bucket-name
    export DISTRIBUTED_SOMETHING_AWS_IMAGE=user/worker:1.0
    export AWS_REGION=us-east-1                              # the bucket's
    python -m pytest -m aws tests/aws --timeout=5400

Whatever happens, everything with the tag of the test's app is removed at the end, what otherwise
stays on purpose included. Look into the EC2 console all the same.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws, make_session
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.watching.monitor import Pace, monitor
from distributed_something.inputs.settings import Settings, make_settings
from tests.builders import write_json

from .seen import Seen, note_alarms, watching
from .sweep import sweep

ACCOUNT = os.environ.get("DISTRIBUTED_SOMETHING_AWS_ACCOUNT", "")
JOBS = 10

pytestmark = [
    pytest.mark.aws,
    pytest.mark.skipif(not ACCOUNT, reason="DISTRIBUTED_SOMETHING_AWS_ACCOUNT is not set"),
]


def settings_for(name: str, bucket: str, image: str, region: str) -> Settings:
    """One small machine, for an hour at the most."""
    constants: dict[str, object] = {
        "APP_NAME": name,
        "DOCKERHUB_TAG": image,
        "AWS_REGION": region,
        "AWS_BUCKET": bucket,
        "ECS_CLUSTER": name,
        "CLUSTER_MACHINES": 1,
        "MACHINE_TYPE": ["t3a.small", "t3.small"],
        "MACHINE_PRICE": 0.0208,
        "EBS_VOL_SIZE": 30,
        "MAX_HOURS": 1,
        "DOCKER_CORES": 2,
        "CPU_SHARES": 1024,
        "MEMORY": 1200,
    }
    return make_settings(constants, "tests/aws")


def files(folder: Path, account: str) -> tuple[Path, Path]:
    """A job file, and a fleet file for the account's default network."""
    command = ["sh", "-c", "sleep 45; echo {number} > {output_dir}/number.txt"]
    jobs = {"command": command, "groups": [{"number": number} for number in range(JOBS)]}
    profile = f"arn:aws:iam::{account}:instance-profile/ecsInstanceRole"
    fleet = {
        "IamFleetRole": f"arn:aws:iam::{account}:role/aws-ec2-spot-fleet-tagging-role",
        "AllocationStrategy": "priceCapacityOptimized",
        "Type": "maintain",
        "LaunchSpecifications": [{"IamInstanceProfile": {"Arn": profile}}],
    }
    return write_json(folder / "jobs.json", jobs), write_json(folder / "fleet.json", fleet)


def test_a_run_with_one_machine_is_done_and_leaves_nothing(tmp_path: Path) -> None:
    region = os.environ.get("AWS_REGION", "us-east-1")
    settings = settings_for(
        f"DsTest{secrets.token_hex(4)}",
        os.environ["DISTRIBUTED_SOMETHING_AWS_BUCKET"],
        os.environ["DISTRIBUTED_SOMETHING_AWS_IMAGE"],
        region,
    )
    aws = Aws(make_session(region))
    assert aws.sts.get_caller_identity()["Account"] == ACCOUNT, "another account than you named"
    jobs, fleet = files(tmp_path, ACCOUNT)
    with watching(aws, Path.cwd()) as seen:
        _play(aws, settings, jobs, fleet, tmp_path, seen)


def _play(
    aws: Aws, settings: Settings, jobs: Path, fleet: Path, tmp_path: Path, seen: Seen
) -> None:
    """The whole run, and its removal whatever becomes of it."""
    try:
        setup(aws, settings)
        submit_job(aws, settings, jobs, folder=tmp_path)
        record = start_cluster(aws, settings, fleet, folder=tmp_path)
        outcome = monitor(
            aws,
            record,
            folder=tmp_path,
            pace=Pace(patience=1800.0),
            on_progress=lambda _: note_alarms(aws, settings.app_name, seen),
        )
        seen.note("outcome", outcome.summary)
        assert (outcome.summary.done, outcome.is_complete) == (JOBS, True)
        prefix = f"results/{settings.app_name}/"
        found = aws.s3.list_objects_v2(Bucket=settings.aws_bucket, Prefix=prefix)
        assert len(found.get("Contents", [])) == JOBS
    finally:
        left = sweep(aws, settings, tmp_path)
    assert left == ()
