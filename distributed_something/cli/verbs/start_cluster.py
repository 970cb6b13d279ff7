"""The verb `startCluster`: show what machines cost, buy them, and wait for them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...words import dollars, usd, with_iso_times
from ..options import FILES, PATH, REHEARSALS
from ..people import draw, next_step, say
from ..stopping import told_if_stopped
from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...commands.buying.start_cluster import Purchase
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


@click.command("startCluster")
@click.argument("fleet_file", type=PATH)
@click.option("--yes", is_flag=True, help="Buy without asking.")
@click.option("--keep-ami", is_flag=True, help="Keep the file's images and disks.")
@click.option("--json", "as_json", is_flag=True, help="The purchase as JSON on stdout.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Minutes per job, if different from the last rehearsal or run.",
)
@for_each_run(goes_on=False)
def start_cluster(
    settings: Settings,
    fleet_file: Path,
    yes: bool,
    keep_ami: bool,
    as_json: bool,
    minutes: float | None,
) -> None:
    """Show a quote for FLEET_FILE and config.py, then request the machines and wait for them.

    On a terminal it asks first. In a script, it prints the price and buys.

    Example: python run.py startCluster files/exampleFleet_us-east-1.json
    """
    from ...aws.compute.registry import image_digest
    from ...commands.buying.start_cluster import start_cluster as buy_machines
    from ...commands.submitting.type_plan import machines_of_type
    from ..connection import connect, is_simulated
    from ..screens.monitor_lines import show_capacity

    aws = connect(settings)
    settings = machines_of_type(aws, settings)
    if not settings.cluster_machines:
        say(f"No job was submitted to {settings.app_name}: no machine is bought.")
        return
    agreed: list[Purchase] = []
    with told_if_stopped("monitor", settings.auto_monitor, may_cost=lambda: bool(agreed)):
        record = buy_machines(
            aws,
            settings,
            fleet_file,
            folder=FILES,
            confirm=partial(_confirm, aws, agreed, yes),
            on_capacity=show_capacity,
            keep_ami=keep_ami,
            minutes=minutes,
            rehearsal=REHEARSALS / settings.app_name / "report.json",
            digest_of=None if is_simulated() else partial(image_digest, aws),
        )
    _show_bought(settings, record, agreed[-1] if as_json else None)


def _confirm(aws: Aws, agreed: list[Purchase], yes: bool, purchase: Purchase) -> bool:
    """Show what will be bought, and ask if there is a terminal; what is agreed to is noted."""
    from ..connection import account_words

    ask = _ask_to_buy if sys.stdin.isatty() else _buy_unasked
    purchase = replace(purchase, account=account_words(aws))
    agrees = (show_purchase if yes else ask)(purchase)
    agreed.extend([purchase] if agrees else [])
    return agrees


def show_purchase(purchase: Purchase) -> bool:
    """What will be bought and what it can cost; always goes on."""
    from ..screens.outlook_screen import show_outlook
    from ..screens.tables import facts_table

    rows = [
        ("account", purchase.account),
        ("machines", f"{purchase.machines}, in {purchase.region}"),
        ("types", ", ".join(purchase.machine_types)),
        ("price", _price(purchase)),
        ("total at most", _most(purchase)),
        ("disk", f"{purchase.disk_gib} GiB each"),
        ("ends by itself", _moment(purchase.ends_by)),
        ("already running", _already_running(purchase)),
    ]
    draw(facts_table(f"Machines for {purchase.app_name}", [row for row in rows if row[1]]))
    show_outlook(purchase.outlook)
    for note in purchase.notes:
        say(note, style="yellow")
    return True


def _ask_to_buy(purchase: Purchase) -> bool:
    """Show the same, then ask."""
    show_purchase(purchase)
    return click.confirm("Buy these machines?", default=False, err=True)


def _buy_unasked(purchase: Purchase) -> bool:
    """Show the same, price first, and buy: upstream's scripts type no more than the verb."""
    say(f"Machines: {purchase.machines}; price: {_price(purchase)}.", style="bold")
    show_purchase(purchase)
    say("Buying now: there is no terminal to ask on.", style="yellow")
    return True


def _price(purchase: Purchase) -> str:
    total = purchase.price_cap_per_hour
    if total is None or purchase.price_cap is None:
        return "the spot price, never more than the on-demand price"
    cap = dollars(purchase.price_cap)
    return f"at most {cap} a machine-hour, {dollars(total)} an hour for all"


def _most(purchase: Purchase) -> str:
    """The most that these machines can come to until they end by themselves, and what ends them."""
    hours = f"{purchase.max_hours:,g} h (MAX_HOURS)"
    most = purchase.price_cap_in_all
    if most is None:
        told = f"not known without MACHINE_PRICE, for {hours}"
    else:
        extras = purchase.extras_per_hour * purchase.max_hours
        told = f"{usd(most)} for {hours}, disks and addresses about {usd(extras)} more"
    if not purchase.max_cost:
        return f"{told}; no MAX_COST"
    if most is not None and most <= purchase.max_cost:
        return told
    return f"{told}; while monitor watches, the run ends at {usd(purchase.max_cost)} (MAX_COST)"


def _already_running(purchase: Purchase) -> str:
    """The fleets that are there already, and what all can cost an hour with them; may be empty."""
    fleets = ", ".join(purchase.fleets_already)
    own, others = purchase.price_cap_per_hour, purchase.already_per_hour
    if not fleets or own is None or others is None:
        return fleets
    return f"{fleets}; with these at most {usd(own + others)} an hour for all"


def _show_bought(settings: Settings, record: RunRecord, printed: Purchase | None) -> None:
    """What follows the purchase; `printed` goes to stdout as JSON."""
    if printed:
        _print_bought(printed, record)
    _show_console_links(settings)
    next_step("monitor", f"{FILES}/{record.app_name}SpotFleetRequestId.json")


def _print_bought(purchase: Purchase, record: RunRecord) -> None:
    """What was bought as JSON on stdout: its fleet, and what was shown before; prices in USD."""
    told = {
        "run_id": record.run_id,
        "fleet_id": record.fleet_ids[-1],
        **asdict(purchase),
        "price_cap_per_hour": purchase.price_cap_per_hour,
        "price_cap_in_all": purchase.price_cap_in_all,
    }
    click.echo(json.dumps(with_iso_times(told)))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(seconds))


def _show_console_links(settings: Settings) -> None:
    """The console's pages of a run, which are good to keep open."""
    from ...definitions.console import console_links
    from ..connection import is_served

    if is_served():  # a simulated AWS has no console
        return
    say("Pages of the AWS console to keep open:")
    for title, address in console_links(
        settings.aws_region,
        settings.ecs_cluster,
        settings.sqs_queue_name,
        settings.aws_bucket,
        settings.app_name,
        settings.log_group_name,
    ):
        say(f"  {title:<11}{address}")
