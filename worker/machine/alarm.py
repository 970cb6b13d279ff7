"""This machine's alarm: made unarmed, and armed once CloudWatch has seen the machine live."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from distributed_something.protocol.machine_alarm import (
    NAMESPACE,
    alarm_name,
    busy_slots,
    machine_alarm,
)

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

logger = logging.getLogger(__name__)


class MachineAlarm:
    """One machine's alarm and the metric that keeps it quiet.

    `arm` is to be called every minute: AWS makes only a few alarms a second, so that a machine of
    a thousand that start together has to try more than once.
    """

    def __init__(
        self, cloudwatch: CloudWatchClient, app_name: str, instance_id: str, region: str
    ) -> None:
        self._cloudwatch = cloudwatch
        self._app_name = app_name
        self._instance_id = instance_id
        self._region = region
        self.is_armed = False

    def report(self, busy: int) -> None:
        """Say how many slots of the machine are busy."""
        data: Any = [busy_slots(self._instance_id, busy)]
        self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)

    def arm(self) -> None:
        """Take the next step to an armed alarm: make it, or arm it if it is OK."""
        if self.is_armed:
            return
        found = self._find()
        if found is None:
            self.report(1)  # the machine has begun to work: its first quarter of an hour is free
            self._put(armed=False)
        elif found["ActionsEnabled"]:
            self.is_armed = True  # by a container of this machine that was here before
        elif found["StateValue"] == "OK":
            self._put(armed=True)
            self.is_armed = True
            logger.info("The alarm of %s is armed.", self._instance_id)

    def _find(self) -> Any:
        name = alarm_name(self._app_name, self._instance_id)
        found = self._cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])
        return next(iter(found["MetricAlarms"]), None)

    def _put(self, *, armed: bool) -> None:
        partition = self._cloudwatch.meta.partition
        request = machine_alarm(
            self._app_name, self._instance_id, self._region, armed=armed, partition=partition
        )
        self._cloudwatch.put_metric_alarm(**request)
