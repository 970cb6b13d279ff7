"""Job files of every form: what they give, and what is said of those that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distributed_something.commands.submitting.submit_job import check_groups, make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file

SHARED_FIXTURE = Path(__file__).parents[4] / "shared/fixtures/upstream/exampleJob.json"
GROUP = {"plate": "P1"}


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def messages(path: Path, **defaults: object) -> list[dict[str, object]]:
    """The messages that a job file makes, after the checks that submitJob makes."""
    file = open_job_file(path, defaults)
    maker = make_maker(file)
    check_groups(file, maker)
    return [json.loads(maker.make(group).body) for group in file.groups()]


def refusal(path: Path, **defaults: object) -> str:
    with pytest.raises(UsageError) as refused:
        messages(path, **defaults)
    return str(refused.value)


# JSON


def test_a_file_in_upstreams_form_makes_upstreams_messages(tmp_path: Path) -> None:
    text = """{
        "_comment0": "dropped", "_comment2": "dropped", "_comment2": "dropped again",
        "input_location": "Somewhere/on/your/bucket", "job_flag_1": "True", "user_comment": "kept",
        "groups": [{"job_flag_2": "A", "job_flag_3": "foo"}, {"job_flag_2": "B"}]
    }"""
    shared = {"input_location": "Somewhere/on/your/bucket", "job_flag_1": "True"}
    shared["user_comment"] = "kept"
    assert messages(write(tmp_path, "job.json", text)) == [
        {**shared, "group": {"job_flag_2": "A", "job_flag_3": "foo"}},
        {**shared, "group": {"job_flag_2": "B"}},
    ]


def test_the_example_job_file_makes_a_message_for_each_group() -> None:
    path = Path(__file__).parents[3] / "files/exampleJob.json"
    found = messages(path)
    assert len(found) == len(json.loads(path.read_text())["groups"])
    if SHARED_FIXTURE.exists():
        assert messages(SHARED_FIXTURE)[3]["group"] == {"job_flag_2": "B", "job_flag_3": "bar"}


def test_keys_after_the_groups_are_shared_too_and_values_keep_their_types(tmp_path: Path) -> None:
    text = '{"groups": [{"a": 1.0, "b": [1, {"c": null}], "d": true}], "after": {"x": 12}}'
    assert messages(write(tmp_path, "job.json", text)) == [
        {"after": {"x": 12}, "group": {"a": 1.0, "b": [1, {"c": None}], "d": True}}
    ]


def test_defaults_are_shared_keys_that_the_file_lacks(tmp_path: Path) -> None:
    path = write(tmp_path, "job.json", '{"command": "own", "groups": [{"a": 1}]}')
    (message,) = messages(path, command="default", timeout=60, inputs=("x", "y"))
    assert message["command"] == "own"
    assert message["timeout"] == 60 and message["inputs"] == ["x", "y"]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "job.json", b'\xef\xbb\xbf{"groups": [{"a": "\xc3\xa4"}]}')
    assert messages(path) == [{"group": {"a": "ä"}}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,\n "groups": [{"x": 1},\n   {"y": }]}', ["line 3, column 10", "not JSON"]),
        ('{"groups": [{"x": 1}]', ["line 1, column 22"]),
        ('{"groups": [{"x": 1}]} extra', ["line 1, column 24"]),
        ("{'groups': []}", ["line 1, column 2"]),
        ('{"groups": [{"x": 1},\n]}', ["line 2", "comma"]),
        ('{"groups": [{"x": 1}],}', ["line 1", "comma"]),
        ('{"IamFleetRole": "r", "LaunchSpecifications": []}', ["fleet file", "startCluster"]),
        ('{"SpotFleetRequestConfig": {}}', ["fleet file", "startCluster"]),
        ("", ["is empty"]),
        ("[1]", ["must be an object"]),
        ('"text"', ["must be an object"]),
        ('{"command": "x"}', ['no "groups"']),
        ('{"groups": []}', ["no groups"]),
        ('{"groups": 7}', ["must be a list"]),
        ('{"groups": null}', ["must be a list"]),
        ('{"groups": {"plates": []}}', ["must be a list"]),
        ('{"groups": [{"x": 1}],\n "groups": [{"x": 2}]}', ["line 2: `groups`", "into one list"]),
        ('{"command": "a",\n\n "command": "b", "groups": [{"x": 1}]}', ["line 3: `command`"]),
        ('{"groups": [{"x": 1}, {"x": "\\"}{",\n"x": 2}]}', ["line 2: `x`", "of `groups`"]),
        ('{"environment": {"A": "1", "A": "2"}, "groups": [{"x": 1}]}', ["`A` is there twice"]),
        ('{"groups": {"product": {"x": 1,\n "x": 2}}}', ["line 2: `x`"]),
        ('{"command": "a", "own": 1,\n "own": 2, "groups": [{"x": 1}]}', ["line 2: `own`"]),
        ('{"pipeline": "p", "data_file": "d", "input": "i", "output": "o", "output": "p",'
         ' "groups": [{"Metadata": "A=1",\n "Metadata": "A=2"}]}', ["`output`", "line 2: `Meta"]),
        ('{"groups": {"csv": "none.csv"}}', ["none.csv", "relative"]),
        ('{"groups": {"product": {"well": "H12..A01"}}}', ["product.well", "backwards"]),
        ('{"groups": [{"x": NaN}]}', ["NaN", "cannot be read"]),
        ('{"groups": [{"x": 123456789012345678901234567890}]}', ["in quotes"]),
        (b'{"groups": [\n{"x": "\xff"}]}', ["line 2", "UTF-8"]),
    ],
)  # fmt: skip
def test_a_broken_json_file_is_told_with_its_place(
    tmp_path: Path, text: str | bytes, words: list[str]
) -> None:
    said = refusal(write(tmp_path, "job.json", text))
    assert "job.json" in said
    for word in words:
        assert word in said


def test_a_key_twice_that_has_no_meaning_of_ours_is_warned_of_and_comments_may_come_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = '{"_comment": 1, "_comment": 2, "data": {"a": 1,\n "a": 2}, "own": 1, "own": 2,'
    path = write(
        tmp_path, "job.json", text + ' "groups": [{"x": "1", "_comment": 1, "_comment": 2}]}'
    )
    group = {"x": "1", "_comment": 2}
    assert messages(path) == [{"data": {"a": 2}, "own": 2, "group": group}]
    said = [one.getMessage() for one in caplog.records if "last one counts" in one.getMessage()]
    assert len(said) == 2
    assert "line 2: `a`" in said[0] and "line 2: `own`" in said[1]


def test_a_key_twice_in_a_line_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "jobs.jsonl", '{"x": 1}\n{"x": 1, "command": "a", "x": 2}\n')
    assert "line 2: `x` is there twice" in refusal(path)


def test_a_missing_job_file_is_named(tmp_path: Path) -> None:
    assert "none.json" in refusal(tmp_path / "none.json")


def test_defaults_that_json_cannot_hold_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "job.json", '{"groups": [{"a": 1}]}')
    assert "JOB_DEFAULTS" in refusal(path, environment={1, 2})


# Groups from a table or a product


def test_groups_may_come_from_a_table_beside_the_job_file(tmp_path: Path) -> None:
    write(tmp_path, "plates.csv", "plate,well,command\nP1,A01,x\n")
    path = write(tmp_path, "job.json", '{"command": "t {plate}", "groups": {"csv": "plates.csv"}}')
    assert messages(path) == [
        {"command": "t {plate}", "group": {"plate": "P1", "well": "A01", "command": "x"}}
    ]


def test_groups_may_be_a_product(tmp_path: Path) -> None:
    groups = '{"product": {"plate": "P1", "site": "1..3"}, "exclude": {"site": 2}}'
    found = messages(write(tmp_path, "job.json", f'{{"groups": {groups}}}'))
    assert [message["group"] for message in found] == [
        {"plate": "P1", "site": 1},
        {"plate": "P1", "site": 3},
    ]


# CSV


def test_a_csv_in_the_form_of_aws_runner_works_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "jobs.csv", "instance_type,command\nc5.large,julia a.jl\n\n")
    (message,) = messages(path)
    assert message["command"] == "julia a.jl"
    assert message["group"] == {"instance_type": "c5.large"}


def test_two_rows_of_a_csv_that_differ_in_their_command_have_their_own_places(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "jobs.csv", "instance_type,command\nc5.large,a\nc5.large,b\n")
    assert len(messages(path)) == 2


def test_a_csvs_cells_are_text_and_its_reserved_columns_are_read_as_what_they_are(
    tmp_path: Path,
) -> None:
    table = (
        "plate,site,timeout,shell,no_retry_exit_codes,output,_comment\n"
        "P1,007,600,TRUE,[3],r/{plate}/{site},hello\n"
        "P2,1,,,,r/2,\n"
    )
    first, second = messages(write(tmp_path, "jobs.csv", table), command="x")
    assert first["group"] == {"plate": "P1", "site": "007"}
    assert (first["timeout"], first["shell"], first["no_retry_exit_codes"]) == (600, True, [3])
    assert "timeout" not in second and second["command"] == "x"


def test_quoted_cells_line_ends_and_tabs_are_read_as_tables_have_them(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b'\xef\xbb\xbfplate,note\r\nP1,"a, ""b""\r\nc"\r\n')
    assert messages(path) == [{"group": {"plate": "P1", "note": 'a, "b"\r\nc'}}]
    assert messages(write(tmp_path, "b.tsv", "a\tb\n1\t2,3\n")) == [
        {"group": {"a": "1", "b": "2,3"}}
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no header"),
        ("plate,well\n", "no groups"),
        ("plate,,well\na,b,c\n", "column 2 has no name"),
        ("plate,plate\na,b\n", "'plate' is there twice"),
        ("plate,well\nP1,A01\nP1\n", "line 3 has 1 value, the header has 2"),
        ("plate,well\nP1,A01,x\n", "line 2 has 3 values, the header has 2"),
        ('plate,well\nP1,"A01\n', "line 2"),
        (b"plate\nP1\n\xff\n", "not UTF-8"),
        ("plate,timeout\nP1,soon\n", "Row 1: timeout is 'soon'"),
        ("plate,command\nP1,a > b\n", "Row 1: command 'a > b' has '>'"),
    ],
)
def test_a_broken_csv_is_told_with_its_place(tmp_path: Path, text: str | bytes, word: str) -> None:
    assert word in refusal(write(tmp_path, "jobs.csv", text))


@pytest.mark.parametrize(
    "text",
    [
        "sample, fastq\nS1, a.fq\n",
        " sample ,fastq \n S1\u00a0, a.fq \n",
        'sample, fastq\n"S1", "a.fq"\n',
        "sample;fastq\nS1;a.fq\n",
        "sample\tfastq\nS1\ta.fq\n",
        "sample|fastq\nS1|a.fq\n",
        "sep=;\r\nsample;fastq\r\nS1;a.fq\r\n;\r\n",
    ],
)
@pytest.mark.parametrize("name", ["jobs.csv", "jobs.tsv", "beside"])
def test_a_table_as_people_and_spreadsheets_write_it_is_read_as_it_is_meant(
    tmp_path: Path, name: str, text: str
) -> None:
    if name == "beside":
        write(tmp_path, "jobs.csv", text)
        path = write(tmp_path, "job.json", '{"groups": {"csv": "jobs.csv"}}')
    else:
        path = write(tmp_path, name, text)
    assert messages(path) == [{"group": {"sample": "S1", "fastq": "a.fq"}}]


def test_what_separates_the_columns_is_said_if_it_is_not_what_the_name_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    messages(write(tmp_path, "jobs.csv", "a;b\n1,5;2\n"))
    assert "jobs.csv: the columns are separated by ;" in caplog.text
    assert "has 3 values" in refusal(write(tmp_path, "more.csv", "a;b\n1;2;3\n"))
    caplog.clear()
    messages(write(tmp_path, "plain.csv", 'a,"b;c"\n1,2;3\n'))
    messages(write(tmp_path, "one.csv", "note\nx 1;2\n"))
    assert "separated" not in caplog.text


def test_what_a_spreadsheet_has_spoilt_is_refused_or_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = refusal(write(tmp_path, "a.csv", "plate,file\nP1,a\nP2,#REF!\n"))
    assert "line 3 has #REF!" in said
    messages(write(tmp_path, "b.csv", "plate\n4.12E+11\n"))
    assert "4.12E+11" in caplog.text and "format the column as text" in caplog.text
    for content in (b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest"):
        assert "is a spreadsheet: save it as CSV" in refusal(write(tmp_path, "a.xlsx", content))


def test_a_range_outside_a_product_is_one_value_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(messages(write(tmp_path, "jobs.csv", "plate,well\nP1,A01-H12\n"))) == 1
    assert "Row 1 has well 'A01-H12', which is one value" in caplog.text
    assert "A01..H12" in caplog.text


# JSON Lines


def test_each_line_is_a_job_and_its_reserved_keys_are_its_own(tmp_path: Path) -> None:
    lines = '{"plate": "P1", "command": "a {plate}", "_comment": 1}\n\n{"plate": "P2"}\n'
    first, second = messages(write(tmp_path, "jobs.jsonl", lines), command="b {plate}")
    assert first["command"] == "a {plate}" and first["group"] == {"plate": "P1"}
    assert second == {"command": "b {plate}", "group": {"plate": "P2"}}


def test_a_line_with_a_group_is_a_whole_message(tmp_path: Path) -> None:
    message = {"input": "x", "command": "t", "group": {"plate": "P1"}}
    assert messages(write(tmp_path, "jobs.ndjson", json.dumps(message))) == [message]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1}\n{"a": }\n', ["line 2, column 7"]),
        ("[1]\n", ["line 1", "must be a JSON object"]),
        ('{"a": Infinity}\n', ["line 1", "Infinity is not JSON"]),
        ('{"a": 1e999}\n', ["Line 1", "too large"]),
        ('{"groups": [{"a": 1}]}\n', ["jobs.json"]),
        ("\n\n", ["no groups"]),
    ],
)
def test_broken_lines_are_told_with_their_place(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    said = refusal(write(tmp_path, "jobs.jsonl", text))
    for word in words:
        assert word in said


# What is checked over all groups


def test_the_first_group_of_each_fault_is_named_and_the_others_are_counted(
    tmp_path: Path,
) -> None:
    groups: list[object] = [{"plate": f"P{n}", "well": "A01"} for n in range(30)]
    groups[16] = {"plate": "P16"}
    groups[20] = {"plate": "P20"}
    groups[25] = None
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"command": "t {plate} {well}", "groups": groups}))
    said = refusal(path)
    assert "2 problems; nothing was queued" in said
    assert "Group 17: The template '{well}'" in said and "(1 more like it.)" in said
    assert "Group 26: null is no group" in said


def test_faults_of_the_shared_keys_are_all_told(tmp_path: Path) -> None:
    path = write(tmp_path, "job.json", '{"command": 1, "timeout": 0, "groups": [{"a": 1}]}')
    said = refusal(path)
    assert "2 problems" in said and "command is 1" in said and "timeout is 0" in said


def test_two_jobs_that_would_write_to_one_place_unsaid_are_refused(tmp_path: Path) -> None:
    groups = '[{"plate": "P1", "well": "A01"}, {"plate": "P1", "well": "A02"}]'
    path = write(tmp_path, "job.json", f'{{"name": "{{plate}}", "groups": {groups}}}')
    assert "Group 2: its name 'P1' is an earlier job's too" in refusal(path)


def test_jobs_may_share_a_place_that_the_file_names(tmp_path: Path) -> None:
    groups = '[{"plate": "P1", "well": "A01"}, {"plate": "P1", "well": "A02"}]'
    text = f'{{"name": "{{plate}}", "output": "r/{{plate}}", "groups": {groups}}}'
    assert len(messages(write(tmp_path, "job.json", text))) == 2


def test_a_group_that_is_there_twice_is_no_clash(tmp_path: Path) -> None:
    text = '{"groups": [{"plate": "P1"}, {"plate": "P1"}]}'
    assert len(messages(write(tmp_path, "job.json", text))) == 2
