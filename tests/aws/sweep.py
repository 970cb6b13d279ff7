"""Remove every trace of a test's app from an account, what stays on purpose included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from distributed_something.aws.compute import fleet, instances
from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.cancelling.cancel import cancel, list_resources
from distributed_something.definitions.logs import log_groups
from distributed_something.definitions.tags import app_tags
from distributed_something.inputs.settings import Settings
from distributed_something.protocol.ledger.keys import app_prefix, record_key
from distributed_something.resources.kinds import Resource


def sweep(
    aws: Aws,
    settings: Settings,
    folder: Path,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> tuple[Resource, ...]:
    """Remove all of the app; returns what is there afterwards, which should be nothing.

    Machines go first, found by the tag alone: no record and no other step is needed for it.
    """
    tags = app_tags(settings.app_name)
    for fleet_id in fleet.find_fleets(aws.ec2, tags):
        fleet.cancel_fleet(aws.ec2, fleet_id)
    machines = instances.find_machines(aws.ec2, tags)
    instances.terminate_instances(aws.ec2, [machine.instance_id for machine in machines])
    cancel(aws, settings, folder=folder, sleep=sleep, now=now)
    queues.delete_queue(aws.sqs, settings.sqs_dead_letter_queue)
    for name in log_groups(settings.log_group_name):
        aws.logs.delete_log_group(logGroupName=name)
    for key in _keys(aws, settings):
        aws.s3.delete_object(Bucket=settings.aws_bucket, Key=key)
    return list_resources(aws, settings)


def _keys(aws: Aws, settings: Settings) -> Iterator[str]:
    """The keys of the app's ledger, results and exported logs, and of its monitor file."""
    app = settings.app_name
    prefixes = [app_prefix(app), f"results/{app}/", f"exportedlogs/{app}", record_key(app)]
    for prefix in prefixes:
        pages = aws.s3.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=settings.aws_bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))
