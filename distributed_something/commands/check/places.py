"""Check the buckets, who may write logs to them, and the queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws import storage
from ...aws.messaging import queues
from ...aws.readability import find_unreadable
from ...command_lines import run_line
from ...errors import DistributedSomethingError, NotFound
from ...protocol.buckets import Buckets
from ...words import count_of
from .findings import Finding, is_forbidden, looked, missing, ok, unseen, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

_EXAMPLE_URL = "https://some/url/"  # as Distributed-Fiji ships it


def buckets(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Every bucket that the config names: there, ours to use, and near the machines."""
    named = {
        "AWS_BUCKET": settings.aws_bucket,
        "SOURCE_BUCKET": settings.source_bucket,
        "WORKSPACE_BUCKET": settings.workspace_bucket,
        "DESTINATION_BUCKET": settings.destination_bucket,
    }
    seen: set[str] = set()
    for constant, name in named.items():
        if name and name not in seen:
            seen.add(name)
            pays = settings.pays_requests
            yield from looked(f"bucket {name}", partial(_bucket, aws, constant, name, pays))


def _bucket(aws: Aws, constant: str, name: str, pays: bool) -> Iterator[Finding]:
    subject = f"bucket {name}"
    try:
        home = storage.bucket_region(aws.s3, name)
    except NotFound:
        make = f"run `python setup_AWS.py --bucket {name}`, or correct {constant} in config.py"
        yield missing(subject, f"no bucket has this name ({constant})", make)
        return
    except DistributedSomethingError:
        fix = f"correct {constant} in config.py, or ask its owner for access"
        if not pays:
            fix += f"; {storage.IF_READERS_PAY}"
        yield missing(subject, f"is not accessible with these credentials ({constant})", fix)
        return
    if home and home != aws.region:
        text = f"is in {home}, and the machines in {aws.region}: every byte costs, and takes time"
        yield warning(subject, text, f"set AWS_REGION = {home!r}, or take a bucket of {aws.region}")
    else:
        yield ok(subject, f"there, in {home or aws.region}")


def scripts(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether the scripts that the config names are in their buckets."""
    named = Buckets.of(settings)
    url = settings.extra.get("SCRIPT_DOWNLOAD_URL", "")
    for constant in ("INSTALL_SCRIPT", "SCRIPT_DOWNLOAD_URL"):
        script = settings.scripts.get(constant, "")
        if not script:
            continue
        place = named.find(script, named.source)
        where = f"s3://{place[0]}/{place[1]}"
        if why := find_unreadable(aws.s3, [place]).get(place):
            yield missing(constant, f"{where} {why}", f"upload it, or correct {constant}")
        else:
            yield ok(constant, f"{where} is there")
    if url.startswith(_EXAMPLE_URL):
        text = f"SCRIPT_DOWNLOAD_URL = {url!r} is a placeholder"
        yield missing("SCRIPT_DOWNLOAD_URL", text, "set it to your script's address")
    elif url and not url.startswith("s3://"):
        yield unseen("SCRIPT_DOWNLOAD_URL", f"{url} is not in a bucket, and not checked")


def log_export(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether CloudWatch may write a run's logs to the bucket when the run ends."""
    try:
        policy = storage.find_policy(aws.s3, settings.aws_bucket)
    except ClientError as error:
        if not is_forbidden(error):
            raise
        policy = {"Statement": f"logs.{aws.region}.amazonaws.com"}  # benefit of the doubt
    if f"logs.{aws.region}.amazonaws.com" in json.dumps(policy or {}):
        yield ok("log export", f"CloudWatch may write to {settings.aws_bucket}")
    else:
        text = f"CloudWatch may not write to {settings.aws_bucket}: logs stay only in CloudWatch"
        fix = f"run `python setup_AWS.py --bucket {settings.aws_bucket}`"
        yield warning("log export", text, fix)


def job_queues(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """The queue of the jobs and that of those that were given up."""
    for subject, name in (
        ("queue", settings.sqs_queue_name),
        ("dead-letter queue", settings.sqs_dead_letter_queue),
    ):
        try:
            counts = queues.count_jobs(aws.sqs, queues.find_queue(aws.sqs, name))
        except NotFound:
            yield warning(subject, f"{name} does not exist yet", f"run `{run_line('setup')}`")
            continue
        if subject == "queue" or not counts.total:
            yield ok(subject, f"{name}: {count_of(counts.total, 'job')} in it")
        else:
            given_up = count_of(counts.total, "job given up", "jobs given up")
            text = f"{name} holds {given_up}, maybe in other runs"
            yield warning(subject, text, f"run `{run_line('retry')}` for those of the last run")
