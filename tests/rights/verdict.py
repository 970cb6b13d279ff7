"""Whether a caller's printed policies allow what a request needs, and by which statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from distributed_something.definitions.account import (
    INSTANCE_ROLE,
    LAMBDA_ROLE,
    TASK_ROLE,
    operator_policies,
    optional_policies,
    roles,
)
from distributed_something.definitions.policies.scope import Scope
from distributed_something.local.simulator import ACCOUNT

from .callers import LAMBDA, MACHINE, OPERATOR, WORKER
from .needs import Need

_ROLES = {WORKER: TASK_ROLE, MACHINE: INSTANCE_ROLE, LAMBDA: LAMBDA_ROLE}


@dataclass(frozen=True)
class Statement:
    """One statement of a printed policy."""

    policy: str
    sid: str
    content: Mapping[str, Any]

    @property
    def allows(self) -> bool:
        return bool(self.content["Effect"] == "Allow")


@cache
def statements_of(caller: str, region: str) -> tuple[Statement, ...]:
    """The statements of the policies that a caller has, for all apps and buckets of a region."""
    scope = Scope(ACCOUNT, (region,), ("*",))
    documents = {one.name: one.policy for one in roles(scope) if one.name == _ROLES.get(caller)}
    if caller == OPERATOR:
        documents = operator_policies(scope) | optional_policies(scope, upstream=True)
    return tuple(
        Statement(name, one["Sid"], one)
        for name, document in documents.items()
        for one in document["Statement"]
    )


def find_statement(caller: str, region: str, need: Need) -> Statement | None:
    """The statement that allows what a caller needs; None if it is denied."""
    matching = [one for one in statements_of(caller, region) if _matches(one.content, need)]
    if any(not one.allows for one in matching):
        return None
    return next(iter(matching), None)


def _matches(content: Mapping[str, Any], need: Need) -> bool:
    return (
        any(fnmatchcase(need.action, one) for one in _listed(content["Action"]))
        and any(fnmatchcase(need.resource, one) for one in _listed(content["Resource"]))
        and all(_holds(*one, need.context) for one in _conditions(content))
    )


def _conditions(content: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in content.get("Condition", {}).items():
        for key, wanted in keys.items():
            yield operator, key.lower(), [str(one) for one in _listed(wanted)]


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_MEETS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
}


def _holds(
    operator: str, key: str, wanted: list[str], context: Mapping[str, tuple[str, ...]]
) -> bool:
    values = context.get(key, ())
    if operator == "Null":
        return (not values) == (wanted == ["true"])
    quantifier, _, plain = operator.rpartition(":")
    meets = _MEETS[plain.removesuffix("IfExists")]  # a KeyError: an operator to be added
    met = [any(meets(value, one) for one in wanted) for value in values]
    if not values:
        return quantifier == "ForAllValues" or operator.endswith("IfExists")
    return all(met) if quantifier != "ForAnyValue" else any(met)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
