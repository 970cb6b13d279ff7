"""`setup_AWS.py`: safe to repeat in both directions, and nobody else's things are touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws import storage
from distributed_something.aws.account import roles as account
from distributed_something.aws.account.lambdas import find_function
from distributed_something.aws.session import Aws
from distributed_something.cli.verbs.setup_account import main
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.setting_up.setup_account import (
    destroy_account,
    scope_of_account,
    setup_account,
    watched_runs,
)
from distributed_something.definitions.account import (
    ACCOUNT_TAGS,
    EXECUTION_ROLE,
    FLEET_ROLE,
    FUNCTION,
    INSTANCE_ROLE,
    POLICY,
    SCHEDULE_GROUP,
    TASK_ROLE,
    roles,
)
from distributed_something.definitions.policies.allowed import allows
from distributed_something.definitions.policies.roles import task_policy
from distributed_something.definitions.policies.scope import Scope, secrets_of
from distributed_something.errors import DistributedSomethingError, UsageError
from distributed_something.local.simulator import ACCOUNT, Simulator
from tests.builders import settings, write_config
from tests.lives import handling, refusing

SCOPE = Scope(ACCOUNT, ("us-east-1",), ("lab-data",))
RIGHTS = json.dumps(task_policy(SCOPE))
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        simulator.aws().s3.create_bucket(Bucket="lab-data")
        yield simulator


@pytest.fixture
def aws(simulator: Simulator) -> Aws:
    return simulator.aws()


def account_inventory(aws: Aws) -> dict[str, Any]:
    """All that an account has of what `setup_AWS.py` deals with, AWS's own roles left out."""
    roles = {role["RoleName"]: role["Arn"] for role in aws.iam.list_roles()["Roles"]}
    profiles = aws.iam.list_instance_profiles()["InstanceProfiles"]
    ours = sorted(name for name, arn in roles.items() if ":role/aws-service-role/" not in arn)
    return {
        "roles": {name: rights(aws, name) for name in ours},
        "profiles": {
            p["InstanceProfileName"]: [r["RoleName"] for r in p["Roles"]] for p in profiles
        },
        "functions": [f["FunctionName"] for f in aws.lambdas.list_functions()["Functions"]],
        "groups": [g["Name"] for g in aws.scheduler.list_schedule_groups()["ScheduleGroups"]],
        "log groups": [g["logGroupName"] for g in aws.logs.describe_log_groups()["logGroups"]],
        "buckets": [b["Name"] for b in aws.s3.list_buckets()["Buckets"]],
    }


def rights(aws: Aws, role: str) -> dict[str, Any]:
    own = aws.iam.list_role_policies(RoleName=role)["PolicyNames"]
    attached = aws.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return {
        "trust": aws.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"],
        "own": {name: account.find_role_policy(aws.iam, role, name) for name in own},
        "attached": [one["PolicyArn"] for one in attached],
    }


def test_everything_is_made_and_everything_is_removed(aws: Aws) -> None:
    before = account_inventory(aws)
    setup_account(aws, SCOPE)
    made = account_inventory(aws)
    assert len(made["roles"]) == 5
    assert made["profiles"] == {INSTANCE_ROLE: [INSTANCE_ROLE]}
    assert made["functions"] == [FUNCTION]
    assert destroy_account(aws, SCOPE) == []
    assert account_inventory(aws) == before


def test_both_directions_can_be_repeated(aws: Aws) -> None:
    setup_account(aws, SCOPE, ["lab-data"])
    once = account_inventory(aws)
    setup_account(aws, SCOPE, ["lab-data"])
    assert account_inventory(aws) == once
    assert destroy_account(aws, SCOPE, ["lab-data"]) == []
    assert destroy_account(aws, SCOPE, ["lab-data"]) == []


def test_an_unchanged_lambda_is_not_sent_again_and_a_changed_one_is(aws: Aws) -> None:
    setup_account(aws, SCOPE)
    sent: list[str] = []
    with handling([aws.lambdas], "before-call", lambda model, **_: sent.append(model.name)):
        setup_account(aws, SCOPE)
        assert not any(name.startswith("Update") for name in sent)
        aws.lambdas.update_function_configuration(FunctionName=FUNCTION, MemorySize=128)
        setup_account(aws, SCOPE)
    assert aws.lambdas.get_function_configuration(FunctionName=FUNCTION)["MemorySize"] == 1024


def upstream_account(aws: Aws) -> None:
    """Roles with upstream's names, made by upstream's script: without a profile, without tags."""
    for name in (INSTANCE_ROLE, FLEET_ROLE):
        aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        aws.iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=RIGHTS)
    arn = aws.iam.create_policy(PolicyName="everything", PolicyDocument=RIGHTS)["Policy"]["Arn"]
    aws.iam.attach_role_policy(RoleName=INSTANCE_ROLE, PolicyArn=arn)
    aws.iam.create_role(RoleName="LambdaFullAccess", AssumeRolePolicyDocument=TRUST)


def test_an_account_of_upstreams_needs_one_run_and_loses_nothing(aws: Aws) -> None:
    upstream_account(aws)
    before = account_inventory(aws)
    setup_account(aws, SCOPE)
    after = account_inventory(aws)
    assert before["roles"].items() <= after["roles"].items()
    assert after["profiles"] == {INSTANCE_ROLE: [INSTANCE_ROLE]}
    assert TASK_ROLE in after["roles"]
    assert destroy_account(aws, SCOPE) == []
    assert account_inventory(aws) == before


def test_an_instance_profile_of_somebody_else_stays_as_it_is(aws: Aws) -> None:
    aws.iam.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST)
    aws.iam.create_instance_profile(InstanceProfileName=INSTANCE_ROLE)
    aws.iam.add_role_to_instance_profile(InstanceProfileName=INSTANCE_ROLE, RoleName="other")
    before = account_inventory(aws)
    setup_account(aws, SCOPE)
    assert account_inventory(aws)["profiles"] == {INSTANCE_ROLE: ["other"]}
    assert destroy_account(aws, SCOPE) == []
    assert account_inventory(aws) == before


def test_a_lambda_of_that_name_that_is_not_ours_is_neither_changed_nor_deleted(aws: Aws) -> None:
    role = aws.iam.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    aws.lambdas.create_function(
        FunctionName=FUNCTION, Role=role, Handler="a.b", Code={"ZipFile": b""}, Runtime="python3.13"
    )
    with pytest.raises(DistributedSomethingError, match="not ours"):
        setup_account(aws, SCOPE)
    assert destroy_account(aws, SCOPE) == []
    assert aws.lambdas.get_function(FunctionName=FUNCTION)["Configuration"]["Handler"] == "a.b"


def test_a_second_bucket_and_a_second_region_take_nothing_from_the_first(
    simulator: Simulator, aws: Aws
) -> None:
    setup_account(aws, SCOPE)
    there = Scope(ACCOUNT, ("eu-west-1",), ("more-data",))
    elsewhere = simulator.aws("eu-west-1")
    setup_account(elsewhere, there)
    policy = account.find_role_policy(aws.iam, TASK_ROLE, POLICY)
    assert policy is not None
    for bucket in ("lab-data", "more-data"):
        assert allows(policy, "s3:GetObject", f"arn:aws:s3:::{bucket}/x")
    for region in ("us-east-1", "eu-west-1"):
        assert allows(policy, "sqs:ReceiveMessage", f"arn:aws:sqs:{region}:{ACCOUNT}:AQueue")
    assert destroy_account(elsewhere, there) == []
    assert TASK_ROLE in account_inventory(aws)["roles"]
    assert aws.lambdas.get_function(FunctionName=FUNCTION)
    left = account.find_role_policy(aws.iam, TASK_ROLE, POLICY)
    assert left is not None
    assert not allows(left, "sqs:ReceiveMessage", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:AQueue")
    assert destroy_account(aws, SCOPE) == []
    assert TASK_ROLE not in account_inventory(aws)["roles"]


def test_a_new_bucket_is_made_and_keeps_all_that_is_in_it(aws: Aws) -> None:
    setup_account(aws, SCOPE, ["new-data"])
    policy = storage.find_policy(aws.s3, "new-data")
    assert policy is not None
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::new-data/exportedlogs/x")
    aws.s3.put_object(Bucket="new-data", Key="result", Body=b"x")
    destroy_account(aws, SCOPE, ["new-data"])
    assert storage.find_policy(aws.s3, "new-data") is None
    assert aws.s3.get_object(Bucket="new-data", Key="result")["Body"].read() == b"x"


def test_what_cannot_be_deleted_is_said_and_the_rest_is_deleted(aws: Aws) -> None:
    setup_account(aws, SCOPE)
    with refusing(aws.lambdas, "DeleteFunction"):
        (failure,) = destroy_account(aws, SCOPE)
    assert failure.startswith(f"Could not delete the Lambda {FUNCTION}: ")
    assert account_inventory(aws)["roles"] == {}
    assert destroy_account(aws, SCOPE) == []
    assert account_inventory(aws)["functions"] == []


def test_a_role_that_lambda_does_not_know_yet_is_waited_for(aws: Aws) -> None:
    slept: list[float] = []

    def unknown_twice(**_: Any) -> None:
        if len(slept) < 2:
            error: Any = {
                "Code": "InvalidParameterValueException",
                "Message": "The role defined for the function cannot be assumed by Lambda.",
            }
            kind = aws.lambdas.exceptions.InvalidParameterValueException
            raise kind({"Error": error}, "CreateFunction")

    with handling([aws.lambdas], "before-call.lambda.CreateFunction", unknown_twice):
        setup_account(aws, SCOPE, sleep=slept.append)
    assert len(slept) == 2
    assert account_inventory(aws)["functions"] == [FUNCTION]


def test_rights_are_for_the_buckets_and_queues_of_the_config(aws: Aws) -> None:
    configured = settings(SOURCE_BUCKET="gallery", SQS_QUEUE_NAME="odd-name")
    scope = scope_of_account(aws, configured, ["more"], [])
    assert scope == Scope(
        *(ACCOUNT, ("us-east-1",), ("lab-data", "gallery", "more"), ("*",), ("odd-name",)),
        read_only=("gallery",),
    )
    for written in ({"DESTINATION_BUCKET": "gallery"}, {"AWS_BUCKET": "gallery"}):
        configured = settings(SOURCE_BUCKET="gallery", **written)
        assert scope_of_account(aws, configured, [], []).read_only == ()
    assert scope_of_account(aws, settings(SOURCE_BUCKET="more"), ["more"], []).read_only == ()
    with pytest.raises(UsageError, match="AWS_BUCKET"):
        scope_of_account(aws, settings(AWS_BUCKET="your-bucket-name"), [], [])


def test_workers_get_the_role_that_was_made_for_them(aws: Aws) -> None:
    setup_account(aws, SCOPE)
    setup(aws, settings())
    definition = aws.ecs.describe_task_definition(taskDefinition="CountingTask")["taskDefinition"]
    assert definition["taskRoleArn"].endswith(TASK_ROLE)


SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:omero-AbCdEf"
PARAMETER = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/lab/omero"


def test_ecs_gets_the_right_to_the_secrets_of_each_config_and_no_worker_does(aws: Aws) -> None:
    for name in (f"{SECRET}:password::", PARAMETER):
        configured = settings(OMERO_PASSWORD=name)
        setup_account(aws, scope_of_account(aws, configured, [], []))
    rights = account.find_role_policy(aws.iam, EXECUTION_ROLE, POLICY)
    assert rights and set(secrets_of(rights)) == {SECRET, PARAMETER}
    setup(aws, configured)
    definition = aws.ecs.describe_task_definition(taskDefinition="CountingTask")["taskDefinition"]
    assert definition["executionRoleArn"].endswith(EXECUTION_ROLE)
    assert definition["taskRoleArn"].endswith(TASK_ROLE)
    (container,) = definition["containerDefinitions"]
    assert container["secrets"] == [{"name": "OMERO_PASSWORD", "valueFrom": PARAMETER}]
    assert destroy_account(aws, SCOPE) == []
    assert not account.has_role(aws.iam, EXECUTION_ROLE)


def test_setup_refuses_a_secret_that_ecs_may_not_fetch_and_makes_nothing(aws: Aws) -> None:
    setup_account(aws, SCOPE)
    with pytest.raises(UsageError, match=r"OMERO_PASSWORD .* Run `python setup_AWS\.py`"):
        setup(aws, settings(OMERO_PASSWORD=SECRET))
    assert aws.sqs.list_queues().get("QueueUrls", []) == []


def test_without_that_role_setup_says_what_to_run(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    setup(aws, settings())
    assert "python setup_AWS.py" in caplog.text
    definition = aws.ecs.describe_task_definition(taskDefinition="CountingTask")["taskDefinition"]
    assert "taskRoleArn" not in definition


def test_runs_that_are_still_watched_are_known(aws: Aws) -> None:
    assert watched_runs(aws) == []
    setup_account(aws, SCOPE)
    assert watched_runs(aws) == []
    aws.scheduler.create_schedule(
        Name="Counting-1",
        GroupName=SCHEDULE_GROUP,
        ScheduleExpression="rate(2 minutes)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:us-east-1:1:function:x", "RoleArn": "arn:aws:iam::1:role/x"},
    )
    assert watched_runs(aws) == ["Counting-1"]


@pytest.mark.parametrize("bucket", [None, "", "your-bucket-name"])
def test_to_look_and_to_remove_no_bucket_need_be_named(
    bucket: str | None,
    simulator: Simulator,
    aws: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in simulator.environment.items():
        monkeypatch.setenv(name, value)
    config = str(write_config(tmp_path, AWS_BUCKET=bucket))

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["setup_AWS.py", "--config", config, *words])
        return main("Help.")

    before = account_inventory(aws)
    assert run() == 2
    assert "--bucket NAME" in capsys.readouterr().err
    assert account_inventory(aws) == before
    assert run("--show") == 0
    shown = capsys.readouterr()
    assert "arn:aws:s3:::your-bucket-name/*" in shown.out
    assert "replace your-bucket-name with yours" in shown.err
    setup_account(aws, SCOPE)
    assert run("destroy", "--yes") == 0
    assert account_inventory(aws) == before


def test_the_command_shows_makes_and_removes(
    simulator: Simulator,
    aws: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in simulator.environment.items():
        monkeypatch.setenv(name, value)
    config = str(write_config(tmp_path))

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["setup_AWS.py", "--config", config, *words])
        return main("Help.")

    before = account_inventory(aws)
    assert run("--show") == 0
    shown = json.loads(capsys.readouterr().out)
    assert account_inventory(aws) == before
    assert sum(name.startswith("role ") for name in shown) == 10
    assert sum(name.startswith("operator: ") for name in shown) == 3
    assert run("--show", "--upstream-fleets") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(shown) + 1
    assert run("--upstream-fleets") == 2
    assert run() == 0
    assert "is ready for apps of every name" in capsys.readouterr().err
    assert run("destroy", "--yes") == 0
    assert account_inventory(aws) == before
    assert "lose their rights" not in capsys.readouterr().err
    assert run() == run("destroy") == 0  # as a script does, that nobody can answer for
    assert account_inventory(aws) == before
    assert "lose their rights" in capsys.readouterr().err
    assert run("--bucket") == 2


def test_a_bucket_that_is_the_books_placeholder_is_refused_before_anything_is_asked_of_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    config = str(write_config(tmp_path))
    for name in ("your-bucket-name", "bucket-name"):
        words = ["setup_AWS.py", "--config", config, "--bucket", name]
        monkeypatch.setattr("sys.argv", words)
        assert main("Help.") == 2
        assert f"--bucket {name} is a placeholder" in capsys.readouterr().err


def test_every_role_is_made_within_a_boundary(aws: Aws) -> None:
    allowed = {"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    made = aws.iam.create_policy(PolicyName="edge", PolicyDocument=text)
    edge = made["Policy"]["Arn"]
    for _ in range(2):  # a role that is there gets it too
        setup_account(aws, SCOPE, boundary=edge)
        for role in roles(SCOPE):
            found = aws.iam.get_role(RoleName=role.name)["Role"]
            assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == edge
        for role in roles(SCOPE):
            aws.iam.delete_role_permissions_boundary(RoleName=role.name)


def test_a_boundary_is_kept_for_roles_that_are_made_later(aws: Aws) -> None:
    edge = f"arn:aws:iam::{SCOPE.account}:policy/edge"
    setup_account(aws, SCOPE, boundary=edge)
    last = roles(SCOPE)[-1].name
    account.delete_role(aws.iam, last, ACCOUNT_TAGS)
    setup_account(aws, SCOPE)
    found = aws.iam.get_role(RoleName=last)["Role"]
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == edge


def test_a_lambda_whose_tags_cannot_be_read_is_said_so(aws: Aws) -> None:
    setup_account(aws, SCOPE)
    assert find_function(aws.lambdas, FUNCTION, ACCOUNT_TAGS)

    def hide(parsed: dict[str, Any], **_: Any) -> None:
        parsed.pop("Tags", None)
        parsed["TagsError"] = {"ErrorCode": "AccessDenied", "Message": "You may not list tags."}

    aws.lambdas.meta.events.register("after-call.lambda.GetFunction", hide)
    with pytest.raises(DistributedSomethingError, match="lambda:ListTags"):
        find_function(aws.lambdas, FUNCTION, ACCOUNT_TAGS)
