"""The keys that open a simulated account: its owner's, and those of users and roles in it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends


@dataclass(frozen=True)
class OwnerKey:
    """The random key of one server; `secret` signs requests and is never sent."""

    access_key: str = field(default_factory=lambda: "REHEARSAL" + secrets.token_hex(8).upper())
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    def find_secret(self, access_key: str) -> str | None:
        """The secret of an access key of the account, or None for a stranger's."""
        if access_key == self.access_key:
            return self.secret
        return _secret_of_user(access_key) or _secret_of_role(access_key)


def _secret_of_user(access_key: str) -> str | None:
    for user in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key:
                return str(key.secret_access_key)
    return None


def _secret_of_role(access_key: str) -> str | None:
    for taken in sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assumed_roles:
        if taken.access_key_id == access_key:
            return str(taken.secret_access_key)
    return None
