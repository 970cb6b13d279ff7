"""Print the versions that are installed here of all that the demo and the tests need.

`python -m tests.versions > constraints.txt`, in the environment in which the whole suite passed.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CLONE = Path(__file__).resolve().parents[1]
ROOTS = ("requirements-dev.txt", "examples/nuclei/requirements.txt")
OWN = "examples/nuclei/pyproject.toml"
OLDEST, PYTHONS = "3.10", ("3.10", "3.11", "3.12", "3.13", "3.14")
HEAD = "# The versions with which the whole suite passed, for `make` and the image.\n"


def written(path: Path) -> list[Requirement]:
    """The requirements of a file and of those that it names."""
    found: list[Requirement] = []
    for line in path.read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("-r "):
            found += written(path.parent / text[3:].strip())
        elif text and not text.startswith("-"):
            found.append(Requirement(text))
    return found


def needed() -> dict[str, str]:
    """Each package's version with, if an older Python cannot have it, the marker that says so."""
    found: dict[str, str] = {}
    waiting = [one for root in ROOTS for one in written(CLONE / root)]
    waiting += map(Requirement, re.findall(r'^\s+"([^"]+)",?$', (CLONE / OWN).read_text(), re.M))
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        extras = requirement.extras or {""}
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(requirement.name)] = installed.version + _marker(installed)
        for text in installed.requires or []:
            further = Requirement(text)
            marker = further.marker
            if marker is None or any(marker.evaluate({"extra": one}) for one in extras):
                further.marker = None
                waiting.append(further)
    return found


def _marker(installed: Distribution) -> str:
    wanted = SpecifierSet(installed.metadata["Requires-Python"] or "")
    if OLDEST in wanted:
        return ""
    return f' ; python_version >= "{next(one for one in PYTHONS if one in wanted)}"'


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in sorted(needed().items())]
    print(HEAD + "".join(lines), end="")
