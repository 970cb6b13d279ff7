"""Simulated IAM: moto's, with AWS's answers where it crashes, and new roles that nobody can use."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.iam import urls
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, InstanceProfile, Role, iam_backends

from .delays.newness import Newness


class SimulatedIam(IAMBackend):
    """moto's IAM, in which what was made is known to other services a little later."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.new = Newness()

    def create_role(self, role_name: str, *args: Any, **kwargs: Any) -> Role:
        role: Role = super().create_role(role_name, *args, **kwargs)
        self.new.note(role.arn)
        return role

    def create_instance_profile(self, name: str, *args: Any, **kwargs: Any) -> InstanceProfile:
        profile: InstanceProfile = super().create_instance_profile(name, *args, **kwargs)
        self.new.note(profile.arn)
        return profile

    def remove_role_from_instance_profile(self, profile_name: str, role_name: str) -> None:
        profile = self.get_instance_profile(profile_name)
        if role_name not in {role.name for role in profile.roles}:
            raise NotFoundException(f"{role_name} is not in {profile_name}.")
        super().remove_role_from_instance_profile(profile_name, role_name)

    @property
    def _url_module(self) -> ModuleType:
        return urls


def is_too_new(account: str, arn: str) -> bool:
    """Whether another service does not know a role or profile of this account yet."""
    backend = iam_backends[account]["aws"]
    return isinstance(backend, SimulatedIam) and backend.new.hides(arn)


def settle(account: str) -> None:
    """Let every role of an account be old enough to be known everywhere."""
    backend = iam_backends[account]["aws"]
    if isinstance(backend, SimulatedIam):
        backend.new = Newness()


def install() -> None:
    """Put the simulated IAM in the place of moto's, for backends made from now on."""
    iam_backends.backend = SimulatedIam
