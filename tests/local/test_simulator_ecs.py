"""The simulated ECS counts, drains and refuses as ECS does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from tests.clock import Clock

CLUSTER = "counting"
SERVICE = "CountingService"


@pytest.fixture
def service(aws: Aws) -> Aws:
    """A cluster with a service that wants nothing."""
    aws.ecs.create_cluster(clusterName=CLUSTER)
    aws.ecs.register_task_definition(
        family="CountingTask",
        containerDefinitions=[{"name": "Counting", "image": "i", "memory": 1000, "cpu": 512}],
    )
    create_service(aws)
    return aws


def create_service(aws: Aws) -> None:
    aws.ecs.create_service(
        cluster=CLUSTER,
        serviceName=SERVICE,
        taskDefinition="CountingTask",
        desiredCount=0,
        placementConstraints=[{"type": "distinctInstance"}],
    )


def join(aws: Aws, kind: Any = "m5.large") -> tuple[str, str]:
    """A machine that has joined the cluster: its instance id and its ARN there."""
    bought = aws.ec2.run_instances(
        ImageId="ami-12c6146b", InstanceType=kind, MinCount=1, MaxCount=1
    )
    instance_id = bought["Instances"][0]["InstanceId"]
    joined = aws.ecs.register_container_instance(
        cluster=CLUSTER, instanceIdentityDocument=json.dumps({"instanceId": instance_id})
    )
    return instance_id, joined["containerInstance"]["containerInstanceArn"]


def start(aws: Aws, machine: str) -> str:
    started = aws.ecs.start_task(
        cluster=CLUSTER,
        taskDefinition="CountingTask",
        containerInstances=[machine],
        group=f"service:{SERVICE}",
    )
    return started["tasks"][0]["taskArn"]


def describe(aws: Aws) -> Any:
    return aws.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


def test_a_service_counts_the_tasks_that_really_run(service: Aws) -> None:
    service.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=2)
    found = describe(service)
    assert (found["runningCount"], found["pendingCount"]) == (0, 2)
    start(service, join(service)[1])
    found = describe(service)
    assert (found["runningCount"], found["pendingCount"]) == (1, 1)


def test_a_service_keeps_the_placement_that_it_was_made_with(service: Aws) -> None:
    assert describe(service)["placementConstraints"] == [{"type": "distinctInstance"}]


def test_a_machine_has_the_size_of_its_type_less_what_its_tasks_take(service: Aws) -> None:
    _, machine = join(service, "m5.2xlarge")
    start(service, machine)
    found: Any = service.ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[machine]
    )["containerInstances"][0]
    left = {one["name"]: one["integerValue"] for one in found["remainingResources"]}
    assert left["CPU"] == 8 * 1024 - 512
    assert left["MEMORY"] == int(32 * 1024 * 0.96) - 1000
    assert found["runningTasksCount"] == 1


def test_a_deleted_service_drains_until_its_tasks_have_stopped_and_a_while_longer(
    service: Aws, clock: Clock
) -> None:
    task = start(service, join(service)[1])
    service.ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    assert describe(service)["status"] == "DRAINING"
    with pytest.raises(ClientError, match="Draining"):
        create_service(service)
    service.ecs.stop_task(cluster=CLUSTER, task=task)
    assert describe(service)["status"] == "DRAINING"
    clock.time += 10
    assert describe(service)["status"] == "INACTIVE"
    assert service.ecs.list_services(cluster=CLUSTER)["serviceArns"] == []
    create_service(service)
    assert describe(service)["status"] == "ACTIVE"


def test_a_service_that_is_wanted_is_deleted_only_by_force(service: Aws) -> None:
    service.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=1)
    with pytest.raises(service.ecs.exceptions.InvalidParameterException):
        service.ecs.delete_service(cluster=CLUSTER, service=SERVICE)


def test_a_deleted_service_cannot_be_scaled(service: Aws) -> None:
    service.ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    with pytest.raises(service.ecs.exceptions.ServiceNotActiveException):
        service.ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=1)


def test_a_cluster_is_deleted_only_when_it_holds_nothing(service: Aws, clock: Clock) -> None:
    instance_id, _ = join(service)
    with pytest.raises(service.ecs.exceptions.ClusterContainsServicesException):
        service.ecs.delete_cluster(cluster=CLUSTER)
    service.ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    clock.time += 10
    with pytest.raises(service.ecs.exceptions.ClusterContainsContainerInstancesException):
        service.ecs.delete_cluster(cluster=CLUSTER)
    service.ec2.terminate_instances(InstanceIds=[instance_id])
    service.ecs.delete_cluster(cluster=CLUSTER)
    assert service.ecs.list_clusters()["clusterArns"] == []


def test_a_terminated_machine_leaves_the_cluster_and_takes_its_tasks_along(service: Aws) -> None:
    instance_id, machine = join(service)
    start(service, machine)
    service.ec2.terminate_instances(InstanceIds=[instance_id])
    listed = service.ecs.list_container_instances(cluster=CLUSTER)
    assert listed["containerInstanceArns"] == []
    assert describe(service)["runningCount"] == 0
    assert service.ecs.list_tasks(cluster=CLUSTER)["taskArns"] == []


def test_stopping_a_task_twice_gives_its_room_back_once(service: Aws) -> None:
    _, machine = join(service)
    task = start(service, machine)
    for _ in range(2):
        service.ecs.stop_task(cluster=CLUSTER, task=task)
    found: Any = service.ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[machine]
    )["containerInstances"][0]
    assert found["remainingResources"] == found["registeredResources"]
    assert found["runningTasksCount"] == 0
