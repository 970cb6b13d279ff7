"""Check the workers' image: is it there, is it ours, and for which machines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from ...aws.compute.registry import ImageFacts
from ...command_lines import build_line
from ...errors import NotFound
from ...inputs.placeholders import is_image_placeholder
from ..setting_up.image_check import of_upstream, other_worker
from .findings import Finding, apart, missing, ok, unseen

if TYPE_CHECKING:
    from ...aws.compute.images import MachineType
    from ...inputs.settings import Settings

FactsOf = Callable[[str], ImageFacts | None]
_SUBJECT = "image"
_PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


def image(
    settings: Settings, facts_of: FactsOf, types: Collection[MachineType]
) -> Iterator[Finding]:
    """The image of DOCKERHUB_TAG; by the rules of `setup`. Its name alone is looked at before."""
    name = settings.dockerhub_tag
    if of_upstream(name) or is_image_placeholder(name):
        return
    try:
        facts = facts_of(name)
    except NotFound as error:
        fix = f"build and push it (`{build_line()}`), or correct DOCKERHUB_TAG"
        yield missing(_SUBJECT, str(error), fix)
        return
    if facts is None:
        text = f"could not see {name}: neither this computer's engine nor its registry shows it"
        fix = "`docker login`, or make sure machines can pull it from its registry"
        yield unseen(_SUBJECT, text, fix)
    elif refusal := other_worker(name, facts.labels):
        yield missing(_SUBJECT, *apart(refusal))
    else:
        yield _architecture(name, facts, types)


def _architecture(name: str, facts: ImageFacts, types: Collection[MachineType]) -> Finding:
    wrong = [
        machine_type
        for machine_type in types
        if machine_type.architecture not in facts.architectures
    ]
    if not wrong or not facts.architectures:
        return ok(_SUBJECT, f"{name} contains our worker{_kinds(facts)}")
    machine = wrong[0]
    build = build_line(options=f"--platform {_PLATFORMS[machine.architecture]} --push")
    return missing(
        _SUBJECT,
        f"{name} is{_kinds(facts)[1:]}, and a {machine.name} is {machine.architecture}",
        f"build it with `{build}`, or choose another MACHINE_TYPE",
    )


def _kinds(facts: ImageFacts) -> str:
    return f", for {' and '.join(sorted(facts.architectures))}" if facts.architectures else ""
