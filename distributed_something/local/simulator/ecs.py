"""Simulated ECS: moto's, with services that count and drain, on machines of their type's size."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ecs import urls
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.models import (
    Cluster,
    ContainerInstance,
    EC2ContainerServiceBackend,
    Service,
    Task,
    ecs_backends,
)
from moto.ecs.responses import EC2ContainerServiceResponse

from . import rules
from .delays.newness import Newness

# The agent and the operating system keep some of a machine's memory for themselves.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html
MEMORY_FOR_CONTAINERS = 0.96
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
MOST_MACHINES = 5000  # container instances of a cluster
MOST_TASKS = 5000  # of a service
# A machine with this attribute has an agent that runs its tasks and says when they have ended.
AGENT_ATTRIBUTE = "distributed-something.simulated-agent"


class SimulatedEcs(EC2ContainerServiceBackend):
    """moto's ECS with the rules that a teardown and a rerun meet on AWS."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.new = Newness()  # services
        self._drained: dict[str, float] = {}  # service arn: when its last task was seen to be gone

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def create_service(
        self, cluster_str: str, service_name: str, *args: Any, **kwargs: Any
    ) -> Service:
        cluster = self._get_cluster(cluster_str)
        existing = self.services.get(f"{cluster.name}:{service_name}")
        if existing is not None:
            self._settle(existing)
        if existing is not None and existing.status == "DRAINING":
            raise InvalidParameterException("Unable to Start a service that is still Draining.")
        if existing is not None and existing.status == "ACTIVE":
            raise InvalidParameterException("Creation of service was not idempotent.")
        service = super().create_service(cluster_str, service_name, *args, **kwargs)
        self.new.note(service.arn)
        self._settle(service)
        return service

    def update_service(self, service_properties: dict[str, Any]) -> Service:
        name = service_properties["service"].split("/")[-1]
        service = self._get_service(service_properties.get("cluster", "default"), name)
        self._settle(service)
        if self.new.hides(service.arn):
            raise ECSException("ServiceNotFoundException", "Service not found.")
        if service.status != "ACTIVE":
            raise ECSException("ServiceNotActiveException", "Service was not ACTIVE.")
        if (service_properties.get("desired_count") or 0) > MOST_TASKS:
            raise InvalidParameterException(f"A service has at most {MOST_TASKS} tasks.")
        service = super().update_service(service_properties)
        self._settle(service)
        return service

    def delete_service(self, cluster_name: str, service_name: str, force: bool) -> Service:
        service = self._get_service(cluster_name, service_name.split("/")[-1])
        self._settle(service)
        if service.status == "INACTIVE":
            raise ECSException("ServiceNotFoundException", "Service not found.")
        if service.desired_count and not force:
            raise InvalidParameterException(
                "The service cannot be stopped while it is scaled above 0."
            )
        service.desired_count = 0
        service.status = "DRAINING"
        self._settle(service)
        return service

    def list_services(
        self,
        cluster_str: str,
        scheduling_strategy: str | None = None,
        launch_type: str | None = None,
    ) -> list[str]:
        for service in self.services.values():
            self._settle(service)
        gone = {service.arn for service in self.services.values() if service.status == "INACTIVE"}
        arns = super().list_services(cluster_str, scheduling_strategy, launch_type)
        return [arn for arn in arns if arn not in gone]

    def describe_services(
        self, cluster_str: str, service_names_or_arns: list[str]
    ) -> tuple[list[Service], list[dict[str, str]]]:
        services, failures = super().describe_services(cluster_str, service_names_or_arns)
        for service in services:
            self._settle(service)
        unseen = [service for service in services if self.new.hides(service.arn)]
        failures += [{"arn": service.arn, "reason": "MISSING"} for service in unseen]
        return [service for service in services if service not in unseen], failures

    def register_container_instance(
        self, cluster_str: str, ec2_instance_id: str
    ) -> ContainerInstance:
        held = self.container_instances.get(self._get_cluster(cluster_str).name, {})
        if len(held) >= MOST_MACHINES:
            raise ECSException(
                "LimitExceededException", f"A cluster has at most {MOST_MACHINES} machines."
            )
        machine = super().register_container_instance(cluster_str, ec2_instance_id)
        kind = INSTANCE_TYPES.get(machine.attributes["ecs.instance-type"])
        if kind is not None:
            cpu = kind["VCpuInfo"]["DefaultVCpus"] * 1024
            memory = int(kind["MemoryInfo"]["SizeInMiB"] * MEMORY_FOR_CONTAINERS)
            for resource in (*machine.registered_resources, *machine.remaining_resources):
                if resource["name"] in ("CPU", "MEMORY"):
                    resource["integerValue"] = cpu if resource["name"] == "CPU" else memory
        return machine

    def deregister_container_instance(
        self, cluster_str: str, container_instance_str: str, force: bool
    ) -> ContainerInstance:
        machine = super().deregister_container_instance(cluster_str, container_instance_str, force)
        self.container_instances.pop("orphaned", None)
        cluster = self._get_cluster(cluster_str)
        cluster.registered_container_instances_count -= 1
        return machine

    def describe_container_instances(
        self, cluster_str: str, list_container_instance_ids: list[str]
    ) -> tuple[list[ContainerInstance], list[Any]]:
        self._forget_ended(cluster_str)
        return super().describe_container_instances(cluster_str, list_container_instance_ids)

    def list_container_instances(self, cluster_str: str, status: str | None = None) -> list[str]:
        self._forget_ended(cluster_str)
        return super().list_container_instances(cluster_str, status)

    def describe_tasks(self, cluster_str: str, tasks: list[str]) -> list[Task]:
        """The tasks by id; moto would compare each with each, and move them on as it looks."""
        cluster = self._get_cluster(cluster_str)
        wanted = {task.split("/")[-1] for task in tasks}
        return [task for task in self.tasks.get(cluster.name, {}).values() if task.id in wanted]

    def list_tasks(
        self,
        cluster_str: str | None = None,
        container_instance: str | None = None,
        family: str | None = None,
        started_by: str | None = None,
        service_name: str | None = None,
        desiredStatus: str | None = None,  # moto's name
    ) -> list[Task]:
        tasks = super().list_tasks(
            cluster_str, container_instance, family, started_by, None, desiredStatus or "RUNNING"
        )
        if cluster_str:  # moto takes those of every cluster whose name holds this one's
            ours = self._get_cluster(cluster_str).name
            tasks = [task for task in tasks if task.cluster_arn.rsplit("/", 1)[-1] == ours]
        if service_name is None:
            return tasks
        return [task for task in tasks if task.group == f"service:{service_name.split('/')[-1]}"]

    def stop_task(self, cluster_str: str, task_str: str, reason: str) -> Task:
        """Ask for a task's end; where an agent runs it, it has ended when the agent says so."""
        cluster = self._get_cluster(cluster_str)
        task = self._task(cluster_str, task_str)
        task.desired_status = "STOPPED"
        task.stopped_reason = task.stopped_reason or reason
        machine = self._machine_of(cluster, task)
        if machine is None or AGENT_ATTRIBUTE not in machine.attributes:
            self.end_task(cluster_str, task_str, reason)
        return task

    def end_task(self, cluster_str: str, task_str: str, reason: str) -> None:
        """Note that a task has ended, and give its machine back what it took, once."""
        cluster = self._get_cluster(cluster_str)
        task = self._task(cluster_str, task_str)
        if task.last_status == "STOPPED":
            return
        task.desired_status = task.last_status = "STOPPED"
        task.stopped_reason = task.stopped_reason or reason
        machine = self._machine_of(cluster, task)
        if machine is not None:
            self.update_container_instance_resources(
                machine, task.resource_requirements or {}, removing=True
            )

    def _task(self, cluster_str: str, task_str: str) -> Task:
        for task in self.describe_tasks(cluster_str, [task_str]):
            return task
        raise InvalidParameterException("The referenced task was not found.")

    def _machine_of(self, cluster: Cluster, task: Task) -> ContainerInstance | None:
        machines = self.container_instances.get(cluster.name, {})
        return machines.get((task.container_instance_arn or "").split("/")[-1])

    def list_clusters(self) -> list[str]:
        return [cluster.arn for cluster in self.clusters.values() if cluster.status == "ACTIVE"]

    def delete_cluster(self, cluster_str: str) -> Cluster:
        cluster = self._get_cluster(cluster_str)
        self._forget_ended(cluster.name)
        if self.list_services(cluster.name):
            raise ECSException(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if self.container_instances.get(cluster.name):
            raise ECSException(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            )
        if self.list_tasks(cluster.name):
            raise ECSException(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            )
        return super().delete_cluster(cluster_str)

    def create_cluster(self, cluster_name: str, *args: Any, **kwargs: Any) -> Cluster:
        """The cluster of that name; a deleted one's name makes a new one."""
        existing = self.clusters.get(cluster_name)
        if existing is not None and existing.status != "ACTIVE":
            del self.clusters[cluster_name]
        return super().create_cluster(cluster_name, *args, **kwargs)

    def _forget_ended(self, cluster_str: str) -> None:
        """Deregister the machines that were terminated, as their agents do, and end their tasks."""
        cluster = self._get_cluster(cluster_str)
        machines = self.container_instances.setdefault(cluster.name, {})
        for identity, machine in list(machines.items()):
            instance = ec2_backends[self.account_id][self.region_name].get_instance(
                machine.ec2_instance_id
            )
            # ECS does not hear of the end of a machine whose agent is cut off.
            if instance._state.name in ("pending", "running") or not machine.agent_connected:
                continue
            for task in list(self.tasks.get(cluster.name, {}).values()):
                if task.container_instance_arn == machine.container_instance_arn:
                    self.end_task(cluster.name, task.id, "Host EC2 instance terminated.")
            self.deregister_container_instance(cluster.name, identity, True)

    def _settle(self, service: Service) -> None:
        """Count a service's tasks, and end its draining when its time has come."""
        self._forget_ended(service.cluster_name)
        tasks = self.tasks.get(service.cluster_name, {}).values()
        running = sum(
            task.group == f"service:{service.name}" and task.last_status == "RUNNING"
            for task in tasks
        )
        service.running_count = running
        service.pending_count = max(0, service.desired_count - running)
        if running or service.status != "DRAINING":
            self._drained.pop(service.arn, None)
            return
        now = rules.current().clock()
        since = self._drained.setdefault(service.arn, now)
        if now - since >= rules.current().draining_seconds:
            service.status = "INACTIVE"


class SimulatedEcsResponse(EC2ContainerServiceResponse):
    """The calls whose parameters moto drops."""

    def create_service(self) -> ActionResult:
        result = super().create_service()
        self._keep_placement(self._get_param("serviceName"))
        return result

    def update_service(self) -> ActionResult:
        result = super().update_service()
        self._keep_placement(self._get_param("service"))
        return result

    def submit_task_state_change(self) -> ActionResult:
        """What a machine's agent says of a task; only its end matters here."""
        backend = self.ecs_backend
        assert isinstance(backend, SimulatedEcs)
        if self._get_param("status") == "STOPPED":
            cluster = self._get_param("cluster", "default")
            backend.end_task(cluster, self._get_param("task"), self._get_param("reason", ""))
        return ActionResult({"acknowledgment": "ACCEPT"})

    def _keep_placement(self, name: str) -> None:
        service = self.ecs_backend._get_service(
            self._get_param("cluster", "default"), name.split("/")[-1]
        )
        for key, attribute in (
            ("placementConstraints", "placement_constraints"),
            ("placementStrategy", "placement_strategy"),
        ):
            value = self._get_param(key)
            if value is not None:
                setattr(service, attribute, value)


def install() -> None:
    """Put the simulated ECS in the place of moto's, for backends made from now on."""
    ecs_backends.backend = SimulatedEcs
    urls.url_paths["{0}/$"] = SimulatedEcsResponse.dispatch
