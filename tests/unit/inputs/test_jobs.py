"""Jobs: ids, names, reserved keys, and that `JobMaker` and a worker see the same job."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.inputs.jobs import Group, JobMaker, split_row, without_comments
from distributed_something.protocol.done_when import DoneWhen
from distributed_something.protocol.jobs import (
    MESSAGE_BYTES,
    BadJob,
    Job,
    JobKeys,
    default_name,
    job_id,
    tidy_name,
)
from tests.secret_names import HARMLESS_NAMES, SECRET_NAMES

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.text(max_size=8).filter(lambda key: key not in {"command", "shell", "name", "output"})
GROUPS = st.dictionaries(KEYS, JSON, max_size=4)
SHARED = st.dictionaries(st.sampled_from(["a", "f", "groups2", "h", "z", "Ä"]), JSON, max_size=4)
DIRECTORIES = {
    "work_dir": "/w",
    "input_dir": "/w/in",
    "output_dir": "/w/out",
    "checkpoint_dir": "/w/checkpoint",
}


def problems(shared: Mapping[str, object], group: object, **own: object) -> list[str]:
    look = JobMaker(shared).look(Group(group, own or None))
    return [problem.sentence for problem in look.problems]


def refusal(**shared: object) -> str:
    with pytest.raises(BadJob) as refused:
        JobKeys.read(shared)
    return "\n".join(refused.value.problems)


# Messages, ids and names


@given(SHARED, GROUPS)
def test_a_made_message_is_the_shared_keys_and_the_group_and_has_the_protocols_id(
    shared: dict[str, object], group: dict[str, object]
) -> None:
    job = JobMaker(shared).make(Group(group))
    message = {**shared, "group": group}
    assert json.loads(job.body) == json.loads(json.dumps(message))
    assert job.job_id == job_id(message) == Job.from_message(job.body).job_id
    assert job.name == Job.from_message(job.body).name


@given(SHARED, GROUPS)
def test_a_body_holds_only_characters_that_sqs_takes(
    shared: dict[str, object], group: dict[str, object]
) -> None:
    body = JobMaker(shared).make(Group(group)).body
    assert all(" " <= character <= "~" for character in body)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_a_jobs_id_does_not_depend_on_the_order_of_keys(
    message: dict[str, object],
) -> None:
    turned = dict(reversed(list(message.items())))
    assert job_id(message) == job_id(turned)


@given(st.text(), st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_a_tidy_name_is_short_printable_and_never_climbs(
    name: str, message: dict[str, object]
) -> None:
    tidy = tidy_name(name, message)
    assert 0 < len(tidy) <= 200
    assert not {"", ".", ".."} & set(tidy.split("/"))
    assert tidy.encode()  # no half of a surrogate pair is left
    assert not any(character < " " for character in tidy)


def test_a_job_is_named_by_its_groups_values_in_their_order() -> None:
    assert default_name({"x": 1, "group": {"plate": "P1", "well": "A01", "site": 3}}) == "P1-A01-3"


def test_groups_that_differ_only_inside_a_nested_value_have_different_names() -> None:
    first = default_name({"group": {"plate": "P1", "options": {"a": 1}}})
    second = default_name({"group": {"plate": "P1", "options": {"a": 2}}})
    assert first.startswith("P1-") and second.startswith("P1-") and first != second


def test_a_long_name_is_cut_and_stays_different() -> None:
    names = {tidy_name("x" * 5000, {"group": {"number": n}}) for n in range(10)}
    assert len(names) == 10 and all(len(name) <= 200 for name in names)


def test_a_groups_own_name_is_what_the_field_means() -> None:
    message = {"command": "run {name}", "group": {"name": "img7", "well": "A01"}}
    assert Job.from_object(message).argv(DIRECTORIES) == ["run", "img7"]


def test_the_field_name_is_the_jobs_name_when_no_group_has_it() -> None:
    message = {"command": "run {name}", "name": "{plate}!", "group": {"plate": "P1"}}
    assert Job.from_object(message).argv(DIRECTORIES) == ["run", "P1!"]


# Reserved keys


def test_every_fault_of_the_reserved_keys_is_told_at_once() -> None:
    text = refusal(
        command=7, shell="yes", inputs=[1], output=3, timeout=-1, no_retry_exit_codes="1",
        environment={"A B": 1}, done_when={"files": 1}, name="{a",
    )  # fmt: skip
    for word in (
        "command", "shell", "inputs", "output", "timeout", "no_retry_exit_codes",
        "'A B'", "'files'", "{a",
    ):  # fmt: skip
        assert word in text


@pytest.mark.parametrize(
    "command",
    [
        "a > b", "a | b", "a && b", "a; b", "a>b", "a &", "(a)", "echo $(date)", "echo `date`",
        "echo $HOME", 'echo "$HOME"', 'echo "`date`"', "LANG=C sort", "a ${x}", "a\nb; c",
        "cat {input_dir}/*.vcf", "ls x?.tif", "ls img[0-9].tif", "cat ~/a", "cat ~", "a # b",
        "a\nb", "awk {print $1}", 'echo "$1"', "echo $@", "cp s3://b/*.tif x", "a ${INPUT_FILE}",
        "curl http://x/?a=1&b=2",
    ],
)  # fmt: skip
def test_what_only_a_shell_understands_is_refused(command: str) -> None:
    assert "only a shell understands" in refusal(command=command)


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("tool --sep ';' \"|\" a\\;b", ["tool", "--sep", ";", "|", "a;b"]),
        ("awk '$1 > 2' x", ["awk", "$1 > 2", "x"]),
        ("tool --cost 5$ --if a=b", ["tool", "--cost", "5$", "--if", "a=b"]),
        ("tool {plate:>4}", ["tool", "  P1"]),
        ("tool '*.tif' \"a?\" \\*", ["tool", "*.tif", "a?", "*"]),
        ("curl http://x/?a=1 -o s3://b/c#d", ["curl", "http://x/?a=1", "-o", "s3://b/c#d"]),
        ("tool a#b x~ [1,2] a[0] --n=~", ["tool", "a#b", "x~", "[1,2]", "a[0]", "--n=~"]),
        ("\n  tool a \\\n    --b '\\\n'\n", ["tool", "a", "--b", "\\\n"]),
        ('tool "{input_dir}/{plate} x.tif"', ["tool", "/w/in/P1 x.tif"]),
        (["tool", "a > b", "{plate}"], ["tool", "a > b", "P1"]),
    ],
)
def test_a_command_becomes_its_words_and_no_value_is_split(
    command: object, argv: list[str]
) -> None:
    message = {"command": command, "group": {"plate": "P1"}}
    assert Job.from_object(message).argv(DIRECTORIES) == argv


def test_what_a_shell_would_have_filled_in_is_shown_as_it_was_written() -> None:
    assert "has '${INPUT_FILE}'," in refusal(command="samtools index ${INPUT_FILE}")
    assert "has '*', " in refusal(command="cat *.vcf")
    assert "in single quotes" in refusal(command="cat *.vcf")


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"output": "r/$plate"}, "'r/$plate' has $plate, which only a shell would fill in"),
        ({"inputs": ["r/${plate}.tif"]}, "write {plate}"),
        ({"name": "$plate-x"}, "write {plate}"),
        ({"environment": {"A": "$input_dir/x"}}, "write {input_dir}"),
        ({"output": "r/*/x"}, "it names one place, and no pattern"),
        ({"done_when": {"file": "*.csv"}}, "patterns are for done_when.glob"),
        ({"done_when": {"json_file": "a?.json", "json_path": "x"}}, "patterns are for"),
        ({"inputs": ["D:\\data\\a.tif"]}, "a path of a computer: copy the files"),
        ({"inputs": ["\\\\nas\\a.tif"]}, "a path of a computer"),
        ({"inputs": [{"csv": "file:///D:/a.csv"}]}, "a path of a computer"),
        ({"output": "~/results"}, "a path of a computer"),
        ({"inputs": ["https://example.org/a.tif"]}, "an address such as s3://bucket/key"),
        ({"inputs": ["S3://b/a.tif"]}, "an address such as"),
        ({"output": "s3:/b/a"}, "an address such as"),
        ({"output": "arn:aws:s3:::b/a"}, "an address such as"),
    ],
)
def test_shell_signs_and_paths_of_computers_are_refused_where_places_are(
    keys: dict[str, object], word: str
) -> None:
    groups = [Group({"plate": "P1"})]
    try:
        problems = [one.sentence for one in JobMaker(keys).look(groups[0]).problems]
    except BadJob as error:
        problems = error.problems
    assert word in " ".join(problems)


def test_values_may_have_what_places_may_not_and_dollars_of_their_own_stay() -> None:
    keys = {"command": "tool {x}", "output": "r/{n}$", "environment": {"A": "pa$$word $other"}}
    assert not JobMaker(keys).look(Group({"x": "D:\\a", "n": "a*b"})).problems
    (problem,) = JobMaker({"inputs": ["{x}"]}).look(Group({"x": "D:\\a"})).problems
    assert "a path of a computer" in problem.sentence


@given(st.text(max_size=30))
def test_any_value_reaches_the_tool_as_one_unchanged_word(value: str) -> None:
    message = {"command": "tool --in {value} end", "group": {"value": value}}
    assert Job.from_object(message).argv(DIRECTORIES) == ["tool", "--in", value, "end"]


@given(st.lists(st.text(min_size=1).filter(lambda t: "{" not in t and "}" not in t), min_size=1))
def test_quoted_words_are_never_taken_for_shell(words: list[str]) -> None:
    command = shlex.join(words)
    if command.strip() and "\x00" not in command and "=" not in words[0]:
        keys = JobKeys.read({"command": command})
        assert list(keys.command) == words


def test_with_shell_the_line_is_bash_s_and_values_are_variables() -> None:
    message = {
        "command": 'echo "$plate" > $OUTPUT_DIR/x {not a field}',
        "shell": True,
        "group": {"plate": "P1; rm -rf /", "bad-name": "x"},
    }
    job = Job.from_object(message)
    assert job.argv(DIRECTORIES) == ["bash", "-c", message["command"]]
    variables = job.environment(DIRECTORIES)
    assert variables["plate"] == "P1; rm -rf /"
    assert variables["OUTPUT_DIR"] == "/w/out"
    assert "bad-name" not in variables


def test_environment_is_filled_in_and_booleans_are_jsons() -> None:
    message = {"environment": {"PLATE": "{plate}", "FAST": True}, "group": {"plate": "P1"}}
    variables = Job.from_object(message).environment(DIRECTORIES)
    assert variables == {"PLATE": "P1", "FAST": "true"}


# What must hold before a job is done


def test_done_when_names_the_files_of_each_job() -> None:
    condition = {"file": "{plate}.csv", "first_line": "{site}", "glob": {"{plate}_*.png": 2}}
    message = {"done_when": condition, "group": {"plate": "P1", "site": 3}}
    done_when = Job.from_object(message).keys.done_when
    assert (done_when.file, done_when.first_line) == ("P1.csv", "3")
    assert done_when.glob == (("P1_*.png", 2),)


def test_a_field_of_done_when_that_a_group_lacks_is_found_before_sending() -> None:
    found = problems({"done_when": {"file": "{plate}.csv"}}, {"well": "A01"})
    assert len(found) == 1 and "{plate}" in found[0]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"exit_code": "zero"}, "exit_code"),
        ({"min_files": -1}, "min_files"),
        ({"min_files": True}, "min_files"),
        ({"first_line": "Complete"}, "not file"),
        ({"glob": {"*.csv": 0}}, "glob"),
        ({"json_file": "a.json"}, "together"),
        ({"file": "../other/a"}, "outside"),
        ({"glob": {"/etc/*": 1}}, "outside"),
        ([], "an object"),
    ],
)
def test_a_done_when_that_cannot_be_meant_is_refused(value: object, word: str) -> None:
    found: list[str] = []
    DoneWhen.from_json(value, found)
    assert len(found) == 1 and word in found[0]


def test_exit_codes_may_be_one_several_or_any() -> None:
    read = [DoneWhen.from_json({"exit_code": code}, []).exit_code for code in (3, [0, 3], "any")]
    assert read == [(3,), (0, 3), None]


# A look at each group


def test_a_template_that_names_a_field_the_group_lacks_is_found() -> None:
    (sentence,) = problems({"command": "t {plate} {well}"}, {"plate": "P1"})
    assert "'{well}'" in sentence and "{well}" in sentence and "plate" in sentence


def test_a_nested_value_cannot_fill_a_template() -> None:
    assert problems({"command": "t {plate}"}, {"plate": {"a": 1}})


def test_a_directory_may_be_named_in_the_command_but_not_in_inputs() -> None:
    assert not problems({"command": "t {input_dir} {job_id} {name}"}, {"a": 1})
    assert problems({"inputs": "{input_dir}/x"}, {"a": 1})


@pytest.mark.parametrize(
    ("shared", "group", "word"),
    [
        ({"inputs": "{image}"}, {"image": ""}, "must name a place"),
        ({"inputs": "{image}"}, {"image": None}, "must name a place"),
        ({"inputs": "{image}", "image": ""}, {"plate": "P1"}, "must name a place"),
        ({"inputs": "s3://{bucket}"}, {"bucket": ""}, "must name a place"),
        ({"output": "/"}, {"plate": "P1"}, "must name a place"),
        ({"output": "{plate}"}, {"plate": "/"}, "must name a place"),
        ({"output": "results/{plate}"}, {"plate": "../.."}, "leaves its folder"),
        ({"output": "results/{plate}{well}"}, {"plate": ".", "well": "."}, "leaves its folder"),
        ({"output": "results/{plate}"}, {"plate": "x" * 1500}, "no key that long"),
        ({"output": "results/{plate}"}, {"plate": "ä" * 500}, "no key that long"),
        ({"command": "t {plate}"}, {"plate": "a\x00b"}, "NUL"),
        ({"command": "t {site:02d}"}, {"site": "1"}, "cannot show"),
        ({}, {"a": float("inf")}, "too large"),
        ({}, None, "no group"),
        ({}, [1], "no group"),
        ({}, True, "no group"),
        ({}, "", "no group"),
    ],
)
def test_a_group_that_can_never_run_is_found(
    shared: dict[str, object], group: object, word: str
) -> None:
    found = problems(shared, group)
    assert len(found) == 1 and word in found[0]


@pytest.mark.parametrize("group", [{}, {"a": ""}, {"a": None}, {"a": [1]}, "PlateA", 7])
def test_a_group_that_upstream_would_send_is_right(group: object) -> None:
    assert not problems({"input": "", "flag": None}, group)


def test_a_message_of_exactly_sqs_s_size_passes_and_one_byte_more_does_not() -> None:
    empty = JobMaker({}).look(Group({"a": "xxxx"})).size
    room = MESSAGE_BYTES - empty + 4
    assert not problems({}, {"a": "x" * room})
    (sentence,) = problems({}, {"a": "x" * (room + 1)})
    assert f"{MESSAGE_BYTES + 1:,} bytes" in sentence


@given(SHARED, GROUPS, st.sampled_from(["{a}", "{z}/{Ä}", "r/{plate}", "{a:>3}", "{job_id}", "x"]))
def test_a_look_says_what_a_worker_would_say(
    shared: dict[str, object], group: dict[str, object], output: str
) -> None:
    """No group passes here that a worker refuses, and none is refused that a worker would run."""
    shared = {**shared, "output": output}
    try:
        Job.from_message(json.dumps({**shared, "group": group}))
        worker_takes_it = "\\u0000" not in json.dumps([shared, group])
    except BadJob:
        worker_takes_it = False
    assert (not problems(shared, group)) == worker_takes_it


# Rows that are whole jobs


def test_a_rows_reserved_keys_are_the_jobs_own() -> None:
    group = split_row({"instance_type": "c5.large", "command": "julia a.jl"})
    assert group.value == {"instance_type": "c5.large"}
    job = JobMaker({}).make(group)
    assert Job.from_message(job.body).argv(DIRECTORIES) == ["julia", "a.jl"]
    assert job.name == f"c5.large-{job.job_id}"


def test_a_jobs_own_key_wins_over_the_shared_one_and_its_faults_are_found() -> None:
    maker = JobMaker({"command": "shared"})
    body = maker.make(Group({"a": 1}, {"command": "own", "name": "n"})).body
    assert json.loads(body) == {"command": "own", "name": "n", "group": {"a": 1}}
    assert "timeout" in problems({}, {"a": 1}, timeout="soon")[0]


def test_only_names_that_begin_with_comment_are_comments() -> None:
    kept = without_comments({"_comment0": 1, "_comment": 2, "user_comment": 3, "x": 4})
    assert kept == {"user_comment": 3, "x": 4}


# Secrets

TOKEN = "ghp_" + "a1B2" * 9
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_among_shared_keys_a_group_or_its_variables_is_refused(name: str) -> None:
    variable = name.replace("-", "_")
    for shared in ({variable: "hunter2"}, {"environment": {variable: "hunter2"}}):
        with pytest.raises(BadJob) as refused:
            JobMaker({"command": "true", **shared})
        (said,) = refused.value.problems
        assert variable in said and "into config.py" in said
        assert "hunter2" not in said
    for group in ({name: "hunter2"}, {"nested": {name: "hunter2"}}):
        (said,) = problems({"command": "true"}, group)
        assert name in said and "hunter2" not in said


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_sounds_like_a_secret_makes_jobs(name: str) -> None:
    assert (
        problems({"command": "true", name: "b1946ac92492d2347c6235b4d2611184"}, {name: "x"}) == []
    )


@pytest.mark.parametrize(
    "shared",
    [{"command": f"get --token {TOKEN}"}, {"command": ["env", "API_KEY=hunter2", "get"]}],
)
def test_a_token_in_a_command_is_refused(shared: dict[str, object]) -> None:
    with pytest.raises(BadJob, match="command: it holds a secret"):
        JobMaker(shared)


def test_a_token_in_a_group_is_refused_and_all_such_groups_have_one_fault() -> None:
    looks = [JobMaker({"command": "true"}).look(Group({"p": n, "q": TOKEN})) for n in range(2)]
    (first,), (second,) = (look.problems for look in looks)
    assert first == second and "q: it holds a secret" in first.sentence


def test_a_reference_in_a_job_file_is_refused_where_it_would_pass_for_the_secret() -> None:
    with pytest.raises(BadJob, match="ECS fetches only the secrets"):
        JobMaker({"command": "true", "environment": {"OMERO_PASSWORD": ARN}})
    JobMaker({"command": "true", "environment": {"OMERO_SECRET_ARN": ARN}})


def test_a_message_is_sent_as_it_was_written() -> None:
    maker = JobMaker({"command": "true", "note": "see PLATE=1 and {x}"})
    body = json.loads(maker.make(Group({"x": "a=b@c://d"})).body)
    assert body == {"command": "true", "note": "see PLATE=1 and {x}", "group": {"x": "a=b@c://d"}}
