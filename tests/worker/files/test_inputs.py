"""What a job's inputs bring: from every bucket, by lists and tables, once for all jobs here."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.jobs import Job
from worker.files.cache import Cache
from worker.files.inputs import Inputs
from worker.files.parts import download_parts, make_plan
from worker.files.reading import Damaged
from worker.files.transfers import PART, Crew
from worker.job.outcomes import Hopeless, Interruption

from ..cutting import Cutter, cutter
from ..world import REPOSITORY, World

LARGE = 3 * PART + 7


def keep_on() -> None:
    """Nothing ends the transfer."""


@pytest.fixture
def wire(world: World) -> Iterator[Cutter]:
    with cutter(world.simulator.environment["AWS_ENDPOINT_URL"]) as one:
        yield one


def client(world: World, endpoint: str) -> Any:
    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=30)
    return world.aws.session.client("s3", endpoint_url=endpoint, config=config)


def buckets(world: World, **roles: str) -> Buckets:
    named = dict.fromkeys(("log", "source", "workspace", "destination"), world.bucket)
    return Buckets(**{**named, **roles})


def inputs(world: World, folder: str = "input", cache: Cache | None = None) -> Inputs:
    (world.folder / folder).mkdir(exist_ok=True)
    return Inputs(world.aws.s3, buckets(world), world.folder / folder, keep_on, cache)


def noise(size: int) -> bytes:
    return os.urandom(size)


class Requests:
    """The requests for objects that a client makes, and what was answered."""

    def __init__(self, s3: Any) -> None:
        self.answers: list[int] = []
        s3.meta.events.register("after-call.s3.GetObject", self._note)

    def _note(self, http_response: Any, **_: Any) -> None:
        self.answers.append(http_response.status_code)


# Lists and tables


def test_a_table_brings_its_groups_files_and_names_them_where_they_are(world: World) -> None:
    world.put("fly/load.csv", (
        "FileName_DNA,PathName_DNA,Metadata_Position\n"
        "a1.tif,/home/ubuntu/bucket/fly/images,002\n"
        "a2.tif,/home/ubuntu/bucket/fly/images,076\n"
    ))  # fmt: skip
    world.put("fly/images/a1.tif", "one")
    world.put("fly/images/a2.tif", "two")
    message = {"inputs": [{"csv": "fly/load.csv"}], "group": {"Metadata_Position": 2}}
    (path,) = inputs(world).bring_all(Job.from_object(message).inputs)
    assert path == world.folder / "input" / "load.csv"
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["Metadata_Position"] == "002"
    assert (Path(row["PathName_DNA"]) / row["FileName_DNA"]).read_text() == "one"
    assert not (world.folder / "input" / "fly" / "images" / "a2.tif").exists()


def test_a_list_in_the_workspace_bucket_brings_objects_of_two_others(world: World) -> None:
    others = {role: f"{role}-{world.name}" for role in ("workspace", "gallery")}
    for other in others.values():
        world.aws.s3.create_bucket(Bucket=other)
    listed = f"images/a.tif\n/gallery/b.tif\nimages/a.tif\ns3://{others['gallery']}/deep/c.tif"
    world.aws.s3.put_object(Bucket=others["workspace"], Key="files.txt", Body=listed.encode())
    world.put("images/a.tif", "a")
    for key in ("b.tif", "deep/c.tif"):
        world.aws.s3.put_object(Bucket=others["gallery"], Key=key, Body=key.encode())
    folder = world.folder / "input"
    folder.mkdir()
    bring = Inputs(
        world.aws.s3, buckets(world, workspace=others["workspace"]), folder, keep_on
    ).bring
    (path,) = bring(
        {
            "list": "s3://WORKSPACE_BUCKET/files.txt",
            "paths": {"/gallery": f"s3://{others['gallery']}/"},
        }
    )
    assert [Path(line).read_text() for line in path.read_text().splitlines()] == [
        "a", "b.tif", "a", "deep/c.tif",
    ]  # fmt: skip
    assert (folder / "images" / "a.tif").exists()


def test_a_file_that_a_table_names_and_is_not_there_is_hopeless(world: World) -> None:
    world.put("load.csv", "FileName_A,PathName_A\nnone.tif,/home/ubuntu/bucket/images\n")
    with pytest.raises(Hopeless, match=f"s3://{world.bucket}/images/none.tif does not exist"):
        inputs(world).bring({"csv": "load.csv", "where": {}})


def test_a_name_in_a_list_cannot_lead_out_of_the_folder(world: World) -> None:
    for number, name in enumerate(["../secret", "a/../../b", "s3://../x/y", "s3://b/.."]):
        world.put(f"{number}.txt", name)
        with pytest.raises(Hopeless, match="no object's name"):
            inputs(world).bring({"list": f"{number}.txt"})
    world.put("slash.txt", f"s3://{world.bucket}//etc/out.txt")
    world.put("/etc/out.txt", "x")
    inputs(world).bring({"list": "slash.txt"})
    assert (world.folder / "input" / "etc" / "out.txt").read_text() == "x"


def test_what_brings_two_things_to_one_place_is_refused(world: World) -> None:
    world.put("a/x.csv", "c\n1\n")
    world.put("b/x.csv", "c\n2\n")
    with pytest.raises(Hopeless, match=r"a/x.csv and .*b/x.csv would both be x.csv"):
        inputs(world).bring("a/x.csv", "b/x.csv")
    with pytest.raises(Hopeless, match="listed twice"):
        inputs(world).bring("a/x.csv", {"csv": "a/x.csv", "where": {}})
    assert inputs(world).bring("a/x.csv", "a/x.csv")[0].read_text() == "c\n1\n"


def test_an_empty_step_in_a_key_leaves_nothing(world: World) -> None:
    for key in ("m2//P1/a.tif", "m2/P1//b.tif", "m2/./c.tif"):
        world.put(key, key)
    inputs(world).bring("m2/")
    below = world.folder / "input"
    files = {str(one.relative_to(below)) for one in below.rglob("*") if one.is_file()}
    assert files == {"P1/a.tif", "P1/b.tif", "c.tif"}
    world.put("m2/P1/a.tif", "another")
    with pytest.raises(Hopeless, match=r"m2//P1/a.tif and .*m2/P1/a.tif would both be P1/a.tif"):
        inputs(world, "other").bring("m2/")
    world.put("m9/../up.tif", "x")
    with pytest.raises(Hopeless, match=r"m9/../up.tif would leave its folder"):
        inputs(world, "third").bring("m9/")


def test_a_file_and_a_folder_of_one_name_are_refused_in_these_words(world: World) -> None:
    for key in ("m3/P1", "m3/P1/a.tif", "x/P1/deep/b.tif"):
        world.put(key, "x")
    words = r"m3/P1 would be the file P1, and s3://.*P1/.* needs a folder of this name"
    for number, sources in enumerate([["m3/"], ["m3/P1", "x/"], ["x/", "m3/P1"]]):
        with pytest.raises(Hopeless, match=words):
            inputs(world, f"input{number}").bring(*sources)


def test_a_folder_without_its_slash_is_named_with_it(world: World) -> None:
    world.put("m1/P1/a.tif", "x")
    with pytest.raises(Hopeless, match="m1/P1 does not exist; m1/P1/ is a folder: write it with"):
        inputs(world).bring("m1/P1")
    with pytest.raises(Hopeless, match=r"m1/P2 does not exist\."):
        inputs(world).bring("m1/P2")


def test_only_rows_that_a_job_file_did_not_choose_bring_the_word_on_where(world: World) -> None:
    world.put("load.csv", "Metadata_Well,FileName_A\nA01,a.tif\n")
    unsaid = Job.from_object({"inputs": [{"csv": "load.csv"}], "group": {"plate": "P1"}})
    with pytest.raises(Hopeless, match=r"no column 'plate'; it has .*\. Say which rows .*where"):
        inputs(world).bring_all(unsaid.inputs)
    with pytest.raises(Hopeless, match=r"no column 'plate'; it has Metadata_Well, FileName_A\.$"):
        inputs(world, "other").bring({"csv": "load.csv", "where": {"plate": "P1"}})


def test_a_wrong_call_from_something_py_says_what_is_wrong(world: World) -> None:
    with pytest.raises(Hopeless, match="an object there has one of `list` and `csv`"):
        inputs(world).bring({"cvs": "a.csv"})
    with pytest.raises(Hopeless, match="DATA_BUCKET is no bucket's name"):
        inputs(world).bring("s3://DATA_BUCKET/a.csv")


# Once for all jobs


@pytest.mark.parametrize("removed", [True, False], ids=["in turn", "at the same time"])
def test_jobs_that_share_inputs_fetch_them_once(world: World, removed: bool) -> None:
    requests = Requests(world.aws.s3)
    cache = Cache(world.folder / "cache")
    small, large = noise(1000), noise(LARGE)
    world.put("shared/a.bin", small)
    world.put("shared/b.bin", large)
    for job in ("one", "two", "three", "four"):
        inputs(world, job, cache).bring("shared/")
        assert (world.folder / job / "a.bin").read_bytes() == small, job
        assert (world.folder / job / "b.bin").read_bytes() == large, job
        if removed:
            shutil.rmtree(world.folder / job)
    assert requests.answers == [200, 206, 206, 206, 206]


@pytest.mark.slow
@pytest.mark.parametrize("removed", [True, False], ids=["in turn", "at the same time"])
@pytest.mark.parametrize("how", ["written", "grown", "mode taken", "times put back"])
def test_jobs_that_share_inputs_cannot_spoil_each_others(
    world: World, removed: bool, how: str
) -> None:
    cache = Cache(world.folder / "cache")
    small, large = noise(1000), noise(LARGE)
    world.put("shared/a.bin", small)
    world.put("shared/b.bin", large)
    for job in ("one", "two", "three"):
        inputs(world, job, cache).bring("shared/")
        for name, body in {"a.bin": small, "b.bin": large}.items():
            path = world.folder / job / name
            assert path.read_bytes() == body, (job, name)
            spoil(path, how)
        if removed:
            shutil.rmtree(world.folder / job)


def test_a_job_that_changes_its_inputs_leaves_those_of_running_jobs_as_they_are(
    world: World,
) -> None:
    cache = Cache(world.folder / "cache")
    small, large = noise(1000), noise(LARGE)
    world.put("shared/a.bin", small)
    world.put("shared/b.bin", large)
    for job in ("one", "two", "three"):
        inputs(world, job, cache).bring("shared/")
    for job, left in {"one": ("two", "three"), "three": ("two",)}.items():
        for name, body in {"a.bin": small, "b.bin": large}.items():
            spoil(world.folder / job / name, "written")
            for other in left:
                assert (world.folder / other / name).read_bytes() == body, (job, other, name)


def spoil(path: Path, how: str) -> None:
    status = path.stat()
    if how == "mode taken":
        path.chmod(0)
        return
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END if how == "grown" else os.SEEK_SET)
        file.write(b"spoilt")
    if how == "times put back":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_single_key_is_asked_for_again_but_not_sent_again(world: World) -> None:
    cache = Cache(world.folder / "cache")
    requests = Requests(world.aws.s3)
    world.put("a.txt", "old")
    for job in ("one", "two"):
        inputs(world, job, cache).bring("a.txt")
    assert requests.answers == [200, 304]
    world.put("a.txt", "new")
    inputs(world, "three", cache).bring("a.txt")
    inputs(world, "four", cache).bring("a.txt")
    assert requests.answers == [200, 304, 200, 304]
    read = [(world.folder / job / "a.txt").read_text() for job in ("one", "two", "three", "four")]
    assert read == ["old", "old", "new", "new"]


def test_processes_that_want_the_same_object_at_once_fetch_it_once(world: World) -> None:
    world.put("big.bin", noise(LARGE))
    script = (
        "import sys, boto3; from pathlib import Path\n"
        "from distributed_something.protocol.buckets import Buckets\n"
        "from worker.files.cache import Cache; from worker.files.inputs import Inputs\n"
        "s3, count = boto3.client('s3'), []\n"
        "s3.meta.events.register('before-call.s3.GetObject', lambda **_: count.append(1))\n"
        "name, bucket, folder = sys.argv[1:]\n"
        "(Path(folder) / name).mkdir()\n"
        "sys.stdin.readline()\n"
        "Inputs(s3, Buckets(*[bucket] * 4), Path(folder) / name, lambda: None,\n"
        "       Cache(Path(folder) / 'cache')).bring('big.bin')\n"
        "print(len(count))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"p{number}", world.bucket, str(world.folder)],
            env=world.environment(), cwd=REPOSITORY, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    counts = sorted(int(process.communicate(timeout=60)[0]) for process in processes)
    assert counts == [1, 1, 5]  # one fetches four parts; each asks first for what it does not know
    for number in range(3):
        assert (world.folder / f"p{number}" / "big.bin").read_bytes() == world.read("big.bin")


# Broken, damaged, interrupted


def test_what_breaks_off_is_taken_up_where_it_ended(world: World, wire: Cutter) -> None:
    body = noise(12 * 2**20)
    world.put("a.bin", body)
    (world.folder / "input").mkdir()
    wire.cuts, wire.after = 2, 5 * 2**20
    s3 = client(world, wire.endpoint)
    Inputs(s3, buckets(world), world.folder / "input", keep_on).bring("a.bin")
    assert (world.folder / "input" / "a.bin").read_bytes() == body
    assert wire.cuts == 0
    assert wire.bytes_back < 1.5 * len(body)


def test_a_large_object_goes_on_with_the_parts_that_another_attempt_left(
    world: World, wire: Cutter
) -> None:
    body = noise(LARGE)
    world.put("big.bin", body)
    s3 = client(world, wire.endpoint)
    cache = Cache(world.folder / "cache")
    (world.folder / "one").mkdir()
    done = threading.Event()

    def stop_after_a_part() -> None:
        journals = list((world.folder / "cache").glob("*.journal"))
        if journals and len(journals[0].read_text().splitlines()) > 1:
            done.set()
            raise Interruption("enough")

    with pytest.raises(Interruption):
        Inputs(s3, buckets(world), world.folder / "one", stop_after_a_part, cache).bring("big.bin")
    assert done.is_set()
    (journal,) = (world.folder / "cache").glob("*.journal")
    whole = len(journal.read_text().splitlines()) - 1
    requests = Requests(s3)
    (world.folder / "two").mkdir()
    Inputs(s3, buckets(world), world.folder / "two", keep_on, cache).bring("big.bin")
    assert requests.answers.count(206) == 4 - whole < 4
    assert (world.folder / "two" / "big.bin").read_bytes() == body
    assert not list((world.folder / "cache").glob("*.part*"))


def test_parts_of_an_older_version_are_not_mixed_with_the_new(world: World) -> None:
    path = world.folder / "big.bin"
    world.put("big.bin", noise(LARGE))
    old = make_plan(world.aws.s3, world.bucket, "big.bin", etag_of(world, "big.bin"))
    path.write_bytes(b"o" * LARGE)
    heading = json.dumps([old.etag, LARGE, old.part, old.has_md5s])
    digest = hashlib.md5(b"old").hexdigest()
    path.with_name("big.bin.journal").write_text(f"{heading}\n0 {digest}\n1 {digest}\n")
    world.put("big.bin", noise(LARGE))
    new = make_plan(world.aws.s3, world.bucket, "big.bin", etag_of(world, "big.bin"))
    download_parts(world.aws.s3, new, path, Crew(keep_on))
    assert path.read_bytes() == world.read("big.bin")


def etag_of(world: World, key: str) -> str:
    return world.aws.s3.head_object(Bucket=world.bucket, Key=key)["ETag"]


def send_in_parts(world: World, key: str, body: bytes, size: int) -> None:
    place: Any = {"Bucket": world.bucket, "Key": key}
    upload = world.aws.s3.create_multipart_upload(**place)["UploadId"]
    parts: list[Any] = []
    for number, start in enumerate(range(0, len(body), size), start=1):
        answer = world.aws.s3.upload_part(
            **place, UploadId=upload, PartNumber=number, Body=body[start : start + size]
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    world.aws.s3.complete_multipart_upload(
        **place, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def test_an_object_sent_in_parts_is_checked_against_its_parts_digests(world: World) -> None:
    body = noise(40 * 2**20)
    send_in_parts(world, "big.bin", body, 8 * 2**20)
    plan = make_plan(world.aws.s3, world.bucket, "big.bin", etag_of(world, "big.bin"))
    assert (plan.part, plan.count, plan.has_md5s) == (8 * 2**20, 5, True)
    path = world.folder / "big.bin"
    download_parts(world.aws.s3, plan, path, Crew(keep_on))
    assert path.read_bytes() == body

    heading = json.dumps([plan.etag, plan.size, plan.part, True])
    digest = hashlib.md5(b"other").hexdigest()
    path.with_name("big.bin.journal").write_text(f"{heading}\n2 {digest}\n")
    with pytest.raises(Damaged, match="is not its ETag"):
        download_parts(world.aws.s3, plan, path, Crew(keep_on))
    assert not path.exists()


def test_a_large_transfer_ends_soon_after_its_job_must(world: World) -> None:
    world.put("big.bin", noise(LARGE))
    (world.folder / "input").mkdir()
    began = threading.Event()
    world.aws.s3.meta.events.register("after-call.s3.GetObject", lambda **_: began.set())

    def check() -> None:
        if began.is_set():
            raise Interruption("the worker was asked to stop")

    with pytest.raises(Interruption):
        Inputs(world.aws.s3, buckets(world), world.folder / "input", check).bring("big.bin")
    written = (world.folder / "input" / "big.bin").stat().st_blocks * 512
    assert written < LARGE
