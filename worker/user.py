"""Run the loops, and so the tools, as the image's own user where the container is root's.

A container is root's alone to mount a bucket or to run an install script; see the task definition.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

USER_VARIABLE = "WORKER_USER"  # set by the image: the user of the tool's image, or our own


@dataclass(frozen=True)
class LoopUser:
    """What `subprocess` is told so that a loop is somebody else's; nothing if it is to be ours."""

    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def loop_user(variables: Mapping[str, str]) -> LoopUser:
    """The user of loops; raises ValueError for one that this image does not have."""
    name = variables.get(USER_VARIABLE, "")
    if os.geteuid() != 0 or name in ("", "root", "0"):
        return LoopUser()
    try:
        known = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if not name.isdigit():
            raise ValueError(
                f"{USER_VARIABLE} is {name!r}, whom this image does not have."
            ) from None
        return LoopUser({"user": int(name), "group": int(name), "extra_groups": []})
    groups = os.getgrouplist(known.pw_name, known.pw_gid)
    return LoopUser(
        {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": groups},
        {"HOME": known.pw_dir, "USER": known.pw_name},
    )
