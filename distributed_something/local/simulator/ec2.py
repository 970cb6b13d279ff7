"""Simulated EC2: moto's, with spot fleets that keep their capacity and their history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from functools import cache
from threading import RLock
from types import ModuleType
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.amis import AMIS, Ami
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses import EC2Response
from moto.ec2.utils import convert_tag_spec
from moto.utilities.utils import load_resource

from . import iam, rules
from .delays.newness import Newness
from .fleets import Fleet, Machines, Pool, check_roles, pools, refuse_mixed_zones


class SimulatedEc2(EC2Backend):
    """moto's EC2 with spot fleets of our own."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.spot_fleets: dict[str, Fleet] = {}
        self.refused_types: set[str] = set()
        # By machine type and zone, oldest first: from when (seconds since 1970), dollars an hour.
        self.spot_prices: dict[tuple[str, str], list[tuple[float, float]]] = {}
        self.new = Newness()  # launch templates
        self._by_token: dict[str, str] = {}
        self._lock = RLock()
        self._open_network()

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def _open_network(self) -> None:
        """Give the default network the internet gateway and route that AWS gives it."""
        for vpc in [one for one in self.vpcs.values() if one.is_default]:
            gateway = self.create_internet_gateway()
            self.attach_internet_gateway(gateway.id, vpc.id)
            for table in self.describe_route_tables(filters={"vpc-id": [vpc.id]}):
                self.create_route(table.id, "0.0.0.0/0", None, gateway_id=gateway.id)

    def _load_amis(self) -> None:
        for image in _images(self.region_name):
            self.amis[image["ami_id"]] = Ami(self, **image)

    def buy_fleet(self, config: dict[str, Any]) -> Fleet:
        """The fleet of a request; the same client token gives the same fleet again."""
        with self._lock:
            token = config.get("ClientToken")
            if token and token in self._by_token:
                return self.spot_fleets[self._by_token[token]]
            found = pools(config, self._template)
            refuse_mixed_zones(found, self._zone_of)
            check_roles(config, found, lambda arn: iam.is_too_new(self.account_id, arn))
            machines = Machines(self._launch, self._terminate, self._is_live)
            fleet = Fleet(config, found, machines, self.refused_types)
            self.spot_fleets[fleet.id] = fleet
            if token:
                self._by_token[token] = fleet.id
            return fleet

    def find_fleet(self, fleet_id: str) -> Fleet:
        """A fleet as it is now; raises what EC2 answers when there is none of that id."""
        with self._lock:
            fleet = self.spot_fleets.get(fleet_id)
            if fleet is None:
                raise EC2ClientError(
                    "InvalidSpotFleetRequestId.NotFound",
                    f"The spot fleet request ID '{fleet_id}' does not exist.",
                )
            fleet.refresh()
            return fleet

    def modify_fleet(self, fleet_id: str, target: int, policy: str) -> None:
        with self._lock:
            self.find_fleet(fleet_id).modify(target, policy)

    def cancel_fleet(self, fleet_id: str, terminate: bool) -> tuple[str, str]:
        """Cancel a fleet; its state before and after."""
        with self._lock:
            fleet = self.find_fleet(fleet_id)
            before = fleet.state
            if not before.startswith("cancelled") or (terminate and fleet.live):
                fleet.cancel(terminate)
            return before, fleet.state

    def describe_fleets_as_spot(self, fleet_ids: list[str]) -> list[dict[str, Any]]:
        chosen = fleet_ids or list(self.spot_fleets)
        return [self.find_fleet(fleet_id).describe() for fleet_id in chosen]

    def create_launch_template(self, name: str, *args: Any, **kwargs: Any) -> Any:
        template = super().create_launch_template(name, *args, **kwargs)
        self.new.note(template.id)
        return template

    def _zone_of(self, subnet_id: str) -> str:
        found = self.describe_subnets(filters={"subnet-id": [subnet_id]})
        return str(found[0].availability_zone) if found else ""

    def _template(self, specification: Mapping[str, Any]) -> Mapping[str, Any]:
        template = self._find_template(specification)
        if self.new.hides(template.id):
            raise EC2ClientError(
                "InvalidLaunchTemplateId.NotFoundException",
                f"The specified launch template, with template ID {template.id}, does not exist.",
            )
        version = specification.get("Version", "$Default")
        if version == "$Default":
            return dict(template.default_version().data)
        if version == "$Latest":
            return dict(template.latest_version().data)
        return dict(template.get_version(int(version)).data)

    def _find_template(self, specification: Mapping[str, Any]) -> LaunchTemplate:
        if specification.get("LaunchTemplateId"):
            return self.get_launch_template(specification["LaunchTemplateId"])
        return self.get_launch_template_by_name(specification["LaunchTemplateName"])

    def _launch(self, pool: Pool, fleet_id: str) -> str:
        data = pool.data
        interface = (data.get("NetworkInterfaces") or [{}])[0]
        groups = list(interface.get("Groups") or data.get("SecurityGroupIds") or [])
        groups += [
            group["GroupId"]
            for group in data.get("SecurityGroups") or []
            if isinstance(group, dict)
        ]
        options: dict[str, Any] = {
            "instance_type": pool.instance_type,
            "is_instance_type_default": False,
            "subnet_id": interface.get("SubnetId") or data.get("SubnetId"),
            "key_name": data.get("KeyName"),
            "security_group_ids": groups,
            "tags": convert_tag_spec(data.get("TagSpecifications") or []),
            "lifecycle": "spot",
            "region_name": self.region_name,
            "instance_initiated_shutdown_behavior": data.get("InstanceInitiatedShutdownBehavior"),
            "metadata_options": data.get("MetadataOptions"),
        }
        if data.get("BlockDeviceMappings"):
            options["block_device_mappings"] = data["BlockDeviceMappings"]
        bought = self.run_instances(data["ImageId"], 1, data.get("UserData"), [], **options)
        instance = bought.instances[0]
        instance.launch_time = datetime.fromtimestamp(rules.current().clock(), timezone.utc)
        instance.add_tags({"aws:ec2spot:fleet-request-id": fleet_id})
        return str(instance.id)

    def _terminate(self, instance_ids: Iterable[str]) -> None:
        live = [instance_id for instance_id in instance_ids if self._is_live(instance_id)]
        if live:
            self.terminate_instances(live)

    def _is_live(self, instance_id: str) -> bool:
        return self.get_instance(instance_id)._state.name in ("pending", "running")


class SimulatedEc2Response(EC2Response):
    """The spot fleet calls, answered by our fleets."""

    @property
    def _fleets(self) -> SimulatedEc2:
        backend = self.ec2_backend
        assert isinstance(backend, SimulatedEc2)
        return backend

    def request_spot_fleet(self) -> ActionResult:
        config = self._get_param("SpotFleetRequestConfig", {})
        if self._get_bool_param("DryRun", False):
            raise EC2ClientError(
                "DryRunOperation", "Request would have succeeded, but DryRun flag is set."
            )
        return ActionResult({"SpotFleetRequestId": self._fleets.buy_fleet(config).id})

    def describe_spot_fleet_requests(self) -> ActionResult:
        fleets = self._fleets.describe_fleets_as_spot(self._get_param("SpotFleetRequestIds", []))
        return ActionResult({"SpotFleetRequestConfigs": fleets})

    def describe_spot_fleet_instances(self) -> ActionResult:
        fleet = self._fleets.find_fleet(self._get_param("SpotFleetRequestId"))
        return ActionResult(
            {"SpotFleetRequestId": fleet.id, "ActiveInstances": fleet.describe_instances()}
        )

    def describe_spot_fleet_request_history(self) -> ActionResult:
        fleet = self._fleets.find_fleet(self._get_param("SpotFleetRequestId"))
        kind = self._get_param("EventType")
        start = self._get_param("StartTime")
        since = start.timestamp() if hasattr(start, "timestamp") else float(start or 0)
        until = rules.current().clock() - rules.current().history_lag_seconds
        records = [
            event
            for event in fleet.history
            if since <= event["Timestamp"] <= until and kind in (None, event["EventType"])
        ]
        return ActionResult(
            {
                "SpotFleetRequestId": fleet.id,
                "HistoryRecords": records,
                "StartTime": since,
                "LastEvaluatedTime": rules.current().clock(),
            }
        )

    def describe_spot_price_history(self) -> ActionResult:
        """The changes since a time, and the one before it, which still held then."""
        prices = self._fleets.spot_prices
        if not prices:
            return super().describe_spot_price_history()
        start = self._get_param("StartTime")
        since = start.timestamp() if hasattr(start, "timestamp") else float(start or 0)
        wanted = self._get_param("InstanceTypes", [])
        history = [
            {
                "InstanceType": kind,
                "AvailabilityZone": zone,
                "ProductDescription": "Linux/UNIX",
                "SpotPrice": f"{price:f}",
                "Timestamp": time,
            }
            for (kind, zone), changes in prices.items()
            for (time, price), (end, _) in zip(changes, [*changes[1:], (1e12, 0.0)], strict=True)
            if kind in wanted and end > since
        ]
        return ActionResult({"SpotPriceHistory": history})

    def modify_spot_fleet_request(self) -> ActionResult:
        policy = self._get_param("ExcessCapacityTerminationPolicy", if_none="default")
        fleet_id = self._get_param("SpotFleetRequestId")
        self._fleets.modify_fleet(fleet_id, self._get_int_param("TargetCapacity"), policy)
        return ActionResult({"Return": True})

    def cancel_spot_fleet_requests(self) -> ActionResult:
        terminate = self._get_bool_param("TerminateInstances")
        done, failed = [], []
        for fleet_id in self._get_param("SpotFleetRequestIds", []):
            try:
                before, after = self._fleets.cancel_fleet(fleet_id, terminate)
            except EC2ClientError as error:
                why = {"Code": "fleetRequestIdDoesNotExist", "Message": error.message}
                failed.append({"SpotFleetRequestId": fleet_id, "Error": why})
                continue
            done.append(
                {
                    "SpotFleetRequestId": fleet_id,
                    "PreviousSpotFleetRequestState": before,
                    "CurrentSpotFleetRequestState": after,
                }
            )
        return ActionResult({"SuccessfulFleetRequests": done, "UnsuccessfulFleetRequests": failed})


@cache
def _images(region: str) -> tuple[dict[str, Any], ...]:
    """The images that a new account sees: of all that ECS ever recommended, the newest of a kind.

    With every one of them, as moto has it, an account takes a second to make.
    """
    newest = {
        re.sub(r"\d{8}", "", image["name"]): image
        for image in sorted(_resource("ecs/optimized_amis", region), key=lambda one: one["name"])
    }
    images = [*AMIS, *_resource("latest_amis", region), *newest.values()]
    # Their dates are texts here and moments in moto; nothing of ours reads them.
    return tuple({**image, "owner_alias": "amazon", "creation_date": None} for image in images)


def _resource(folder: str, region: str) -> Iterator[dict[str, Any]]:
    try:
        yield from load_resource(f"ec2/resources/{folder}/{region}.json")
    except FileNotFoundError:
        return  # moto knows no images of this region


def install() -> None:
    """Put the simulated EC2 in the place of moto's, for backends made from now on."""
    ec2_backends.backend = SimulatedEc2
    urls.url_paths["{0}/"] = SimulatedEc2Response.dispatch
