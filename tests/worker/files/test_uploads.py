"""Outputs outlast a bad network, and nothing outside the output folder is ever sent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from distributed_something.protocol.jobs import job_id
from distributed_something.protocol.upload_flags import UploadFlags
from worker.files.results import Destination, send_results, wanted_files
from worker.files.transfers import LARGE, Crew
from worker.files.uploads import upload
from worker.job.outcomes import Failure, Interruption

from ..cutting import cutter
from ..world import World

LARGE_FILE = LARGE + 5


def keep_on() -> None:
    """Nothing ends the upload."""


def send(world: World, prefix: str, check: Callable[[], None] = keep_on) -> None:
    """Send what a job would of the output folder in the world's."""
    output, flags = world.folder / "output", UploadFlags()
    files = wanted_files(output, flags)
    send_results(world.aws.s3, output, files, Destination(world.bucket, prefix), check, flags)


def impatient(world: World, endpoint: str) -> Any:
    """A client that does not try again by itself."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    return world.aws.session.client("s3", endpoint_url=endpoint, config=config)


@pytest.mark.parametrize("size", [100, LARGE_FILE])
def test_an_upload_that_breaks_off_is_tried_again(world: World, size: int) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(os.urandom(size))
    with cutter(world.simulator.environment["AWS_ENDPOINT_URL"]) as wire:
        s3 = impatient(world, wire.endpoint)
        wire.cuts = 2
        upload(s3, path, world.bucket, "out.bin", {}, Crew(keep_on), pauses=(0, 0, 0))
        assert wire.cuts == 0
    assert world.read("out.bin") == path.read_bytes()


def test_only_the_part_that_broke_off_is_sent_again(world: World) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(os.urandom(LARGE_FILE))
    asked: list[str] = []
    with cutter(world.simulator.environment["AWS_ENDPOINT_URL"]) as wire:
        s3 = impatient(world, wire.endpoint)

        def note(model: Any, **_: Any) -> None:
            asked.append(model.name)
            if model.name == "UploadPart" and asked.count("UploadPart") == 3:
                wire.cuts = 1

        s3.meta.events.register("before-call.s3", note)
        upload(s3, path, world.bucket, "out.bin", {}, Crew(keep_on), pauses=(0, 0, 0))
    assert asked.count("UploadPart") == 6  # five parts, one of them twice
    assert asked.count("CreateMultipartUpload") == asked.count("CompleteMultipartUpload") == 1
    assert world.read("out.bin") == path.read_bytes()


@pytest.mark.parametrize("size", [100, LARGE_FILE])
def test_an_upload_that_goes_on_breaking_off_fails_in_the_end(world: World, size: int) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(bytes(size))
    with cutter(world.simulator.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.cuts = 1000
        with pytest.raises(HTTPClientError):
            s3 = impatient(world, wire.endpoint)
            upload(s3, path, world.bucket, "a", {}, Crew(keep_on), pauses=(0,))


def test_what_s3_refuses_is_not_tried_again(world: World) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(b"x")
    asked: list[str] = []
    world.aws.s3.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        upload(world.aws.s3, path, "no-such-bucket", "a", {}, Crew(keep_on), pauses=(0, 0))
    assert asked == ["PutObject"]


def test_waiting_to_try_again_ends_when_the_job_must(world: World) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(b"x")
    failed: list[int] = []

    def check() -> None:
        if failed:
            raise Interruption("the worker was asked to stop")

    with cutter(world.simulator.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.cuts = 1000
        s3 = impatient(world, wire.endpoint)
        s3.meta.events.register("before-send.s3", lambda **_: failed.append(1))
        with pytest.raises(Interruption):
            upload(s3, path, world.bucket, "a", {}, Crew(check), pauses=(3600,))


def test_a_large_upload_ends_soon_after_its_job_must_and_leaves_no_parts(world: World) -> None:
    (world.folder / "output").mkdir()
    with (world.folder / "output" / "big.bin").open("wb") as file:
        file.truncate(8 * LARGE)
    parts: list[int] = []
    world.aws.s3.meta.events.register("after-call.s3.UploadPart", lambda **_: parts.append(1))

    def check() -> None:
        if parts:
            raise Interruption("the worker was asked to stop")

    with pytest.raises(Interruption):
        send(world, "out", check)
    assert len(parts) < 16
    assert world.object_keys("out/") == []
    assert "Uploads" not in world.aws.s3.list_multipart_uploads(Bucket=world.bucket)


def test_links_that_lead_out_are_not_sent_and_those_within_are(world: World) -> None:
    output = world.folder / "output"
    (output / "sub").mkdir(parents=True)
    (world.folder / "secret").write_text("s")
    (output / "a.txt").write_text("a")
    (output / "within").symlink_to("a.txt")
    (output / "sub" / "up").symlink_to("../a.txt")
    (output / "out").symlink_to(world.folder / "secret")
    (output / "out-relative").symlink_to("../secret")
    (output / "folder-out").symlink_to(world.folder)
    (output / "loop").symlink_to("loop")
    (output / "chain").symlink_to("out")
    send(world, "o")
    assert world.object_keys("o/") == ["o/a.txt", "o/sub/up", "o/within"]


def test_an_output_folder_that_became_a_link_keeps_nothing(world: World) -> None:
    (world.folder / "elsewhere").mkdir()
    (world.folder / "elsewhere" / "secret").write_text("s")
    (world.folder / "output").symlink_to(world.folder / "elsewhere")
    with pytest.raises(Failure, match="replaced by a link"):
        send(world, "o")
    assert world.object_keys("o/") == []


def test_a_jobs_own_flags_have_the_last_word(world: World) -> None:
    script = (
        "import pathlib; [pathlib.Path('output', n).touch() for n in ('a.csv', 'b.tmp', 'c.log')]"
    )
    world.send(
        {
            "command": [sys.executable, "-c", script],
            "upload_flags": "--storage-class GLACIER_IR --exclude *.log",
            "output": "s3://DESTINATION_BUCKET/out",
            "group": {"plate": "P1"},
        }
    )
    world.start_worker(upload_flags="--storage-class STANDARD_IA --exclude *.tmp")
    world.until_empty()
    world.stop()
    (found,) = world.aws.s3.list_objects_v2(Bucket=world.bucket, Prefix="out/")["Contents"]
    assert (found["Key"], found["StorageClass"]) == ("out/a.csv", "GLACIER_IR")


@pytest.mark.parametrize("size", [100, LARGE_FILE])
def test_each_flag_reaches_the_requests_that_need_it(world: World, size: int) -> None:
    path = world.folder / "out.bin"
    path.write_bytes(os.urandom(size))
    flags = UploadFlags.read(
        "--metadata plate=P1,site=3 --request-payer --website-redirect /other --sse "
        "--checksum-algorithm SHA256 "
        "--grants full=uri=http://acs.amazonaws.com/groups/global/AllUsers"
    )
    asked: list[tuple[str, Any]] = []
    world.aws.s3.meta.events.register(
        "provide-client-params.s3", lambda model, params, **_: asked.append((model.name, params))
    )
    upload(world.aws.s3, path, world.bucket, "a", dict(flags.arguments), Crew(keep_on))
    assert all(params["RequestPayer"] == "requester" for _, params in asked)
    sent = [params for name, params in asked if name in ("PutObject", "UploadPart")]
    assert all(params["ChecksumAlgorithm"] == "SHA256" for params in sent)
    found = world.aws.s3.head_object(Bucket=world.bucket, Key="a", ChecksumMode="ENABLED")
    assert found["Metadata"] == {"plate": "P1", "site": "3"}
    assert found["WebsiteRedirectLocation"] == "/other"
    assert found["ServerSideEncryption"] == "AES256"
    assert found["ContentLength"] == size
    assert world.read("a") == path.read_bytes()
    grants = world.aws.s3.get_object_acl(Bucket=world.bucket, Key="a")["Grants"]
    assert any(grant["Grantee"].get("URI", "").endswith("AllUsers") for grant in grants)


def test_no_value_of_a_job_leads_out_of_its_directories_or_its_output(world: World) -> None:
    evil = "../../evil; touch evil $(touch evil)\n'\"/etc/x"
    world.put("in.txt", "x")
    world.send(
        {
            "command": ["cp", "{input_dir}/in.txt", "{output_dir}/out.txt"],
            "inputs": ["in.txt"],
            "group": {"plate": evil},
        }
    )
    beside = world.send(
        {
            "command": ["cp", "{input_dir}/in.txt", "{output_dir}/{plate}"],
            "inputs": ["in.txt"],
            "group": {"plate": "../../../evil"},
        }
    )
    world.start_worker()
    world.until_empty()
    world.stop()
    ((body, reason),) = world.dead_letters()
    assert job_id(json.loads(body)) == beside
    assert "'{output_dir}/{plate}' gets a '..' from this job's {plate}" in reason
    found = [key for key in world.object_keys() if key.endswith("out.txt")]
    assert len(found) == 1
    assert found[0].startswith(f"results/{world.name}/")
    assert ".." not in found[0].split("/")
    assert not any("evil" in path.name for path in Path(world.folder).rglob("*"))
