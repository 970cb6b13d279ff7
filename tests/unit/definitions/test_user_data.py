"""What a machine does as it boots."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from distributed_something.definitions.user_data import user_data
from tests.builders import settings


def stand_in(folder: Path, name: str, script: str) -> None:
    """A program of this name that a test runs in the place of the real one."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)


def run(script: str, folder: Path) -> None:
    """Run a script of a machine's in a folder, with the programs that stand in for its own."""
    moved = script.replace("/etc/", f"{folder}/etc/").replace("/usr/local/bin/", f"{folder}/local/")
    for name in ("systemd-run", "shutdown"):  # never this computer's own
        stand_in(folder / "bin", name, f'echo "$@" >> {folder}/{name}.called')
    environment = {"PATH": f"{folder}/bin:/usr/bin:/bin"}
    subprocess.run(["bash", "-eu"], input=moved, text=True, check=True, env=environment)


def booted(script: str, folder: Path) -> dict[str, str]:
    """Run the script as a machine would, with its files in a folder; the lines of ecs.config."""
    (folder / "etc/ecs").mkdir(parents=True)
    (folder / "local").mkdir()
    run(script, folder)
    lines = (folder / "etc/ecs/ecs.config").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_machine_joins_the_configs_cluster_as_the_apps_own(tmp_path: Path) -> None:
    config = booted(user_data(settings(ECS_CLUSTER="lab")), tmp_path)
    assert config["ECS_CLUSTER"] == "lab"
    attributes = json.loads(config["ECS_INSTANCE_ATTRIBUTES"])
    assert attributes == {"distributed-something.app": "Counting"}


def test_a_machine_can_ship_logs_and_hears_spot_notices(tmp_path: Path) -> None:
    config = booted(user_data(settings()), tmp_path)
    assert "awslogs" in json.loads(config["ECS_AVAILABLE_LOGGING_DRIVERS"])
    assert config["ECS_ENABLE_SPOT_INSTANCE_DRAINING"] == "true"


def test_the_files_of_a_container_that_ended_do_not_stay_on_the_disk(tmp_path: Path) -> None:
    config = booted(user_data(settings()), tmp_path)
    assert config["ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION"] == "1m"


def test_nothing_is_downloaded_at_boot() -> None:
    for gpu in (False, True):
        script = user_data(settings(), gpu=gpu).replace(
            "curl -s --max-time 10 http://localhost", ""
        )
        assert not [word for word in ("yum", "dnf", "curl", "s3", "http") if word in script]


def test_only_a_gpu_machine_changes_dockers_runtime() -> None:
    assert "nvidia" in user_data(settings(), gpu=True)
    assert "nvidia" not in user_data(settings())


def test_both_scripts_are_valid_bash() -> None:
    for gpu in (False, True):
        script = user_data(settings(), gpu=gpu)
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("agent", "ends"),
    [
        ('{"Cluster":"lab","ContainerInstanceArn":"arn:aws:ecs:us-east-1:1:container/x"}', False),
        ('{"Cluster":"lab","ContainerInstanceArn":null,"Version":"1"}', True),
        ("", True),
    ],
)
def test_a_machine_whose_agent_never_joined_a_cluster_shuts_itself_down_after_45_minutes(
    agent: str, ends: bool, tmp_path: Path
) -> None:
    booted(user_data(settings()), tmp_path)
    timer = (tmp_path / "systemd-run.called").read_text().split()
    assert timer == ["--on-active=45min", f"{tmp_path}/local/end-unless-joined"]
    stand_in(tmp_path / "bin", "curl", f"echo '{agent}'")
    run(Path(timer[1]).read_text(), tmp_path)
    assert (tmp_path / "shutdown.called").exists() is ends
