"""Which regions there are by botocore's own list, and which of them a misspelt one is meant for."""

from __future__ import annotations

import re
from functools import cache

from botocore.loaders import create_loader

from ..inputs.near_names import likely_meant

# A name that AWS may well give a region that is newer than the list.
_LIKE_ALL = re.compile(r"[a-z]{2}(-gov|-iso[a-z]?)?-(north|south|east|west|central)+-\d+")


@cache
def known_regions() -> frozenset[str]:
    """The regions of all partitions; nothing is asked of AWS."""
    partitions = create_loader().load_data("endpoints")["partitions"]
    return frozenset(name for partition in partitions for name in partition["regions"])


def meant_region(name: str) -> str:
    """The region that a name is likely a slip for; '' for a known or a possible one."""
    if name in known_regions() or _LIKE_ALL.fullmatch(name):
        return ""
    known = {region.replace("-", "_"): region for region in known_regions()}
    return known.get(likely_meant(name.replace("-", "_"), known), "")
