"""How long a job takes beside others, as its job file says, and the order that follows."""

from __future__ import annotations

import json

import pytest

from distributed_something.commands.submitting.order import AS_LISTED, Order, in_order
from distributed_something.inputs.jobs import Group, JobMaker, JobMessage, fingerprint_of
from distributed_something.protocol.jobs import BadJob, JobKeys

SHARED = {"command": "count {plate}", "weight": "{images}"}


def test_a_jobs_weight_is_what_its_template_makes() -> None:
    maker = JobMaker(SHARED)
    assert maker.make(Group({"plate": "A", "images": 12})).weight == 12.0
    assert JobMaker({"command": "count", "weight": 3}).make(Group({"plate": "A"})).weight == 3.0
    assert JobMaker({"command": "count"}).make(Group({"plate": "A"})).weight is None


def test_a_row_may_have_a_weight_of_its_own() -> None:
    maker = JobMaker({"command": "count {plate}"})
    assert not maker.has_weights
    row = Group({"plate": "A"}, {"weight": 7})
    assert not maker.look(row).problems
    assert maker.has_weights
    assert maker.make(row).weight == 7.0


def test_a_weight_is_not_sent_and_another_one_makes_no_other_job() -> None:
    group = Group({"plate": "A", "images": 12})
    with_it, without = (
        JobMaker(shared).make(group) for shared in (SHARED, {"command": "count {plate}"})
    )
    assert with_it.job_id == without.job_id
    assert "weight" not in json.loads(with_it.body)


@pytest.mark.parametrize("images", ["many", "", -1, "nan", "inf"])
def test_what_is_no_weight_is_refused_before_anything_is_sent(images: object) -> None:
    (problem,) = JobMaker(SHARED).look(Group({"plate": "A", "images": images})).problems
    assert problem.sentence == "its weight is no number of 0 or more."


def test_a_weight_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadJob, match="weight"):
        JobKeys.read({"command": "count", "weight": ["12"]})


def jobs(*weights: float | None) -> list[JobMessage]:
    return [JobMessage(f"{n:020x}", f"job {n}", "{}", weight) for n, weight in enumerate(weights)]


def test_jobs_are_sent_longest_first() -> None:
    listed = jobs(1.0, 30.0, None, 2.0)
    found = list(in_order(iter(listed), Order("their weight")))
    assert found == [listed[1], listed[2], listed[3], listed[0]]


def test_times_of_the_same_names_order_jobs_without_weights() -> None:
    listed = jobs(None, None, None)
    seconds = {fingerprint_of("job 2"): 50.0, fingerprint_of("job 0"): 10.0}
    assert [job.name for job in in_order(iter(listed), Order("times", seconds))] == [
        "job 2",
        "job 1",
        "job 0",
    ]


def test_without_anything_known_the_files_own_order_stays() -> None:
    listed = jobs(None, None)
    assert list(in_order(iter(listed), AS_LISTED)) == listed
