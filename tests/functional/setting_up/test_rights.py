"""A whole life under IAM: it works with the rights that are printed, and with no part left out.

The simulated IAM knows the resources of S3, SQS and IAM requests and takes all others for `*`; it
cannot read conditions. What it cannot check is read in the documents themselves, by
tests/unit/definitions/test_policies.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import settings as moto_settings
from moto.core.responses import ActionAuthenticatorMixin  # type: ignore[attr-defined]

from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.cancelling.cancel import list_resources
from distributed_something.commands.check import check
from distributed_something.commands.reading.download import download
from distributed_something.commands.reading.job_logs import machine_lines, run_lines
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.retry import retry
from distributed_something.commands.reading.status import status
from distributed_something.commands.setting_up.setup_account import setup_account
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.monitor import monitor
from distributed_something.definitions.account import (
    INSTANCE_ROLE,
    LAMBDA_ROLE,
    POLICY,
    TASK_ROLE,
    operator_policies,
    roles,
)
from distributed_something.definitions.policies.allowed import allows
from distributed_something.definitions.policies.scope import Scope
from distributed_something.definitions.policies.statements import Document
from distributed_something.definitions.task import worker_environment
from distributed_something.errors import DistributedSomethingError
from distributed_something.local.machines.scheduler import Scheduler
from distributed_something.local.machines.spot_machines import Interruptions, Machines
from distributed_something.local.simulator import ACCOUNT, REGION, Rules, Simulator
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import write_fleet_file
from tests.builders import settings as make_settings
from tests.builders import write_json
from tests.clock import Clock
from tests.lives import Life, add_lambda, clients, handling, open_life, put_alarm

SCOPE = Scope(ACCOUNT, (REGION,), ("lab-data",))
OPERATOR = operator_policies(SCOPE)
KNOWN_RESOURCES = ("s3:", "sqs:", "iam:")
# The simulated IAM asks for a right by the operation's own name, AWS's for that of its single form.
NAMES = {
    "sqs:SendMessage": ["sqs:SendMessage", "sqs:SendMessageBatch"],
    "s3:ListBucket": ["s3:ListBucket", "s3:HeadBucket"],
    "s3:GetObject": ["s3:GetObject", "s3:HeadObject"],
}
BY_NAME = ("sqs:GetQueueUrl", "sqs:CreateQueue")  # of which it takes any name for `*`
WISHES: dict[str, Any] = dict.fromkeys(
    ("AUTO_MONITOR", "CREATE_DASHBOARD", "CLEAN_DASHBOARD"), "True"
)
REPOSITORY = Path(__file__).parents[3]


def readable(document: Document) -> str:
    """A document as the simulated IAM can read it."""
    statements = []
    for one in document["Statement"]:
        actions = [name for action in one["Action"] for name in NAMES.get(action, [action])]
        for action in actions:
            is_known = action.startswith(KNOWN_RESOURCES) and action not in BY_NAME
            resource = one["Resource"] if is_known else "*"
            read = action.replace("cloudwatch:", "monitoring:")  # as its requests are signed
            statements.append({"Effect": "Allow", "Action": read, "Resource": resource})
    return json.dumps({**document, "Statement": statements})


@dataclass
class Estate:
    """An account with its roles, a person with the printed rights, and all of their clients."""

    simulator: Simulator
    admin: Aws
    person: Aws
    task: dict[str, str]  # credentials, as variables of the environment
    monitor: Aws
    life: Life

    @contextmanager
    def without(self, part: str) -> Iterator[None]:
        """One of the printed documents does not exist meanwhile."""
        if part in OPERATOR:
            self.admin.iam.delete_user_policy(UserName="person", PolicyName=part.replace(" ", "-"))
        else:
            self.admin.iam.delete_role_policy(RoleName=part, PolicyName=POLICY)
        yield
        give_rights(self.admin, part)

    def inventory(self) -> frozenset[str]:
        """All that there is."""
        return take_inventory(self.admin)


def give_rights(admin: Aws, part: str) -> None:
    if part in OPERATOR:
        admin.iam.put_user_policy(
            UserName="person",
            PolicyName=part.replace(" ", "-"),
            PolicyDocument=readable(OPERATOR[part]),
        )
        return
    (document,) = (role.policy for role in roles(SCOPE) if role.name == part)
    admin.iam.put_role_policy(RoleName=part, PolicyName=POLICY, PolicyDocument=readable(document))


def user(simulator: Simulator, name: str) -> Aws:
    """A new user's clients."""
    iam = simulator.aws().iam
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    return Aws(session, simulator.endpoint_url)


def take_role(simulator: Simulator, name: str) -> dict[str, str]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    taken = simulator.aws().sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
        "AWS_SESSION_TOKEN": taken["SessionToken"],
    }


def check_rights(is_on: bool) -> None:
    """Switch the simulated IAM on or off: after how many requests it begins to check."""
    moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0 if is_on else float("inf")
    ActionAuthenticatorMixin.request_count = 0


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    clock = Clock()
    with Simulator(rules=Rules(deleted_queue_seconds=0.0, clock=clock.now)) as simulator:
        simulator.aws().s3.create_bucket(Bucket="lab-data")
        setup_account(simulator.aws(), SCOPE)
        admin, person = user(simulator, "admin"), user(simulator, "person")
        admin.iam.put_user_policy(
            UserName="admin",
            PolicyName="all",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
                }
            ),
        )
        for part in (*OPERATOR, TASK_ROLE, LAMBDA_ROLE):
            give_rights(admin, part)
        task, monitor_role = take_role(simulator, TASK_ROLE), take_role(simulator, LAMBDA_ROLE)
        key, secret, token = monitor_role.values()
        session = boto3.Session(key, secret, token, REGION)
        life = Life(person, make_settings(**WISHES), tmp_path, clock)
        # EC2, ECS and the machines are AWS's own affair.
        life.world = admin
        life.machines = Machines(admin, Interruptions())
        life.scheduler = Scheduler(admin, most_tasks=100)
        check_rights(True)
        try:
            yield Estate(simulator, admin, person, task, Aws(session, simulator.endpoint_url), life)
        finally:
            check_rights(False)


def work(estate: Estate, record: RunRecord, *, until: Callable[[str], bool]) -> str:
    """Let a real worker work with the task role's rights until its log, or what became of
    its job, is as wanted; returns the log."""
    urls = [
        queues.find_queue(estate.admin.sqs, name)
        for name in (record.queue_name, record.dead_letter_queue_name)
    ]
    environment = {
        **worker_environment(estate.life.settings, *urls),
        **estate.task,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "AWS_ENDPOINT_URL": estate.simulator.endpoint_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "INSTANCE_ID": estate.life.instances()[0],
        "WORKER_DIRECTORY": str(estate.life.folder / "work"),
        "WORKER_POLL_SECONDS": "1",
        "WORKER_GRACE_SECONDS": "3",
    }
    log = estate.life.folder / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    try:
        while not until(log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(60)
    return log.read_text()


def is_done(estate: Estate, record: RunRecord) -> bool:
    """Whether the run's one job is done and its message gone."""
    url = queues.find_queue(estate.admin.sqs, record.queue_name)
    done = RunLedger.of(estate.admin.s3, record).summary().done
    return done == 1 and queues.count_jobs(estate.admin.sqs, url).total == 0


def call_lambda(estate: Estate, record: RunRecord) -> dict[str, Any]:
    life = estate.life
    life.clock.time += 120.0
    life.tick()
    deadline = life.clock.time + 600.0
    return watch_once(
        estate.monitor, RunLedger.of(estate.monitor.s3, record), deadline=deadline, **life.times
    )


@pytest.mark.slow
def test_a_whole_life_works_with_the_printed_rights_and_fails_without_each(estate: Estate) -> None:
    life = estate.life
    before = estate.inventory()
    watching, running = OPERATOR
    for part in (watching, running):
        with estate.without(part), pytest.raises((ClientError, DistributedSomethingError)):
            life.set_up()
    life.set_up()
    life.submit("a")
    record = life.buy()
    made = estate.inventory() - before
    assert {f"schedule {record.schedule}", f"dashboard {record.dashboard}"} <= made

    with estate.without(TASK_ROLE):
        assert "AccessDenied" in work(estate, record, until=lambda log: "AccessDenied" in log)
    log = work(estate, record, until=lambda _: is_done(estate, record))
    assert is_done(estate, record)
    assert "denied" not in log.lower()

    with estate.without(LAMBDA_ROLE), pytest.raises(ClientError):
        call_lambda(estate, record)
    assert any(call_lambda(estate, record).get("over") for _ in range(5))
    assert estate.inventory() - before == what_stays(record)

    life.set_up()
    life.submit("b")
    record = life.buy()
    work(estate, record, until=lambda _: is_done(estate, record))
    with estate.without(watching), pytest.raises((ClientError, DistributedSomethingError)):
        monitor(life.aws, record, folder=life.folder, **life.times)
    life.clock.during = life.tick
    outcome = monitor(life.aws, record, folder=life.folder, **life.times)
    assert outcome.summary.done == 1
    assert estate.inventory() - before == what_stays(record)


# Which right an operation needs, where it is not the one of its own name:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
RIGHT_OF = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
NO_RIGHT_NEEDED = {"sts:GetCallerIdentity"}


@pytest.fixture
def whole_life(tmp_path: Path) -> Iterator[Life]:
    """An account whose IAM allows all, and an app with all that a run can have."""
    with open_life(tmp_path, **WISHES) as life:
        add_lambda(life.aws)
        yield life


@contextmanager
def rights_needed(aws: Aws) -> Iterator[set[str]]:
    """The rights that all calls meanwhile need, of whichever service."""
    called: set[str] = set()
    needed: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        called.add(f"{model.service_model.signing_name}:{model.name}")

    others = [aws.sns, aws.pricing, aws.quotas]
    with handling([*clients(aws), *others], "before-call", note):
        yield needed
    needed |= {_renamed(RIGHT_OF.get(one, one)) for one in called} - NO_RIGHT_NEEDED


def attach_a_policy(world: Aws) -> None:
    """A role's rights may be in a policy of its own, as those that AWS keeps are."""
    rights = {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
    made = world.iam.create_policy(PolicyName="lab", PolicyDocument=text)["Policy"]
    world.iam.attach_role_policy(RoleName=INSTANCE_ROLE, PolicyArn=made["Arn"])


def buy_from_a_template(life: Life) -> RunRecord:
    """Buy with a fleet file that names a launch template of one's own."""
    content = json.loads(write_fleet_file(life.world, life.folder).read_text())
    (specification,) = content.pop("LaunchSpecifications")
    life.world.ec2.create_launch_template(
        LaunchTemplateName="lab", LaunchTemplateData={"InstanceType": "m5.large"} | specification
    )
    named = {"LaunchTemplateName": "lab", "Version": "$Latest"}
    content["LaunchTemplateConfigs"] = [{"LaunchTemplateSpecification": named}]
    path = write_json(life.folder / "template_fleet.json", content)
    check(life.aws, life.settings, life.folder / "jobs.json", path, now=life.clock.now)
    record = start_cluster(life.aws, life.settings, path, folder=life.folder, **life.times)
    life.tick()
    return record


def look_at_all(life: Life, record: RunRecord) -> None:
    """The verbs that only look, and `retry`, which finds nothing to do."""
    status(life.aws, record, now=life.clock.now)
    for lines in (run_lines(life.aws, record), machine_lines(life.aws, record, "i-0")):
        assert list(lines) == []
    retry(life.aws, life.settings, folder=life.folder, sleep=life.clock.sleep)
    download(life.aws, life.settings, life.folder / "results")
    make_report(life.aws, record, now=life.clock.now)


@pytest.mark.slow
def test_every_call_of_a_person_is_among_the_printed_rights(whole_life: Life) -> None:
    life = whole_life
    attach_a_policy(life.world)
    with rights_needed(life.aws) as needed:
        life.set_up()
        life.submit("a")
        record = buy_from_a_template(life)
        life.finish(record, life.take(record, life.instances()[0]))
        look_at_all(life, record)
        list_resources(life.aws, life.settings)
        life.clock.during = life.tick
        monitor(life.aws, record, folder=life.folder, **life.times)
    played = {"sqs:ReceiveMessage", "sqs:DeleteMessage"}  # by the worker that we play
    seldom = {"ec2:DescribeLaunchTemplateVersions", "iam:GetPolicy", "iam:GetPolicyVersion"}
    assert seldom | {"scheduler:CreateSchedule", "logs:FilterLogEvents"} <= needed
    granted = {one for one in needed - played if any(_grants(p, one) for p in OPERATOR.values())}
    assert granted == needed - played


def test_every_call_of_the_lambda_is_among_its_printed_rights(whole_life: Life) -> None:
    """A look at machines that do not join, one that gives a machine back, and the end."""
    life = whole_life
    life.set_up()
    life.submit("a", "b")
    record = life.buy()
    held = [life.take(record, name) for name in life.instances()]
    life.finish(record, held[0])
    theirs = Aws(life.aws.session, life.aws.endpoint_url)
    seen: list[dict[str, Any]] = []

    def call() -> None:
        life.clock.time += 120.0
        life.tick()
        deadline = life.clock.time + 600.0
        seen.append(
            watch_once(theirs, RunLedger.of(theirs.s3, record), deadline=deadline, **life.times)
        )

    put_alarm(life.world, f"{life.settings.app_name}_i-0123456789abcdef0")  # of one that is gone
    with rights_needed(theirs) as needed:
        for _ in range(4):
            call()
        life.machines.update()
        record = life.buy(joins=False)  # machines that never join
        life.clock.time += 2800.0
        call()
        life.finish(record, held[1])
        for _ in range(5):
            call()
    assert seen[-1]["over"]
    expected = {"ec2:ModifySpotFleetRequest", "ec2:TerminateInstances", "cloudwatch:DeleteAlarms"}
    expected |= {"ecs:UpdateContainerInstancesState", "cloudwatch:DeleteDashboards"}
    assert expected <= needed
    (document,) = (role.policy for role in roles(SCOPE) if role.name == LAMBDA_ROLE)
    assert {one for one in needed if not _grants(document, one)} == set()


def _renamed(right: str) -> str:
    return right.replace("monitoring:", "cloudwatch:")


def _grants(document: Document, action: str) -> bool:
    resources = [
        arn
        for one in document["Statement"]
        for arn in (one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]])
    ]
    return any(allows(document, action, arn) for arn in resources)
