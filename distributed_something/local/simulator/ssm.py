"""Simulated Parameter Store: moto's, which makes 10,000 of AWS's own parameters anew each time."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from moto.ssm import urls
from moto.ssm.models import ParameterDict, SimpleSystemManagerBackend, ssm_backends


class Parameters(ParameterDict):
    """Parameters of which AWS's own are made once for all accounts."""

    def _load_tree_parameters(self, path: str) -> None:
        published = _published(self.account_id, self.region_name, path)
        self.update({name: list(versions) for name, versions in published.items()})


class SimulatedSsm(SimpleSystemManagerBackend):
    """moto's Parameter Store, which an account has in no time."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._parameters = Parameters(account_id, region_name)

    @property
    def _url_module(self) -> ModuleType:
        return urls


@cache
def _published(account: str, region: str, path: str) -> dict[str, list[Any]]:
    found = ParameterDict(account, region)
    found._load_tree_parameters(path)
    return dict(found)


def install() -> None:
    """Put the simulated Parameter Store in the place of moto's, for backends made from now on."""
    ssm_backends.backend = SimulatedSsm
