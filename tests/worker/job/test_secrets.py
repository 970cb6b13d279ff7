"""No credential is in the image, in what the worker prints, in a log stream, ledger or letter."""

from __future__ import annotations

import json
from secrets import token_hex

import docker
import pytest

from distributed_something.commands.setting_up.build import Plan, build
from tests.images import BASE, NAME

from ..containers import Containers
from ..world import REPOSITORY, World

pytestmark = pytest.mark.docker

PRIVATE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def credentials() -> dict[str, str]:
    return {name: f"{name[4:7]}{token_hex(16)}" for name in PRIVATE}


def everything_written(world: World) -> str:
    """All objects of the bucket with their keys, all log streams, all dead letters."""
    objects = [f"{key}\n{world.read(key)!r}" for key in world.object_keys()]
    streams = world.aws.logs.describe_log_streams(logGroupName=world.name)["logStreams"]
    lines = [line for stream in streams for line in world.log(stream["logStreamName"])]
    return "\n".join([*objects, *lines, *map(str, world.dead_letters())])


def credentials_of_a_role(world: World) -> dict[str, str]:
    """Such as a task of ECS gets."""
    made = world.aws.iam.create_role(RoleName=world.name, AssumeRolePolicyDocument="{}")
    arn = made["Role"]["Arn"]
    given = world.aws.sts.assume_role(RoleArn=arn, RoleSessionName="task")["Credentials"]
    values = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    return dict(zip(PRIVATE, values, strict=True))


def test_what_a_run_writes_holds_no_credential(world: World, containers: Containers) -> None:
    secret = credentials_of_a_role(world)
    world.put("in.txt", "wells")
    world.send({"command": "cp {input_dir}/in.txt {output_dir}", "inputs": ["in.txt"],
                "checkpoint": True, "group": {"plate": "good"}})  # fmt: skip
    world.send({"command": "ls /nowhere", "group": {"plate": "bad"}})
    world.send({"command": "false", "group": {"plate": "worse"}})
    world.send({"command": "true", "inputs": ["no-such.txt"], "group": {"plate": "hopeless"}})
    container = containers.start(secret, settings={"job_retries": 1})
    world.until_empty()
    container.stop(timeout=30)
    written = everything_written(world)
    assert "wells" in written and "/nowhere" in written and "no-such.txt" in written
    printed = container.logs().decode()
    assert "Waiting for jobs" in printed
    assert [one for one in secret.values() if one in written + printed] == []


def test_an_image_takes_nothing_of_its_builder_but_the_worker(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = credentials()
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    machine = engine.images.get(BASE).attrs["Architecture"]
    plan = Plan(f"{NAME}:secrets", f"linux/{machine}", BASE, python=BASE)
    built = build(engine, plan, lambda _: None)
    image = engine.images.get(built.tag)
    told = json.dumps([image.attrs, image.history()])
    assert "WORKER_DIRECTORY" in told
    assert [one for one in secret.values() if one in told] == []
    assert [one for one in PRIVATE if f"{one}=" in told] == []
    listed = engine.containers.run(
        built.tag,
        ["-c", "cd /opt/distributed-something/app && find . -name '*.py'"],
        entrypoint="sh",
        remove=True,
    )
    ours = {
        *(REPOSITORY / "worker").rglob("*.py"),
        REPOSITORY / "distributed_something" / "errors.py",
        *(REPOSITORY / "distributed_something" / "protocol").rglob("*.py"),
        REPOSITORY / "distributed_something" / "__init__.py",
    }
    wanted = sorted(f"./{path.relative_to(REPOSITORY)}" for path in ours)
    assert sorted(listed.decode().split()) == wanted
