"""`check` says of each thing that a run leans on whether it is there, and how to fix it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.servicequotas.models import servicequotas_backends

from distributed_something.aws.compute.registry import ImageFacts
from distributed_something.aws.session import Aws
from distributed_something.commands.check import Checkup, State, check
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.setting_up.setup_account import (
    destroy_account,
    scope_of_account,
    setup_account,
)
from distributed_something.definitions.policies.roles import trust
from distributed_something.errors import NotFound
from distributed_something.local.simulator import ACCOUNT, REGION, Simulator
from distributed_something.local.simulator.quotas import SimulatedQuotas
from distributed_something.protocol import IMAGE_LABEL, PROTOCOL_VERSION
from distributed_something.resources.table import take_inventory
from tests.account import new_account, write_fleet_file
from tests.builders import settings, write_config, write_json
from tests.fleet_files import fleet
from tests.golden import check_golden, screen

OURS = ImageFacts({IMAGE_LABEL: PROTOCOL_VERSION}, frozenset({"x86_64"}))
JOBS = {
    "command": "count {input_dir}/{plate}.tif",
    "inputs": ["images/{plate}.tif"],
    "groups": [{"plate": "A"}, {"plate": "B"}],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator) -> Aws:
    """An account where nothing is amiss: prepared, set up, with the inputs in its bucket."""
    aws = new_account(simulator)
    setup_account(aws, scope_of_account(aws, settings(), ("lab-data",), ()), ("lab-data",))
    setup(aws, settings())
    for plate in "AB":
        aws.s3.put_object(Bucket="lab-data", Key=f"images/{plate}.tif", Body=b"dots")
    return aws


def checked(aws: Aws | None, *paths: Path | None, **constants: Any) -> Checkup:
    limited = {"MAX_COST": 100, **constants}
    return check(aws, settings(**limited), *paths, facts_of=lambda _: OURS)


def line(checkup: Checkup, subject: str, state: State) -> str:
    """The only finding of a subject that is in a state, and its fix."""
    found = [one for one in checkup.findings if one.subject == subject]
    assert [one.state for one in found if one.state is not State.OK] == [state], found
    (one,) = (one for one in found if one.state is state)
    return f"{one.text} → {one.fix}"


def refuse(client: Any, operation: str, code: str, message: str) -> None:
    def act(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"provide-client-params.{service}.{operation}", act)


def test_where_nothing_is_amiss_nothing_is_missing_and_nothing_changes(
    account: Aws, tmp_path: Path
) -> None:
    jobs = write_json(tmp_path / "jobs.json", JOBS)
    before = take_inventory(account)
    checkup = checked(account, jobs, write_fleet_file(account, tmp_path))
    assert checkup.is_ready, checkup.findings
    assert checkup.count(State.UNSEEN) == 0
    subjects = {one.subject for one in checkup.findings}
    assert {"credentials", "region", "bucket lab-data", "queue", "image", "inputs"} <= subjects
    assert {"price of m5.xlarge", "spot quota", "fit on m5.xlarge", "network"} <= subjects
    assert take_inventory(account) == before


def test_the_screen_and_its_exit_code(account: Aws, simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    write_fleet_file(account, tmp_path)
    code, out, seen = screen(["check", "jobs.json", "fleet.json"], tmp_path, simulator.environment)
    assert (code, out) == (0, "")
    check_golden("check", seen)
    account.s3.delete_object(Bucket="lab-data", Key="images/A.tif")
    code, out, seen = screen(["check", "jobs.json"], tmp_path, simulator.environment)
    assert (code, out) == (1, "")
    check_golden("check_inputs_missing", seen)


def test_each_line_can_be_read_by_a_program(
    account: Aws, simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    code, out, _ = screen(["check", "--json"], tmp_path, simulator.environment)
    lines = [json.loads(one) for one in out.splitlines()]
    assert code == 0
    assert {"subject": "region", "state": "ok", "text": "us-east-1", "fix": ""} in lines


def test_without_an_account_files_and_sizes_are_looked_at(tmp_path: Path) -> None:
    write_config(tmp_path, MEMORY=20000)
    write_json(tmp_path / "jobs.json", {"command": "echo {plate}", "groups": [{"well": "A01"}]})
    (tmp_path / "fleet.json").write_text("{}")
    code, _, seen = screen(["check", "jobs.json", "fleet.json", "--offline"], tmp_path, {})
    assert code == 1
    check_golden("check_offline", seen)


def offline(folder: Path, **constants: Any) -> tuple[list[tuple[str, str]], str]:
    """What `check --offline` finds missing or warns of: subjects with texts, and all fixes."""
    constants = {"MAX_COST": 100, **constants}
    write_config(folder, **constants)
    found = check(None, settings(**constants)).findings
    told = [one for one in found if one.state in (State.MISSING, State.WARNING) and one.fix]
    return [(one.state.value, one.text) for one in told], " ".join(one.fix for one in told)


def test_a_config_without_any_limit_is_warned_of(tmp_path: Path) -> None:
    ((state, text),), fix = offline(tmp_path, MAX_COST=0)
    assert (state, fix) == ("warning", "set MAX_COST, in US dollars per run")
    assert "a run ends after 168 h" in text
    assert offline(tmp_path, MAX_COST=0, MAX_HOURS=24) == ([], "")


@pytest.mark.parametrize(
    ("constants", "state", "fix"),
    [
        ({"AWS_BUCKET": "your-bucket-name"}, "missing", "setup_AWS.py --bucket NAME"),
        ({"SOURCE_BUCKET": "bucket-name"}, "missing", "set SOURCE_BUCKET to your bucket"),
        ({"DESTINATION_BUCKET": "your-bucket"}, "missing", "set DESTINATION_BUCKET"),
        ({"DOCKERHUB_TAG": "user/distributed-something:sometag"}, "missing", "build --base"),
        ({"DOCKERHUB_TAG": "user/distributed-gpu:1.0"}, "missing", "build --base"),
        ({"SSH_KEY_NAME": "your-key-file.pem"}, "warning", "your key pair"),
        ({"TASK_ROLE_ARN": "arn:aws:iam::111111111111:role/x"}, "missing", "a role of your"),
        ({"NOTIFY_EMAIL": "you@example.org"}, "missing", "correct NOTIFY_EMAIL"),
    ],
)
def test_a_constant_that_still_has_its_placeholder_is_told_with_the_fix(
    tmp_path: Path, constants: dict[str, str], state: str, fix: str
) -> None:
    told, fixes = offline(tmp_path, **constants)
    ((constant, value),) = constants.items()
    ((found, text),) = told
    assert found == state and constant in text and value in text
    assert fix in fixes


@pytest.mark.parametrize(
    "constants",
    [
        {"AWS_BUCKET": "lab-bucket-name-7", "SSH_KEY_NAME": "yourke-lab.pem"},
        {"AWS_BUCKET": "know-your-genome", "DOCKERHUB_TAG": "yourgene/tool:1"},
        {"DOCKERHUB_TAG": "users/tool:1", "NOTIFY_EMAIL": "a@example-lab.org"},
        {"DOCKERHUB_TAG": "123456789012.dkr.ecr.us-east-1.amazonaws.com/user/tool:1"},
        {"TASK_ROLE_ARN": "arn:aws:iam::123456789012:role/x", "SOURCE_BUCKET": "buckets"},
    ],
)
def test_values_of_ones_own_are_no_placeholders(tmp_path: Path, constants: dict[str, str]) -> None:
    assert offline(tmp_path, **constants) == ([], "")


def test_a_fleet_file_whose_account_is_one_digit_is_not_filled_in(tmp_path: Path) -> None:
    content = fleet()
    content["IamFleetRole"] = content["IamFleetRole"].replace("123456789012", "111111111111")
    found = check(None, settings(), None, write_json(tmp_path / "fleet.json", content)).findings
    (told,) = (one for one in found if one.state is State.MISSING)
    assert "IamFleetRole is a placeholder, 'arn:aws:iam::111111111111" in told.text


def test_a_rehearsals_account_has_what_the_placeholders_name(
    simulator: Simulator, tmp_path: Path
) -> None:
    new_account(simulator).s3.create_bucket(Bucket="your-bucket-name")
    write_config(tmp_path, AWS_BUCKET="your-bucket-name", DOCKERHUB_TAG="user/tool:1")
    _, _, seen = screen(["check"], tmp_path, simulator.environment)
    assert "placeholder" not in seen and "bucket your-bucket-name" in seen


def test_nobody_is_asked_for_what_credentials_are_needed_for(tmp_path: Path) -> None:
    write_config(tmp_path)
    nobody = {"AWS_EC2_METADATA_DISABLED": "true"}
    code, _, seen = screen(["check"], tmp_path, nobody)
    assert code == 1
    assert "missing   credentials" in seen
    assert "aws configure" in seen


def test_without_a_network_the_files_are_looked_at_all_the_same(tmp_path: Path) -> None:
    write_config(tmp_path, DOCKERHUB_TAG="user/distributed-something:sometag")
    write_json(tmp_path / "jobs.json", JOBS)
    (tmp_path / "fleet.json").write_text("{}")
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    nowhere = {**keys, "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
    code, out, seen = screen(["check", "jobs.json", "fleet.json"], tmp_path, nowhere)
    assert (code, out) == (1, "")
    for told in ("ok        config", "DOCKERHUB_TAG", "2 jobs", "missing   fleet file"):
        assert told in seen
    assert re.search(r"missing +credentials +no answer came from AWS .*127\.0\.0\.1:9", seen)
    assert re.search(r"not seen +account +not seen:", seen)


def test_a_program_that_gives_no_credentials_is_told(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "aws").write_text("[default]\ncredential_process = false\n")
    of_program = {"AWS_CONFIG_FILE": str(tmp_path / "aws"), "AWS_EC2_METADATA_DISABLED": "true"}
    code, _, seen = screen(["check"], tmp_path, of_program)
    assert code == 1
    assert "ok        config" in seen
    assert re.search(r"missing +credentials +Error when retrieving credentials", seen)


@pytest.mark.parametrize("code", ["AccessDenied", "UnauthorizedOperation"])
def test_what_may_not_be_looked_at_is_said_with_the_right_that_it_needs(
    account: Aws, tmp_path: Path, code: str
) -> None:
    # The form of IAM's message, for example in https://github.com/hashicorp/terraform/issues/27449
    words = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:GetRole on resource: y"
    refuse(account.iam, "GetRole", code, words)
    refuse(account.ec2, "DescribeInstanceTypes", code, "You are not authorized.")
    checkup = checked(account, write_json(tmp_path / "jobs.json", JOBS))
    assert checkup.is_ready
    assert "needs the right iam:GetRole" in line(checkup, "roles", State.UNSEEN)
    assert "needs the right DescribeInstanceTypes" in line(checkup, "machines", State.UNSEEN)
    assert any(one.subject == "image" and one.state is State.OK for one in checkup.findings)
    assert any(one.subject == "inputs" for one in checkup.findings)  # the rest goes on


def test_a_role_that_does_not_trust_its_service_is_named(account: Aws) -> None:
    other = trust("lambda.amazonaws.com")
    account.iam.update_assume_role_policy(
        RoleName="distributed-something-task", PolicyDocument=json.dumps(other)
    )
    told = line(checked(account), "role distributed-something-task", State.MISSING)
    assert "does not trust ecs-tasks.amazonaws.com" in told
    told = line(
        checked(account, TASK_ROLE_ARN="arn:aws:iam::1:role/own"), "role own", State.MISSING
    )
    assert "is not in this account" in told


def test_a_bucket_that_is_missing_and_one_far_away_are_told_apart(account: Aws) -> None:
    account.s3.create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    checkup = checked(account, SOURCE_BUCKET="far-away", DESTINATION_BUCKET="not-there")
    assert "AWS_REGION = 'eu-west-1'" in line(checkup, "bucket far-away", State.WARNING)
    told = line(checkup, "bucket not-there", State.MISSING)
    assert "python setup_AWS.py --bucket not-there" in told
    assert "DESTINATION_BUCKET" in told


def test_a_bucket_of_others_is_no_missing_one(account: Aws) -> None:
    refuse(account.s3, "HeadBucket", "403", "Forbidden")
    told = line(checked(account), "bucket lab-data", State.MISSING)
    assert "is not accessible with these credentials" in told
    assert "if its readers pay, set REQUESTER_PAYS = 'True'" in told
    told = line(checked(account, REQUESTER_PAYS="True"), "bucket lab-data", State.MISSING)
    assert "REQUESTER_PAYS" not in told


def test_logs_that_cannot_be_exported_and_a_missing_watcher_are_said(account: Aws) -> None:
    assert checked(account, AUTO_MONITOR="True").count(State.WARNING) == 0
    destroy_account(account, scope_of_account(account, settings(), ("lab-data",), ()), ["lab-data"])
    checkup = checked(account, AUTO_MONITOR="True")
    assert "--bucket lab-data" in line(checkup, "log export", State.WARNING)
    assert "no Lambda distributed-something-monitor" in line(checkup, "watcher", State.MISSING)


def test_who_is_to_be_told_and_was_not_asked_or_has_not_answered(account: Aws) -> None:
    asked = {"NOTIFY_EMAIL": "ada@example.org"}
    told = line(checked(account, **asked), "notices", State.WARNING)
    assert "was not asked to confirm yet → run `python run.py setup`" in told
    setup(account, settings(**asked))

    def wait(parsed: dict[str, Any], **_: Any) -> None:
        for one in parsed["Subscriptions"]:
            one["SubscriptionArn"] = "PendingConfirmation"

    assert "notices" in {one.subject for one in checked(account, **asked).findings}
    account.sns.meta.events.register("after-call.sns.ListSubscriptionsByTopic", wait)
    told = line(checked(account, **asked), "notices", State.WARNING)
    assert "click the link in AWS's mail" in told


def test_before_setup_the_queues_are_no_fault(simulator: Simulator, tmp_path: Path) -> None:
    account = new_account(simulator)
    checkup = checked(account)
    assert "run `python run.py setup`" in line(checkup, "queue", State.WARNING)
    assert checkup.is_ready
    setup_account(account, scope_of_account(account, settings(), ("lab-data",), ()), ("lab-data",))
    jobs = write_json(tmp_path / "jobs.json", {"command": "count {n}", "groups": [{"n": 1}]})
    checkup = checked(account, jobs, write_fleet_file(account, tmp_path))
    assert "run `python run.py setup`" in line(checkup, "workers' rights", State.WARNING)
    assert checkup.is_ready


def test_old_dead_letters_are_pointed_out(account: Aws) -> None:
    url = account.sqs.get_queue_url(QueueName="lab_DeadMessages")["QueueUrl"]
    account.sqs.send_message(QueueUrl=url, MessageBody="{}")
    told = line(checked(account), "dead-letter queue", State.WARNING)
    assert told.startswith("lab_DeadMessages holds 1 job given up")


def quota(vcpus: int) -> None:
    backend = servicequotas_backends[ACCOUNT][REGION]
    assert isinstance(backend, SimulatedQuotas)
    backend.spot_vcpus["L-34B43A08"] = vcpus


def test_a_quota_that_is_too_small_is_told_in_machines(account: Aws) -> None:
    quota(4)
    told = line(checked(account), "spot quota", State.WARNING)
    assert "8 vCPUs wanted (2 m5.xlarge), 4 allowed: 1 machine can start" in told
    quota(2)
    told = line(checked(account), "spot quota", State.MISSING)
    assert "not one machine can start" in told
    assert "L-34B43A08" in told


def test_the_quota_is_looked_at_while_machines_run_too(account: Aws) -> None:
    quota(16)
    spot: Any = {"InstanceMarketOptions": {"MarketType": "spot"}, "InstanceType": "m5.xlarge"}
    account.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, **spot)
    found = [one for one in checked(account).findings if one.subject == "spot quota"]
    assert [one.state for one in found] == [State.OK]
    assert "8 vCPUs wanted (2 m5.xlarge), 16 allowed" in found[0].text


def test_with_a_run_for_each_type_every_ones_run_is_looked_at(account: Aws, tmp_path: Path) -> None:
    quota(16)
    # A specification for each type: the only run that there was looked at took one each.
    file = write_fleet_file(account, tmp_path)
    content = json.loads(file.read_text())
    content["LaunchSpecifications"] *= 2
    file.write_text(json.dumps(content))
    constants = {
        "RUN_PER_MACHINE_TYPE": "True",
        "MACHINE_TYPE": ["m5.xlarge", "c5.2xlarge"],
        "MEMORY": 15000,
        "NOTIFY_EMAIL": "ada@example.org",
        "SQS_DEAD_LETTER_QUEUE": "Counting_Dead",
    }
    own = [None, file]
    found = check(account, settings(**constants), *own, facts_of=lambda _: OURS).findings
    texts = [f"{one.state.value} {one.subject}: {one.text}" for one in found]
    told = "\n".join(texts)
    assert "machines 2 of each of 2 types" in told
    assert "warning spot quota: 24 vCPUs wanted (2 each of c5.2xlarge and m5.xlarge)" in told
    for name in ("m5.xlarge", "c5.2xlarge"):
        queue = f"Counting_{name.replace('.', '-')}Queue"
        assert f"warning queue: {queue} does not exist yet" in told
        assert f"price of {name}" in told
        assert f"fit on {name}" in told
    assert texts.count("ok network: no problem found") == 1
    assert len(texts) == len(set(texts))
    quota(7)
    found = check(account, settings(**constants), facts_of=lambda _: OURS).findings
    (short,) = (one for one in found if one.subject == "spot quota")
    assert short.state is State.MISSING and "not one c5.2xlarge can start" in short.text


def test_a_price_above_the_cap_is_told_with_the_cap_that_would_do(account: Aws) -> None:
    dear = checked(account, MACHINE_PRICE=0.000001)
    told = line(dear, "price of m5.xlarge", State.MISSING)
    assert "above MACHINE_PRICE = 1e-06, so no machine would come" in told
    assert "no cap" in str(checked(account, MACHINE_PRICE="").findings)


def test_a_container_that_does_not_fit_and_one_that_barely_does(account: Aws) -> None:
    told = line(checked(account, MEMORY=20000), "fit on m5.xlarge", State.MISSING)
    assert "20000 MB (MEMORY), and a m5.xlarge (MACHINE_TYPE) has 16384" in told
    assert "lower MEMORY" in told
    told = line(checked(account, MEMORY=16000), "fit on m5.xlarge", State.WARNING)
    assert "Lower MEMORY to be sure" in told


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ImageFacts({}, frozenset({"x86_64"})), "has no label distributed-something.protocol"),
        (ImageFacts(OURS.labels, frozenset({"arm64"})), "TAG --platform linux/amd64 --push"),
    ],
)
def test_an_image_that_cannot_work_is_named(account: Aws, facts: ImageFacts, words: str) -> None:
    checkup = check(account, settings(), facts_of=lambda _: facts)
    assert words in line(checkup, "image", State.MISSING)


def test_an_image_that_is_not_there_and_one_that_nobody_shows(account: Aws) -> None:
    def gone(name: str) -> ImageFacts | None:
        raise NotFound(f"registry-1.docker.io has no image {name}")

    told = line(check(account, settings(), facts_of=gone), "image", State.MISSING)
    assert "has no image lab/counting:1.0" in told
    hidden = check(account, settings(), facts_of=lambda _: None)
    assert "docker login" in line(hidden, "image", State.UNSEEN)
    assert hidden.is_ready


def test_what_startcluster_would_refuse_is_found_in_the_fleet_file(
    account: Aws, tmp_path: Path
) -> None:
    wanted = write_fleet_file(account, tmp_path, IamFleetRole="arn:aws:iam::123456789012:role/none")
    checkup = check(account, settings(), None, wanted, facts_of=lambda _: OURS)
    told = line(checkup, "fleet role", State.MISSING)
    assert "there is no such role" in told
    assert "run `python setup_AWS.py`" in told


OF_FLEET = ("key pair", "network", "fleet role", "instance profile", "workers' rights")


@pytest.mark.parametrize(
    ("client", "operation"), [("ec2", "DescribeInstanceTypes"), ("ssm", "GetParameter")]
)
def test_a_fleet_that_may_not_be_planned_is_looked_at_all_the_same(
    account: Aws, tmp_path: Path, client: str, operation: str
) -> None:
    refuse(getattr(account, client), operation, "UnauthorizedOperation", "You may not.")
    checkup = checked(account, None, write_fleet_file(account, tmp_path))
    assert f"needs the right {operation}" in line(checkup, "machine images", State.UNSEEN)
    assert "not checked" in line(checkup, "image terms", State.UNSEEN)
    states = {one.subject: one.state for one in checkup.findings}
    assert {one: states.get(one) for one in OF_FLEET} == dict.fromkeys(OF_FLEET, State.OK)


def test_a_fleet_that_its_containers_do_not_fit_is_looked_at_all_the_same(
    account: Aws, tmp_path: Path
) -> None:
    wanted = write_fleet_file(account, tmp_path, IamFleetRole="arn:aws:iam::123456789012:role/none")
    checkup = checked(account, None, wanted, MEMORY=20000)
    assert "20000 MB (MEMORY)" in line(checkup, "machine images", State.MISSING)
    assert "there is no such role" in line(checkup, "fleet role", State.MISSING)
    assert {*OF_FLEET} < {one.subject for one in checkup.findings}


def test_inputs_are_looked_for_where_workers_look(account: Aws, tmp_path: Path) -> None:
    account.s3.create_bucket(Bucket="pictures")
    jobs = write_json(tmp_path / "jobs.json", {**JOBS, "inputs": ["images/{plate}.tif", "ref/"]})
    told = line(checked(account, jobs, SOURCE_BUCKET="pictures"), "inputs", State.MISSING)
    assert "s3://pictures/images/A.tif, s3://pictures/images/B.tif, " in told
    assert "s3://pictures/ref/ (3 of 3 inputs of 2 jobs)" in told
    account.s3.put_object(Bucket="lab-data", Key="ref/")  # a console's folder holds nothing
    told = line(checked(account, jobs), "inputs", State.MISSING)
    assert "nothing at s3://lab-data/ref/ (1 of 3" in told
    account.s3.put_object(Bucket="lab-data", Key="ref/genome.fa", Body=b"ACGT")
    assert checked(account, jobs).is_ready
