"""Simulated spot fleets: what they hold, lose and buy again, and what their history says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.ec2.exceptions import EC2ClientError

from . import rules


@dataclass(frozen=True)
class Pool:
    """One place that a fleet buys from: the data of a launch template or specification."""

    data: Mapping[str, Any]

    @property
    def instance_type(self) -> str:
        return str(self.data.get("InstanceType", ""))

    @property
    def subnets(self) -> tuple[str, ...]:
        """The subnets that it names; '' for the default network's."""
        interface = (self.data.get("NetworkInterfaces") or [{}])[0]
        named = str(self.data.get("SubnetId") or interface.get("SubnetId") or "")
        return tuple(word.strip() for word in named.split(","))

    @property
    def weight(self) -> float:
        return float(self.data.get("WeightedCapacity", 1))


@dataclass
class FleetInstance:
    """One machine that a fleet bought."""

    instance_id: str
    pool: Pool
    request_id: str = field(default_factory=lambda: f"sir-{uuid4().hex[:8]}")
    ended: float | None = None  # when the fleet saw that it is gone


@dataclass(frozen=True)
class Machines:
    """What a fleet does to machines, and asks of them."""

    launch: Callable[[Pool, str], str]  # pool, fleet id -> instance id
    terminate: Callable[[Iterable[str]], None]
    is_live: Callable[[str], bool]


class Fleet:
    """A spot fleet request."""

    def __init__(
        self, config: dict[str, Any], pools: list[Pool], machines: Machines, refused: set[str]
    ) -> None:
        self.id = f"sfr-{uuid4()}"
        self.config = config
        self.state = "active"
        self.created = rules.current().clock()
        self.target = float(config["TargetCapacity"])
        self._shown_target = self.target  # what is described while a change is under way
        self._modified = float("-inf")
        self.history: list[dict[str, Any]] = []
        self._pools = pools
        self._machines = machines
        self._refused = refused  # instance types that AWS has none of just now
        self._bought: list[FleetInstance] = []
        self._next_pool = 0
        self._note("fleetRequestChange", "submitted")
        self._note("fleetRequestChange", "active")
        self.refresh()

    @property
    def live(self) -> list[FleetInstance]:
        return [machine for machine in self._bought if machine.ended is None]

    @property
    def fulfilled(self) -> float:
        return sum(machine.pool.weight for machine in self.live)

    def refresh(self) -> None:
        """Notice machines that have gone, expire, and buy what is missing."""
        now = rules.current().clock()
        for machine in self.live:
            if not self._machines.is_live(machine.instance_id):
                machine.ended = now
                self._note("instanceChange", "terminated", machine.instance_id)
        if self.state == "active" and self._has_expired(now):
            self.cancel(bool(self.config.get("TerminateInstancesWithExpiration", True)))
        if self.state.startswith("cancelled") and not self.live:
            self.state = "cancelled"
        if self.state == "active":
            self._fill(now)

    @property
    def is_modifying(self) -> bool:
        """Whether a change is under way: jenkinsci/ec2-fleet-plugin#159 met it."""
        age = rules.current().clock() - self._modified
        return self.state == "active" and age < rules.current().modifying_seconds

    def modify(self, target: float, policy: str) -> None:
        """Change the target; 'default' gives back what is over it, 'noTermination' keeps it.

        Only a fleet that maintains its capacity can be changed (jenkinsci/ec2-fleet-plugin#131).
        """
        if self.config.get("Type", "maintain") != "maintain" or self.state != "active":
            raise EC2ClientError(
                "FleetNotInModifiableState",
                "Fleet Request is not in a modifiable state: only active fleets of type maintain "
                "can be modified.",
            )
        if not self.is_modifying:
            self._shown_target = self.target
        self.target = target
        self._modified = rules.current().clock()
        self._note("fleetRequestChange", "modify_succeeded")
        if policy.lower() == "default":
            spare = self.live
            while spare and self.fulfilled - spare[-1].pool.weight >= self.target:
                self._end([spare.pop()])
        self.refresh()

    def cancel(self, terminate: bool) -> None:
        self.state = "cancelled_terminating" if terminate else "cancelled_running"
        self._note("fleetRequestChange", "cancelled")
        if terminate:
            self._end(self.live)

    def describe(self) -> dict[str, Any]:
        """The fleet as DescribeSpotFleetRequests tells of it."""
        config = {**self.config, "FulfilledCapacity": self.fulfilled}
        config["TargetCapacity"] = int(self._shown_target if self.is_modifying else self.target)
        config.setdefault("AllocationStrategy", "lowestPrice")
        config.setdefault("Type", "maintain")
        tags = [
            tag
            for spec in self.config.get("TagSpecifications", [])
            if spec.get("ResourceType") == "spot-fleet-request"
            for tag in spec.get("Tags", [])
        ]
        return {
            "SpotFleetRequestId": self.id,
            "SpotFleetRequestState": "modifying" if self.is_modifying else self.state,
            "ActivityStatus": self._activity(),
            "CreateTime": self.created,
            "SpotFleetRequestConfig": config,
            "Tags": tags,
        }

    def describe_instances(self) -> list[dict[str, Any]]:
        return [
            {
                "InstanceId": machine.instance_id,
                "InstanceType": machine.pool.instance_type,
                "SpotInstanceRequestId": machine.request_id,
                "InstanceHealth": "healthy",
            }
            for machine in self.live
        ]

    def _activity(self) -> str:
        if self.state != "active":
            return "pending_termination" if self.live else ""
        return "fulfilled" if self.fulfilled >= self.target else "pending_fulfillment"

    def _fill(self, now: float) -> None:
        """Buy up to the target; only `maintain` replaces what was lost, after the refill time."""
        if self.config.get("Type", "maintain") != "maintain" and self._bought:
            return
        waiting = [
            machine
            for machine in self._bought
            if machine.ended is not None and now - machine.ended < rules.current().refill_seconds
        ]
        held = self.fulfilled + sum(machine.pool.weight for machine in waiting)
        while held < self.target:
            pool = self._choose()
            if pool is None:
                return
            instance_id = self._machines.launch(pool, self.id)
            self._bought.append(FleetInstance(instance_id, pool))
            self._note("instanceChange", "launched", instance_id)
            held += pool.weight

    def _choose(self) -> Pool | None:
        """The next pool in turn that has machines; for None the history says why."""
        for _ in self._pools:
            pool = self._pools[self._next_pool % len(self._pools)]
            self._next_pool += 1
            if pool.instance_type not in self._refused:
                return pool
            self._note_once("launchSpecTemporarilyBlacklisted", pool.instance_type)
        self._note_once(
            "allLaunchSpecsTemporarilyBlacklisted",
            "Several attempts to launch instances have failed.",
        )
        return None

    def _note_once(self, subtype: str, description: str) -> None:
        information = {"EventSubType": subtype, "EventDescription": description}
        if not any(event["EventInformation"] == information for event in self.history):
            self._note("error", subtype, description=description)

    def _end(self, machines: list[FleetInstance]) -> None:
        self._machines.terminate([machine.instance_id for machine in machines])
        for machine in machines:
            machine.ended = rules.current().clock()
            self._note("instanceChange", "terminated", machine.instance_id)

    def _has_expired(self, now: float) -> bool:
        until = self.config.get("ValidUntil")
        if until is None:
            return False
        return bool(now > (until.timestamp() if hasattr(until, "timestamp") else float(until)))

    def _note(self, kind: str, subtype: str, instance_id: str = "", description: str = "") -> None:
        information = {"EventSubType": subtype}
        if instance_id:
            information["InstanceId"] = instance_id
        if description:
            information["EventDescription"] = description
        self.history.append(
            {
                "EventType": kind,
                "EventInformation": information,
                "Timestamp": rules.current().clock(),
            }
        )


def refuse_mixed_zones(found: Sequence[Pool], zone_of: Callable[[str], str]) -> None:
    """Raise what EC2 answers to two subnets of one zone, or one pool twice.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-fleet-configuration-strategies.html
    """
    subnets: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for pool in found:
        for subnet in pool.subnets:
            zone = zone_of(subnet)
            if zone and subnets.setdefault(zone, subnet) != subnet:
                raise EC2ClientError(
                    "InvalidSpotFleetRequestConfig",
                    "You can't specify different subnets from the same Availability Zone: "
                    f"{subnets[zone]} and {subnet}.",
                )
            if (pool.instance_type, subnet) in seen and pool.instance_type:
                raise EC2ClientError(
                    "InvalidSpotFleetRequestConfig",
                    f"Duplicate instance pool: {pool.instance_type} in {subnet}.",
                )
            seen.add((pool.instance_type, subnet))


def check_roles(
    config: Mapping[str, Any], found: Sequence[Pool], is_too_new: Callable[[str], bool]
) -> None:
    """Raise what EC2 answers while it does not know a role that was just made."""
    if is_too_new(str(config.get("IamFleetRole", ""))):
        raise EC2ClientError(
            "InvalidSpotFleetRequestConfig",
            "Parameter: SpotFleetRequestConfig.IamFleetRole is invalid.",
        )
    for pool in found:
        arn = str((pool.data.get("IamInstanceProfile") or {}).get("Arn", ""))
        if arn and is_too_new(arn):
            raise EC2ClientError(
                "InvalidSpotFleetRequestConfig",
                f"Value ({arn}) for parameter iamInstanceProfile.arn is invalid.",
            )


def pools(
    config: Mapping[str, Any], template_data: Callable[[Any], Mapping[str, Any]]
) -> list[Pool]:
    """Every pool of a request; raises what EC2 answers to a request that it cannot read."""
    specifications = config.get("LaunchSpecifications") or []
    templates = config.get("LaunchTemplateConfigs") or []
    if bool(specifications) == bool(templates):
        raise EC2ClientError(
            "InvalidSpotFleetRequestConfig",
            "Parameter: SpotFleetRequestConfig is invalid: give either LaunchSpecifications or "
            "LaunchTemplateConfigs.",
        )
    found = [Pool(data) for data in specifications]
    for template in templates:
        data = template_data(template["LaunchTemplateSpecification"])
        found += [Pool({**data, **override}) for override in template.get("Overrides") or [{}]]
    for pool in found:
        for key in ("ImageId", "InstanceType"):
            if not pool.data.get(key) and not pool.data.get("InstanceRequirements"):
                raise EC2ClientError(
                    "InvalidSpotFleetRequestConfig", f"The request has no {key} for a machine."
                )
    return found
