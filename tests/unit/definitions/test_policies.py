"""The policy documents: limited to account, region, buckets and names, and within IAM's size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.definitions.account import (
    SERVICE_LINKED_ROLES,
    documents,
    operator_policies,
    roles,
)
from distributed_something.definitions.policies.allowed import allows
from distributed_something.definitions.policies.bucket import (
    log_export_policy,
    with_statements,
    without_statements,
)
from distributed_something.definitions.policies.roles import instance_policy, task_policy
from distributed_something.definitions.policies.scope import (
    Scope,
    scope_of,
    secret_arns,
    secrets_of,
)
from distributed_something.definitions.policies.statements import LARGEST
from distributed_something.protocol.ledger.keys import RunKeys, upload_mark
from distributed_something.resources.kinds import ResourceKind
from distributed_something.resources.table import RESOURCE_KINDS

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/lab/omero"
SCOPE = Scope(
    *("123456789012", ("us-east-1",), ("lab-data", "lab-results"), ("Lab_*",)),
    queues=("user_DeadMessages",),
    secrets=(SECRET, PARAMETER),
)
ALL = documents(SCOPE, upstream=True)
RIGHTS = {name: one for name, one in ALL.items() if "who may assume it" not in name}
# Actions for which AWS knows no resource, or only one that is made by the action itself:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
UNLIMITED = (
    "ec2:Describe",
    "ec2:RunInstances",
    "ec2:RequestSpot",
    "ec2:CreateLaunchTemplate",
    "ecs:List",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecr:",
    "cloudwatch:Describe",
    "cloudwatch:List",
    "logs:Describe",
    "pricing:Get",
    "servicequotas:GetServiceQuota",  # by ARN it is not known to be granted
)
# Actions that would be denied, were a resource named.
NO_RESOURCE = {
    "ecs:ListServices",
    "ecs:ListClusters",
    "ecs:ListTaskDefinitions",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "cloudwatch:ListDashboards",
    "logs:DescribeExportTasks",
    "pricing:GetProducts",
}
ENDING = {
    "ec2:ModifySpotFleetRequest",
    "ec2:TerminateInstances",
    "ec2:CancelSpotFleetRequests",
}
OURS = {"Null": {"aws:ResourceTag/distributed-something:app": "false"}}


def statements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return iter(document["Statement"])


@pytest.mark.parametrize("name", RIGHTS)
def test_every_right_is_limited_where_aws_can_limit_it(name: str) -> None:
    for statement in statements(RIGHTS[name]):
        resources = statement["Resource"]
        if resources != "*":
            arns = resources if isinstance(resources, list) else [resources]
            assert all(arn.startswith("arn:aws:") for arn in arns)
            continue
        for action in statement["Action"]:
            assert "Condition" in statement or action.startswith(UNLIMITED), action


@pytest.mark.parametrize("name", RIGHTS)
def test_every_arn_is_of_our_account_and_region_or_of_our_buckets(name: str) -> None:
    for statement in statements(RIGHTS[name]):
        resources = statement["Resource"]
        for arn in resources if isinstance(resources, list) else [resources]:
            if arn == "*":
                continue
            service, region, account, resource = arn.split(":", 5)[2:]
            if service == "s3":
                assert resource.split("/")[0] in SCOPE.buckets
            elif service == "iam" and resource.startswith("policy/"):
                assert account in (SCOPE.account, "aws")
            elif arn in SCOPE.secrets:
                assert "execution" in name
            elif service == "ssm":
                assert (region, resource) == ("us-east-1", "parameter/aws/service/ecs/*")
            else:
                assert account == SCOPE.account
                assert region == (
                    "" if service in ("iam", "cloudwatch") and not region else "us-east-1"
                )


@pytest.mark.parametrize("name", RIGHTS)
def test_an_action_for_which_aws_knows_no_resource_names_none(name: str) -> None:
    for statement in statements(RIGHTS[name]):
        assert statement["Resource"] == "*" or not NO_RESOURCE & set(statement["Action"])


def test_an_agent_may_tell_its_cluster_what_became_of_tasks() -> None:
    """AWS's own policies for agents name the cluster for all three."""
    arn = "arn:aws:ecs:us-east-1:123456789012:cluster/counting"
    for what in ("TaskStateChange", "ContainerStateChange", "AttachmentStateChanges"):
        assert allows(instance_policy(SCOPE), f"ecs:Submit{what}", arn)


@pytest.mark.parametrize("name", ALL)
def test_no_document_allows_every_action_of_a_service(name: str) -> None:
    for statement in statements(ALL[name]):
        assert not any("*" in action for action in statement["Action"])
        assert statement["Effect"] == ("Deny" if statement.get("Sid") == "Records" else "Allow")


def test_only_named_roles_are_handed_on_each_to_one_service() -> None:
    for document in RIGHTS.values():
        for statement in statements(document):
            if "iam:PassRole" in statement["Action"]:
                assert not any("*" in arn for arn in statement["Resource"])
                assert statement["Condition"]["StringEquals"]["iam:PassedToService"]


@pytest.mark.parametrize("name", [name for name in RIGHTS if "upstream" not in name])
def test_fleets_and_machines_are_ended_only_with_our_tag(name: str) -> None:
    for statement in statements(RIGHTS[name]):
        if ENDING & set(statement["Action"]):
            assert statement["Condition"] == OURS


def test_upstreams_untagged_fleets_are_a_persons_only_where_that_is_asked_for() -> None:
    asked = [name for name in ALL if name not in documents(SCOPE)]
    (document,) = (ALL[name] for name in asked)
    (statement,) = statements(document)
    assert set(statement["Action"]) == ENDING and "Condition" not in statement


def test_tags_are_put_only_on_what_is_being_made() -> None:
    """But for a fleet's machines, which it tags after they are made."""
    for name, document in RIGHTS.items():
        for statement in statements(document):
            if "ec2:CreateTags" in statement["Action"] and "spot-fleet" not in name:
                assert "ec2:CreateAction" in statement["Condition"]["StringEquals"]
            if "ecs:TagResource" in statement["Action"]:
                assert "ecs:CreateAction" in statement["Condition"]["StringEquals"]
            assert statement["Resource"] != "*" or "ec2:CreateTags" not in statement["Action"]


def test_a_worker_writes_to_no_bucket_of_inputs_and_deletes_only_of_its_app() -> None:
    task = task_policy(replace(SCOPE, buckets=("lab-data", "images"), read_only=("images",)))
    assert allows(task, "s3:GetObject", "arn:aws:s3:::images/plate/a.tif")
    assert not allows(task, "s3:PutObject", "arn:aws:s3:::images/plate/a.tif")
    assert not allows(task, "s3:DeleteObject", "arn:aws:s3:::images/plate/a.tif")
    data = "arn:aws:s3:::lab-data/"
    assert allows(task, "s3:PutObject", f"{data}anywhere/out.csv")
    assert allows(task, "s3:DeleteObject", f"{data}results/Lab_Count/P1/out.csv")
    assert allows(task, "s3:DeleteObject", f"{data}runs/Lab_Count/20261201-1/claims/x")
    for key in ("anywhere/out.csv", "runs/Payroll/20261201-1/claims/x", "results/Payroll/x"):
        assert not allows(task, "s3:DeleteObject", data + key)


def test_what_a_worker_deletes_is_below_what_it_may() -> None:
    task, app = task_policy(SCOPE), "Lab_Count"
    keys = RunKeys(app, "20261201-120000-abcd")
    claims = (keys.lease_claim("0"), keys.lease_receipt("0"))
    for key in (keys.checkpoint("0"), upload_mark(app, "s3://lab-data/x"), *claims):
        assert allows(task, "s3:DeleteObject", f"arn:aws:s3:::lab-data/{key}"), key


def test_only_the_execution_role_reads_secrets_and_only_those_that_a_config_names() -> None:
    assert "distributed-something-execution" not in str(documents(replace(SCOPE, secrets=())))
    for role in roles(SCOPE):
        reads = role.name == "distributed-something-execution"
        assert allows(role.policy, "secretsmanager:GetSecretValue", SECRET) is reads
        assert allows(role.policy, "ssm:GetParameters", PARAMETER) is reads
        other = SECRET.replace("omero", "payroll")
        assert not allows(role.policy, "secretsmanager:GetSecretValue", other)
        if reads:
            assert secrets_of(role.policy) == SCOPE.secrets


def test_a_part_of_a_secret_is_read_with_the_right_to_all_of_it() -> None:
    assert secret_arns([f"{SECRET}:password::", SECRET, PARAMETER]) == (SECRET, PARAMETER)


@pytest.mark.parametrize("name", RIGHTS)
def test_clusters_and_launch_templates_are_deleted_only_with_our_tag(name: str) -> None:
    for statement in statements(RIGHTS[name]):
        if {"ecs:DeleteCluster", "ec2:DeleteLaunchTemplate"} & set(statement["Action"]):
            assert statement["Condition"] == OURS


@pytest.mark.parametrize("name", RIGHTS)
def test_nobody_may_delete_a_dead_letter_queue(name: str) -> None:
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    for queue in ("user_DeadMessages", "Lab_DeadMessages"):
        assert not allows(RIGHTS[name], "sqs:DeleteQueue", f"{arn}{queue}")
    if "monitor" in name or "to watch" in name:
        assert allows(RIGHTS[name], "sqs:DeleteQueue", f"{arn}Lab_CountQueue")


def test_a_role_can_be_taken_by_its_one_service() -> None:
    for role in roles(SCOPE):
        (statement,) = role.trust["Statement"]
        assert list(statement["Principal"]) == ["Service"]
        assert statement["Action"] == ["sts:AssumeRole"]


def test_every_document_fits_into_iam() -> None:
    for name, document in ALL.items():
        assert len("".join(json.dumps(document).split())) <= LARGEST, name


def test_queues_of_other_apps_are_out_of_reach() -> None:
    task = task_policy(SCOPE)
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    assert allows(task, "sqs:ReceiveMessage", f"{arn}Lab_CountQueue")
    assert allows(task, "sqs:SendMessage", f"{arn}user_DeadMessages")
    assert not allows(task, "sqs:ReceiveMessage", f"{arn}PayrollQueue")
    assert not allows(task, "sqs:DeleteQueue", f"{arn}Lab_CountQueue")
    assert not allows(task, "s3:GetObject", "arn:aws:s3:::other/x")


def test_aws_own_role_for_alarms_is_among_those_that_are_seen_to() -> None:
    assert "events.amazonaws.com" in SERVICE_LINKED_ROLES


def test_what_a_person_needs_is_in_two_parts_that_do_not_overlap() -> None:
    watching, running = operator_policies(SCOPE).values()
    actions = [
        {action for one in statements(part) for action in one["Action"]}
        for part in (watching, running)
    ]
    assert not actions[0] & actions[1] - {"s3:PutObject"}


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}\*?", fullmatch=True)
some_names = st.lists(names, min_size=1, max_size=3, unique=True).map(tuple)
buckets = st.lists(
    st.from_regex(r"[a-z][a-z0-9.-]{1,8}[a-z]", fullmatch=True), min_size=1, max_size=3, unique=True
).map(tuple)


@given(buckets=buckets, apps=some_names, queues=st.lists(names, max_size=2, unique=True))
def test_a_scope_can_be_read_back_from_the_task_roles_policy(
    buckets: tuple[str, ...], apps: tuple[str, ...], queues: list[str]
) -> None:
    scope = Scope("123456789012", ("us-east-1", "eu-west-1"), buckets, apps)
    known = set(scope.queue_names)
    scope = Scope(
        scope.account, scope.regions, buckets, apps, tuple(q for q in queues if q not in known)
    )
    for written in (scope, replace(scope, read_only=buckets[1:])):
        assert scope_of(task_policy(written)) == written


def test_setting_up_for_one_bucket_takes_nothing_from_another() -> None:
    other = Scope("123456789012", ("eu-west-1",), ("more-data",), ("*",), ("odd",))
    merged = SCOPE.merged(other)
    assert merged.regions == ("us-east-1", "eu-west-1")
    assert merged.buckets == ("lab-data", "lab-results", "more-data")
    assert merged.apps == ("*",)
    assert merged.queues == ("user_DeadMessages", "odd")
    assert merged.secrets == SCOPE.secrets


def test_a_bucket_that_one_config_writes_to_is_written_to_by_another() -> None:
    one = Scope(
        "123456789012", ("us-east-1",), ("images", "raw", "out"), read_only=("images", "raw")
    )
    merged = one.merged(Scope("123456789012", ("us-east-1",), ("images",)))
    assert merged.read_only == ("raw",) and merged.written_buckets == ("images", "out")


def test_a_buckets_own_policy_is_kept_when_ours_comes_and_goes() -> None:
    own = {"Version": "2012-10-17", "Statement": {"Sid": "Own", "Effect": "Deny"}}
    ours = log_export_policy(SCOPE, "lab-data")
    both = with_statements(own, ours)
    assert with_statements(both, ours) == both
    left = without_statements(both, ours)
    assert left == {**own, "Statement": [own["Statement"]]}
    assert without_statements(ours, ours) is None


@pytest.mark.parametrize("kind", [kind for kind in RESOURCE_KINDS if kind.delete])
@pytest.mark.parametrize("who", ["the Lambda", "a person"])
def test_every_kind_of_resource_can_be_deleted_by_those_who_end_runs(
    who: str, kind: ResourceKind
) -> None:
    lambdas = [role.policy for role in roles(SCOPE) if role.name.endswith("monitor")]
    documents = lambdas if who == "the Lambda" else [next(iter(operator_policies(SCOPE).values()))]
    actions = [
        action
        for document in documents
        for statement in statements(document)
        for action in statement["Action"]
    ]
    assert kind.action in actions
