"""Jobs made of the files in a bucket: checked, shown and queued as the files are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.check import State, check
from distributed_something.commands.submitting.dry_run import dry_run
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.errors import UsageError
from distributed_something.inputs.forms.found_files import NotListed
from distributed_something.local.rehearsal import rehearse
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.builders import settings, write_json

JOBS = {
    "command": "cat {input_dir}/{well}_s1.tif",
    "output": "counts/{plate}/{well}",
    "groups": {"files": "images/{plate}/{well}_*.tif"},
}


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        account = simulator.aws()
        account.s3.create_bucket(Bucket="lab-data")
        account.sqs.create_queue(QueueName="CountingQueue")
        for key in ("P1/A2_s1.tif", "P1/A2_s2.tif", "P1/A10_s1.tif"):
            account.s3.put_object(Bucket="lab-data", Key=f"images/{key}", Body=b"x")
        yield account


def test_the_jobs_that_a_dry_run_shows_are_those_that_are_queued(aws: Aws, tmp_path: Path) -> None:
    path = write_json(tmp_path / "jobs.json", JOBS)
    planned = dry_run(aws, settings(), path)
    assert [job.inputs for job in planned.jobs] == [
        ("s3://lab-data/images/P1/A2_s1.tif", "s3://lab-data/images/P1/A2_s2.tif"),
        ("s3://lab-data/images/P1/A10_s1.tif",),
    ]
    submitted = submit_job(aws, settings(), path, folder=None)
    ledger = RunLedger(aws.s3, "lab-data", "Counting", submitted.run_id)
    queued = [Job.from_message(job.body) for job in ledger.submitted_jobs()]
    assert [(job.name, len(job.inputs)) for job in queued] == [("P1-A2", 2), ("P1-A10", 1)]


def test_a_check_lists_with_an_account_and_says_so_without(aws: Aws, tmp_path: Path) -> None:
    path = write_json(tmp_path / "jobs.json", JOBS)
    found = {one.subject: one for one in check(aws, settings(), path).findings}
    assert found["inputs"].text == "3 inputs of 2 jobs: all are there"
    found = {one.subject: one for one in check(None, settings(), path).findings}
    assert (found["job file"].state, "leave out --offline" in found["job file"].fix) == (
        State.UNSEEN,
        True,
    )


def test_nothing_is_queued_for_a_pattern_that_nothing_matches(aws: Aws, tmp_path: Path) -> None:
    path = write_json(tmp_path / "jobs.json", {**JOBS, "groups": {"files": "images/{well}.tif"}})
    with pytest.raises(UsageError, match=r"the nearest are images/P1/A"):
        submit_job(aws, settings(), path, folder=None)


@pytest.mark.slow
def test_a_rehearsal_makes_jobs_of_the_files_in_its_folder(tmp_path: Path) -> None:
    for name in ("A10_s1.tif", "A2_s1.tif", "A2_s2.tif", "B1_s1.tif"):
        path = tmp_path / "data" / "images" / "P1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    jobs = {**JOBS, "command": "cp -r {input_dir}/. {output_dir}"}
    path = write_json(tmp_path / "jobs.json", jobs)
    folder = tmp_path / "rehearsal"
    with pytest.raises(NotListed, match="give `rehearse` --data DIR"):
        rehearse(settings(), path, directory=folder)
    report = rehearse(
        settings(), path, jobs=2, data=tmp_path / "data", runtime="process", directory=folder
    )
    assert report.succeeded, report.failures
    results = sorted(one.relative_to(folder / "Counting").as_posix() for one in report.results)
    assert results == [
        "counts/P1/A10/A10_s1.tif",
        "counts/P1/A2/A2_s1.tif",
        "counts/P1/A2/A2_s2.tif",
    ]
