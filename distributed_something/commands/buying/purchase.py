"""Order a fleet so that no crash loses it or buys it twice, and take an order back."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import cluster, fleet, launch_templates
from ...aws.monitoring import dashboards
from ...definitions.fleet import (
    Launch,
    disk_gib,
    fleet_request,
    iso_time,
    launch_template,
    template_name,
)
from ...definitions.tags import TOKEN_TAG, run_tags
from ...errors import DistributedSomethingError
from ...protocol.ledger.record import FleetRecord, RunRecord, save_record
from ..runs.adoption import find_bought
from ..runs.schedule import stop_schedule
from .capacity import containers_wanted

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

# What a step of ours can fail with; anything else is a bug and shows itself.
FAILURES = (ClientError, BotoCoreError, OSError, DistributedSomethingError)
# The keys of a request that differ between two wishes for the same fleet.
_OWN_KEYS = ("ClientToken", "ValidUntil", "TagSpecifications")


@dataclass(frozen=True)
class Order:
    """A fleet to buy; `templates` are its launch templates by name."""

    fleet: FleetRecord
    templates: Mapping[str, Launch]


def recover(aws: Aws, record: RunRecord) -> tuple[FleetRecord, ...]:
    """The fleets of an interrupted startCluster, with their ids where they were bought.

    Without those that were cancelled: EC2 would answer their token with the cancelled fleet.
    """
    recovered = []
    for unsure in record.fleets:
        if unsure.fleet_id:
            continue
        if bought := find_bought(aws, unsure):
            recovered.append(bought)
        elif not fleet.find_fleets(aws.ec2, {TOKEN_TAG: unsure.client_token}, ended=True):
            recovered.append(unsure)
    return tuple(recovered)


def make_order(
    settings: Settings,
    record: RunRecord,
    recovered: Sequence[FleetRecord],
    wanted: FleetFile,
    launches: Sequence[Launch],
    now: float,
) -> Order:
    """The order to buy, which is that of an interrupted startCluster if it wished for the same.

    The same request with the same client token can be sent any number of times and buys one fleet.
    """
    token = uuid.uuid4().hex
    first = len(record.launch_templates) + 1
    names = [
        template_name(record.app_name, record.run_id, first + place)
        for place in range(len(launches))
    ]
    request = fleet_request(
        settings,
        wanted,
        list(zip(names, launches, strict=True)),
        run_id=record.run_id,
        client_token=token,
        now=now,
    )
    for earlier in recovered:
        if _wish(earlier.request) == _wish(request) and earlier.request["ValidUntil"] > iso_time(
            now
        ):
            return Order(
                earlier, dict(zip(_template_names(earlier.request), launches, strict=True))
            )
    fresh = FleetRecord(token, request, settings.cluster_machines)
    return Order(fresh, dict(zip(names, launches, strict=True)))


def largest_disk(settings: Settings, launches: Iterable[Launch]) -> int:
    """The most disk that a machine of these launch templates has, GiB."""
    return max(
        disk_gib(launch_template(settings, launch, run_id=""), launch.image.root_gib)
        for launch in launches
    )


def write_down(
    aws: Aws,
    settings: Settings,
    record: RunRecord,
    recovered: Sequence[FleetRecord],
    order: Order,
    folder: Path | None,
) -> RunRecord:
    """Save the record with the order in it, before anything of it exists.

    A recovered fleet stays; one that was never bought, and is not the order, goes.
    """
    settled = tuple(fleet_record for fleet_record in record.fleets if fleet_record.fleet_id)
    settled += tuple(fleet_record for fleet_record in recovered if fleet_record.fleet_id)
    record = replace(record, fleets=settled).with_fleet(order.fleet)
    record = replace(
        record,
        tasks_per_machine=settings.tasks_per_machine,
        docker_cores=settings.docker_cores,
        disk_gib=largest_disk(settings, order.templates.values()),
        max_cost=settings.max_cost,
        finish=settings.finish,
        clean_dashboard=settings.clean_dashboard,
        launch_templates=tuple(dict.fromkeys([*record.launch_templates, *order.templates])),
    )
    save_record(aws.s3, record, folder)
    return record


def buy(
    aws: Aws,
    settings: Settings,
    record: RunRecord,
    order: Order,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> RunRecord:
    """Make what is free, then send the request; the record with the fleet's id, not saved yet."""
    cluster.scale_service(aws.ecs, record.cluster, record.service, containers_wanted(aws, record))
    if order.fleet.fleet_id:
        logger.info(
            "The spot fleet %s was bought before startCluster was interrupted; it is used.",
            order.fleet.fleet_id,
        )
        return record
    tags = run_tags(record.app_name, record.run_id)
    for name, launch in order.templates.items():
        data = launch_template(settings, launch, record.run_id)
        launch_templates.ensure_launch_template(aws.ec2, name, data, tags)
    fleet_id = fleet.request_fleet(aws.ec2, order.fleet.request, sleep=sleep)
    return record.with_fleet(replace(order.fleet, fleet_id=fleet_id))


def fleet_of(record: RunRecord, order: Order) -> FleetRecord:
    """The order's fleet as the record has it."""
    token = order.fleet.client_token
    return next(
        fleet_record for fleet_record in record.fleets if fleet_record.client_token == token
    )


def undo(aws: Aws, record: RunRecord, order: Order, folder: Path | None) -> list[str]:
    """Take an order back, its fleet first; returns a sentence for each step that failed.

    The order stays in the record if its fleet could not be cancelled, for teardown to find.
    """
    failures = _attempt("cancel its machines", lambda: _cancel(aws, fleet_of(record, order)))
    if failures:
        return failures
    others = tuple(
        fleet_record
        for fleet_record in record.fleets
        if fleet_record.client_token != order.fleet.client_token
    )
    left = replace(
        record,
        fleets=others,
        launch_templates=tuple(n for n in record.launch_templates if n not in order.templates),
    )
    if not others and record.schedule:
        failures += _attempt("delete its schedule", lambda: stop_schedule(aws, record))
        left = replace(left, schedule=record.schedule if failures else "")
    if not others and record.dashboard:
        failures += _attempt("delete its dashboard", lambda: _delete_dashboard(aws, record))
        left = replace(left, dashboard=record.dashboard if failures else "")
    failures += _attempt("delete its launch templates", lambda: _delete_templates(aws, order))
    failures += _attempt(
        f"scale the service {record.service} back",
        lambda: cluster.scale_service(
            aws.ecs, record.cluster, record.service, containers_wanted(aws, left)
        ),
    )
    if not failures:
        failures += _attempt("write the record", lambda: save_record(aws.s3, left, folder))
    return failures


def _cancel(aws: Aws, bought: FleetRecord) -> None:
    """Cancel a fleet, whether or not EC2's answer to its request reached us."""
    if bought.fleet_id:
        fleet.cancel_fleet(aws.ec2, bought.fleet_id)
        return
    for fleet_id in fleet.find_fleets(aws.ec2, {TOKEN_TAG: bought.client_token}):
        fleet.cancel_fleet(aws.ec2, fleet_id)


def _delete_dashboard(aws: Aws, record: RunRecord) -> None:
    dashboards.delete_dashboard(aws.cloudwatch, record.dashboard)


def _delete_templates(aws: Aws, order: Order) -> None:
    for name in order.templates:
        launch_templates.delete_launch_template(aws.ec2, name)


def _attempt(what: str, step: Callable[[], object]) -> list[str]:
    try:
        step()
    except FAILURES as error:
        return [f"Could not {what}: {error}"]
    return []


def _wish(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without what every sending has of its own."""
    wish = {key: value for key, value in request.items() if key not in _OWN_KEYS}
    wish["LaunchTemplateConfigs"] = [
        config["Overrides"] for config in request.get("LaunchTemplateConfigs", [])
    ]
    return wish


def _template_names(request: Mapping[str, Any]) -> list[str]:
    return [
        config["LaunchTemplateSpecification"]["LaunchTemplateName"]
        for config in request["LaunchTemplateConfigs"]
    ]
