"""A simulated account with what a run needs before `setup`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends

from distributed_something.aws.session import Aws
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import ACCOUNT, REGION, Rules, Simulator
from distributed_something.local.simulator.ec2 import SimulatedEc2
from tests.builders import CONSTANTS, write_json
from tests.fleet_files import fleet, specification


@contextmanager
def open_account(rules: Rules | None = None) -> Iterator[Aws]:
    """A simulated account with the tests' bucket."""
    with Simulator(rules=rules) as simulator:
        yield new_account(simulator)


def new_account(simulator: Simulator, rules: Rules | None = None) -> Aws:
    """An account like open_account's in a simulator that has served others, which costs less."""
    simulator.empty(rules)
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket=str(CONSTANTS["AWS_BUCKET"]))
    make_roles(aws)
    return aws


def variables(aws: Aws) -> dict[str, str]:
    """What another process needs in its environment to be in this account."""
    keys = aws.session.get_credentials()
    assert keys is not None
    return {
        "AWS_ENDPOINT_URL": str(aws.endpoint_url),
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
    }


def write_fleet_file(aws: Aws, folder: Path, **changes: Any) -> Path:
    """A fleet file that fits the simulated account: a subnet and a security group it has."""
    subnets = aws.ec2.describe_subnets()["Subnets"]
    groups = aws.ec2.describe_security_groups()["SecurityGroups"]
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnets[0]["SubnetId"],
        "Groups": [groups[0]["GroupId"]],
    }
    content = fleet(specification(NetworkInterfaces=[interface], KeyName=None), **changes)
    return write_json(folder / "fleet.json", content)


def simulated_ec2() -> SimulatedEc2:
    """The simulator's EC2 itself, to make it refuse things."""
    backend = ec2_backends[ACCOUNT][REGION]
    assert isinstance(backend, SimulatedEc2)
    return backend
