"""Play the ECS agents: run a real worker for every task of a machine, and report how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...command_lines import run_line
from ...definitions.task import find_excess
from ...errors import DistributedSomethingError
from .runtimes import Container, Runtime, Worker
from .spot_machines import Machine, Machines

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

_QUICK_SECONDS = 5.0  # a worker that fails sooner never got to work
_LOG_TAIL = 2000  # characters


@dataclass
class _Running:
    """A worker and the task it runs for; times are seconds of the agent's clock."""

    worker: Worker
    cluster: str
    machine: Machine
    log: Path
    started: float
    stopping: float | None = None  # when it was asked to end


class Tasks:
    """The tasks that have a worker here, by ARN."""

    def __init__(
        self,
        aws: Aws,
        machines: Machines,
        runtime: Runtime,
        *,
        environment: Mapping[str, str],
        logs: Path,
        secrets: Mapping[str, str] | None = None,
        stop_seconds: float = 20.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws = aws
        self._machines = machines
        self._runtime = runtime
        self._environment = environment  # what every worker here gets on top of its task's
        self._secrets = secrets or {}  # what stands for those that a definition refers to
        self._logs = logs
        self._stop_seconds = stop_seconds
        self._now = now
        self._running: dict[str, _Running] = {}
        self.quick_failures = 0  # in a row
        self.last_failure = ""  # what the last worker that failed printed last

    @property
    def count(self) -> int:
        return len(self._running)

    def update(self) -> None:
        """Start a worker for each new task, end those of stopped ones, report those that ended."""
        tasks = self._tasks_of_machines()
        for arn, running in list(self._running.items()):
            task = tasks.pop(arn, None)
            if task is None or task["desiredStatus"] == "STOPPED":
                self._end(running)
            code = running.worker.exit_code()
            if code is not None:
                self._report(arn, running, code)
                del self._running[arn]
        for arn, task in tasks.items():
            if task["desiredStatus"] == "RUNNING":
                self._start(arn, task)

    def _tasks_of_machines(self) -> dict[str, Any]:
        """The tasks that are to run on live machines, and those that have a worker still."""
        ecs = self._aws.ecs
        tasks: dict[str, Any] = {}
        for cluster in {machine.cluster for machine in self._machines.joined.values()}:
            arns = {arn for arn, running in self._running.items() if running.cluster == cluster}
            for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster):
                arns.update(page["taskArns"])
            chosen = sorted(arns)
            for start in range(0, len(chosen), 100):
                answer = ecs.describe_tasks(cluster=cluster, tasks=chosen[start : start + 100])
                tasks.update((task["taskArn"], task) for task in answer["tasks"])
        return {
            arn: task
            for arn, task in tasks.items()
            if self._machines.by_container_instance(task["containerInstanceArn"])
        }

    def _start(self, arn: str, task: Mapping[str, Any]) -> None:
        machine = self._machines.by_container_instance(task["containerInstanceArn"])
        assert machine is not None  # only tasks of live machines come here
        definition = self._aws.ecs.describe_task_definition(
            taskDefinition=task["taskDefinitionArn"]
        )
        _refuse_excess(definition["taskDefinition"])
        described = definition["taskDefinition"]["containerDefinitions"][0]
        linux = described.get("linuxParameters", {})
        name = f"{machine.instance_id}-{arn.rsplit('/', 1)[-1][:8]}"
        self._logs.mkdir(parents=True, exist_ok=True)
        container = Container(
            name=name,
            image=described["image"],
            environment=self._variables(described, machine),
            memory=described["memory"],
            log=self._logs / f"{name}.log",
            user=described.get("user", ""),
            devices=tuple(mapping["hostPath"] for mapping in linux.get("devices", ())),
            capabilities=tuple(linux.get("capabilities", {}).get("add", ())),
            shared_memory=linux.get("sharedMemorySize", 0),
            ulimits=tuple(
                (limit["name"], limit["softLimit"], limit["hardLimit"])
                for limit in described.get("ulimits", ())
            ),
        )
        worker = self._runtime.start(container)
        self._running[arn] = _Running(worker, machine.cluster, machine, container.log, self._now())

    def _variables(self, described: Mapping[str, Any], machine: Machine) -> dict[str, str]:
        given = {
            variable["name"]: variable["value"] for variable in described.get("environment", [])
        }
        named = [item["name"] for item in described.get("secrets", [])]
        if lacking := sorted(set(named) - set(self._secrets)):
            raise DistributedSomethingError(
                f"The task definition refers to {', '.join(lacking)}, for which this rehearsal has "
                "no value: give the variable of that name one, then start the rehearsal again."
            )
        return {
            **given,
            **{name: self._secrets[name] for name in named},
            "INSTANCE_ID": machine.instance_id,
            "INSTANCE_TYPE": machine.instance_type,
            "INSTANCE_ZONE": machine.zone,
            **self._environment,
            **machine.metadata.environment,
            "AWS_EC2_METADATA_DISABLED": "false",  # this machine's own is simulated, too
        }

    def _end(self, running: _Running) -> None:
        """TERM first, KILL when its time is up."""
        if running.stopping is None:
            running.stopping = self._now()
            running.worker.stop()
        elif self._now() - running.stopping >= self._stop_seconds:
            running.worker.kill()

    def _report(self, arn: str, running: _Running, code: int) -> None:
        self._note_failure(running, code)
        if running.machine.instance_id in self._machines.joined:
            self._aws.ecs.submit_task_state_change(
                cluster=running.cluster,
                task=arn,
                status="STOPPED",
                reason=f"Essential container in task exited with code {code}.",
            )

    def _note_failure(self, running: _Running, code: int) -> None:
        if code == 0 or running.stopping is not None:
            self.quick_failures = 0
            return
        lived = self._now() - running.started
        self.quick_failures = self.quick_failures + 1 if lived < _QUICK_SECONDS else 0
        self.last_failure = running.log.read_text(errors="replace")[-_LOG_TAIL:]
        logger.warning("A worker ended with exit code %d; its log is %s.", code, running.log)


def _refuse_excess(definition: Mapping[str, Any]) -> None:
    """Run nothing with more of this computer than the toolkit asks for."""
    excess = find_excess(definition)
    if excess:
        raise DistributedSomethingError(
            f"The task definition {definition['family']} asks for {', '.join(excess)}, which no "
            "task definition of this toolkit does, so a rehearsal does not run it. Register it "
            f"again with `{run_line('setup')}`."
        )
