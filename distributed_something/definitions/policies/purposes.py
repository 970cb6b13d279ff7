"""What each statement of the printed policies is for, by its Sid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PURPOSES: Mapping[str, str] = {
    "Agent": "a machine joins its cluster and runs the tasks that ECS gives it",
    "AgentEndpoint": "a machine finds ECS, and logs in to ECR",
    "AlarmStates": "a worker arms its machine's alarm when CloudWatch has found it OK",
    "Alarms": "workers make their machine's alarm; monitor, cancel and the Lambda delete it",
    "Buying": "startCluster reads types, images and the network, and buys the fleet",
    "Call": "a run's schedule calls the Lambda",
    "Cluster": "monitor and the Lambda see machines join, drain those without work",
    "Consoles": "status shows a machine's console where it does not join",
    "Containers": "setup finds clusters and task definitions, for which AWS takes no resource",
    "Dashboard": "startCluster draws the dashboard, with CREATE_DASHBOARD",
    "Dashboards": "teardown deletes the run's dashboard",
    "DistributedSomethingLogExportLook": "CloudWatch reads a bucket's policy before an export",
    "DistributedSomethingLogExportWrite": "CloudWatch writes exported logs to the bucket",
    "EndMachines": "a fleet ends its machines; a worker ends its own and lowers its fleet",
    "Fleets": "monitor and cancel give back and end fleets and machines that carry our tag",
    "ImageLogIn": "ECS logs in to ECR for containers that are given secrets",
    "Images": "a machine pulls the workers' image from ECR",
    "Inputs": "workers read inputs and the ledger",
    "Jobs": "workers take jobs, renew their leases, and write dead-letter messages",
    "Lambda": "startCluster finds the Lambda by its tags, with AUTO_MONITOR",
    "Ledger": "monitor, the Lambda and retry write what they know of a run beside its ledger",
    "Listings": "ledger, inputs and results are listed",
    "LogIn": "build --push logs in to ECR",
    "LogLists": "logs finds log groups; monitor waits for the export of logs",
    "Logs": "lines are written to, or read from, the log groups of the apps",
    "Look": "monitor, status and the Lambda see fleets, machines, alarms and prices",
    "Machines": "a fleet starts machines; a worker finds the fleet that would replace it",
    "MakeCluster": "setup makes the cluster",
    "MakeService": "setup makes the service",
    "MakeTask": "setup registers the task definition",
    "Messages": "cancel lists the jobs in an upstream queue; retry takes dead-letter messages out",
    "Metrics": "a worker reports each minute that its machine works",
    "Notices": "monitor and the Lambda report a run's end to the topic, with NOTIFY_...",
    "Objects": "workers write results; submitJob and retry write job lists",
    "OwnLog": "the Lambda's own log",
    "OwnObjects": "workers delete what they noted of their own app's runs",
    "OwnSchedule": "teardown deletes the run's schedule",
    "Parameters": "ECS gives containers the SSM parameters that a config refers to",
    "PassEc2": "a fleet hands the machines' role to its machines, and no other role",
    "PassEcsTasks": "setup hands the workers' role to ECS",
    "PassScheduler": "startCluster hands the schedule's role to the scheduler",
    "PassSpotfleet": "startCluster hands the fleet's role to the spot fleet",
    "Policies": "check and startCluster see whether a bucket's own policy lets workers in",
    "Push": "build --push pushes an image to ECR",
    "Queue": "every verb finds the queues and counts jobs",
    "Queues": "setup creates the queues; submitJob queues jobs",
    "Quota": "check and startCluster compare the machines with the account's quota",
    "Records": "no worker may write what a run is made of: who begins and removes the run says it",
    "Registry": "setup reads the labels of an image in ECR, to see that it holds a worker",
    "Remove": "the Lambda gives machines back and removes a run that is over",
    "RemoveCluster": "teardown deletes the cluster, if it is ours and empty",
    "RemoveQueue": "teardown deletes the job queue",
    "RemoveTemplates": "teardown deletes the run's launch templates",
    "Results": "download, report and status read results and the ledger",
    "RolePolicies": "check and startCluster read what the workers' role may do",
    "Roles": "check and startCluster see whether roles and instance profile are there",
    "Schedule": "startCluster makes the run's schedule, with AUTO_MONITOR",
    "Secrets": "ECS gives containers the secrets that a config refers to",
    "Service": "monitor and the Lambda scale the service, and delete it",
    "TagContainers": "setup tags what it makes, while it is made",
    "TagMachines": "a fleet tags the machines that it starts",
    "TagPurchase": "startCluster tags fleet and launch templates, while they are made",
    "TaskStates": "status sees why containers ended",
    "Tasks": "monitor and status see which containers run",
    "Topic": "setup makes the topic of NOTIFY_EMAIL and subscribes to it",
    "UpstreamsAlarms": "monitor and cancel delete the alarms that upstream puts on a queue",
    "UpstreamsFleets": "monitor and cancel end the untagged fleets of upstream's programs",
}
_TRUST = "the service that may take the role"


def statement_purposes(
    documents: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, str, str]]:
    """Document, Sid and purpose of every statement, in their order."""
    for name, document in documents.items():
        for statement in document["Statement"]:
            sid = str(statement.get("Sid", ""))
            yield name, sid, PURPOSES[sid] if sid else _TRUST
