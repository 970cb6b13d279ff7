"""The dashboard of a run: machines, memory, queue, jobs, failures and what it can cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .fleet import price_text
from .logs import container_log_group

if TYPE_CHECKING:
    from ..protocol.ledger.record import RunRecord

_PERIOD = 300  # seconds
_WIDTH, _HEIGHT = 6, 6  # of one widget; a row is 24 wide

# Logs Insights queries for the sentences that workers write at the end of an attempt.
_ENDINGS = (
    r"parse @message "
    r"/Job (?<job>.*): (?<ending>done|failed|hopeless|not started|interrupted|lost|broken)\./"
    " | filter ispresent(ending)"
    " | stats count(*) as attempts, count_distinct(job) as jobs by ending"
)
_FAILURES = (
    r"filter @message like /Job .*: (failed|hopeless)\.|is given up:/"
    " | fields @timestamp, @message | sort @timestamp desc | limit 50"
)
_ERRORS = (
    "filter @message like /(?i)error/"
    " | fields @timestamp, @message | sort @timestamp desc | limit 50"
)

Metric = list[Any]
Widget = dict[str, Any]


def dashboard(record: RunRecord, region: str, price_cap: float | None) -> dict[str, Any]:
    """The dashboard's body, on the names that the record has; `price_cap` in USD per hour."""
    dead_letters = record.dead_letter_queue_name
    rows: list[list[Widget]] = [
        [
            _graph("Machines", region, _machines(record)),
            _graph(
                "Memory in use (%)",
                region,
                [["AWS/ECS", "MemoryUtilization", "ClusterName", record.cluster]],
            ),
            *_queue_graphs(record.queue_name, region),
        ],
        [
            _query("Attempts and jobs by how they ended", region, record, _ENDINGS),
            {**_query("Failures", region, record, _FAILURES), "width": 12},
            _graph(
                "Jobs in the dead-letter queue",
                region,
                [_queue_metric("ApproximateNumberOfMessagesVisible", dead_letters, "given up")],
            ),
        ],
        [
            _graph(_cost_title(price_cap), region, _cost(record, price_cap)),
            {**_query("Errors", region, record, _ERRORS), "width": 18},
        ],
    ]
    return {"widgets": [widget for y, row in enumerate(rows) for widget in _placed(row, y)]}


def _queue_graphs(queue: str, region: str) -> list[Widget]:
    """How many jobs a queue holds, and how fast they come and go."""
    return [
        _graph(
            "Jobs waiting and running",
            region,
            [
                _queue_metric("ApproximateNumberOfMessagesVisible", queue, "waiting"),
                _queue_metric("ApproximateNumberOfMessagesNotVisible", queue, "running"),
            ],
            stacked=True,
        ),
        _graph(
            "Messages received and deleted",
            region,
            [
                _queue_metric("NumberOfMessagesReceived", queue, "received"),
                _queue_metric("NumberOfMessagesDeleted", queue, "deleted"),
            ],
            statistic="Sum",
        ),
    ]


def _placed(row: Sequence[Widget], y: int) -> list[Widget]:
    """The widgets of a row, side by side."""
    placed = []
    x = 0
    for widget in row:
        sized = {"width": _WIDTH, "height": _HEIGHT, "x": x, "y": y * _HEIGHT, **widget}
        placed.append(sized)
        x += sized["width"]
    return placed


def _graph(
    title: str,
    region: str,
    metrics: Sequence[Metric],
    *,
    statistic: str = "Average",
    stacked: bool = False,
) -> Widget:
    properties = {
        "title": title,
        "region": region,
        "metrics": list(metrics),
        "period": _PERIOD,
        "stat": statistic,
        "stacked": stacked,
        "view": "timeSeries",
    }
    return {"type": "metric", "properties": properties}


def _machines(record: RunRecord) -> list[Metric]:
    """What every fleet asks for and what it has."""
    return [
        ["AWS/EC2Spot", name, "FleetRequestId", fleet_id]
        for fleet_id in record.fleet_ids
        for name in ("FulfilledCapacity", "TargetCapacity")
    ]


def _queue_metric(name: str, queue: str, label: str) -> Metric:
    return ["AWS/SQS", name, "QueueName", queue, {"label": label}]


def _cost_title(price_cap: float | None) -> str:
    if price_cap is None:
        return "Machine-hours so far"
    return f"Dollars so far, at most (${price_text(price_cap)} a machine-hour)"


def _cost(record: RunRecord, price_cap: float | None) -> list[Metric]:
    """The machine-hours added up, times the most that one may cost."""
    hidden: list[Metric] = [
        [
            "AWS/EC2Spot",
            "FulfilledCapacity",
            "FleetRequestId",
            fleet_id,
            {"id": f"m{place}", "visible": False},
        ]
        for place, fleet_id in enumerate(record.fleet_ids)
    ]
    if not hidden:
        return []
    machines = "+".join(f"FILL(m{place}, 0)" for place in range(len(hidden)))
    total = f"RUNNING_SUM({machines})*{_PERIOD}/3600"
    expression = total if price_cap is None else f"{total}*{price_text(price_cap)}"
    return [*hidden, [{"expression": expression, "id": "total", "label": "so far"}]]


def _query(title: str, region: str, record: RunRecord, query: str) -> Widget:
    group = container_log_group(record.log_group_name)
    return {
        "type": "log",
        "properties": {
            "title": title,
            "region": region,
            "query": f"SOURCE '{group}' | {query}",
            "view": "table",
        },
    }
