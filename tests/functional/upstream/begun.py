"""Begin a run with the requests that upstream's programs send, and let real workers do its jobs.

Nothing of the product sends these requests: they are what is in the account of somebody who began
a run with Distributed-Something or Distributed-CellProfiler and goes on with ours.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from distributed_something.aws.session import Aws
from distributed_something.local.machines.agent import Agent
from distributed_something.local.machines.runtimes import ProcessRuntime
from distributed_something.local.simulator import ACCOUNT, Simulator

DEAD_LETTERS = "user_DeadMessages"
QUIET = "ApproximateNumberOfMessagesVisibleisZero", "ApproximateNumberOfMessagesNotVisibleisZero"
_VARIABLES = (
    *("APP_NAME", "AWS_REGION", "AWS_BUCKET", "DOCKER_CORES", "LOG_GROUP_NAME", "ECS_CLUSTER"),
    *("CHECK_IF_DONE_BOOL", "EXPECTED_NUMBER_FILES", "MIN_FILE_SIZE_BYTES", "NECESSARY_STRING"),
    *("SECONDS_TO_START", "DOWNLOAD_FILES", "SOURCE_BUCKET", "DESTINATION_BUCKET"),
)
_BOOT = "#!/bin/bash\nyum install -y aws-cli\naws s3 cp s3://{bucket}/{key} /etc/ecs/ecs.config\n"
_WORKER_PACE = {"WORKER_POLL_SECONDS": "1", "WORKER_BACKOFF_SECONDS": "1", "SECONDS_TO_START": "0"}


@dataclass
class UpstreamRun:
    """An app of upstream's in an account; `config` is its config.py, `is_malformed` how its monitor
    file is written: with the last key outside of the object."""

    aws: Aws
    config: Mapping[str, Any]
    folder: Path
    is_malformed: bool = False
    fleet_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> str:
        return str(self.config["APP_NAME"])

    @property
    def bucket(self) -> str:
        return str(self.config["AWS_BUCKET"])

    @property
    def queue(self) -> str:
        return str(self.config["SQS_QUEUE_NAME"])

    @property
    def monitor_file(self) -> Path:
        return self.folder / "files" / f"{self.app}SpotFleetRequestId.json"

    @property
    def queue_url(self) -> str:
        return self.aws.sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]

    def set_up(self) -> None:
        """`setup`: dead-letter queue, queue, cluster, task definition, service."""
        sqs, ecs = self.aws.sqs, self.aws.ecs
        dead = sqs.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        redrive = {
            "deadLetterTargetArn": attributes["Attributes"]["QueueArn"],
            "maxReceiveCount": str(self.config.get("JOB_RETRIES", 10)),
        }
        sqs.create_queue(
            QueueName=self.queue,
            Attributes={
                "DelaySeconds": "0",
                "MaximumMessageSize": "262144",
                "MessageRetentionPeriod": "1209600",
                "ReceiveMessageWaitTimeSeconds": "0",
                "RedrivePolicy": json.dumps(redrive),
                "VisibilityTimeout": str(self.config["SQS_MESSAGE_VISIBILITY"]),
            },
        )
        cluster = str(self.config["ECS_CLUSTER"])
        if not ecs.describe_clusters(clusters=[cluster])["clusters"]:
            ecs.create_cluster(clusterName=cluster)
        ecs.register_task_definition(
            family=f"{self.app}Task", containerDefinitions=[self._container(dead)]
        )
        ecs.create_service(
            cluster=cluster,
            serviceName=f"{self.app}Service",
            taskDefinition=f"{self.app}Task",
            desiredCount=0,
        )

    def _container(self, dead: str) -> Any:
        """The container, with one variable more: our worker has to be told the dead letters' queue,
        as it is by the `setup` that put our image in the place of upstream's. It is not privileged,
        as upstream's is: the simulated machines run none that is."""
        given = {name: str(self.config[name]) for name in _VARIABLES if name in self.config}
        given |= {"SQS_QUEUE_URL": self.queue_url, "SQS_DEAD_LETTER_QUEUE_URL": dead}
        group = f"{self.config['LOG_GROUP_NAME']}_perInstance"
        options = {"awslogs-group": group, "awslogs-region": "us-east-1"}
        return {
            "name": self.app,
            "image": str(self.config["DOCKERHUB_TAG"]),
            "cpu": int(self.config.get("CPU_SHARES", 1024)),
            "memory": int(self.config["MEMORY"]),
            "essential": True,
            "environment": [{"name": name, "value": value} for name, value in given.items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {**options, "awslogs-stream-prefix": self.app},
            },
        }

    def submit(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """`submitJob`: a message for each job, without attributes."""
        for message in messages:
            self.aws.sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(message))

    def start(self, fleet_file: Path) -> None:
        """`startCluster`: the fleet, the monitor file, logs, containers, dashboard and alarms."""
        machines = int(self.config["CLUSTER_MACHINES"])
        agent = f"ecsconfigs/{self.app}_ecs.config"
        self._put(agent, f"ECS_CLUSTER={self.config['ECS_CLUSTER']}\n")
        request = self._fleet(json.loads(fleet_file.read_text()), machines, agent)
        bought = self.aws.ec2.request_spot_fleet(SpotFleetRequestConfig=request)
        self.fleet_id = bought["SpotFleetRequestId"]
        self._write_monitor_file()
        for name in (self.config["LOG_GROUP_NAME"], f"{self.config['LOG_GROUP_NAME']}_perInstance"):
            self.aws.logs.create_log_group(logGroupName=str(name))
            self.aws.logs.put_retention_policy(logGroupName=str(name), retentionInDays=60)
        self.aws.ecs.update_service(
            cluster=str(self.config["ECS_CLUSTER"]),
            service=f"{self.app}Service",
            desiredCount=machines * int(self.config["TASKS_PER_MACHINE"]),
        )
        if self.config.get("CREATE_DASHBOARD", "False").lower() == "true":
            self.aws.cloudwatch.put_dashboard(
                DashboardName=self.app, DashboardBody=json.dumps({"widgets": []})
            )
        if self.config.get("AUTO_MONITOR", "False").lower() == "true":
            self._put(f"monitors/{self.monitor_file.name}", self.monitor_file.read_text())
            self._watch_queue()

    def _fleet(self, request: dict[str, Any], machines: int, agent: str) -> Any:
        now = datetime.now(timezone.utc)
        boot = _BOOT.format(bucket=self.bucket, key=agent)
        mime = f"Content-Type: multipart/mixed\n\nContent-Type: text/x-shellscript\n\n{boot}"
        for place, kind in enumerate(self.config["MACHINE_TYPE"]):
            launch = request["LaunchSpecifications"][place]
            launch["InstanceType"] = kind
            launch["UserData"] = base64.b64encode(mime.encode()).decode()
            launch["BlockDeviceMappings"][1]["Ebs"]["VolumeSize"] = self.config["EBS_VOL_SIZE"]
            del launch["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]  # it is in AWS's account
        return {
            **request,
            "ValidFrom": now,
            "ValidUntil": now + timedelta(days=365),
            "TargetCapacity": machines,
            "SpotPrice": f"{float(self.config['MACHINE_PRICE']):.2f}",
        }

    def _write_monitor_file(self) -> None:
        values = {
            "MONITOR_FLEET_ID": self.fleet_id,
            "MONITOR_APP_NAME": self.app,
            "MONITOR_ECS_CLUSTER": self.config["ECS_CLUSTER"],
            "MONITOR_QUEUE_NAME": self.queue,
            "MONITOR_BUCKET_NAME": self.bucket,
            "MONITOR_LOG_GROUP_NAME": self.config["LOG_GROUP_NAME"],
            "MONITOR_START_TIME": str(int(time.time() * 1000)),
        }
        clean = str(self.config.get("CLEAN_DASHBOARD", "False"))
        if self.is_malformed:
            text = json.dumps(values) + f'\n"CLEAN_DASHBOARD" : "{clean}"' + "}"
        else:
            text = json.dumps({**values, "CLEAN_DASHBOARD": clean})
        self.monitor_file.parent.mkdir(parents=True, exist_ok=True)
        self.monitor_file.write_text(text)

    def _watch_queue(self) -> None:
        """The two alarms that call upstream's Lambda when the queue is empty."""
        for name in QUIET:
            self.aws.cloudwatch.put_metric_alarm(
                AlarmName=f"{name}_{self.app}",
                Namespace="AWS/SQS",
                MetricName=name.removesuffix("isZero"),
                Dimensions=[{"Name": "QueueName", "Value": self.queue}],
                Statistic="Average",
                Period=300,
                EvaluationPeriods=1,
                DatapointsToAlarm=1,
                Threshold=0.0,
                ComparisonOperator="LessThanOrEqualToThreshold",
                TreatMissingData="missing",
                AlarmActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:Monitor"],
            )

    def guard(self) -> None:
        """What each container does as it starts: the alarm and the name of its machine."""
        active = self.aws.ec2.describe_spot_fleet_instances(SpotFleetRequestId=self.fleet_id)
        for machine in active["ActiveInstances"]:
            self.aws.cloudwatch.put_metric_alarm(
                AlarmName=f"{self.app}_{machine['InstanceId']}",
                Namespace="AWS/EC2",
                MetricName="CPUUtilization",
                Dimensions=[{"Name": "InstanceId", "Value": machine["InstanceId"]}],
                Statistic="Maximum",
                Period=60,
                EvaluationPeriods=15,
                Threshold=1.0,
                ComparisonOperator="LessThanThreshold",
            )
            self.aws.ec2.create_tags(
                Resources=[machine["InstanceId"]],
                Tags=[{"Key": "Name", "Value": f"{self.app}Worker"}],
            )

    def containers_wanted(self) -> int:
        """How many containers the service keeps."""
        (service,) = self.aws.ecs.describe_services(
            cluster=str(self.config["ECS_CLUSTER"]), services=[f"{self.app}Service"]
        )["services"]
        return service["desiredCount"]

    def _put(self, key: str, text: str) -> None:
        self.aws.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())


@contextmanager
def workers(simulator: Simulator, folder: Path, **pace: str) -> Iterator[Agent]:
    """EC2 and ECS do what they do, and every task of a service is a worker of ours."""
    agent = Agent(
        simulator.aws(),
        ProcessRuntime(),
        environment={**simulator.worker_environment, **_WORKER_PACE, **pace},
        logs=folder / "worker_logs",
        most_tasks=4,
    )
    with agent:
        yield agent
