"""To be filled in a moment."""

from __future__ import annotations


def install() -> None:
    """Nothing yet."""
