"""The policy documents of roles, people and buckets: each allows what is used, and no more.

Where an ARN cannot narrow an action, a tag of ours does; where AWS offers neither, it is `*`:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ..protocol.machine_alarm import NAMESPACE, UPSTREAMS_QUEUE_ALARMS
from .tags import APP_TAG

Document = dict[str, Any]
Statement = dict[str, Any]

# A policy of one's own in IAM has no more characters than this, spaces not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LARGEST = 6144
EXPORT_SID = "DistributedSomethingLogExport"
LEDGER_PREFIXES = ("runs/*", "monitors/*")
RECORDS = ("monitors/*", "runs/*/record.json")
DEAD_LETTERS = "*DeadMessages"  # upstream's name for it, whoever's it is


@dataclass(frozen=True)
class Scope:
    """What rights are limited to; app and queue names may hold `*`."""

    account: str
    regions: tuple[str, ...]
    buckets: tuple[str, ...]
    apps: tuple[str, ...] = ("*",)
    queues: tuple[str, ...] = ()  # names that do not follow from the apps'
    partition: str = "aws"  # aws-cn in China, aws-us-gov in GovCloud

    def merged(self, other: Scope) -> Scope:
        """The scope of both, so that setting up for one bucket takes no right from another."""
        return replace(
            self,
            regions=_union(self.regions, other.regions),
            buckets=_union(self.buckets, other.buckets),
            apps=_apps(_union(self.apps, other.apps)),
            queues=_union(self.queues, other.queues),
        )

    def arns(self, service: str, *resources: str) -> list[str]:
        """The ARNs of resources in every region."""
        return [
            f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"
            for region in self.regions
            for resource in resources
        ]

    def of_apps(self, *forms: str) -> list[str]:
        """Names, `{}` in each form standing for the app."""
        return [form.format(app) for app in self.apps for form in forms]

    @property
    def queue_names(self) -> list[str]:
        return list(_union(self.of_apps("{}Queue"), (DEAD_LETTERS,), self.queues))

    @property
    def job_queue_names(self) -> list[str]:
        """Without the dead-letter queues, which stay; one of another name cannot be told apart."""
        return [name for name in self.queue_names if name != DEAD_LETTERS]

    def queues_beyond(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these queue names that the patterns do not take in."""
        known = self.queue_names
        return _union(one for one in names if not any(fnmatchcase(one, p) for p in known))

    def objects(self, *patterns: str) -> list[str]:
        return [
            f"arn:{self.partition}:s3:::{bucket}/{one}"
            for bucket in self.buckets
            for one in patterns
        ]

    @property
    def bucket_arns(self) -> list[str]:
        return [f"arn:{self.partition}:s3:::{bucket}" for bucket in self.buckets]


def scope_of(task: Document) -> Scope | None:
    """The scope that a task policy was made for; None for a document that is none of ours."""
    arns = [arn for one in task.get("Statement", []) for arn in _list(one.get("Resource", []))]
    parts = [arn.split(":", 5) for arn in arns if arn.count(":") >= 5]
    queues = [part for part in parts if part[2] == "sqs"]
    if not queues:
        return None
    alarms = (part[5] for part in parts if part[2] == "cloudwatch")
    apps = _union(name.removeprefix("alarm:").removesuffix("_i-*") for name in alarms)
    scope = Scope(
        account=queues[0][4],
        partition=queues[0][1],
        regions=_union(part[3] for part in queues),
        buckets=_union(p[5] for p in parts if p[2] == "s3" and "/" not in p[5]),
        apps=apps,
    )
    known = set(scope.queue_names)
    return replace(scope, queues=_union(p[5] for p in queues if p[5] not in known))


def trust(service: str, scope: Scope | None = None) -> Document:
    """Who may take a role: a service of AWS, for this account alone where that can be said."""
    statement = _allow("", ["sts:AssumeRole"], None)
    statement["Principal"] = {"Service": service}
    if scope is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": scope.account}}
    return _document(statement)


def task_policy(scope: Scope) -> Document:
    """A worker's rights: jobs, objects, its own log lines, and to end its own kind of machine."""
    groups = scope.arns("logs", *scope.of_apps("log-group:{}:*"))
    return _document(
        _allow(
            "Objects",
            [
                "s3:GetObject",
                "s3:PutObject",
                "s3:PutObjectAcl",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
            ],
            scope.objects("*"),
        ),
        # What a run is made of is for who begins and removes it to say, and for no job.
        {
            **_allow("Records", ["s3:PutObject", "s3:DeleteObject"], scope.objects(*RECORDS)),
            "Effect": "Deny",
        },
        _allow("Listings", ["s3:ListBucket"], scope.bucket_arns),
        _allow(
            "Jobs",
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:SendMessage",
                "sqs:GetQueueAttributes",
            ],
            scope.arns("sqs", *scope.queue_names),
        ),
        _allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], groups),
        _allow(
            "Machines",
            ["ec2:DescribeSpotFleetRequests", "ec2:DescribeSpotFleetInstances"],
            "*",
        ),
        _ours("EndMachines", _ENDING, scope.arns("ec2", "spot-fleet-request/*", "instance/*")),
        _alarms(scope, "PutMetricAlarm", "TagResource"),
        _allow("AlarmStates", ["cloudwatch:DescribeAlarms"], "*"),
        _metrics(),
    )


def instance_policy(scope: Scope) -> Document:
    """What the ECS agent and the container engine of a machine need."""
    agent = ["RegisterContainerInstance", "DeregisterContainerInstance", "Poll"]
    agent += ["StartTelemetrySession", "SubmitTaskStateChange", "SubmitContainerStateChange"]
    agent += ["SubmitAttachmentStateChanges", "UpdateContainerInstancesState"]
    places = scope.arns("ecs", "cluster/*", "container-instance/*", "task/*")
    return _document(
        _allow("Agent", [f"ecs:{one}" for one in agent], places),
        _allow("AgentEndpoint", ["ecs:DiscoverPollEndpoint", "ecr:GetAuthorizationToken"], "*"),
        _allow("Images", [f"ecr:{one}" for one in _PULLING], "*"),
        _allow(
            "Logs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            scope.arns("logs", *scope.of_apps("log-group:{}_perInstance:*")),
        ),
    )


def fleet_policy(scope: Scope, instance_role: str) -> Document:
    """What a spot fleet needs to start machines, with our machines' role and no other."""
    return _document(
        _allow(
            "Machines",
            [
                "ec2:DescribeImages",
                "ec2:DescribeSubnets",
                "ec2:DescribeInstanceStatus",
                "ec2:RequestSpotInstances",
                "ec2:RunInstances",
                "ec2:CreateTags",
            ],
            "*",
        ),
        _ours("EndMachines", ["ec2:TerminateInstances"], scope.arns("ec2", "instance/*")),
        _pass_role(scope, instance_role, "ec2.amazonaws.com"),
    )


def lambda_policy(scope: Scope, own_log_group: str, schedule_group: str) -> Document:
    """What one look at a run and its removal need, on what carries our tags."""
    machines = ("spot-fleet-request/*", "instance/*", "launch-template/*")
    return _document(
        *_watching(scope, schedule_group),
        _ours("Remove", [*_ENDING, *_REMOVING], scope.arns("ec2", *machines)),
        _allow("Ledger", ["s3:GetObject", "s3:PutObject"], scope.objects(*LEDGER_PREFIXES)),
        _allow(
            "OwnLog",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            scope.arns("logs", f"log-group:{own_log_group}:*"),
        ),
    )


def schedule_policy(scope: Scope, function: str) -> Document:
    """A schedule calls our Lambda, and nothing else."""
    arns = scope.arns("lambda", f"function:{function}")
    return _document(_allow("Call", ["lambda:InvokeFunction"], arns))


def watching_policy(scope: Scope, schedule_group: str) -> Document:
    """What a person needs to look at runs, to watch them and to remove them.

    Upstream's fleets and machines carry no tag: the statement that takes them in takes in all.
    """
    groups = scope.arns("logs", *scope.of_apps("log-group:{}"), *scope.of_apps("log-group:{}:*"))
    return _document(
        *_watching(scope, schedule_group),
        _allow("UpstreamsFleets", [*_ENDING, _CANCELLING], "*"),
        _allow(
            "Messages",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            scope.arns("sqs", *scope.queue_names),
        ),
        _ours("RemoveTemplates", [_UNTEMPLATING], scope.arns("ec2", "launch-template/*")),
        _ours("Consoles", ["ec2:GetConsoleOutput"], scope.arns("ec2", "instance/*")),
        _allow("TaskStates", ["ecs:DescribeTasks"], scope.arns("ecs", "task/*")),
        _allow("Results", ["s3:GetObject"], scope.objects("*")),
        _allow("Ledger", ["s3:PutObject"], scope.objects(*LEDGER_PREFIXES)),
        _allow("Policies", ["s3:GetBucketPolicy"], scope.bucket_arns),
        _allow("Logs", [f"logs:{one}" for one in _LOG_READING], groups),
        _allow("LogLists", ["logs:DescribeLogGroups", "logs:DescribeExportTasks"], "*"),
    )


def running_policy(
    scope: Scope, passed: Mapping[str, str], function: str, schedule_group: str
) -> Document:
    """What a person needs besides to begin runs; `passed` are the roles that are handed on, each
    with the service that gets it."""
    return _document(
        _allow(
            "Objects",
            ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            scope.objects("*"),
        ),
        _allow(
            "Queues", [f"sqs:{one}" for one in _QUEUEING], scope.arns("sqs", *scope.queue_names)
        ),
        _allow("Containers", [f"ecs:{one}" for one in _CONTAINERS], "*"),
        # The labels of an image in a registry of one's own are read before it is used.
        _allow("Registry", [f"ecr:{one}" for one in ("GetAuthorizationToken", *_PULLING)], "*"),
        _allow("Buying", [f"ec2:{one}" for one in _BUYING], "*"),
        _allow(
            "Quota",
            ["servicequotas:GetServiceQuota"],
            "*",
        ),
        _allow(
            "Images",
            ["ssm:GetParameter"],
            [
                f"arn:{scope.partition}:ssm:{region}::parameter/aws/service/ecs/*"
                for region in scope.regions
            ],
        ),
        _allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"],
            scope.arns("logs", *scope.of_apps("log-group:{}", "log-group:{}:*")),
        ),
        _allow("Dashboard", ["cloudwatch:PutDashboard"], _dashboards(scope)),
        _allow("Topic", [f"sns:{one}" for one in _TELLING], _topics(scope)),
        # GetFunction shows tags, by which a Lambda is ours, only to who may list them.
        _allow(
            "Lambda",
            ["lambda:GetFunction", "lambda:ListTags"],
            scope.arns("lambda", f"function:{function}"),
        ),
        _allow(
            "Schedule",
            ["scheduler:CreateSchedule"],
            scope.arns("scheduler", f"schedule/{schedule_group}/*"),
        ),
        _allow(
            "Roles",
            [f"iam:{one}" for one in _ROLES],
            [
                f"arn:{scope.partition}:iam::{scope.account}:{kind}/{name}"
                for name in passed
                for kind in ("role", "instance-profile")
            ],
        ),
        # What the policies say that are attached to these roles, AWS's own among them.
        _allow(
            "RolePolicies",
            ["iam:GetPolicy", "iam:GetPolicyVersion"],
            [f"arn:{scope.partition}:iam::{owner}:policy/*" for owner in (scope.account, "aws")],
        ),
        *(_pass_role(scope, role, service) for role, service in passed.items()),
    )


def pushing_policy(scope: Scope) -> Document:
    """What a person needs to send images to registries of the account: `build --push`."""
    return _document(
        _allow("LogIn", ["ecr:GetAuthorizationToken"], "*"),
        _allow(
            "Push",
            [f"ecr:{one}" for one in (*_PULLING, *_PUSHING)],
            scope.arns("ecr", "repository/*"),
        ),
    )


def log_export_policy(scope: Scope, bucket: str) -> Document:
    """A bucket's policy that lets CloudWatch write exported logs to it, of this account alone.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/S3ExportTasks.html
    """
    principal = {"Service": [f"logs.{region}.amazonaws.com" for region in scope.regions]}
    condition = {
        "StringEquals": {"aws:SourceAccount": scope.account},
        "ArnLike": {"aws:SourceArn": scope.arns("logs", "log-group:*")},
    }
    arn = f"arn:{scope.partition}:s3:::{bucket}"
    look = _allow(f"{EXPORT_SID}Look", ["s3:GetBucketAcl"], arn)
    write = _allow(f"{EXPORT_SID}Write", ["s3:PutObject"], f"{arn}/exportedlogs/*")
    return _document(
        *({**one, "Principal": principal, "Condition": condition} for one in (look, write))
    )


def with_statements(policy: Document | None, added: Document) -> Document:
    """A bucket's policy with statements added, in the place of those with their names."""
    kept = without_statements(policy, added) or {**added, "Statement": []}
    return {**kept, "Statement": [*kept["Statement"], *added["Statement"]]}


def without_statements(policy: Document | None, removed: Document) -> Document | None:
    """A bucket's policy without the statements of these names; None if nothing is left."""
    names = {one["Sid"] for one in removed["Statement"]}
    kept = [
        one for one in _list((policy or {}).get("Statement", [])) if one.get("Sid") not in names
    ]
    return {**(policy or {}), "Statement": kept} if kept else None


def allows(policy: Document, action: str, resource: str) -> bool:
    """Whether a document allows an action on a resource, as far as names tell."""
    return any(
        one["Effect"] == "Allow"
        and any(fnmatchcase(action.lower(), p.lower()) for p in _list(one.get("Action", [])))
        and any(fnmatchcase(resource, p) for p in _list(one.get("Resource", [])))
        for one in _list(policy.get("Statement", []))
    )


def allows_below(policy: Document, action: str, start: str) -> bool:
    """Whether a document may allow an action on some resource whose ARN begins so."""
    return any(
        _may_begin(pattern, start) and allows(policy, action, pattern)
        for one in _list(policy.get("Statement", []))
        for pattern in _list(one.get("Resource", []))
    )


def _may_begin(pattern: str, start: str) -> bool:
    bare = pattern.split("*")[0].split("?")[0]
    return bare.startswith(start) or (bare != pattern and start.startswith(bare))


_PULLING = ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"]
_PUSHING = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"]
_ENDING = ["ec2:ModifySpotFleetRequest", "ec2:TerminateInstances"]
_CANCELLING, _UNTEMPLATING = "ec2:CancelSpotFleetRequests", "ec2:DeleteLaunchTemplate"
_REMOVING = [_CANCELLING, _UNTEMPLATING]
_QUEUEING = ["CreateQueue", "SetQueueAttributes", "TagQueue", "SendMessage"]
_QUEUEING += ["ChangeMessageVisibility"]
_CONTAINERS = ["CreateCluster", "RegisterTaskDefinition", "CreateService", "TagResource"]
_CONTAINERS += ["ListClusters", "DescribeTaskDefinition"]
_BUYING = ["RequestSpotFleet", "RunInstances", "CreateLaunchTemplate", "CreateTags"]
_BUYING += ["DescribeInstanceTypes", "DescribeImages", "DescribeSubnets"]
_BUYING += ["DescribeSecurityGroups", "DescribeKeyPairs", "DescribeRouteTables", "DescribeVpcs"]
_BUYING += ["DescribeInternetGateways", "DescribeNatGateways", "DescribeVpcEndpoints"]
_BUYING += ["DescribeVolumes", "DescribeLaunchTemplateVersions"]
_ROLES = ["GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies"]
_ROLES += ["GetInstanceProfile"]
_LOG_READING = ["FilterLogEvents", "GetLogEvents", "DescribeLogStreams", "CreateExportTask"]
_TELLING = ["CreateTopic", "TagResource", "Subscribe", "ListSubscriptionsByTopic"]
_LOOKING = ["DescribeSpotFleetRequests", "DescribeSpotFleetInstances", "DescribeInstances"]
_LOOKING += ["DescribeSpotFleetRequestHistory", "DescribeLaunchTemplates"]
_LOOKING += ["DescribeSpotPriceHistory"]


def _watching(scope: Scope, schedule_group: str) -> tuple[Statement, ...]:
    """What both a person and the Lambda need to look at a run, to end it and to remove it."""
    # ECS names no resource for its lists of services, task definitions and clusters.
    lists = ["ecs:ListServices", "ecs:ListTaskDefinitions", "ecs:DeregisterTaskDefinition"]
    lists += ["cloudwatch:DescribeAlarms", "cloudwatch:ListDashboards", "pricing:GetProducts"]
    services = scope.arns("ecs", *scope.of_apps("service/*/{}Service"))
    places = scope.arns("ecs", "cluster/*", "container-instance/*")
    return (
        _allow("Look", [*(f"ec2:{one}" for one in _LOOKING), *lists], "*"),
        _allow("Listings", ["s3:ListBucket"], scope.bucket_arns),
        _allow(
            "Queue",
            ["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags"],
            scope.arns("sqs", *scope.queue_names),
        ),
        # No tag is asked for: a queue that was there before the first run carries none.
        _allow("RemoveQueue", ["sqs:DeleteQueue"], scope.arns("sqs", *scope.job_queue_names)),
        _ours("RemoveCluster", ["ecs:DeleteCluster"], scope.arns("ecs", "cluster/*")),
        _allow(
            "Service",
            ["ecs:DescribeServices", "ecs:UpdateService", "ecs:DeleteService"],
            services,
        ),
        _allow(
            "Cluster",
            [
                "ecs:DescribeClusters",
                "ecs:ListContainerInstances",
                "ecs:DescribeContainerInstances",
                "ecs:UpdateContainerInstancesState",
                "ecs:DeregisterContainerInstance",
            ],
            places,
        ),
        _list_tasks(scope),
        _alarms(scope, "DeleteAlarms"),
        _allow("UpstreamsAlarms", ["cloudwatch:DeleteAlarms"], _queue_alarms(scope)),
        _allow("Notices", ["sns:Publish"], _topics(scope)),
        _allow("Dashboards", ["cloudwatch:DeleteDashboards"], _dashboards(scope)),
        _allow(
            "OwnSchedule",
            ["scheduler:DeleteSchedule"],
            scope.arns("scheduler", f"schedule/{schedule_group}/*"),
        ),
    )


def _list_tasks(scope: Scope) -> Statement:
    """A service's tasks: AWS narrows their list by cluster, not by ARN."""
    statement = _allow("Tasks", ["ecs:ListTasks"], "*")
    statement["Condition"] = {"ArnLike": {"ecs:cluster": scope.arns("ecs", "cluster/*")}}
    return statement


def _dashboards(scope: Scope) -> list[str]:
    return [
        f"arn:{scope.partition}:cloudwatch::{scope.account}:dashboard/{app}" for app in scope.apps
    ]


def _topics(scope: Scope) -> list[str]:
    """Topics that are told of runs: ours are named after the app."""
    return scope.arns("sns", *scope.of_apps("{}_notices"))


def _alarms(scope: Scope, *actions: str) -> Statement:
    """Our machines' alarms, which workers make, with a tag, and watchers delete."""
    names = scope.arns("cloudwatch", *scope.of_apps("alarm:{}_i-*"))
    return _allow("Alarms", [f"cloudwatch:{one}" for one in actions], names)


def _queue_alarms(scope: Scope) -> list[str]:
    """The alarms that upstream's `startCluster` puts on an app's queue."""
    names = (f"alarm:{one}_{{}}" for one in UPSTREAMS_QUEUE_ALARMS)
    return scope.arns("cloudwatch", *scope.of_apps(*names))


def _metrics() -> Statement:
    statement = _allow("Metrics", ["cloudwatch:PutMetricData"], "*")
    statement["Condition"] = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
    return statement


def _ours(name: str, actions: list[str], resources: list[str]) -> Statement:
    """A statement for what carries our tag, whichever app's."""
    statement = _allow(name, actions, resources)
    statement["Condition"] = {"Null": {f"aws:ResourceTag/{APP_TAG}": "false"}}
    return statement


def _pass_role(scope: Scope, role: str, service: str) -> Statement:
    name = "".join(part.capitalize() for part in service.split(".")[0].split("-"))
    statement = _allow(
        f"Pass{name}", ["iam:PassRole"], [f"arn:{scope.partition}:iam::{scope.account}:role/{role}"]
    )
    statement["Condition"] = {"StringEquals": {"iam:PassedToService": service}}
    return statement


def _allow(name: str, actions: list[str], resources: list[str] | str | None) -> Statement:
    statement: Statement = {"Sid": name} if name else {}
    statement |= {"Effect": "Allow", "Action": actions}
    return statement if resources is None else {**statement, "Resource": resources}


def _document(*statements: Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _list(value: Any) -> list[Any]:
    """IAM lets a list of one be written without its brackets."""
    return value if isinstance(value, list) else [value]


def _union(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for some in names for one in some))


def _apps(apps: tuple[str, ...]) -> tuple[str, ...]:
    """`*` takes in all others."""
    return ("*",) if "*" in apps else apps
