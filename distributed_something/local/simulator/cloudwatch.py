"""Simulated CloudWatch: moto's, with alarms that are evaluated and do what they say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from types import ModuleType
from typing import Any

from moto.cloudwatch import urls
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends

from . import rules

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
MOST_NAMES = 100
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
MOST_POINTS = 1000
_OLDEST, _NEWEST = 14 * 86400.0, 2 * 3600.0  # of a point, before and after now
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_ACTION = re.compile(r"arn:aws[a-z-]*:(automate|swf|sns|lambda|ssm|autoscaling):.+")
_TERMINATE = re.compile(
    r"arn:aws[a-z-]*:(automate:[a-z0-9-]+:ec2:terminate|swf:.*InstanceId\.Terminate/1\.0)"
)
_BREACHES = {
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
}
_COMBINE = {"Maximum": max, "Minimum": min, "Sum": sum}
Series = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, metric, dimensions


@dataclass(frozen=True)
class Point:
    """One measurement; times are seconds since 1970."""

    time: float
    value: float
    visible: float  # from when on alarms see it


class SimulatedCloudWatch(CloudWatchBackend):
    """moto's CloudWatch, whose alarms end machines."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.ended: list[tuple[float, str, str]] = []  # when an alarm ended which machine: its name
        self._points: dict[Series, list[Point]] = defaultdict(list)
        self._made: dict[str, float] = {}
        self._evaluated = 0.0  # the last minute at which alarms were
        self._lock = RLock()

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        now = rules.current().clock()
        if len(metric_data) > MOST_POINTS:
            raise ValidationError(f"The collection MetricData must not have over {MOST_POINTS}.")
        points = [(_series(namespace, datum), _time_of(datum, now), datum) for datum in metric_data]
        visible = now + rules.current().ingestion_seconds
        with self._lock:
            for series, moment, point in points:
                self._points[series].append(Point(moment, float(point.get("Value", 0)), visible))
        super().put_metric_data(namespace, metric_data)

    def put_metric_alarm(self, name: str, *args: Any, **kwargs: Any) -> Alarm:
        """A new alarm lacks data; one that is there keeps its state and is otherwise replaced."""
        for action in kwargs.get("alarm_actions") or []:
            if not _ACTION.fullmatch(action):
                raise InvalidParameterValue(f"Invalid arn syntax: {action}")
        with self._lock:
            earlier = self.alarms.get(name)
            alarm = super().put_metric_alarm(name, *args, **kwargs)
            if earlier is None:
                alarm.state_value = "INSUFFICIENT_DATA"
                self._made[name] = rules.current().clock()
            else:
                alarm.state_value = earlier.state_value
                alarm.history = earlier.history
            return alarm

    def delete_alarms(self, alarm_names: list[str]) -> None:
        if len(alarm_names) > MOST_NAMES:
            raise ValidationError(f"At most {MOST_NAMES} alarms can be deleted at a time.")
        with self._lock:
            super().delete_alarms(alarm_names)
            for name in alarm_names:
                self._made.pop(name, None)

    def evaluate(self) -> None:
        """Evaluate every alarm at each whole minute since the last time; the due ones act."""
        with self._lock:
            now = rules.current().clock()
            if not self.alarms:
                self._evaluated = now
                return
            minute = max(self._evaluated, min(self._made.values(), default=now)) // 60 * 60 + 60
            while minute <= now:
                for alarm in list(self.alarms.values()):
                    self._evaluate(alarm, minute)
                minute += 60
            self._evaluated = max(self._evaluated, minute - 60)

    def _evaluate(self, alarm: Alarm, minute: float) -> None:
        if alarm.rule is not None or not alarm.metric_name:
            return
        if minute < self._made.get(alarm.name, 0.0) + rules.current().first_evaluation_seconds:
            return
        state = _state(alarm, self._visible(alarm, minute), minute)
        if state == alarm.state_value:
            return
        alarm.update_state("Threshold Crossed", "{}", state)
        if state == "ALARM" and alarm.actions_enabled:
            for action in alarm.alarm_actions:
                self._act(alarm, action, minute)

    def _visible(self, alarm: Alarm, minute: float) -> list[Point]:
        dimensions = tuple(
            sorted((dimension.name or "", dimension.value or "") for dimension in alarm.dimensions)
        )
        series = self._points.get((alarm.namespace, alarm.metric_name, dimensions), [])
        return [point for point in series if point.visible <= minute]

    def _act(self, alarm: Alarm, action: str, minute: float) -> None:
        machines = [
            str(dimension.value) for dimension in alarm.dimensions if dimension.name == "InstanceId"
        ]
        if not _TERMINATE.fullmatch(action) or len(machines) != 1:
            return
        ec2 = ec2_backends[self.account_id][self.region_name]
        live = [instance.id for instance in ec2.all_instances() if instance.id == machines[0]]
        if live:
            ec2.terminate_instances(live)
            self.ended.append((minute, machines[0], alarm.name))


class SimulatedCloudWatchResponse(CloudWatchResponse):
    """The calls whose answers moto simplifies."""

    def describe_alarms(self) -> ActionResult:
        """A hundred alarms a page, as AWS gives them."""
        result = super().describe_alarms()
        alarms = result.result["MetricAlarms"]  # type: ignore[index]
        prefix = self._get_param("AlarmNamePrefix")
        chosen = [alarm for alarm in alarms if not prefix or alarm.name.startswith(prefix)]
        start = int(self._get_param("NextToken") or 0)
        size = int(self._get_param("MaxRecords") or MOST_NAMES)
        page: dict[str, Any] = {**result.result, "MetricAlarms": chosen[start : start + size]}  # type: ignore[dict-item]
        if start + size < len(chosen):
            page["NextToken"] = str(start + size)
        return ActionResult(page)


def evaluate_all() -> None:
    """Let the alarms of all accounts and regions do what is due."""
    for regions in list(cloudwatch_backends.values()):
        for backend in list(regions.values()):
            if isinstance(backend, SimulatedCloudWatch):
                backend.evaluate()


def _state(alarm: Alarm, points: Sequence[Point], minute: float) -> str:
    """What the points of an alarm's periods make of it, silence being what the alarm says it is.

    Enough points of the periods and a few before them decide; fewer are filled up with silence.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    period, count = alarm.period, alarm.evaluation_periods
    first = minute - period * (count + rules.current().lookback_periods)
    found: dict[int, list[float]] = defaultdict(list)
    for point in points:
        if first <= point.time < minute:
            found[int((minute - point.time - 1e-9) // period)].append(point.value)
    combine: Any = _COMBINE.get(alarm.statistic, max)
    breaches: Any = _BREACHES[alarm.comparison_operator]
    recent = [breaches(combine(found[age]), alarm.threshold) for age in sorted(found)][:count]
    missing = count - len(recent)
    if missing and alarm.treat_missing_data == "breaching":
        recent += [True] * missing
    elif missing and alarm.treat_missing_data == "notBreaching":
        recent += [False] * missing
    elif not recent:
        return "INSUFFICIENT_DATA"
    return "ALARM" if sum(recent) >= (alarm.datapoints_to_alarm or count) else "OK"


def _series(namespace: str, datum: Mapping[str, Any]) -> Series:
    dimensions = sorted(
        (dimension["Name"], dimension["Value"]) for dimension in datum.get("Dimensions") or []
    )
    return namespace, datum["MetricName"], tuple(dimensions)


def _time_of(datum: Mapping[str, Any], now: float) -> float:
    """A point's own time, or that of its receipt; raises what AWS does for one far from now."""
    given = datum.get("Timestamp")
    if given is None:
        return now
    moment = float(given.timestamp() if hasattr(given, "timestamp") else given)
    if not now - _OLDEST <= moment <= now + _NEWEST:
        raise InvalidParameterValue(
            "The parameter MetricData.member.1.Timestamp must specify a time within the past two "
            "weeks and the next two hours."
        )
    return moment


def install() -> None:
    """Put the simulated CloudWatch in the place of moto's, for backends made from now on."""
    cloudwatch_backends.backend = SimulatedCloudWatch
    urls.url_paths["{0}/$"] = SimulatedCloudWatchResponse.dispatch
