"""Draw a report's charts: each a figure of plotly.js as plain values, and readable in grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

from .facts import Histogram, Lane, RunReport, Work
from .histograms import time_unit

Figure = dict[str, Any]

# Colours that all kinds of eyes tell apart (Okabe and Ito), and a pattern for none.
_STYLES = {
    "done": ("#0072B2", ""),
    "failed": ("#D55E00", "x"),
    "interrupted": ("#E69F00", "/"),
    "started": ("#999999", "."),
}
_INK = "#1f2933"
_GRID = "#e4e7eb"
TAKEN_AWAY = "✕"  # after the name of a machine that EC2 took away
_ROW = 22  # pixels of a machine's lane
_FEW = 8  # jobs: of more, plotly.js's own ticks are whole numbers
_LAYOUT: Mapping[str, Any] = {
    "margin": {"l": 60, "r": 16, "t": 8, "b": 44},
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": _INK},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "hoverlabel": {"align": "left"},
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    "bargap": 0.05,
}


def figures(report: RunReport) -> dict[str, Figure]:
    """Every figure of a report by the id of its place on the page; those without data left out."""
    drawn = {
        "chart-jobs-over-time": _over_time(report),
        "chart-machines": _lanes(report),
        "chart-times": _columns(report.time_histogram, "job time", *_unit(report)),
        "chart-memory": _columns(report.memory_histogram, "peak memory", "MiB", 1.0),
        "chart-attempts": _attempts(report),
    }
    return {place: figure for place, figure in drawn.items() if figure}


def _figure(data: Sequence[Any], height: int, **layout: Any) -> Figure:
    return {"data": list(data), "layout": {**_LAYOUT, "height": height, **layout}}


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": "#9aa5b1",
        "automargin": True,
        **more,
    }


def _count_axis(most: int, **more: Any) -> dict[str, Any]:
    """An axis of whole jobs: where they are few, plotly.js would have ticks between the numbers."""
    steps = {"tick0": 0, "dtick": 1} if most <= _FEW else {}
    return _axis("jobs", tickformat=",d", **steps, **more)


def _over_time(report: RunReport) -> Figure | None:
    if not report.counts.attempts:
        return None
    line = report.timeline
    times = [_moment(report.began), *map(_moment, line.ends)]

    def trace(name: str, counts: Sequence[float], state: str, dash: str, **more: Any) -> Any:
        style = {"color": _STYLES[state][0], "width": 2.5, "dash": dash}
        return {
            "type": "scatter", "mode": "lines", "name": name, "x": times, "y": [0, *counts],
            "line": style, "hovertemplate": f"%{{y:,}} {name}<extra></extra>", **more,
        }  # fmt: skip

    traces = [trace("jobs done", line.done, "done", "solid")]
    if report.counts.failed:
        traces.append(trace("attempts failed", line.failed, "failed", "dash"))
    if report.counts.interrupted:
        traces.append(trace("interrupted", line.interrupted, "interrupted", "dashdot"))
    filled = {"fill": "tozeroy", "fillcolor": "rgba(153,153,153,0.25)", "yaxis": "y2"}
    running = [round(count, 1) for count in line.running]
    traces.append(trace("running in parallel", running, "started", "dot", **filled))
    return _figure(
        traces,
        270,
        hovermode="x unified",
        xaxis=_axis("", type="date"),
        yaxis=_count_axis(max(*line.done, *line.failed, *line.interrupted, 0), rangemode="tozero"),
        yaxis2=_axis("at a time", overlaying="y", side="right", rangemode="tozero", showgrid=False),
        margin={**_LAYOUT["margin"], "r": 60},
    )


def _lanes(report: RunReport) -> Figure | None:
    lanes = report.lanes
    if not lanes:
        return None
    drawn = any(lane.works for lane in lanes)
    height = 96 + (_ROW * max(4, len(lanes)) if drawn else max(160, min(640, 12 * len(lanes))))
    names = [lane_name(lane) for lane in lanes]
    open_ones = "vanished" if report.is_over else "running"
    traces = _works(lanes, names, open_ones) if drawn else [_use(report, names)]
    return _figure(
        traces,
        height,
        barmode="overlay",
        xaxis=_axis("", type="date", range=[_moment(report.began), _moment(report.ended)]),
        yaxis=_axis("", type="category", categoryarray=names[::-1], categoryorder="array"),
        hovermode="closest",
    )


def lane_name(lane: Lane) -> str:
    """A machine's name, short and its own, with a mark if EC2 took it away."""
    mark = f" {TAKEN_AWAY}" if lane.taken_away else ""
    return f"…{lane.instance_id[-6:]} {lane.instance_type}{mark}"


def _works(lanes: Sequence[Lane], names: Sequence[str], open_ones: str) -> list[Any]:
    """A pale bar for each machine's life, and on it one for each attempt."""
    words = {"started": open_ones}
    life = {
        "type": "bar", "orientation": "h", "name": "idle", "y": names,
        "base": [_moment(lane.began) for lane in lanes],
        "x": [lane.seconds * 1000 for lane in lanes], "width": 0.8,
        "marker": {"color": "#e4e7eb", "line": {"color": "#9aa5b1", "width": 1}},
        "text": [_life_text(lane) for lane in lanes], "textposition": "none",
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
    }  # fmt: skip
    traces: list[Any] = [life]
    for state, (colour, pattern) in _STYLES.items():
        found = [
            (name, work, place, count)
            for lane, name in zip(lanes, names, strict=True)
            for work, place, count in _in_slots(lane)
            if work.state == state
        ]
        if not found:
            continue
        marker = {"color": colour, "line": {"color": "white", "width": 1}}
        marker["pattern"] = {"shape": pattern, "fgcolor": "white", "bgcolor": colour, "size": 6}
        traces.append(
            {
                "type": "bar", "orientation": "h", "name": words.get(state, state),
                "y": [name for name, *_ in found],
                "base": [_moment(work.began) for _, work, *_ in found],
                "x": [max(1.0, (work.ended - work.began) * 1000) for _, work, *_ in found],
                "width": [0.8 / count for *_, count in found],
                "offset": [-0.4 + 0.8 * place / count for *_, place, count in found],
                "marker": marker,
                "text": [f"{work.name}: {words.get(state, state)}, {span(work.ended - work.began)}"
                         for _, work, *_ in found],
                "textposition": "none", "hovertemplate": "%{text}<extra></extra>",
            }
        )  # fmt: skip
    return traces


def _in_slots(lane: Lane) -> list[tuple[Work, int, int]]:
    """Each attempt with the number of its slot, and how many slots the machine has."""
    slots = sorted({work.slot for work in lane.works})
    return [(work, slots.index(work.slot), len(slots)) for work in lane.works]


def _life_text(lane: Lane) -> str:
    taken = ", interrupted by EC2" if lane.taken_away else ""
    return f"{lane.zone or lane.instance_type}, {span(lane.seconds)}{taken}"


def _use(report: RunReport, names: Sequence[str]) -> Any:
    """How busy each machine was in each bin of time, light to dark."""
    width = report.timeline.ends[0] - report.began
    return {
        "type": "heatmap", "y": names,
        "x": [_moment(end - width / 2) for end in report.timeline.ends],
        "z": [lane.use for lane in report.lanes], "zmin": 0, "zmax": 1,
        "colorscale": [[0, "#dfe5ea"], [1, "#0b3d5c"]], "hoverongaps": False,
        "colorbar": {"title": {"text": "busy"}, "tickformat": ".0%", "thickness": 12},
        "hovertemplate": "%{y}<br>%{x}<br>%{z:.0%} busy<extra></extra>",
    }  # fmt: skip


def _columns(found: Histogram | None, what: str, unit: str, each: float) -> Figure | None:
    if found is None:
        return None
    edges = [edge / each for edge in found.edges]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    texts = [f"{low:,.1f} to {high:,.1f} {unit}" for low, high in pairwise(edges)]
    bars = {
        "type": "bar", "x": middles, "y": found.counts, "width": edges[1] - edges[0],
        "marker": {"color": _STYLES["done"][0], "line": {"color": "white", "width": 1}},
        "text": texts, "textposition": "none",
        "hovertemplate": "%{y:,} jobs: %{text}<extra></extra>",
    }  # fmt: skip
    return _figure(
        [bars],
        280,
        xaxis=_axis(f"{what}, {unit}"),
        yaxis=_count_axis(max(found.counts)),
        showlegend=False,
    )


def _unit(report: RunReport) -> tuple[str, float]:
    return time_unit(report.job_seconds.most if report.job_seconds else 0.0)


def _attempts(report: RunReport) -> Figure | None:
    found = sorted(report.attempts_of_jobs.items())
    if not found:
        return None
    bars = {
        "type": "bar", "x": [str(number) for number, _ in found], "y": [n for _, n in found],
        "text": [f"{count:,}" for _, count in found], "textposition": "outside",
        "cliponaxis": False, "marker": {"color": _STYLES["done"][0]},
        "hovertemplate": "%{y:,} jobs had %{x} attempts<extra></extra>",
    }  # fmt: skip
    return _figure(
        [bars],
        280,
        xaxis=_axis("attempts per job", type="category"),
        yaxis=_count_axis(max(n for _, n in found)),
        showlegend=False,
    )


def span(seconds: float) -> str:
    """A span of time in words: 12.3 s, 4 min 10 s, 3 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def _moment(seconds: float) -> str:
    """A time as plotly.js reads it, in UTC."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
