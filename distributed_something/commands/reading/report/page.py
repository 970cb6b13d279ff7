"""Write a report as one HTML page that needs no network, nor anything beside it."""

from __future__ import annotations

import json
import time
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .... import __version__
from ....command_lines import run_line
from ....run.money import LEFT_OUT
from ....words import usd, visible
from ...runs.spending import UNWATCHED
from .facts import RunReport
from .figures import figures, lane_name, span
from .waste import waste_line

_KEPT_LINES = 12  # of a log
_MACHINE_ROWS = 300


def page(report: RunReport) -> str:
    """The page's text, 5 MB of which is the library that draws its charts."""
    text: str = (
        environment()
        .get_template("page.html")
        .render(
            values(report),
            title=f"{report.app_name}, run {report.run_id}",
            plotly=Markup(get_plotlyjs()),
        )
    )
    return text


def values(report: RunReport) -> dict[str, Any]:
    """What the page's template is filled with, but for the library that draws its charts."""
    drawn = figures(report)
    return {
        "usd": partial(usd, places=2 if report.cost >= 1 else 4),
        "version": __version__,
        "report": report,
        "figures": Markup(_for_script(drawn)),
        "drawn": drawn,
        "tiles": _tiles(report),
        "waste": waste_line(report),
        "left_out": [*LEFT_OUT[:-1], "what is stored in S3"],
        "unwatched": UNWATCHED,
        "lanes": report.lanes[:_MACHINE_ROWS],
        "download_line": run_line(f"download --run {report.run_id}"),
        "failed_line": run_line(f"status --failed --json --run {report.run_id}"),
    }


@cache
def environment() -> Any:
    """The templates of pages, in which every value is text and none is code."""
    made = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        # What steers a terminal has no place in a page that is opened in one, either.
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    made.filters |= {
        "span": span,
        "moment": _moment,
        "lane_name": lane_name,
        "last_lines": _last_lines,
        "share": lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "",
    }
    return made


def _tiles(report: RunReport) -> list[tuple[str, str, str, str]]:
    """The numbers at the top: id, number, what it is, and a word more."""
    counts = report.counts
    tiles = [
        ("done", f"{counts.done:,}", "jobs done", f"of {counts.submitted:,}"),
        ("dead", f"{counts.dead:,}", "given up", "in the dead-letter queue"),
        ("unfinished", f"{counts.unfinished:,}", "unfinished", "neither done nor given up"),
        (
            "attempts",
            f"{counts.attempts:,}",
            "attempts",
            f"{counts.failed:,} failed, {counts.interrupted:,} interrupted",
        ),
        ("took", span(report.seconds), "from first to last", f"from {_moment(report.began)} UTC"),
    ]
    if report.job_seconds:
        spread = report.job_seconds
        ninetieth = f"nine of ten within {span(spread.ninetieth)}"
        tiles.append(("median", span(spread.median), "a job takes", ninetieth))
    machines = len(report.lanes) + report.more_machines
    taken = sum(lane.taken_away for lane in report.lanes)
    known = "that had a job; others are unknown" if report.is_unwatched else ""
    machines_word = "machine" if machines == 1 else "machines"
    more = known or f"{taken:,} interrupted by EC2"
    tiles.append(("machines-count", f"{machines:,}", machines_word, more))
    if report.money:
        done = max(1, counts.done)
        each = f"{usd(report.cost / done, 4)} per job done" if counts.done else "no job done"
        tiles.append(("cost", usd(report.cost), "spent on machines", each))
    return tiles


def _for_script(value: object) -> str:
    """JSON that no `</script>` in a job's name can end."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _last_lines(log: str) -> str:
    return "\n".join(log.splitlines()[-_KEPT_LINES:])
