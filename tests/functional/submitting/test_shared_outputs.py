"""With CHECK_IF_DONE_BOOL no job may be passed over because another job's results are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.submitting.shared_outputs import refuse_shared_outputs
from distributed_something.commands.submitting.submit_job import make_maker, submit_job
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import find_record
from tests.builders import settings, write_json
from tests.family_files import JOB_FILES, cellprofiler, fiji, omezarr

PLATES = [{"plate": name} for name in ("P1", "P2", "P3")]
SITES = [{"Metadata": f"Metadata_Plate=P1,Metadata_Site={site}"} for site in (1, 2)]


def look(folder: Path, content: dict[str, Any], **constants: object) -> None:
    told = settings(**{"CHECK_IF_DONE_BOOL": "True", **constants})
    file = open_job_file(write_json(folder / "jobs.json", content), told.job_defaults)
    refuse_shared_outputs(told, file, make_maker(file))


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        ({"command": "x", "output": "out", "groups": PLATES}, '"output": "results/{plate}"'),
        (fiji([{"image": "a"}, {"image": "b"}]), '"output": "results/{plate}"'),
        (omezarr(["P1", "P2"], output="zarr"), '"output": "results/{plate}"'),
        (cellprofiler(SITES, output_structure="Metadata_Plate"), "`output_structure`"),
    ],
    ids=["something", "fiji", "omezarr", "cellprofiler"],
)
def test_jobs_that_another_s_results_would_pass_over_are_refused(
    content: dict[str, Any], way_out: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="some would never run") as refused:
        look(tmp_path, content)
    assert way_out in str(refused.value)
    look(tmp_path, content, CHECK_IF_DONE_BOOL="False")


@pytest.mark.parametrize(
    "content",
    [
        {"command": "x", "output": "out/{plate}", "groups": PLATES},
        {"command": "x", "groups": PLATES},
        {"command": "x", "output": "out", "groups": [PLATES[0], PLATES[0]]},
        fiji([{"image": "a"}, {"image": "b"}], output="project/{image}"),
        *(case.content for name, case in JOB_FILES.items() if name != "Fiji"),
    ],
)
def test_jobs_with_places_of_their_own_are_sent(
    content: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    look(tmp_path, content)
    assert not caplog.records


def test_a_number_of_files_that_may_be_that_of_all_jobs_is_left_to_the_user(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = {"command": "x", "output": "out", "groups": PLATES}
    look(tmp_path, shared, EXPECTED_NUMBER_FILES=3)
    assert "the total number of all of them" in caplog.text
    with pytest.raises(UsageError):
        look(tmp_path, shared, EXPECTED_NUMBER_FILES=2)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator.aws()


def test_nothing_is_sent_and_no_run_begins(aws: Aws, tmp_path: Path) -> None:
    told = settings(CHECK_IF_DONE_BOOL="True")
    aws.s3.create_bucket(Bucket=told.aws_bucket)
    aws.sqs.create_queue(QueueName=told.sqs_queue_name)
    shared = write_json(tmp_path / "jobs.json", {"command": "x", "output": "out", "groups": PLATES})
    with pytest.raises(UsageError, match="Nothing was queued"):
        submit_job(aws, told, shared, folder=None)
    assert find_record(aws.s3, told.aws_bucket, told.app_name) is None
    submit_job(aws, told, shared, folder=None, limit=1)
