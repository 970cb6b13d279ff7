"""What ECS says of containers that do not run, and what jobs fail of: cause and fix, by words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..command_lines import run_line


@dataclass(frozen=True)
class Trouble:
    """Why something does not go on; `cause` is a clause, `fix` what to do, an imperative clause."""

    kind: str
    cause: str
    fix: str

    @property
    def sentence(self) -> str:
        return f"{self.cause.rstrip('.')}: {self.fix.rstrip('.')}."


@dataclass(frozen=True)
class _Rule:
    """What words tell; `cause` empty repeats them, `{run}` in `fix` is the program."""

    words: re.Pattern[str]
    kind: str
    cause: str
    fix: str


def _rule(words: str, kind: str, cause: str, fix: str) -> _Rule:
    return _Rule(re.compile(words, re.IGNORECASE), kind, cause, fix)


_BUILD = "build it with `docker build --platform`, or use machines of its kind in MACHINE_TYPE"
# The first that fits counts, so that what says more stands first.
_CONTAINERS = (
    _rule(
        r"exec format error|no matching manifest for|not contain descriptor matching platform"
        r"|descriptor for platform|no match for platform|does not match the .{0,20}platform",
        "image for the wrong architecture",
        "the image DOCKERHUB_TAG is for another processor than the machines have",
        _BUILD,
    ),
    _rule(
        r"toomanyrequests|rate limit",
        "image not fetched",
        "Docker Hub gives these machines no more images for now",
        "wait, or put the image into a registry of your own (ECR) and name it in DOCKERHUB_TAG",
    ),
    _rule(
        r"no space left on device",
        "disk full",
        "the machines' disk is too small for the image",
        "raise EBS_VOL_SIZE, then run `{run}startCluster FLEET.json` again",
    ),
    _rule(
        r"manifest .{0,200}not found|manifest unknown|pull access denied"
        r"|repository .{0,200}not found|repository does not exist|image .{0,200}not found"
        r"|ImageNotFound|no such image",
        "image not found",
        "the image DOCKERHUB_TAG is not in its registry, or the machines may not pull it",
        "push it, or correct DOCKERHUB_TAG and run `{run}setup` again",
    ),
    _rule(
        r"CannotPull|i/o timeout|Client\.Timeout|connection refused|no such host",
        "image not fetched",
        "the machines cannot pull the image DOCKERHUB_TAG",
        "make sure their subnet has a way to the internet, or endpoints for ECR and S3",
    ),
    _rule(
        r"unable to assume the (service linked )?role",
        "wrong role",
        "ECS may not assume the role of the containers",
        "set TASK_ROLE_ARN to a role that trusts ecs-tasks.amazonaws.com, or leave it empty "
        "(`python setup_AWS.py` makes one), then run `{run}setup` again",
    ),
    _rule(
        r"OutOfMemory|OOM|exit code 137",
        "out of memory",
        "a container used more than its MEMORY and was killed",
        "raise MEMORY or lower DOCKER_CORES, then run `{run}setup` again",
    ),
    _rule(
        r"missing an attribute required by your task|has no .{0,40}constraint",
        "containers not placed",
        "no machine in the cluster is one of this app's",
        "wait for machines of `{run}startCluster FLEET.json`",
    ),
    _rule(
        r"insufficient (memory|CPU)",
        "container too big",
        "a container of MEMORY and CPU_SHARES does not fit on a machine",
        "lower MEMORY or CPU_SHARES and run `{run}setup` again, or choose a larger "
        "MACHINE_TYPE (`{run}check` says what fits)",
    ),
)
_JOBS = (
    _rule(
        r"AccessDenied|Access Denied|not authorized to perform|\b403\b|Forbidden",
        "bucket denied",
        "",
        "give the role of the workers (TASK_ROLE_ARN) the right to this bucket: "
        "`python setup_AWS.py --show` prints the policy",
    ),
    _rule(
        r"PermanentRedirect|AuthorizationHeaderMalformed|the region .{0,20} is wrong|\b301\b",
        "wrong region",
        "",
        "set AWS_REGION to the region of the bucket",
    ),
    _rule(
        r"NoSuchBucket",
        "bucket not found",
        "",
        "correct AWS_BUCKET, SOURCE_BUCKET or DESTINATION_BUCKET in config.py",
    ),
    _rule(
        r"The input .{0,1100} does not exist|nothing below the input|NoSuchKey",
        "inputs missing",
        "",
        "upload it, or correct `inputs` in the job file; then `{run}retry`",
    ),
    _rule(
        r"exit code 137|OutOfMemory|out of memory|MemoryError",
        "out of memory",
        "",
        "raise MEMORY, or lower DOCKER_CORES",
    ),
)


def container_trouble(words: str) -> Trouble | None:
    """What ECS's words on a stopped task or a service mean; None for words of no matter."""
    return _read(words, _CONTAINERS)


def job_trouble(reason: str) -> Trouble | None:
    """What it means that jobs fail for a reason; None where the tool itself has to tell."""
    return _read(reason, _JOBS)


def _read(words: str, rules: tuple[_Rule, ...]) -> Trouble | None:
    for rule in rules:
        if rule.words.search(words):
            fix = rule.fix.format(run=run_line(""))
            return Trouble(rule.kind, rule.cause or words.strip(), fix)
    return None
