"""CHECK_IF_DONE_BOOL: a job whose results are there is not run; a part of them does not count."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import Job
from tests.benchmarks.chaos import kill_all
from worker.files.results import Destination, destination
from worker.job.done_before import own_results, results_are_there, upload_mark

from ..stuck_line import StuckLine
from ..world import World, until


def settings(world: World, **changes: object) -> WorkerEnvironment:
    return WorkerEnvironment.from_environment(world.environment(**changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expected_number_files": 3}, True),
        ({"expected_number_files": 4}, False),
        ({"expected_number_files": 2, "min_file_size_bytes": 4}, True),
        ({"expected_number_files": 3, "min_file_size_bytes": 4}, False),
        ({"expected_number_files": 1, "necessary_string": "cells"}, True),
        ({"expected_number_files": 2, "necessary_string": "cells"}, False),
        # The folder's name holds it, no object's does.
        ({"expected_number_files": 1, "necessary_string": "plate"}, False),
    ],
)
def test_results_are_there_if_enough_objects_are_large_enough_and_rightly_named(
    world: World, changes: dict[str, object], expected: bool
) -> None:
    for name, body in {"cells.csv": "1234", "b.csv": "12345", "deep/c.csv": "1"}.items():
        world.put(f"out/plate1/{name}", body)
    world.put("out/plate10/other.csv", "of another job")
    target = Destination(world.bucket, "out/plate1")
    assert results_are_there(world.aws.s3, settings(world, **changes), target) is expected


def test_more_results_than_a_page_of_a_listing_are_all_counted(world: World) -> None:
    for number in range(1005):
        world.put(f"out/{number:04d}.txt", "x")
    target = Destination(world.bucket, "out")
    enough = settings(world, expected_number_files=1005)
    assert results_are_there(world.aws.s3, enough, target)
    assert not results_are_there(world.aws.s3, settings(world, expected_number_files=1006), target)


def test_results_that_are_still_on_their_way_do_not_count(world: World) -> None:
    world.put("out/a.txt", "x")
    target, told = Destination(world.bucket, "out"), settings(world)
    upload_mark(world.aws.s3, told, target).begin()
    assert not results_are_there(world.aws.s3, told, target)
    upload_mark(world.aws.s3, told, target).end()
    assert results_are_there(world.aws.s3, told, target)


def test_a_job_whose_results_are_there_is_done_without_a_run(world: World) -> None:
    there = world.send({"command": "sleep 600", "output": "out/{p}", "group": {"p": "P1"}})
    new = world.send({"command": "touch output/x", "output": "out/{p}", "group": {"p": "P2"}})
    world.put("out/P1/cells.csv", "cells")
    world.start_worker(check_if_done_bool=True)
    world.until_empty()
    world.stop()
    assert sorted(world.done()) == sorted([there, new])
    assert "already existed" in world.ended(there)[0].reason
    assert world.ended(there)[0].is_passed_over
    assert not [key for key in world.object_keys() if "/uploads/" in key]


def test_a_part_of_the_results_of_a_run_that_did_not_ask_does_not_count(world: World) -> None:
    job = world.send({"command": "touch output/a output/b", "output": "out", "group": {"p": "P1"}})
    with StuckLine(world.simulator.endpoint_url, "/out/b") as line:
        first = world.start_worker({"AWS_ENDPOINT_URL_S3": line.url}, check_if_done_bool=False)
        until(lambda: line.stuck and world.object_keys("out/") == ["out/a"], "a part is there")
        kill_all(first)
    world.start_worker(check_if_done_bool=True, min_file_size_bytes=0)
    world.until_empty()
    world.stop()
    assert world.object_keys("out/") == ["out/a", "out/b"]
    assert [one.reason for one in world.ended(job)] == [""]
    assert not [key for key in world.object_keys() if "/uploads/" in key]


def test_a_missing_bucket_is_not_taken_for_missing_results(world: World) -> None:
    with pytest.raises(ClientError):
        results_are_there(world.aws.s3, settings(world), Destination("no-such-bucket", "out"))


def plate(world: World, name: str, **changes: object) -> dict[str, object]:
    """The message of one plate of an OMEZarr job file: all plates have the same output."""
    world.put(f"images/{name}/image", "pixels")
    places = {"bucket": world.bucket, "location": "images"}
    return {
        **{f"input_{key}": value for key, value in places.items()},
        **{f"output_{key}": value for key, value in {**places, "location": "zarr"}.items()},
        "command": ["bash", "-c", "mkdir output/$0; touch output/$0/.zattrs", "{plate}.ome.zarr"],
        "plate": name,
        **changes,
    }


def test_a_plate_is_run_though_another_s_results_are_where_its_own_will_be(world: World) -> None:
    world.put("zarr/P1.ome.zarr/.zattrs", "{}")
    there, new = world.send(plate(world, "P1")), world.send(plate(world, "P"))
    world.start_worker(check_if_done_bool=True, min_file_size_bytes=0)
    world.until_empty()
    world.stop()
    assert sorted(world.done()) == sorted([there, new])
    assert world.ended(there)[0].is_passed_over
    assert not world.ended(new)[0].is_passed_over
    assert "zarr/P.ome.zarr/.zattrs" in world.object_keys("zarr/")


def test_the_end_of_one_plate_s_upload_is_not_that_of_another_s(world: World) -> None:
    told = settings(world)
    first, second = (
        own_results(job, destination(job, told.app_name, Buckets.of(told)))
        for job in (Job.from_object(plate(world, name)) for name in ("P1", "P2"))
    )
    for place in (first, second):
        world.put(f"{place.prefix}/.zattrs", "{}")
        upload_mark(world.aws.s3, told, place).begin()
    upload_mark(world.aws.s3, told, first).end()
    assert results_are_there(world.aws.s3, told, first)
    assert not results_are_there(world.aws.s3, told, second)


def test_a_plate_with_an_output_of_its_own_has_all_of_it(world: World) -> None:
    job = Job.from_object(plate(world, "P1", output="mine/{plate}"))
    target = Destination(world.bucket, "mine/P1")
    assert own_results(job, target) == target
