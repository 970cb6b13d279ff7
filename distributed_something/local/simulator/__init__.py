"""A simulated AWS on this computer: moto's server with its gaps filled."""

from __future__ import annotations

from .rules import Rules
from .server import ACCOUNT, REGION, Simulator

__all__ = ["ACCOUNT", "REGION", "Rules", "Simulator"]
