"""Simulated rights: moto's, which takes the signature of a GET with names in its path for wrong.

The server's guard has checked the signature before a request comes here.
"""

from __future__ import annotations

from moto.iam.access_control import IAMRequest


def _take_any(_request: IAMRequest) -> None:
    """A request is who it says it is."""


def install() -> None:
    """Put this in the place of moto's check, which is off unless a test switches it on."""
    IAMRequest.check_signature = _take_any  # type: ignore[assignment, method-assign]
