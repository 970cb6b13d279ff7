"""What the rights of an account are limited to: regions, buckets, and names of apps and queues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

WRITTEN = "/runs/*/record.json"  # below each bucket that workers write to
_SECRETS = ("secretsmanager", "ssm")
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
    read_only: tuple[str, ...] = ()  # of the buckets, those that hold inputs alone
    secrets: tuple[str, ...] = ()  # ARNs of secrets and parameters that tools are given

    def merged(self, other: Scope) -> Scope:
        """The scope of both, so that setting up for one bucket takes no right from another."""
        written = {*self.written_buckets, *other.written_buckets}
        return replace(
            self,
            regions=_union(self.regions, other.regions),
            buckets=_union(self.buckets, other.buckets),
            apps=_apps(_union(self.apps, other.apps)),
            queues=_union(self.queues, other.queues),
            read_only=_union(
                name for name in (*self.read_only, *other.read_only) if name not in written
            ),
            secrets=_union(self.secrets, other.secrets),
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
        return list(_union(self.of_apps("{}Queue"), self._dead_letters, self.queues))

    @property
    def job_queue_names(self) -> list[str]:
        """Without the dead-letter queues, which stay; one of another name cannot be told apart."""
        return [name for name in self.queue_names if not fnmatchcase(name, DEAD_LETTERS)]

    @property
    def _dead_letters(self) -> Iterable[str]:
        """Upstream names them after a person, so that only named apps tell whose they are."""
        return (DEAD_LETTERS,) if "*" in self.apps else self.of_apps("{}_DeadMessages")

    def queues_beyond(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of these queue names that the patterns do not take in."""
        known = self.queue_names
        return _union(name for name in names if not any(fnmatchcase(name, p) for p in known))

    def objects(self, *patterns: str) -> list[str]:
        """Objects in all buckets."""
        return self._objects_in(self.buckets, patterns)

    def written_objects(self, *patterns: str) -> list[str]:
        """Objects in the buckets that hold more than inputs."""
        return self._objects_in(self.written_buckets, patterns)

    def _objects_in(self, buckets: Iterable[str], patterns: Iterable[str]) -> list[str]:
        start = f"arn:{self.partition}:s3:::"
        return [f"{start}{bucket}/{pattern}" for bucket in buckets for pattern in patterns]

    @property
    def written_buckets(self) -> tuple[str, ...]:
        return tuple(name for name in self.buckets if name not in self.read_only)

    @property
    def bucket_arns(self) -> list[str]:
        return [f"arn:{self.partition}:s3:::{bucket}" for bucket in self.buckets]


def scope_of(task: dict[str, Any]) -> Scope | None:
    """The scope that a task policy was made for; None for a document that is none of ours."""
    arns = [
        arn
        for statement in task.get("Statement", [])
        for arn in as_list(statement.get("Resource", []))
    ]
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
    written = {p[5].split("/")[0] for p in parts if p[2] == "s3" and p[5].endswith(WRITTEN)}
    return replace(
        scope,
        queues=_union(p[5] for p in queues if p[5] not in known),
        read_only=tuple(name for name in scope.buckets if name not in written),
    )


def secrets_of(execution: dict[str, Any]) -> tuple[str, ...]:
    """The secrets that an execution role's policy was made for."""
    arns = (arn for item in execution.get("Statement", []) for arn in as_list(item["Resource"]))
    return _union(arn for arn in arns if arn.count(":") >= 5 and arn.split(":")[2] in _SECRETS)


def secret_arns(references: Iterable[str]) -> tuple[str, ...]:
    """What is to be read for references, of which some name a part of a secret."""
    return _union(":".join(reference.split(":")[:7]) for reference in references)


def as_list(value: Any) -> list[Any]:
    """IAM lets a list of one item be written without its brackets."""
    return value if isinstance(value, list) else [value]


def _union(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _apps(apps: tuple[str, ...]) -> tuple[str, ...]:
    """`*` takes in all others."""
    return ("*",) if "*" in apps else apps
