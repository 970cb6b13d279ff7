"""What the workers' task definition and service are made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..protocol.environment import WorkerEnvironment
from ..protocol.values.secrets import SECRETS_VARIABLE
from .logs import container_log_group
from .tags import app_tags
from .user_data import APP_ATTRIBUTE

if TYPE_CHECKING:
    from ..inputs.settings import Settings

# Between SIGTERM and SIGKILL; a spot machine is gone two minutes after its notice, which the
# ECS agent sees some seconds late.
STOP_SECONDS = 100

# What mounting a bucket takes, without the container being privileged.
_FUSE: dict[str, Any] = {
    "devices": [{"hostPath": "/dev/fuse", "permissions": ["read", "write"]}],
    "capabilities": {"add": ["SYS_ADMIN"]},
}


# What else a definition can give a container of the computer that it runs on. Upstream's are
# privileged, which a rehearsal's containers never are.
_NEVER = ("mountPoints", "volumesFrom", "dockerSecurityOptions", "systemControls")


def task_family(app_name: str) -> str:
    return f"{app_name}Task"


def service_name(app_name: str) -> str:
    return f"{app_name}Service"


def worker_environment(settings: Settings, queue_url: str, dead_letter_url: str) -> dict[str, str]:
    """The variables of a worker: what it must be told, and the config file's extra constants."""
    told = WorkerEnvironment(
        app_name=settings.app_name,
        aws_region=settings.aws_region,
        sqs_queue_url=queue_url,
        sqs_dead_letter_queue_url=dead_letter_url,
        aws_bucket=settings.aws_bucket,
        log_group_name=settings.log_group_name,
        ecs_cluster=settings.ecs_cluster,
        docker_cores=settings.docker_cores,
        seconds_to_start=settings.seconds_to_start,
        sqs_message_visibility=settings.sqs_message_visibility,
        job_retries=settings.job_retries,
        max_failures=settings.max_failures,
        source_bucket=settings.source_bucket,
        workspace_bucket=settings.workspace_bucket,
        destination_bucket=settings.destination_bucket,
        upload_flags=settings.upload_flags,
        requester_pays=settings.pays_requests,
        check_if_done_bool=settings.check_if_done_bool,
        expected_number_files=settings.expected_number_files,
        min_file_size_bytes=settings.min_file_size_bytes,
        necessary_string=settings.necessary_string,
        download_files=settings.download_files,
        mount_driver=settings.mount_driver,
        install_script=settings.install_script,
    ).to_environment()
    # Which of its variables are secrets, so that a worker hides them in what it logs.
    named = {SECRETS_VARIABLE: ",".join(sorted(settings.secrets))} if settings.secrets else {}
    # Tools in the image read AWS_DEFAULT_REGION; boto3 does not read AWS_REGION.
    return {**settings.extra, **told, **named, "AWS_DEFAULT_REGION": settings.aws_region}


def task_definition(
    settings: Settings,
    queue_url: str,
    dead_letter_url: str,
    role: str = "",
    execution_role: str = "",
) -> dict[str, Any]:
    """The request that registers the workers' task definition.

    `role`, by name or ARN, is the one whose rights workers have; '': that of their machine. With
    `execution_role` ECS fetches the secrets that the config refers to, and no worker needs it.
    """
    environment = worker_environment(settings, queue_url, dead_letter_url)
    request: dict[str, Any] = {
        "family": task_family(settings.app_name),
        "networkMode": "bridge",
        "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [_container(settings, environment)],
        "tags": [{"key": k, "value": v} for k, v in app_tags(settings.app_name).items()],
    }
    if settings.task_role_arn or role:
        request["taskRoleArn"] = settings.task_role_arn or role
    if execution_role:
        request["executionRoleArn"] = execution_role
    return request


def service(settings: Settings, task_definition_arn: str) -> dict[str, Any]:
    """The request that makes or updates the workers' service, without its desired count."""
    ours = f"attribute:{APP_ATTRIBUTE} == {settings.app_name}"
    constraints = [{"type": "memberOf", "expression": ours}]
    if settings.tasks_per_machine == 1:
        constraints.append({"type": "distinctInstance"})
    return {
        "cluster": settings.ecs_cluster,
        "serviceName": service_name(settings.app_name),
        "taskDefinition": task_definition_arn,
        "launchType": "EC2",
        "schedulingStrategy": "REPLICA",
        # A machine has no room for the old container beside the new one.
        "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100},
        "placementConstraints": constraints,
        "placementStrategy": [{"type": "spread", "field": "instanceId"}],
        # Moving containers between zones would stop the jobs that they run.
        "availabilityZoneRebalancing": "DISABLED",
    }


def _container(settings: Settings, environment: dict[str, str]) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": settings.app_name,
        "image": settings.dockerhub_tag,
        "cpu": settings.cpu_shares,
        "memory": settings.memory,
        "essential": True,
        "privileged": False,
        "stopTimeout": STOP_SECONDS,
        # Process 1 of a container is deaf to a stop until it listens; an init is not.
        "linuxParameters": {"initProcessEnabled": True},
        "environment": [{"name": k, "value": v} for k, v in sorted(environment.items())],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": container_log_group(settings.log_group_name),
                "awslogs-region": settings.aws_region,
                "awslogs-stream-prefix": settings.app_name,
                # A slow log service must not hold up the tool.
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }
    if settings.shared_memory_mb:
        container["linuxParameters"]["sharedMemorySize"] = settings.shared_memory_mb
    if settings.ulimits:
        container["ulimits"] = [
            {"name": name, "softLimit": soft, "hardLimit": hard}
            for name, (soft, hard) in sorted(settings.ulimits.items())
        ]
    if settings.secrets:
        found = sorted(settings.secrets.items())
        container["secrets"] = [{"name": name, "valueFrom": arn} for name, arn in found]
    if settings.mounts:
        container["linuxParameters"] |= _FUSE
    if settings.mounts or settings.install_script:
        container["user"] = "root"  # jobs still run as the image's own user
    return container


def find_excess(definition: Mapping[str, Any]) -> list[str]:
    """What a registered task definition asks of its computer that this module's never do."""
    containers = definition.get("containerDefinitions", [])
    found = [name for name in ("volumes", "pidMode", "ipcMode") if definition.get(name)]
    found += [name for container in containers for name in _NEVER if container.get(name)]
    found += [
        f"user {container['user']}"
        for container in containers
        if container.get("user", "root") != "root"
    ]
    linux = [container.get("linuxParameters", {}) for container in containers]
    devices = [device for options in linux for device in options.get("devices", [])]
    added = [name for options in linux for name in options.get("capabilities", {}).get("add", [])]
    found += [f"device {place['hostPath']}" for place in devices if place not in _FUSE["devices"]]
    found += [
        f"capability {capability}"
        for capability in added
        if capability not in _FUSE["capabilities"]["add"]
    ]
    return sorted(set(found))
