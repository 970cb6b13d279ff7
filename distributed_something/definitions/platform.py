"""For which processors an image must be built, by the names of its machines' types."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UsageError

AMD64, ARM64 = "linux/amd64", "linux/arm64"
# A `g` after the generation's number says Graviton, AWS's own Arm processors; a1 came before that.
# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_GRAVITON = re.compile(r"a1\.|[a-z]+\d+g")


def platform_of(machine_types: Sequence[str]) -> str:
    """The platform of a fleet's machines, in Docker's words; raises UsageError if they differ."""
    arm = [name for name in machine_types if _GRAVITON.match(name)]
    others = [name for name in machine_types if not _GRAVITON.match(name)]
    if arm and others:
        raise UsageError(
            f"MACHINE_TYPE has machines with Arm processors ({', '.join(arm)}) and others "
            f"({', '.join(others)}), and an image is for one kind: take machines of one kind, or "
            f"build for one with --platform {AMD64} or --platform {ARM64}."
        )
    return ARM64 if arm else AMD64
