"""Simulated IAM and schedules: moto's, which say that what is removed a second time is gone."""

from __future__ import annotations

from types import ModuleType

from moto.iam import urls as iam_urls
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, iam_backends
from moto.scheduler import urls as scheduler_urls
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends


class SimulatedIam(IAMBackend):
    """moto's IAM, which crashes where AWS answers NoSuchEntity."""

    def remove_role_from_instance_profile(self, profile_name: str, role_name: str) -> None:
        profile = self.get_instance_profile(profile_name)
        if role_name not in {role.name for role in profile.roles}:
            raise NotFoundException(f"{role_name} is not in {profile_name}.")
        super().remove_role_from_instance_profile(profile_name, role_name)

    @property
    def _url_module(self) -> ModuleType:
        return iam_urls


class SimulatedScheduler(EventBridgeSchedulerBackend):
    """moto's scheduler, which crashes where AWS answers ResourceNotFoundException."""

    def delete_schedule_group(self, name: str | None) -> None:
        self.get_schedule_group(name)
        super().delete_schedule_group(name)

    @property
    def _url_module(self) -> ModuleType:
        return scheduler_urls


def install() -> None:
    """Put these in the place of moto's, for backends made from now on."""
    iam_backends.backend = SimulatedIam
    scheduler_backends.backend = SimulatedScheduler
