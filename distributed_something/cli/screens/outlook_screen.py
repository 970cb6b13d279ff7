"""What a person sees of time against money before machines are bought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...words import usd
from ..people import draw, say

if TYPE_CHECKING:
    from ...commands.runs.outlook import Outlook, OutlookRow


def show_outlook(outlook: Outlook) -> None:
    """The choices side by side; nothing where the jobs' times are not known."""
    from .tables import boxed_table

    if not outlook.rows:
        return
    rows = [
        (
            f"{row.finish}{' (as asked)' if place == 0 else ''}",
            f"{row.machines:,}",
            f"{row.hours:,.1f}",
            _cost(row),
        )
        for place, row in enumerate(outlook.rows)
    ]
    draw(boxed_table("Time against money", ("FINISH", "machines", "hours", "costs"), rows))
    say(f"In each row: requests to S3, SQS and CloudWatch, about {usd(outlook.requests)}.")


def _cost(row: OutlookRow) -> str:
    if row.high is None:
        return "unknown: set MACHINE_PRICE"
    if row.low is None:
        return f"at most {usd(row.high)}"
    same = f"{row.low:.2f}" == f"{row.high:.2f}"
    return usd(row.low) if same else f"{usd(row.low)} to {usd(row.high)}"
