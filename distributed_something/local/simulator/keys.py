"""The keys that open a simulated account: its owner's, and those of users and roles in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

WORKERS = "WORKER"  # how the workers' access key begins, by which their requests are known


@dataclass(frozen=True)
class OwnerKey:
    """The random keys of one server: a person's and the workers'.

    Both have the same `secret`, which signs requests and is never sent.
    """

    access_key: str = field(default_factory=lambda: "REHEARSAL" + secrets.token_hex(8).upper())
    worker_key: str = field(default_factory=lambda: WORKERS + secrets.token_hex(8).upper())
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    def find_secret(self, access_key: str) -> str | None:
        """The secret of an access key of the account, or None for a stranger's."""
        if access_key in (self.access_key, self.worker_key):
            return self.secret
        return next((key.secret for key in _given_keys() if key.access_key == access_key), None)


@dataclass(frozen=True)
class _GivenKey:
    """A key of a user or of who took a role; `holder` is the user's or the role's name."""

    access_key: str
    secret: str
    holder: str


def holder_of(access_key: str) -> str:
    """The name of the user or role that has an access key; '' of the owner and the workers."""
    return next((key.holder for key in _given_keys() if key.access_key == access_key), "")


def _given_keys() -> Iterator[_GivenKey]:
    for user in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users.values():
        for key in user.access_keys:
            yield _GivenKey(key.access_key_id, str(key.secret_access_key), str(user.name))
    for taken in sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles:
        role = str(taken.role_arn).rpartition("/")[2]
        yield _GivenKey(taken.access_key_id, str(taken.secret_access_key), role)
