"""The verb `upload`: a folder's files to the bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...words import count_of
from ..context import Program, pass_program
from ..options import PATH
from ..people import next_step, put, say

if TYPE_CHECKING:
    from ...commands.submitting.upload import Upload

_SHOWN = 20  # files of a dry run


@click.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--to", default="", metavar="PREFIX", help="The folder in the bucket; default: none.")
@click.option("--bucket", default="", metavar="NAME", help="Another bucket than the source bucket.")
@click.option("--only", metavar="GLOB", help="Only files with such a name or path, as '*.tif'.")
@click.option("--dry-run", is_flag=True, help="Show what would be uploaded.")
@click.option("--json", "as_json", is_flag=True, help="What was uploaded as JSON on stdout.")
@pass_program
def upload(
    program: Program,
    folder: Path,
    to: str,
    bucket: str,
    only: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Upload the files of DIR to the bucket: DIR/plate/a.tif becomes the key plate/a.tif.

    Files that are in the bucket as they are here are skipped, so that the same command continues
    after an interruption.  Hidden files are left out.  Nothing in the bucket is deleted.

    Example: python run.py upload data --dry-run
    """
    from ...commands.submitting.upload import plan_upload
    from ...commands.submitting.upload import upload as send
    from ..connection import connect
    from ..screens.progress import byte_progress

    settings = program.load_settings()
    aws = connect(settings)
    plan = plan_upload(aws, settings, folder, to=to, bucket=bucket, only=only)
    if dry_run:
        _show_plan(plan)
    else:
        with byte_progress("Uploading") as on_progress:
            send(aws, plan, on_progress)
    if as_json:
        _print(plan, dry_run)
    else:
        _show(plan, dry_run)
    if not dry_run:
        next_step("check JOBS.json")


def _show_plan(plan: Upload) -> None:
    for _, key, size in plan.missing[:_SHOWN]:
        say(f"  {key} ({size:,} bytes)")
    if len(plan.missing) > _SHOWN:
        say(f"  and {len(plan.missing) - _SHOWN:,} more")


def _show(plan: Upload, dry_run: bool) -> None:
    """How much it is, what was there already, and what was left out."""
    from rich.filesize import decimal

    files, verb = count_of(len(plan.missing), "file"), "Would upload" if dry_run else "Uploaded"
    there = f"{plan.there:,} {'is' if plan.there == 1 else 'are'} already up to date"
    say(f"{verb} {files} ({decimal(plan.size)}) to s3://{plan.bucket}; {there}.", style="green")
    if plan.hidden:
        say(f"Left out, with names that begin with a dot: {plan.hidden:,}.", style="yellow")
    if plan.outside:
        say(f"Left out, links that lead out of {plan.folder}: {plan.outside:,}.", style="yellow")
    if dry_run:
        say("Nothing was uploaded.")


def _print(plan: Upload, dry_run: bool) -> None:
    told = {"bucket": plan.bucket, "files": len(plan.missing), "bytes": plan.size}
    put(json.dumps({**told, "already_there": plan.there, "dry_run": dry_run}))
