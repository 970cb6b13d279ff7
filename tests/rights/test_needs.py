"""What requests need is found, and what a policy does not allow is denied."""

from __future__ import annotations

from typing import Any

from distributed_something.definitions.tags import APP_TAG
from distributed_something.local.simulator import ACCOUNT

from .callers import LAMBDA, NOBODY, OPERATOR, WORKER, find_caller
from .needs import Need, needs
from .requests import Asked
from .verdict import find_statement

REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-ec2-spot-fleet-tagging-role"


def asked(caller: str, service: str, operation: str, **params: Any) -> list[Need]:
    return list(needs(Asked(caller, service, operation, params)))


def test_a_purchase_needs_to_hand_on_a_role_to_tag_and_to_run_machines() -> None:
    tags = [{"ResourceType": "spot-fleet-request", "Tags": [{"Key": APP_TAG, "Value": "a"}]}]
    template = {"LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1"}}
    config = {"IamFleetRole": ROLE, "LaunchTemplateConfigs": [template], "TagSpecifications": tags}
    found = asked(OPERATOR, "ec2", "RequestSpotFleet", SpotFleetRequestConfig=config)
    actions = {need.action for need in found}
    assert actions == {"ec2:RequestSpotFleet", "ec2:CreateTags", "iam:PassRole", "ec2:RunInstances"}
    assert all(find_statement(OPERATOR, REGION, need) for need in found)
    assert not any(find_statement(WORKER, REGION, need) for need in found)


def test_a_role_is_handed_on_to_its_own_service_alone() -> None:
    (need,) = (
        one
        for one in asked(OPERATOR, "ecs", "RegisterTaskDefinition", family="a", taskRoleArn=ROLE)
        if one.action == "iam:PassRole"
    )
    assert need.context == {"iam:passedtoservice": ("ecs-tasks.amazonaws.com",)}
    assert find_statement(OPERATOR, REGION, need) is None


def test_a_machine_without_our_tag_is_not_a_workers_to_end() -> None:
    (need,) = asked(WORKER, "ec2", "TerminateInstances", InstanceIds=["i-0123456789abcdef0"])
    assert need.resource == f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-0123456789abcdef0"
    assert find_statement(WORKER, REGION, need) is None
    tagged = Need(need.action, need.resource, {f"aws:resourcetag/{APP_TAG}": ("a",)})
    statement = find_statement(WORKER, REGION, tagged)
    assert statement is not None and statement.sid == "EndMachines"


def test_what_a_policy_denies_is_denied_whatever_else_allows_it() -> None:
    (record,) = asked(WORKER, "s3", "PutObject", Bucket="lab", Key="runs/a/1/record.json")
    (result,) = asked(WORKER, "s3", "PutObject", Bucket="lab", Key="results/record.json")
    assert find_statement(WORKER, REGION, record) is None
    assert find_statement(WORKER, REGION, result)
    assert find_statement(LAMBDA, REGION, result) is None


def test_the_list_of_a_services_tasks_is_narrowed_by_its_cluster() -> None:
    (need,) = asked(LAMBDA, "ecs", "ListTasks", cluster="lab", serviceName="CountingService")
    assert need.resource == "*"
    assert need.context["ecs:cluster"] == (f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/lab",)


def test_what_a_test_asks_for_itself_is_no_callers() -> None:
    assert find_caller() == NOBODY
