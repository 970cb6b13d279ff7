"""Play the ECS scheduler: start and stop tasks until each service has as many as it wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...aws.session import Aws

_EQUALS = re.compile(r"^\s*attribute:(\S+)\s*==\s*(\S+)\s*$")


@dataclass
class Room:
    """What a machine has left, and what it is; memory in MiB, CPU in ECS's 1024ths."""

    arn: str
    active: bool
    cpu: int
    memory: int
    attributes: Mapping[str, str]
    tasks: int = 0  # of the service that is being placed

    def holds(self, need: Need, constraints: Sequence[Mapping[str, str]]) -> bool:
        """Whether one more task fits here under a service's placement constraints."""
        fits = self.active and self.cpu >= need.cpu and self.memory >= need.memory
        return fits and all(self._keeps(constraint) for constraint in constraints)

    def _keeps(self, constraint: Mapping[str, str]) -> bool:
        if constraint["type"] == "distinctInstance":
            return self.tasks == 0
        wanted = _EQUALS.match(constraint.get("expression", ""))
        return wanted is not None and self.attributes.get(wanted[1]) == wanted[2]


@dataclass(frozen=True)
class Need:
    """What a task takes of a machine."""

    cpu: int
    memory: int


@dataclass
class Scheduler:
    """Starts at most `most_tasks` tasks in all: this computer stands in for every machine."""

    aws: Aws
    most_tasks: int
    _needs: dict[str, Need] = field(default_factory=dict)

    def update(self, *, may_start: bool = True) -> None:
        """Bring every service of every cluster nearer to its desired count."""
        ecs = self.aws.ecs
        running = 0
        for cluster in _all(ecs, "list_clusters", "clusterArns"):
            services = list(_all(ecs, "list_services", "serviceArns", cluster=cluster))
            if not services:
                continue
            rooms = self._rooms(cluster)
            for batch in (services[i : i + 10] for i in range(0, len(services), 10)):
                answer = ecs.describe_services(cluster=cluster, services=batch)
                for service in answer["services"]:
                    left = self.most_tasks - running if may_start else 0
                    running += self._balance(cluster, service, rooms, left)

    def _balance(
        self, cluster: str, service: Mapping[str, Any], rooms: Mapping[str, Room], left: int
    ) -> int:
        """Stop what is too many or drains, start what is missing; how many tasks there are then."""
        tasks = self._tasks(cluster, service["serviceName"])
        kept = [task for task in tasks if _is_active(task, rooms)]
        kept.sort(key=lambda task: task["createdAt"].timestamp() if "createdAt" in task else 0.0)
        kept = kept[: service["desiredCount"]]
        for task in tasks:
            if task not in kept:
                self.aws.ecs.stop_task(
                    cluster=cluster, task=task["taskArn"], reason="Scaling activity."
                )
        for room in rooms.values():
            room.tasks = sum(task["containerInstanceArn"] == room.arn for task in tasks)
        missing = min(service["desiredCount"] - len(kept), left - len(kept))
        started = 0
        if service["status"] == "ACTIVE":
            while started < missing and self._start(cluster, service, rooms):
                started += 1
        return len(kept) + started

    def _start(self, cluster: str, service: Mapping[str, Any], rooms: Mapping[str, Room]) -> bool:
        """Start one task on the emptiest machine that can hold it; False if there is none."""
        need = self._need(service["taskDefinition"])
        constraints = service.get("placementConstraints", [])
        fitting = [room for room in rooms.values() if room.holds(need, constraints)]
        if not fitting:
            return False
        room = min(fitting, key=lambda room_left: (room_left.tasks, -room_left.memory))
        self.aws.ecs.start_task(
            cluster=cluster,
            taskDefinition=service["taskDefinition"],
            containerInstances=[room.arn],
            group=f"service:{service['serviceName']}",
            startedBy="ecs-svc/simulated",
        )
        room.tasks += 1
        room.cpu -= need.cpu
        room.memory -= need.memory
        return True

    def _tasks(self, cluster: str, service: str) -> list[Any]:
        ecs = self.aws.ecs
        arns = list(_all(ecs, "list_tasks", "taskArns", cluster=cluster, serviceName=service))
        return [
            task
            for start in range(0, len(arns), 100)
            for task in ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])[
                "tasks"
            ]
        ]

    def _rooms(self, cluster: str) -> dict[str, Room]:
        ecs = self.aws.ecs
        arns = list(_all(ecs, "list_container_instances", "containerInstanceArns", cluster=cluster))
        rooms = {}
        for start in range(0, len(arns), 100):
            answer = ecs.describe_container_instances(
                cluster=cluster, containerInstances=arns[start : start + 100]
            )
            for machine in answer["containerInstances"]:
                rooms[machine["containerInstanceArn"]] = _room(machine)
        return rooms

    def _need(self, task_definition: str) -> Need:
        if task_definition not in self._needs:
            answer = self.aws.ecs.describe_task_definition(taskDefinition=task_definition)
            containers = answer["taskDefinition"]["containerDefinitions"]
            self._needs[task_definition] = Need(
                cpu=sum(container.get("cpu", 0) for container in containers),
                memory=sum(container.get("memory", 0) for container in containers),
            )
        return self._needs[task_definition]


def _room(machine: Mapping[str, Any]) -> Room:
    left = {
        resource["name"]: resource.get("integerValue", 0)
        for resource in machine["remainingResources"]
    }
    return Room(
        arn=machine["containerInstanceArn"],
        active=machine["status"] == "ACTIVE",
        cpu=left["CPU"],
        memory=left["MEMORY"],
        attributes={
            attribute["name"]: attribute.get("value", "")
            for attribute in machine.get("attributes", [])
        },
    )


def _is_active(task: Mapping[str, Any], rooms: Mapping[str, Room]) -> bool:
    room = rooms.get(task["containerInstanceArn"])
    return room is not None and room.active


def _all(ecs: Any, operation: str, key: str, **request: Any) -> Iterator[str]:
    for page in ecs.get_paginator(operation).paginate(**request):
        yield from page[key]
