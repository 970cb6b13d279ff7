"""Job and fleet files in the forms of upstream's programs go through the four verbs as they are.

Those of `tests/upstream_forms` are always there. Where upstream's own examples lie beside the
repository, they are played too. Only placeholders are filled in, as everybody does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.watching.monitor import monitor
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import ACCOUNT, Rules, Simulator
from distributed_something.resources.table import take_inventory, what_stays
from tests.builders import settings
from tests.clock import Clock
from tests.family_files import CONFIGS
from tests.functional.submitting.test_families import FILLED_IN
from tests.lives import Life

FORMS = Path(__file__).parents[2] / "upstream_forms"
EXAMPLES = Path(__file__).parents[4] / "shared/fixtures/upstream"
PROGRAMS = {
    "something": "Something",
    "helloworld": "HelloWorld",
    "collate": "Collate",
    "deepprofiler": "DeepProfiler",
    "cellprofiler_text": "CellProfiler",
    "cellprofiler_objects": "CellProfiler",
    "fiji": "Fiji",
    "omezarr": "OMEZarr",
    "exampleJob": "Something",
}
JOBS = sorted(FORMS.glob("jobs/*.json"))
FLEETS = sorted(FORMS.glob("fleets/*.json"))
KEY = "lab-key"
# Each job file with the plainest fleet, each fleet with the plainest jobs.
PAIRS = [(job, FORMS / "fleets/linux1.json") for job in JOBS]
PAIRS += [(FORMS / "jobs/something.json", fleet) for fleet in FLEETS]
PAIRS += [
    (job, fleet)
    for job in EXAMPLES.glob("exampleJob.json")
    for fleet in sorted(EXAMPLES.glob("exampleFleet_*.json"))
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(deleted_queue_seconds=0.0)) as simulator:
        make_roles(simulator.aws())
        yield simulator


def in_region(simulator: Simulator, region: str) -> Aws:
    """A region of the account, with a bucket and a key pair in it."""
    aws = simulator.aws(region)
    if not aws.ec2.describe_key_pairs()["KeyPairs"]:
        aws.ec2.create_key_pair(KeyName=KEY)
        place = {"LocationConstraint": region}
        extra = {} if region == "us-east-1" else {"CreateBucketConfiguration": place}
        aws.s3.create_bucket(Bucket=bucket_of(region), **extra)  # type: ignore[arg-type]
    return aws


def bucket_of(region: str) -> str:
    return f"lab-data-{region}"


def fill_in(aws: Aws, fleet: Path, folder: Path) -> Path:
    """The fleet file with this account's own in the place of its placeholders.

    Its subnets lead to an internet gateway, where machines need the address that the file refuses.
    """
    first, second = [one["SubnetId"] for one in aws.ec2.describe_subnets()["Subnets"]][:2]
    group = aws.ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    text = re.sub(r"(?<=::)X{12,13}(?=:)", ACCOUNT, fleet.read_text())
    own = {"subnet-WWWWWWWW": first, "subnet-VVVVVVVV": second, "sg-ZZZZZZZZZ": group}
    text = re.sub(r'("AssociatePublicIpAddress": )false', r"\1true", text)
    for placeholder, value in (own | {"your-key-file": KEY}).items():
        text = text.replace(placeholder, value)
    path = folder / fleet.name
    path.write_text(text)
    return path


@pytest.mark.parametrize(("job", "fleet"), PAIRS, ids=lambda path: path.stem)
def test_a_run_of_upstreams_files_ends_well_and_the_account_is_as_before(
    job: Path, fleet: Path, simulator: Simulator, tmp_path: Path
) -> None:
    region = "us-west-2" if "us-west-2" in fleet.stem else "us-east-1"
    aws = in_region(simulator, region)
    config = {**CONFIGS[PROGRAMS[job.stem]], "AWS_REGION": region}
    ours = {name: bucket_of(region) for name in FILLED_IN if name.endswith("BUCKET")}
    config |= {name: value for name, value in (FILLED_IN | ours).items() if name in config}
    life = Life(aws, settings(**config), tmp_path, Clock())
    life.clock.during = life.tick
    before = take_inventory(aws)

    life.set_up()
    submitted = submit_job(aws, life.settings, job, folder=tmp_path, **life.times)
    record = start_cluster(
        aws, life.settings, fill_in(aws, fleet, tmp_path), folder=tmp_path, **life.times
    )
    life.tick()
    assert len(life.instances()) == life.settings.cluster_machines
    held = [life.take(record, life.instances()[0]) for _ in range(submitted.count)]
    life.finish(record, *held)
    outcome = monitor(aws, record, folder=tmp_path, **life.times)

    assert outcome.is_complete
    assert outcome.summary.done == submitted.count > 0
    after = take_inventory(aws)
    assert after - before <= what_stays(record)
    assert before - after == frozenset()


def test_every_form_is_played() -> None:
    assert {job.stem for job in JOBS} == set(PROGRAMS) - {"exampleJob"}
    assert len(FLEETS) == 5
