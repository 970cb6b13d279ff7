"""What a person sees, and is asked, before machines are bought, and sees while they come."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click
from rich.table import Table

from ..commands.buying.start_cluster import Purchase
from ..definitions.console import console_links
from ..definitions.fleet import price_text
from ..inputs.settings import Settings
from ..protocol.ledger.record import RunRecord
from ..words import count_of
from .screens import people, say


def show_purchase(purchase: Purchase) -> bool:
    """What will be bought and what it can cost; always goes on."""
    table = Table(
        title=f"Machines for {purchase.app_name}", show_header=False, title_justify="left"
    )
    if purchase.account:
        table.add_row("account", purchase.account)
    table.add_row("machines", f"{purchase.machines}, in {purchase.region}")
    table.add_row("types", ", ".join(purchase.machine_types))
    table.add_row("price", _price(purchase))
    table.add_row("at most in all", _most(purchase))
    table.add_row("disk", f"{purchase.disk_gib} GiB each")
    table.add_row("ends by itself", _moment(purchase.ends_by))
    if purchase.fleets_already:
        table.add_row("besides", _besides(purchase))
    people.print(table)
    for note in purchase.notes:
        say(note, style="yellow")
    return True


def ask_to_buy(purchase: Purchase) -> bool:
    """Show the same, then ask."""
    show_purchase(purchase)
    return click.confirm("Buy these machines?", default=False, err=True)


def buy_unasked(purchase: Purchase) -> bool:
    """Show the same, price first, and buy: upstream's scripts type no more than the verb."""
    say(f"Machines: {purchase.machines}; price: {_price(purchase)}.", style="bold")
    show_purchase(purchase)
    say("They are bought now: there is no terminal to ask at.", style="yellow")
    return True


def _price(purchase: Purchase) -> str:
    total = purchase.price_cap_per_hour
    if total is None or purchase.price_cap is None:
        return "the spot price, never more than the on-demand price"
    cap = price_text(purchase.price_cap)
    return f"at most ${cap} a machine-hour, ${price_text(total)} an hour for all"


def _most(purchase: Purchase) -> str:
    """The most that these machines can come to until they end by themselves, and what ends them."""
    hours = f"{purchase.max_hours:,g} h (MAX_HOURS)"
    most = purchase.price_cap_in_all
    if most is None:
        told = f"not known without MACHINE_PRICE, for {hours}"
    else:
        besides = purchase.besides_per_hour * purchase.max_hours
        told = f"${most:,.2f} for {hours}, disks and addresses about ${besides:,.2f} more"
    if not purchase.max_cost:
        return f"{told}; no MAX_COST"
    if most is not None and most <= purchase.max_cost:
        return told
    return f"{told}; while monitor watches, the run ends at ${purchase.max_cost:,.2f} (MAX_COST)"


def _besides(purchase: Purchase) -> str:
    """The fleets that are there already, and what an hour of all can cost with them."""
    fleets = ", ".join(purchase.fleets_already)
    own, others = purchase.price_cap_per_hour, purchase.already_per_hour
    if own is None or others is None:
        return fleets
    return f"{fleets}; with these at most ${own + others:,.2f} an hour for all"


def print_bought(purchase: Purchase, record: RunRecord) -> None:
    """What was bought as JSON on stdout: its fleet, and what was shown before; prices in USD."""
    told = {
        "run_id": record.run_id,
        "fleet_id": record.fleet_ids[-1],
        **asdict(purchase),
        "price_cap_per_hour": purchase.price_cap_per_hour,
        "price_cap_in_all": purchase.price_cap_in_all,
    }
    click.echo(json.dumps(told))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def show_capacity(machines: int, target: int) -> None:
    """How many machines are there of how many."""
    say(f"{machines} of {count_of(target, 'machine')} {'is' if target == 1 else 'are'} up.")


def show_console_links(settings: Settings) -> None:
    """The console's pages of a run, which are good to keep open."""
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
