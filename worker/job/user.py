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
    """What `subprocess` is told so that a loop is its user's; nothing where it is so anyway."""

    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def loop_user(variables: Mapping[str, str]) -> LoopUser:
    """The user of loops; raises ValueError for one that this image does not have."""
    name = variables.get(USER_VARIABLE, "")
    if os.geteuid() != 0 and name:
        return LoopUser(environment=_own_home(variables))
    if name in ("", "root", "0"):
        return LoopUser()
    try:
        known = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if not name.isdigit():
            raise ValueError(
                f"{USER_VARIABLE} is {name!r}, a user that this image does not have."
            ) from None
        return LoopUser({"user": int(name), "group": int(name), "extra_groups": []})
    groups = os.getgrouplist(known.pw_name, known.pw_gid)
    return LoopUser(
        {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": groups},
        {"HOME": known.pw_dir, "USER": known.pw_name},
    )


def _own_home(variables: Mapping[str, str]) -> Mapping[str, str]:
    """A home that this user may write to, where the tool's image says HOME is root's."""
    if os.access(variables.get("HOME", ""), os.W_OK):
        return {}
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return {}
    return {"HOME": home} if os.access(home, os.W_OK) else {}
