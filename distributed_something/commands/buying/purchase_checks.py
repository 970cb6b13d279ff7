"""Refuse a purchase that could not work, as far as the account can be looked at beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws import storage
from ...aws.account import rights
from ...aws.compute import images, network
from ...aws.faults import error_code
from ...aws.messaging import queues
from ...command_lines import run_line
from ...definitions.fleet import gets_public_ip
from ...definitions.policies.allowed import allows, allows_below
from ...errors import UsageError
from ...protocol.buckets import Buckets
from .limits import cluster_limits, quota_limits

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile, Specification
    from ...inputs.settings import Settings
    from .fleet_plan import FleetPlan

# What a machine that reaches no address outside must reach by endpoints of its network.
_NEEDED_ENDPOINTS = ("ecs", "ecs-agent", "ecs-telemetry", "logs", "s3", "sqs")
_FORBIDDEN = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure")
_FLEET_SERVICE = "spotfleet.amazonaws.com"
_SETUP = "`python setup_AWS.py` makes one"


@dataclass(frozen=True)
class Wish:
    """What somebody wishes to buy; `plan` is None where it cannot be made."""

    settings: Settings
    fleet_file: FleetFile
    plan: FleetPlan | None


def check_purchase(aws: Aws, wish: Wish) -> tuple[str, ...]:
    """Look at what the purchase leans on; returns what could not be looked at, in sentences.

    Raises UsageError with every reason why its machines could not start or could not work.
    """
    problems: list[str] = []
    notes: list[str] = []
    for what, check in (*CHECKS, *_LIMITS):
        try:
            problems += check(aws, wish)
        except ClientError as error:
            if error_code(error) not in _FORBIDDEN:
                raise
            notes.append(f"These credentials may not read {what}; it was not checked.")
    if problems:
        unique = list(dict.fromkeys(problems))
        count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
        head = f"Nothing was bought: {wish.fleet_file.source} has {count} in this account:"
        raise UsageError("\n  ".join([head, *unique]))
    return tuple(notes)


def _key_pairs(aws: Aws, wish: Wish) -> Iterator[str]:
    for spec in wish.fleet_file.specifications:
        name = spec.template.get("KeyName")
        if name and not images.has_key_pair(aws.ec2, str(name)):
            yield (
                f"{spec.name}.KeyName {name}: there is no key pair of this name in {aws.region}. "
                "Correct it (without .pem), or delete the line: SSH is not needed."
            )


def _network(aws: Aws, wish: Wish) -> Iterator[str]:
    for spec in wish.fleet_file.specifications:
        subnets = (
            network.find_subnets(aws.ec2, spec.all_subnets)
            if spec.all_subnets
            else network.default_subnets(aws.ec2)
        )
        yield from _missing_subnets(aws, spec, subnets)
        yield from _groups(aws, spec, subnets)
        yield from _no_way_out(aws, wish.settings, spec, subnets)
    yield from _zones(aws, wish)


def _zones(aws: Aws, wish: Wish) -> Iterator[str]:
    """EC2 takes one subnet of each zone in a request, over all its specifications.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-fleet-configuration-strategies.html
    """
    named = [subnet_id for spec in wish.fleet_file.specifications for subnet_id in spec.all_subnets]
    first: dict[str, str] = {}
    for subnet in network.find_subnets(aws.ec2, list(dict.fromkeys(named))):
        other = first.setdefault(subnet.zone, subnet.subnet_id)
        if other != subnet.subnet_id:
            yield (
                f"The subnets {other} and {subnet.subnet_id} are both in the zone {subnet.zone}, "
                "and a fleet takes one subnet of a zone: delete one of them from the fleet file."
            )


def _missing_subnets(aws: Aws, spec: Specification, subnets: list[network.Subnet]) -> Iterator[str]:
    if not spec.all_subnets and not subnets:
        yield (
            f"{spec.name} names no SubnetId, and the account has no default network in "
            f"{aws.region}: name a subnet."
        )
    for subnet_id in sorted(set(spec.all_subnets) - {subnet.subnet_id for subnet in subnets}):
        yield (
            f"{spec.name}.SubnetId {subnet_id}: there is no such subnet in {aws.region}. Correct "
            "it, or delete it to use the default network."
        )


def _groups(aws: Aws, spec: Specification, subnets: list[network.Subnet]) -> Iterator[str]:
    found = network.vpcs_of_groups(aws.ec2, spec.security_groups)
    for group in spec.security_groups:
        if group not in found:
            yield (
                f"{spec.name}: there is no security group {group} in {aws.region}. Correct its id."
            )
            continue
        for subnet in subnets:
            if subnet.vpc_id != found[group]:
                yield (
                    f"{spec.name}: the security group {group} is of the network {found[group]}, "
                    f"the subnet {subnet.subnet_id} of {subnet.vpc_id}. Name a group of the "
                    "subnet's own network."
                )


def _no_way_out(
    aws: Aws, settings: Settings, spec: Specification, subnets: list[network.Subnet]
) -> Iterator[str]:
    leads_to = network.ways_out(aws.ec2, subnets)
    for subnet in subnets:
        target = leads_to[subnet.subnet_id]
        if target.startswith("igw-"):
            if not gets_public_ip(settings, spec, subnet.gives_public_ip):
                yield (
                    f"{spec.name}: machines in the subnet {subnet.subnet_id} get no public address "
                    "and would have no way out through its internet gateway. "
                    f"Set {_address_lines(settings, spec)}, or name a subnet whose route leads to "
                    "a NAT gateway."
                )
        elif not target:
            there = network.endpoint_services(aws.ec2, subnet.vpc_id)
            missing = [name for name in _NEEDED_ENDPOINTS if name not in there]
            if missing:
                yield (
                    f"{spec.name}: machines in the subnet {subnet.subnet_id} have no way out: its "
                    "route table leads to no internet gateway and no NAT gateway, and its network "
                    f"has no endpoints for {', '.join(missing)}. Name another subnet, or add one "
                    "of these."
                )


def _address_lines(settings: Settings, spec: Specification) -> str:
    """What has to be said for machines to get a public address, where it is not said."""
    lines = [] if settings.assign_ip else ["ASSIGN_IP = 'True' in the config file"]
    if spec.refuses_public_ip:
        lines.append('"AssociatePublicIpAddress": true in the fleet file')
    return " and ".join(lines)


def _fleet_role(aws: Aws, wish: Wish) -> Iterator[str]:
    arn = str(wish.fleet_file.request["IamFleetRole"])
    what = f"IamFleetRole {arn.rsplit('/', 1)[-1]}"
    if "/aws-service-role/" in arn:
        yield (
            f"{what} is a role of AWS's own, which a fleet file may not name: name the role "
            f"aws-ec2-spot-fleet-tagging-role ({_SETUP})."
        )
        return
    trusted = rights.who_may_assume(aws.iam, arn.rsplit("/", 1)[-1])
    if trusted is None:
        yield (
            f"{what}: there is no such role in this account. Name the role "
            f"aws-ec2-spot-fleet-tagging-role ({_SETUP})."
        )
    elif _FLEET_SERVICE not in trusted:
        yield (
            f"{what} is of another kind: it does not trust {_FLEET_SERVICE}. Name the role "
            f"aws-ec2-spot-fleet-tagging-role ({_SETUP})."
        )


def _profiles(aws: Aws, wish: Wish) -> Iterator[str]:
    for spec in wish.fleet_file.specifications:
        name = _profile_name(spec)
        if not name:
            continue
        roles = rights.roles_of_profile(aws.iam, name)
        if roles is None:
            yield (
                f"{spec.name}.IamInstanceProfile {name}: there is no such instance profile in this "
                f"account; a role of that name is not enough ({_SETUP})."
            )
        elif not roles:
            yield f"{spec.name}.IamInstanceProfile {name} has no role: add one ({_SETUP})."
        else:
            yield from _passing(aws, wish, spec, roles[0])


def _passing(aws: Aws, wish: Wish, spec: Specification, role: str) -> Iterator[str]:
    """EC2 takes a fleet whose role may not hand on its machines' role, and then starts none."""
    fleet_role = str(wish.fleet_file.request["IamFleetRole"])
    documents = rights.policies_of(aws.iam, fleet_role.rsplit("/", 1)[-1])
    if documents is None or not _is_plain(documents):
        return
    arn = f"{fleet_role.rsplit(':', 1)[0]}:role/{role}"
    if not any(allows(document, "iam:PassRole", arn) for document in documents):
        yield (
            f"IamFleetRole {fleet_role.rsplit('/', 1)[-1]} may not hand the role {role} of "
            f"{spec.name}.IamInstanceProfile to machines, so none would start: name the instance "
            "profile ecsInstanceRole, or allow it iam:PassRole on that role."
        )


def _worker_rights(aws: Aws, wish: Wish) -> Iterator[str]:
    """Can the workers reach their queue and bucket? What only AWS can tell is taken as a yes."""
    settings = wish.settings
    role = rights.role_of_task(aws.ecs, f"{settings.app_name}Task")
    constant = "TASK_ROLE_ARN"
    if not role:
        names = [_profile_name(spec) for spec in wish.fleet_file.specifications]
        role = next(iter(rights.roles_of_profile(aws.iam, names[0]) or [""])) if names[0] else ""
        constant = "IamInstanceProfile"
    documents = rights.policies_of(aws.iam, role) if role else None
    if documents is None or not _is_plain(documents):
        return
    partition_of = f"arn:{aws.session.get_partition_for_region(aws.region)}"
    queue = queues.queue_arn(aws.sqs, queues.find_queue(aws.sqs, settings.sqs_queue_name))
    bucket = f"{partition_of}:s3:::{settings.aws_bucket}/runs/x"
    needs = [("sqs:ReceiveMessage", queue, f"the queue {settings.sqs_queue_name}")]
    if not storage.has_policy(aws.s3, settings.aws_bucket):  # it might allow what no role does
        needs.append(("s3:PutObject", bucket, f"the bucket {settings.aws_bucket}"))
    needs += _object_rights(aws, settings, partition_of)
    for action, resource, what in needs:
        can = allows_below if resource.endswith("/") else allows
        if not any(can(document, action, resource) for document in documents):
            yield (
                f"The workers would have the role {role} ({constant}), which may not {action} on "
                f"{what}: run `python setup_AWS.py` and then `{run_line('setup')}`, or give it "
                "that right."
            )


def _object_rights(aws: Aws, settings: Settings, partition: str) -> Iterator[tuple[str, str, str]]:
    """What workers do with objects of the other buckets: action, start of the ARN, words."""
    buckets = Buckets.of(settings)
    done: set[tuple[str, str]] = {("s3:PutObject", buckets.log)}
    for action, bucket in (
        ("s3:GetObject", buckets.source),
        ("s3:GetObject", buckets.workspace),
        ("s3:PutObject", buckets.destination),
    ):
        if (action, bucket) not in done and not _may_have_policy(aws, bucket):
            yield action, f"{partition}:s3:::{bucket}/", f"objects of the bucket {bucket}"
        done.add((action, bucket))


def _may_have_policy(aws: Aws, bucket: str) -> bool:
    """Whether the bucket may give rights that no role does; another's keeps that to itself."""
    try:
        return storage.has_policy(aws.s3, bucket)
    except ClientError as error:
        if error_code(error) in ("AccessDenied", "MethodNotAllowed", "NoSuchBucket"):
            return True
        raise


def _marketplace_terms(aws: Aws, wish: Wish) -> Iterator[str]:
    for launch in wish.plan.launches if wish.plan else ():
        if launch.image.image_id != launch.specification.image_id:
            continue  # Amazon's own
        refusal = images.refused_terms(aws.ec2, launch.image.image_id, launch.machine_types[0])
        if refusal:
            yield (
                f"{launch.specification.name}.ImageId {launch.image.image_id} is an AWS "
                f"Marketplace image, and this account has not accepted its terms: {refusal}"
            )


def _is_plain(documents: list[dict[str, object]]) -> bool:
    """Whether the documents say all by the names of actions and resources."""
    text = repr(documents)
    return not any(word in text for word in ("'NotAction'", "'NotResource'", "'Deny'"))


def _profile_name(spec: Specification) -> str:
    profile = spec.template.get("IamInstanceProfile") or {}
    return str(profile.get("Name") or profile.get("Arn", "")).rsplit("/", 1)[-1]


OF_PLAN = "the terms of its images"  # the look that needs the plan
# What of a purchase is looked at, in words, and the look.
CHECKS: tuple[tuple[str, Callable[[Aws, Wish], Iterator[str]]], ...] = (
    ("its key pairs", _key_pairs),
    ("its network", _network),
    ("its fleet role", _fleet_role),
    ("its instance profiles", _profiles),
    ("the rights of its workers", _worker_rights),
    (OF_PLAN, _marketplace_terms),
)
# What else startCluster refuses; `check` looks at quotas in its own words.
_LIMITS: tuple[tuple[str, Callable[[Aws, Wish], Iterator[str]]], ...] = (
    ("the size of its cluster", cluster_limits),
    ("the quota of its machines", quota_limits),
)
