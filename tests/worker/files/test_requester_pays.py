"""Buckets whose readers pay can be read, where the config or the job says that it pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from distributed_something.aws.session import Aws, make_session
from distributed_something.aws.storage import check_bucket, size_of
from distributed_something.errors import DistributedSomethingError
from tests.gateway import Answer, Gateway, Request, gateway, s3_error

from ..world import World


@pytest.fixture
def owner(world: World) -> Iterator[Gateway]:
    """A way to the account on which one bucket is another's, whose readers pay."""
    other = f"/other-{world.name}"

    def answers(request: Request) -> Answer | None:
        pays = request.headers.get("x-amz-request-payer", "").lower() == "requester"
        if request.path.startswith(other) and not pays:
            return s3_error(403, "AccessDenied", "Access Denied")
        return None

    world.aws.s3.create_bucket(Bucket=other[1:])
    for key in ("images/P1/A01 1.tif", "images/P1/A02.tif", "install.sh"):
        world.aws.s3.put_object(Bucket=other[1:], Key=key, Body=b"")
    with gateway(world.simulator.endpoint_url, answers) as way:
        world.variables["AWS_ENDPOINT_URL_S3"] = way.url
        yield way


def run(world: World, message: Mapping[str, object], **settings: Any) -> list[str]:
    """Work on one job whose inputs are in the other's bucket; why it was given up, if it was."""
    world.send({**message, "command": "cp -r {input_dir} {output_dir}", "group": {"p": "P1"}})
    world.start_worker(source_bucket=f"other-{world.name}", job_retries=1, **settings)
    world.until_empty()
    world.stop()
    return [reason for _, reason in world.dead_letters()]


@pytest.mark.parametrize("inputs", [["images/P1/A01 1.tif"], ["images/P1/"]], ids=["key", "prefix"])
def test_inputs_of_a_bucket_whose_readers_pay_arrive(
    world: World, owner: Gateway, inputs: list[str]
) -> None:
    assert run(world, {"inputs": inputs}, requester_pays=True, install_script="install.sh") == []
    assert "P1/input/A01 1.tif" in world.results()
    assert not owner.answered


def test_without_the_setting_the_reason_names_it(world: World, owner: Gateway) -> None:
    (reason,) = run(world, {"inputs": ["images/P1/A02.tif"]})
    assert "REQUESTER_PAYS" in reason
    assert owner.answered


def test_a_jobs_own_flag_pays_for_its_inputs(world: World, owner: Gateway) -> None:
    message = {"inputs": ["images/P1/A02.tif"], "upload_flags": "--request-payer requester"}
    assert run(world, message) == []
    assert not owner.answered


def test_every_verb_pays_where_the_config_does(
    world: World, owner: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.simulator.environment.items():
        monkeypatch.setenv(name, value)
    bucket = f"other-{world.name}"
    stingy, paying = (
        Aws(make_session("us-east-1", requester_pays=pays), owner.url) for pays in (False, True)
    )
    with pytest.raises(DistributedSomethingError, match="REQUESTER_PAYS"):
        check_bucket(stingy.s3, bucket, "SOURCE_BUCKET")
    check_bucket(paying.s3, bucket, "SOURCE_BUCKET")
    assert size_of(paying.s3, bucket, "images/P1/") == 0
    assert size_of(paying.s3, bucket, "images/P1/A02.tif") == 0
    paying.s3.put_object(Bucket=bucket, Key="x", Body=b"x", RequestPayer="requester")
    assert replace(paying).s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"x"
