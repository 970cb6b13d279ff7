"""Play the machines of spot fleets: they join their clusters, and the spot market takes some."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..simulator.ecs import AGENT_ATTRIBUTE
from .metadata import FakeMetadata

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

_CONFIG_LINE = re.compile(r"^\s*(ECS_[A-Z_]+)=(.*)$", re.MULTILINE)


@dataclass
class Machine:
    """One EC2 instance that has joined a cluster; times are seconds of the agent's clock."""

    instance_id: str
    instance_type: str
    zone: str
    cluster: str
    container_instance: str  # its ARN
    metadata: FakeMetadata  # what the machine's own metadata service says
    notice_at: float | None = None  # when its spot notice comes
    drained_first: bool = False  # ECS sees that notice before the machine's workers can
    noticed: float | None = None  # when it came
    is_draining: bool = False


@dataclass
class Interruptions:
    """Which machines are taken away: each that joins may be, with `probability`, once in its life.

    The notice comes `earliest` to `latest` seconds after it joined, and the machine is gone
    `notice_seconds` later, or as soon as it drains and its containers have stopped. The notice is
    in the machine's metadata, where its workers look, and ECS drains the machine `drain_seconds`
    later; for one machine in two, ECS is the first to know. A machine that its fleet buys instead
    is drawn for anew; after `limit` interruptions there are no more, so that every run ends.
    """

    probability: float = 0.0
    limit: int = 20
    earliest: float = 1.0
    latest: float = 8.0
    notice_seconds: float = 20.0
    drain_seconds: float = 3.0
    chance: random.Random = field(default_factory=random.Random)
    count: int = 0

    def draw(self, now: float) -> float | None:
        """When a machine that joins now gets its notice, if ever."""
        if self.count >= self.limit or self.chance.random() >= self.probability:
            return None
        self.count += 1
        return now + self.chance.uniform(self.earliest, self.latest)


class Machines:
    """The machines there are, by instance id."""

    def __init__(
        self,
        aws: Aws,
        interruptions: Interruptions,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws = aws
        self._interruptions = interruptions
        self._services = ExitStack()  # the machines' metadata
        self._now = now
        self.joined: dict[str, Machine] = {}
        self.seen: dict[str, str] = {}  # every machine there ever was: id and type
        self.interrupted = 0

    def update(self) -> None:
        """Let new machines join, forget those that are gone, interrupt those whose time it is."""
        for _ in self._aws.ec2.get_paginator("describe_spot_fleet_requests").paginate():
            pass  # a fleet looks after its machines when it is looked at
        running = self._running()
        for instance_id in set(self.joined) - set(running):
            del self.joined[instance_id]
        for instance_id, (kind, zone) in running.items():
            if instance_id not in self.joined:
                self._join(instance_id, kind, zone)
        for machine in list(self.joined.values()):
            self._interrupt(machine)

    def close(self) -> None:
        """End the metadata services of all machines there ever were."""
        self._services.close()

    def by_container_instance(self, arn: str) -> Machine | None:
        return next((m for m in self.joined.values() if m.container_instance == arn), None)

    def _running(self) -> dict[str, tuple[str, str]]:
        pages = self._aws.ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
        )
        return {
            instance["InstanceId"]: (
                instance["InstanceType"],
                instance["Placement"]["AvailabilityZone"],
            )
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }

    def _join(self, instance_id: str, kind: str, zone: str) -> None:
        """Do what the ECS agent of a machine does as it boots, by the settings in its user data."""
        self.seen[instance_id] = kind
        config = read_ecs_config(self._user_data(instance_id))
        cluster = config.get("ECS_CLUSTER", "default")
        if not self._is_cluster(cluster):
            return
        ecs = self._aws.ecs
        identity = json.dumps({"instanceId": instance_id})
        joined = ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=identity)
        arn = joined["containerInstance"]["containerInstanceArn"]
        attributes = {AGENT_ATTRIBUTE: "true", **_attributes(config)}
        ecs.put_attributes(
            cluster=cluster,
            attributes=[
                {"name": name, "value": value, "targetId": arn}
                for name, value in attributes.items()
            ],
        )
        self.joined[instance_id] = Machine(
            instance_id,
            kind,
            zone,
            cluster,
            arn,
            self._services.enter_context(FakeMetadata(instance_id, kind, zone)),
            notice_at=self._interruptions.draw(self._now()),
            drained_first=self._interruptions.chance.random() < 0.5,
        )

    def _user_data(self, instance_id: str) -> str:
        answer = self._aws.ec2.describe_instance_attribute(
            InstanceId=instance_id, Attribute="userData"
        )
        return base64.b64decode(answer.get("UserData", {}).get("Value", "")).decode()

    def _is_cluster(self, name: str) -> bool:
        found = self._aws.ecs.describe_clusters(clusters=[name])["clusters"]
        return any(cluster["status"] == "ACTIVE" for cluster in found)

    def _interrupt(self, machine: Machine) -> None:
        """A notice comes, ECS drains the machine as it is told to; then it is gone."""
        now = self._now()
        if machine.noticed is None:
            if machine.notice_at is not None and now >= machine.notice_at:
                self._give_notice(machine, now)
            return
        age = now - machine.noticed
        if not machine.is_draining and age >= self._interruptions.drain_seconds:
            self._drain(machine)
        is_empty = machine.is_draining and self._is_empty(machine)
        if is_empty or age >= self._interruptions.notice_seconds:
            self._aws.ec2.terminate_instances(InstanceIds=[machine.instance_id])
            del self.joined[machine.instance_id]

    def _give_notice(self, machine: Machine, now: float) -> None:
        logger.info("The spot market interrupts %s.", machine.instance_id)
        machine.noticed = now
        self.interrupted += 1
        if machine.drained_first:
            self._drain(machine)
        else:
            machine.metadata.give_notice(self._interruptions.notice_seconds)

    def _drain(self, machine: Machine) -> None:
        machine.is_draining = True
        self._aws.ecs.update_container_instances_state(
            cluster=machine.cluster,
            containerInstances=[machine.container_instance],
            status="DRAINING",
        )

    def _is_empty(self, machine: Machine) -> bool:
        found = self._aws.ecs.describe_container_instances(
            cluster=machine.cluster, containerInstances=[machine.container_instance]
        )["containerInstances"]
        return not any(member["runningTasksCount"] for member in found)


def read_ecs_config(user_data: str) -> dict[str, str]:
    """The ECS agent's settings that a machine's user data writes, by name."""
    return {name: value.strip().strip("'\"") for name, value in _CONFIG_LINE.findall(user_data)}


def _attributes(config: dict[str, str]) -> dict[str, str]:
    given = json.loads(config.get("ECS_INSTANCE_ATTRIBUTES", "{}"))
    return {str(name): str(value) for name, value in given.items()}
