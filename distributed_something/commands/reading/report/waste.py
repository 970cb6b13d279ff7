"""Say what a run cost against its useful work, where the rest went, and what saves most."""

from __future__ import annotations

from ....words import usd
from .facts import RunReport

_WORTH_A_WORD = 0.02  # of the total: below it a kind of waste has no advice

_ADVICE = {
    "starting": 'fewer machines (FINISH = "cheap" in config.py)',
    "waiting": "long jobs first (`weight` in the job file)",
    "lost": '`"checkpoint": true` in the job file, if the tool can continue from one',
    "ending": 'a monitor (`monitor`, or AUTO_MONITOR = "True" in config.py)',
}
_WAITING_ON_FAST = 'fewer machines at the end (FINISH = "cheap" in config.py)'


def waste_line(report: RunReport) -> str:
    """The line; '' where nothing was paid or no job was done."""
    total = report.cost
    waste = waste_of(report)
    useful = total - sum(waste.values())
    if total <= 0 or useful <= 0:
        return ""
    parts = (
        f"{usd(waste['starting'])} on machines that started, {usd(waste['waiting'])} on slots "
        f"without a job, {usd(waste['lost'])} on lost work, {usd(waste['ending'])} after a "
        "machine's last job"
    )
    line = (
        f"It cost {total / useful:,.2f} times its useful work ({usd(useful)}). "
        f"The rest went: {parts}."
    )
    return f"{line} {_advice(report)}".rstrip()


def waste_of(report: RunReport) -> dict[str, float]:
    """USD by kind, none of it in two kinds."""
    starting = sum(row.starting for row in report.money)
    ending = sum(row.ending for row in report.money)
    idle = sum(row.idle for row in report.money)
    lost = sum(row.lost for row in report.money)
    waiting = max(0.0, idle - starting - ending)
    return {"starting": starting, "waiting": waiting, "lost": lost, "ending": ending}


def _advice(report: RunReport) -> str:
    """The setting that would have saved most, by the largest kind of waste."""
    waste = waste_of(report)
    kind = max(waste, key=lambda name: waste[name])
    if waste[kind] < _WORTH_A_WORD * report.cost:
        return ""
    advice = _ADVICE[kind]
    if kind == "waiting" and report.finish == "fast":
        advice = _WAITING_ON_FAST
    if kind == "starting" and report.finish == "cheap":
        advice = "fewer machines (CLUSTER_MACHINES in config.py)"
    return f"What would have saved most: {advice}."
