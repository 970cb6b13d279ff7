"""The verb `build`: its options, and the recipe with what a person sees of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..commands.setting_up.build import build as build_worker
from ..commands.setting_up.build import plan_build
from ..commands.setting_up.engine import connect_engine, push_image
from ..inputs.settings import load_settings
from . import build_screen


@click.command()
@click.option("--base", default="", metavar="IMAGE", help="The image that holds your tool.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="A Dockerfile that makes it, with BASE_IMAGE from --base.",
)
@click.option(
    "--something",
    type=click.Path(path_type=Path),
    help="A file to use instead of worker/something.py.",
)
@click.option("--push", is_flag=True, help="Push the image to the registry of its name.")
@click.option("--user", default="", metavar="NAME", help="Whom jobs run as, such as root.")
@click.option("--python", default="", metavar="IMAGE", help="Where the worker's Python is from.")
@click.option(
    "--platform",
    type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="The machines' processors, if not those of MACHINE_TYPE.",
)
@click.pass_obj
def build(
    obj: dict[str, Any],
    base: str,
    file: Path | None,
    something: Path | None,
    push: bool,
    user: str,
    python: str,
    platform: str | None,
) -> None:
    """Make the image DOCKERHUB_TAG: your tool's image with the worker added; Docker is needed.

    The tool keeps its own Python, libraries and PATH.  Jobs run as the user of the tool's image,
    or as a user of the worker's own where that is root.

    Example: python run.py build --base your/tool:1.0 --push
    """
    settings = load_settings(obj["config"])
    plan = plan_build(
        settings,
        base=base,
        file=file,
        user=user,
        python=python,
        platform=platform or "",
        something=something,
    )
    engine = connect_engine()
    with build_screen.engine_progress() as on_progress:
        built = build_worker(engine, plan, on_progress)
        digest = push_image(engine, built.tag, on_progress) if push else ""
    build_screen.show_built(built, digest)
