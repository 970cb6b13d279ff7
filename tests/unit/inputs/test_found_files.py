"""Groups and inputs come from the files that are there: in order, each once, none by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.submitting.submit_job import check_groups, make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.forms.found_files import NotListed, find_files
from distributed_something.inputs.forms.key_patterns import natural_key
from distributed_something.inputs.job_files import JobFile, open_job_file
from distributed_something.protocol.jobs import Job
from tests.builders import write_json

KEYS = [
    "images/P1/A10_s1.tif",
    "images/P1/A2_s10.tif",
    "images/P1/A2_s9.tif",
    "images/P2/A1_s1.tif",
    "images/P2/A1_s1.txt",
    "images/P2/deeper/A3_s1.tif",
    "images/",
    "refs/genome.fa",
    "runs/Counting/images/P1/A1_s1.tif",
]
WELLS = {"files": "images/{plate}/{well}_*.tif"}


class Bucket:
    """Lists keys below the start of a place, and notes what was asked for."""

    def __init__(self, keys: list[str]) -> None:
        self.keys, self.asked = keys, list[str]()

    def __call__(self, place: str) -> Iterator[str]:
        self.asked.append(place)
        prefix = place.removeprefix("s3://pictures/")
        return (key for key in self.keys if key.startswith(prefix))


def opened(folder: Path, groups: Any, keys: list[str] | None = None, **shared: Any) -> JobFile:
    content = {"command": "wc {plate}", **shared, "groups": groups}
    file = open_job_file(write_json(folder / "jobs.json", content), {})
    return find_files(file, Bucket(KEYS if keys is None else keys))


def jobs_of(file: JobFile) -> list[Job]:
    """The jobs as their workers read them; all groups must be right."""
    maker = make_maker(file)
    check_groups(file, maker)
    return [Job.from_message(maker.make(group).body) for group in file.groups()]


def test_files_that_agree_in_all_fields_make_one_job_in_natural_order(tmp_path: Path) -> None:
    jobs = jobs_of(opened(tmp_path, WELLS))
    assert [(job.name, job.inputs) for job in jobs] == [
        ("P1-A2", ("images/P1/A2_s9.tif", "images/P1/A2_s10.tif")),
        ("P1-A10", ("images/P1/A10_s1.tif",)),
        ("P2-A1", ("images/P2/A1_s1.tif",)),
    ]
    assert jobs[0].argv({}) == ["wc", "P1"]


def test_the_same_files_make_the_same_jobs_in_whatever_order_they_are_listed(
    tmp_path: Path,
) -> None:
    first = jobs_of(opened(tmp_path, WELLS))
    again = jobs_of(opened(tmp_path, WELLS, KEYS[::-1]))
    assert [job.job_id for job in first] == [job.job_id for job in again]


def test_files_take_their_place_among_the_inputs_that_the_job_file_names(tmp_path: Path) -> None:
    (_, _, last) = jobs_of(opened(tmp_path, WELLS, inputs=["refs/*.fa", "{files}"]))
    assert last.inputs == ("refs/genome.fa", "images/P2/A1_s1.tif")


def test_an_address_stays_one_and_braces_of_a_key_are_no_fields(tmp_path: Path) -> None:
    groups = {"files": "s3://pictures/images/{plate}/**.tif"}
    (job,) = jobs_of(opened(tmp_path, groups, ["images/P1/a/{b}.tif"]))
    assert job.inputs == ("s3://pictures/images/P1/a/{b}.tif",)


def test_a_field_that_is_there_twice_has_one_value(tmp_path: Path) -> None:
    keys = ["P1/P1_A1.tif", "P1/P2_A1.tif"]
    (job,) = jobs_of(opened(tmp_path, {"files": "{plate}/{plate}_{well}.tif"}, keys))
    assert job.inputs == ("P1/P1_A1.tif",)


def test_stars_in_inputs_become_keys_with_one_listing_for_each_folder(tmp_path: Path) -> None:
    content = {
        "command": "wc {plate}",
        "inputs": ["images/{plate}/{well}_*.tif", "refs/genome.fa"],
        "groups": [{"plate": "P1", "well": "A2"}, {"plate": "P1", "well": "A10"}],
    }
    bucket = Bucket(KEYS)
    file = find_files(open_job_file(write_json(tmp_path / "jobs.json", content), {}), bucket)
    first, second = jobs_of(file)
    assert first.inputs == ("images/P1/A2_s9.tif", "images/P1/A2_s10.tif", "refs/genome.fa")
    assert second.inputs == ("images/P1/A10_s1.tif", "refs/genome.fa")
    assert bucket.asked == ["images/P1/"]


def test_stars_in_the_inputs_of_a_table_are_found_too(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("plate,inputs,command\nP2,refs/genome.fa,wc\nP1,images/{plate}/A2_*.tif,wc\n")
    first, second = jobs_of(find_files(open_job_file(path, {}), Bucket(KEYS)))
    assert first.inputs == ("refs/genome.fa",)
    assert second.inputs == ("images/P1/A2_s9.tif", "images/P1/A2_s10.tif")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("images/{plate}/{well}-*.tif", "no file matches images/{plate}/{well}-*.tif; the nearest"),
        ("Images/{plate}/{well}_*.tif", "images/P"),
        ("images/{plate}{well}.tif", "nothing divides {well} from the field before it"),
        ("images/{plate:02d}/*.tif", "has a format"),
        ("images/*.tif", "must be a text with fields"),
        ("images/{files}.tif", "must be a text with fields"),
        ("images/{plate", "cannot be read"),
        ("**/{well}_s1.tif", "both would be A1_s1.tif in its input folder"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused_with_the_reason(
    tmp_path: Path, pattern: str, words: str
) -> None:
    keys = [*KEYS, "other/A1_s1.tif"]
    with pytest.raises(UsageError) as refused:
        list(opened(tmp_path, {"files": pattern}, keys).groups())
    assert words in str(refused.value)


def test_an_input_that_nothing_matches_names_its_group_and_the_nearest(tmp_path: Path) -> None:
    groups = [{"plate": "P1", "well": "A2"}, {"plate": "P1", "well": "B7"}]
    file = opened(tmp_path, groups, inputs="images/{plate}/{well}_*.tif")
    with pytest.raises(UsageError) as refused:
        jobs_of(file)
    assert "Group 2: inputs: no file matches images/{plate}/{well}_*.tif" in str(refused.value)
    assert "images/P1/A2_s9.tif" in str(refused.value)


def test_a_star_in_brackets_is_a_star(tmp_path: Path) -> None:
    keys = ["a*b/P1.tif", "axb/P2.tif"]
    (job,) = jobs_of(opened(tmp_path, {"files": "a[*]b/{plate}.tif"}, keys))
    assert job.inputs == ("a*b/P1.tif",)


def test_a_file_without_patterns_is_left_alone_and_asks_for_no_listing(tmp_path: Path) -> None:
    content = {"command": "wc", "inputs": "a.tif", "groups": [{"plate": "P1"}]}
    file = open_job_file(write_json(tmp_path / "jobs.json", content), {})
    assert find_files(file, None) is file


def test_without_anything_to_list_the_reason_is_said(tmp_path: Path) -> None:
    content = {"command": "wc", "groups": {"files": "{plate}.tif"}}
    file = open_job_file(write_json(tmp_path / "jobs.json", content), {})
    with pytest.raises(NotListed, match="--data DIR"):
        list(find_files(file, None).groups())


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["A10", "A2", "a1", "A02", "A"]
    assert sorted(names, key=natural_key) == ["A", "A02", "A2", "A10", "a1"]
