"""Simulated Service Quotas: moto's, which knows none of EC2's, with the limits of spot vCPUs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.servicequotas import urls
from moto.servicequotas.models import ServiceQuotasBackend, servicequotas_backends

# What an account that has run things for a while may have; a new one often has 32 or fewer.
SPOT_VCPUS = {"L-34B43A08": 640, "L-3819A6DF": 64, "L-7212CCBC": 64}


class SimulatedQuotas(ServiceQuotasBackend):
    """moto's Service Quotas, which can be told how many spot vCPUs the account may have."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.spot_vcpus = dict(SPOT_VCPUS)

    def get_service_quota(self, service_code: str, quota_code: str) -> dict[str, Any]:
        if service_code != "ec2" or quota_code not in self.spot_vcpus:
            found: dict[str, Any] = super().get_service_quota(service_code, quota_code)
            return found
        return {
            "ServiceCode": "ec2",
            "QuotaCode": quota_code,
            "Value": float(self.spot_vcpus[quota_code]),
            "Unit": "None",
            "Adjustable": True,
        }

    @property
    def _url_module(self) -> ModuleType:
        return urls


def install() -> None:
    """Put the simulated quotas in the place of moto's, for backends made from now on."""
    servicequotas_backends.backend = SimulatedQuotas
