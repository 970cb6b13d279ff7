"""What a policy document allows, as far as names tell."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .scope import as_list
from .statements import Document


def allows(policy: Document, action: str, resource: str) -> bool:
    """Whether a document allows an action on a resource, as far as names tell."""
    return any(
        statement["Effect"] == "Allow"
        and any(
            fnmatchcase(action.lower(), p.lower()) for p in as_list(statement.get("Action", []))
        )
        and any(fnmatchcase(resource, p) for p in as_list(statement.get("Resource", [])))
        for statement in as_list(policy.get("Statement", []))
    )


def allows_below(policy: Document, action: str, start: str) -> bool:
    """Whether a document may allow an action on some resource whose ARN begins so."""
    return any(
        _may_begin(pattern, start) and allows(policy, action, pattern)
        for statement in as_list(policy.get("Statement", []))
        for pattern in as_list(statement.get("Resource", []))
    )


def _may_begin(pattern: str, start: str) -> bool:
    bare = pattern.split("*")[0].split("?")[0]
    return bare.startswith(start) or (bare != pattern and start.startswith(bare))
