"""The examples for graphics cards and for arm64: what their files lead to, and what can be run."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from distributed_something.aws.compute.images import recommended_image
from distributed_something.aws.session import Aws
from distributed_something.commands.buying.fleet_plan import FleetPlan, plan_fleet
from distributed_something.definitions.fleet import launch_template
from distributed_something.definitions.platform import platform_of
from distributed_something.definitions.task import task_definition
from distributed_something.inputs.fleets.fleet_file import read_fleet_file
from distributed_something.local.simulator import Simulator
from distributed_something.local.simulator.rules import Rules

from .kit import EXAMPLES, ROOT, settings_of
from .readme import Clone, lines

ACCOUNT = "123456789012"
FLEET = (ROOT / "files" / "exampleFleet_us-east-1.json").read_text().replace("X" * 12, ACCOUNT)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator.aws()


def planned(aws: Aws, name: str) -> FleetPlan:
    return plan_fleet(aws, settings_of(name), read_fleet_file(FLEET, "fleet"), keep_ami=False)


def boot_script(name: str, plan: FleetPlan) -> str:
    template: dict[str, Any] = launch_template(settings_of(name), plan.launches[0], "run")
    return base64.b64decode(template["UserData"]).decode()


@pytest.mark.parametrize("name", ["gpu", "arm64"])
def test_check_finds_nothing_missing_without_an_account(name: str, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    (clone.folder / "files" / "exampleFleet_us-east-1.json").write_text(FLEET)
    (line,) = (one for one in lines(name) if " check " in one)
    told = clone.type(f"{line} 2>&1 || test $? -eq 1")
    assert "3 jobs" in told
    mends = [line for line in told.splitlines() if line.startswith("missing")]
    # What a user has to fill in himself is all that may be left.
    assert all("your-bucket-name" in line or "DOCKERHUB_TAG" in line for line in mends), told


def test_machines_with_cards_boot_nvidias_image_and_give_containers_the_cards(aws: Aws) -> None:
    plan = planned(aws, "gpu")
    (launch,) = plan.launches
    assert launch.image.image_id == recommended_image(aws.ssm, "gpu")
    assert launch.image.image_id != recommended_image(aws.ssm, "x86_64")
    assert launch.machine_types == ("g4dn.xlarge", "g5.xlarge")
    assert "--default-runtime nvidia" in boot_script("gpu", plan)
    (container,) = task_definition(settings_of("gpu"), "queue", "dead")["containerDefinitions"]
    # A card that a container had for itself could not be shared by the workers of others.
    assert "resourceRequirements" not in container
    assert "NVIDIA_VISIBLE_DEVICES=all" in (EXAMPLES / "gpu" / "Dockerfile").read_text()


def test_graviton_machines_boot_the_arm64_image(aws: Aws) -> None:
    plan = planned(aws, "arm64")
    (launch,) = plan.launches
    assert launch.image.image_id == recommended_image(aws.ssm, "arm64")
    assert launch.image.image_id != recommended_image(aws.ssm, "x86_64")
    assert "nvidia" not in boot_script("arm64", plan)
    told = settings_of("arm64")
    definition = task_definition(told, "queue", "dead")
    # Without a platform named, ECS takes that of the machine.
    platform = definition.get("runtimePlatform", {})
    assert platform.get("cpuArchitecture", "ARM64") == "ARM64"
    (container,) = definition["containerDefinitions"]
    wanted = (told.dockerhub_tag, told.cpu_shares, told.memory)
    assert (container["image"], container["cpu"], container["memory"]) == wanted
    assert platform_of(told.machine_type) == "linux/arm64"
    # Both fit in the smallest of its machines, with room for what ECS itself takes.
    machines = aws.ec2.describe_instance_types(
        Filters=[{"Name": "instance-type", "Values": list(launch.machine_types)}]
    )["InstanceTypes"]
    assert len(machines) == len(launch.machine_types)
    for machine in machines:
        assert container["cpu"] <= 1024 * machine["VCpuInfo"]["DefaultVCpus"]
        assert container["memory"] <= 0.96 * machine["MemoryInfo"]["SizeInMiB"]


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
def test_the_arm64_examples_tool_cuts_every_slide(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    clone = Clone(tmp_path / "clone")
    clone.follow("arm64", build="--platform linux/amd64")
    tiles = clone.results / "Arm64" / "tiles"
    assert sorted(path.name for path in tiles.rglob("*.dzi")) == ["01.dzi", "02.dzi", "03.dzi"]
    # 600 pixels in tiles of 128, at the largest of the sizes.
    largest = max(int(one.name) for one in (tiles / "01/01_files").iterdir() if one.is_dir())
    assert len(list((tiles / f"01/01_files/{largest}").glob("*.png"))) == 25
