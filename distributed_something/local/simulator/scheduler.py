"""Simulated schedules: moto's, which say that what is removed a second time is gone."""

from __future__ import annotations

from types import ModuleType

from moto.scheduler import urls
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends


class SimulatedScheduler(EventBridgeSchedulerBackend):
    """moto's scheduler, which crashes where AWS answers ResourceNotFoundException."""

    def delete_schedule_group(self, name: str | None) -> None:
        self.get_schedule_group(name)
        super().delete_schedule_group(name)

    @property
    def _url_module(self) -> ModuleType:
        return urls


def install() -> None:
    """Put the simulated scheduler in the place of moto's, for backends made from now on."""
    scheduler_backends.backend = SimulatedScheduler
