"""Say how many there are of something, as a person would."""

from __future__ import annotations


def count_of(number: int, thing: str, several: str = "") -> str:
    """Such as `1 machine` or `2,000 machines`; `several` is a plural that has more than an s."""
    return f"1 {thing}" if number == 1 else f"{number:,} {several or thing + 's'}"


def of_target(machines: int, target: int) -> str:
    """How many machines there are of how many are asked for, also while some are given back."""
    if machines <= target:
        return f"{machines:,} of {target:,}"
    return f"{machines:,}, going down to {target:,}"
