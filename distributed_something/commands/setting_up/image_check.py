"""Refuse an image that does not hold our worker, as far as it can be looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...command_lines import build_line
from ...errors import UsageError
from ...protocol import IMAGE_LABEL, PROTOCOL_VERSION

logger = logging.getLogger(__name__)

LabelsOf = Callable[[str], Mapping[str, str] | None]


@dataclass(frozen=True)
class _Ours:
    """What takes the place of an image of upstream's."""

    base: str = ""  # an image with the same tool, if one is known
    options: str = ""  # of `build`: what else jobs of that family need in the image
    config: str = ""  # whose JOB_DEFAULTS say how a job is run


# By upstream's published images.
_UPSTREAM = {
    "cellprofiler/distributed-cellprofiler": _Ours(
        "cellprofiler/cellprofiler", "--something examples/cellprofiler/something.py"
    ),
    "cellprofiler/distributed-fiji": _Ours(
        "fiji/fiji", "--file examples/fiji/Dockerfile", "examples/fiji/config.py"
    ),
    "cellprofiler/distributed-something": _Ours(),
    "erinweisbart/distributed-bioformats2raw": _Ours(
        "openmicroscopy/bioformats2raw",
        "--file examples/omezarr/Dockerfile",
        "examples/omezarr/config.py",
    ),
}
_MAKERS = ("bethcimini",)  # whose images of the same names are the family's too
_PLACEHOLDER = "user/distributed-something"  # what config.py says before anybody has edited it


def check_image(image: str, labels_of: LabelsOf) -> None:
    """Raise UsageError if DOCKERHUB_TAG is known to hold another worker than this version's.

    `labels_of` gives an image's labels, or None if it cannot be seen, which is said.
    """
    if refusal := of_upstream(image):
        raise UsageError(refusal)
    labels = labels_of(image)
    if labels is None:
        logger.warning(
            "The image %s cannot be read from here, so it is unknown whether it contains our "
            "worker (`%s` adds it).",
            image,
            build_line(),
        )
    elif refusal := other_worker(image, labels):
        raise UsageError(refusal)


def of_upstream(image: str) -> str:
    """Why an image of upstream's, or none yet, will not do, by its name; '' for any other."""
    repository = image.removeprefix("docker.io/").partition("@")[0].partition(":")[0]
    maker, _, name = repository.partition("/")
    if maker in _MAKERS:
        repository = f"cellprofiler/{name}"
    if repository == _PLACEHOLDER:
        return (
            f"DOCKERHUB_TAG = {image!r} is a placeholder: set it to a name that you may "
            "push to, then build and push the image with your tool: "
            f"{build_line()} (documentation/wrapping_your_tool.md)"
        )
    if repository in _UPSTREAM:
        ours = _UPSTREAM[repository]
        take = f"copy JOB_DEFAULTS from {ours.config}, " if ours.config else ""
        line = build_line(ours.base, f"{ours.options} --push".lstrip())
        return (
            f"DOCKERHUB_TAG = {image!r} is an image of Distributed-Something's first version or of "
            "its family, with its own worker. Set DOCKERHUB_TAG to a name that you may push "
            f"to, {take}then build and push ours: {line}"
        )
    return ""


def other_worker(image: str, labels: Mapping[str, str]) -> str:
    """Why an image with these labels will not do; '' if it holds this version's worker."""
    if IMAGE_LABEL not in labels:
        return (
            f"DOCKERHUB_TAG = {image!r} does not contain our worker: it has no label "
            f"{IMAGE_LABEL}. Build it from the image with your tool: {build_line()}"
        )
    if labels[IMAGE_LABEL] != PROTOCOL_VERSION:
        return (
            f"DOCKERHUB_TAG = {image!r} contains a worker of another version "
            f"({labels[IMAGE_LABEL]}, "
            f"and this is {PROTOCOL_VERSION}). Build it again: {build_line()}"
        )
    return ""
