"""Settings: configs of every family are understood, and every fault is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from distributed_something.errors import UsageError
from distributed_something.inputs.settings import Settings, load_settings, make_settings
from tests.builders import constants, settings, write_config
from tests.secret_names import HARMLESS_NAMES, SECRET_NAMES

EXAMPLES = Path(__file__).parents[3] / "examples"

# The constants that the configs of the family have, with the values that they are shipped with.
DISTRIBUTED_SOMETHING = """
APP_NAME = 'DistributedSomething'
LOG_GROUP_NAME = APP_NAME
DOCKERHUB_TAG = 'user/distributed-something:sometag'
AWS_REGION = 'us-east-1'
AWS_PROFILE = 'default'
SSH_KEY_NAME = 'your-key-file.pem'
AWS_BUCKET = 'your-bucket-name'
ECS_CLUSTER = 'default'
CLUSTER_MACHINES = 3
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ['m4.xlarge']
MACHINE_PRICE = 0.10
EBS_VOL_SIZE = 30
ASSIGN_IP = 'False'
DOCKER_CORES = 4
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 15000
SECONDS_TO_START = 3*60
SQS_QUEUE_NAME = APP_NAME + 'Queue'
SQS_MESSAGE_VISIBILITY = 1*60
SQS_DEAD_LETTER_QUEUE = 'user_DeadMessages'
AUTO_MONITOR = 'True'
CREATE_DASHBOARD = 'True'
CLEAN_DASHBOARD = 'True'
CHECK_IF_DONE_BOOL = 'False'
EXPECTED_NUMBER_FILES = 7
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ''
"""
CELLPROFILER = f"""{DISTRIBUTED_SOMETHING.replace("DistributedSomething", "DistributedCP")}
MACHINE_TYPE = ['m5.xlarge']
SOURCE_BUCKET = 'bucket-name'
WORKSPACE_BUCKET = 'false'
DESTINATION_BUCKET = 'bucket-name'
UPLOAD_FLAGS = ''
DOWNLOAD_FILES = 'False'
JOB_RETRIES = 3
ALWAYS_CONTINUE = 'False'
USE_PLUGINS = 'False'
UPDATE_PLUGINS = 'False'
PLUGINS_COMMIT = 'False'
INSTALL_REQUIREMENTS = 'False'
REQUIREMENTS = ''
"""
FIJI = """
APP_NAME = 'DistributedFiji'
LOG_GROUP_NAME = APP_NAME
DOCKERHUB_TAG = 'cellprofiler/distributed-fiji:latest'
AWS_REGION = 'us-east-1'
AWS_PROFILE = 'default'
SSH_KEY_NAME = 'your-key-file.pem'
AWS_BUCKET = 'your-bucket-name'
ECS_CLUSTER = 'default'
CLUSTER_MACHINES = 3
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ['m4.xlarge']
MACHINE_PRICE = 0.10
EBS_VOL_SIZE = 30
DOWNLOAD_FILES = 'False'
MEMORY = 4096
SCRIPT_DOWNLOAD_URL = 'https://some/url/with/a/script.y'
SQS_QUEUE_NAME = APP_NAME + 'Queue'
SQS_MESSAGE_VISIBILITY = 1*60
SQS_DEAD_LETTER_QUEUE = 'arn:aws:sqs:some-region:111111100000:DeadMessages'
EXPECTED_NUMBER_FILES = 7
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ''
"""
OMEZARR = """
APP_NAME = 'DistributedBioFormats2Raw'
LOG_GROUP_NAME = APP_NAME
DOCKERHUB_TAG = 'erinweisbart/distributed-bioformats2raw:0.0.19'
AWS_REGION = 'us-east-1'
AWS_PROFILE = 'default'
AWS_BUCKET = 'your-bucket-name'
ECS_CLUSTER = 'default'
CLUSTER_MACHINES = 1
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ['c5.xlarge']
MACHINE_PRICE = 0.10
EBS_VOL_SIZE = 600
CPU_SHARES = 1024
MEMORY = 7500
SQS_QUEUE_NAME = APP_NAME + 'Queue'
SQS_MESSAGE_VISIBILITY = 4*60*60
SQS_DEAD_LETTER_QUEUE = 'user_DeadMessages'
AUTO_MONITOR = 'True'
CHECK_IF_DONE_BOOL = 'False'
"""
HELLO_WORLD = """
APP_NAME = 'HelloWorld'
LOG_GROUP_NAME = APP_NAME
DOCKERHUB_TAG = 'user/hello:1'
AWS_REGION = 'us-west-2'
AWS_PROFILE = 'default'
AWS_BUCKET = 'your-bucket-name'
ECS_CLUSTER = 'default'
CLUSTER_MACHINES = 2
TASKS_PER_MACHINE = 1
MACHINE_TYPE = ['t2.micro']
MACHINE_PRICE = 0.10
EBS_VOL_SIZE = 22
DOCKER_CORES = 1
CPU_SHARES = DOCKER_CORES * 1024
MEMORY = 800
SECONDS_TO_START = 60
SQS_QUEUE_NAME = APP_NAME + 'Queue'
SQS_MESSAGE_VISIBILITY = 60
SQS_DEAD_LETTER_QUEUE = 'arn:aws:sqs:us-west-2:111111100000:HelloDead'
CHECK_IF_DONE_BOOL = 'False'
EXPECTED_NUMBER_FILES = 1
MIN_FILE_SIZE_BYTES = 1
NECESSARY_STRING = ''
MY_NAME = 'Your Name'
"""
FAMILY = {
    "something": DISTRIBUTED_SOMETHING,
    "cellprofiler": CELLPROFILER,
    "fiji": FIJI,
    "omezarr": OMEZARR,
    "hello-world": HELLO_WORLD,
}


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.py"
    path.write_text(text)
    return load_settings(path)


def refusal(**changes: object) -> str:
    with pytest.raises(UsageError) as refused:
        settings(**changes)
    return str(refused.value)


def load_refusal(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as refused:
        load(folder, text)
    return str(refused.value)


# Files of the family


@pytest.mark.parametrize("name", sorted(FAMILY))
def test_a_familys_config_is_understood_as_it_is_shipped(tmp_path: Path, name: str) -> None:
    loaded = load(tmp_path, FAMILY[name])
    assert loaded.sqs_queue_name == f"{loaded.app_name}Queue"
    assert loaded.log_group_name == loaded.app_name
    assert loaded.container_count == loaded.cluster_machines


def test_distributed_somethings_values_arrive_as_what_they_mean(tmp_path: Path) -> None:
    loaded = load(tmp_path, DISTRIBUTED_SOMETHING)
    assert (loaded.cpu_shares, loaded.memory, loaded.seconds_to_start) == (4096, 15000, 180)
    assert (loaded.assign_ip, loaded.auto_monitor, loaded.check_if_done_bool) == (
        False,
        True,
        False,
    )
    assert (loaded.machine_type, loaded.machine_price) == (("m4.xlarge",), 0.10)
    assert (loaded.sqs_dead_letter_queue, loaded.job_retries) == ("user_DeadMessages", 10)
    assert loaded.extra == {}


def test_cellprofilers_buckets_and_own_constants_arrive(tmp_path: Path) -> None:
    loaded = load(tmp_path, CELLPROFILER)
    assert (loaded.source_bucket, loaded.workspace_bucket) == ("bucket-name", "")
    assert (loaded.download_files, loaded.job_retries) == (False, 3)
    assert loaded.extra["USE_PLUGINS"] == "False"
    assert loaded.extra["REQUIREMENTS"] == ""


def test_fijis_config_without_cores_gets_one_and_its_share(tmp_path: Path) -> None:
    loaded = load(tmp_path, FIJI)
    assert (loaded.docker_cores, loaded.cpu_shares) == (1, 1024)
    assert loaded.sqs_dead_letter_queue == "DeadMessages"
    assert loaded.extra == {"SCRIPT_DOWNLOAD_URL": "https://some/url/with/a/script.y"}


def test_the_config_in_this_folder_is_right() -> None:
    loaded = load_settings(Path(__file__).parents[3] / "config.py")
    assert loaded.extra == {}


# Values


@pytest.mark.parametrize("value", ["True", "true", "TRUE", " True ", True])
def test_a_truth_may_be_written_as_upstreams_files_write_it(value: object) -> None:
    assert settings(CHECK_IF_DONE_BOOL=value, ASSIGN_IP=value).check_if_done_bool


@pytest.mark.parametrize("value", ["False", "false", "", False])
def test_an_untruth_may_be_written_as_upstreams_files_write_it(value: object) -> None:
    assert not settings(CHECK_IF_DONE_BOOL=value, ASSIGN_IP=value).assign_ip


@pytest.mark.parametrize("value", ["yes", 1, 0, "T", []])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    assert "CHECK_IF_DONE_BOOL" in refusal(CHECK_IF_DONE_BOOL=value)


@pytest.mark.parametrize("value", ["", "False", "false", False])
def test_a_text_may_be_unset_in_upstreams_ways(value: object) -> None:
    unset = settings(SOURCE_BUCKET=value, UPLOAD_FLAGS=value, NECESSARY_STRING=value)
    assert (unset.source_bucket, unset.upload_flags, unset.necessary_string) == ("", "", "")


@pytest.mark.parametrize("value", [0, 0.0, "0", "0.00", "", None, False])
def test_no_price_is_no_cap(value: object) -> None:
    assert make_settings({**constants(), "MACHINE_PRICE": value}, "config.py").machine_price is None


def test_numbers_may_be_texts_and_one_machine_type_needs_no_list() -> None:
    loaded = settings(CLUSTER_MACHINES="5", MACHINE_PRICE="0.125", MACHINE_TYPE="c5.large")
    assert (loaded.cluster_machines, loaded.machine_price) == (5, 0.125)
    assert loaded.machine_type == ("c5.large",)


def test_newer_constants_have_defaults() -> None:
    needed = {
        "APP_NAME", "DOCKERHUB_TAG", "AWS_BUCKET", "CLUSTER_MACHINES", "MACHINE_TYPE", "MEMORY",
    }  # fmt: skip
    few = {name: value for name, value in constants().items() if name in needed}
    loaded = make_settings(few, "config.py")
    assert (loaded.aws_region, loaded.aws_profile, loaded.ecs_cluster) == (
        "us-east-1",
        "default",
        "default",
    )
    assert (loaded.job_retries, loaded.max_hours, loaded.assign_ip) == (10, 168, True)
    assert (loaded.auto_monitor, loaded.create_dashboard) == (False, False)
    assert loaded.sqs_dead_letter_queue == "Counting_DeadMessages"
    assert loaded.cpu_shares == 1024


@pytest.mark.parametrize("profile", ["", None, "default"])
def test_no_profile_is_the_default_one(profile: object) -> None:
    assert make_settings({**constants(), "AWS_PROFILE": profile}, "c").aws_profile == "default"


@pytest.mark.parametrize(
    "region", ["us-gov-west-1", "ap-southeast-2", "il-central-1", "eusc-de-east-1"]
)
def test_every_regions_name_is_taken(region: str) -> None:
    assert settings(AWS_REGION=region).aws_region == region


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("eu-west-1b", "eu-west-1"),
        ("us-gov-west-1a", "us-gov-west-1"),
        ("us-west-2-lax-1a", "us-west-2"),
    ],
)
def test_a_zone_in_place_of_a_region_is_named_as_such(zone: str, region: str) -> None:
    said = refusal(AWS_REGION=zone)
    assert f"AWS_REGION = {zone!r}: is an availability zone; its region is {region!r}." in said


# Faults


def test_five_faults_are_told_at_once_each_with_name_value_and_rule() -> None:
    said = refusal(
        CLUSTER_MACHINES=0,
        MACHINE_PRICE="cheap",
        AWS_REGION="Virginia",
        EBS_VOL_SIZE=8,
        MEMORY=None,
    )
    lines = [line.strip() for line in said.splitlines()]
    assert lines[0] == "config.py has 5 problems:"
    assert sorted(lines[1:]) == [
        "AWS_REGION = 'Virginia': must be a region, such as 'us-east-1'.",
        "CLUSTER_MACHINES = 0: should be greater than or equal to 1.",
        "EBS_VOL_SIZE = 8: should be greater than or equal to 22.",
        "MACHINE_PRICE = 'cheap': must be a number of US dollars, without a unit.",
        "MEMORY is missing; every config needs it.",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_NAME", "two words"),
        ("APP_NAME", "x" * 68),
        ("APP_NAME", "name\n"),
        ("APP_NAME", 7),
        ("DOCKERHUB_TAG", ""),
        ("AWS_REGION", "us-east-1\n"),
        ("AWS_BUCKET", "s3://lab-data"),
        ("AWS_BUCKET", "Lab_Data"),
        ("SOURCE_BUCKET", "a"),
        ("ECS_CLUSTER", "a b"),
        ("CLUSTER_MACHINES", 2.5),
        ("CLUSTER_MACHINES", True),
        ("MACHINE_TYPE", []),
        ("MACHINE_TYPE", "m5xlarge"),
        ("MACHINE_PRICE", -1),
        ("MACHINE_PRICE", float("inf")),
        ("MAX_HOURS", 0),
        ("MAX_HOURS", 100_000),
        ("SECONDS_TO_START", float("nan")),
        ("SQS_MESSAGE_VISIBILITY", 43_201),
        ("SQS_QUEUE_NAME", "a queue"),
        ("SQS_DEAD_LETTER_QUEUE", "CountingQueue"),
        ("JOB_RETRIES", 0),
        ("JOB_DEFAULTS", ["command"]),
        ("SHARED_MEMORY_MB", -1),
        ("SHARED_MEMORY_MB", 15_000),  # all of MEMORY
        ("ULIMITS", "nofile=65536"),
        ("ULIMITS", {"files": 65536}),
        ("ULIMITS", {"nofile": "many"}),
        ("ULIMITS", {"nofile": [2048, 1024]}),
        ("ULIMITS", {"nofile": [1, 2, 3]}),
        ("REQUESTER_PAYS", "requester"),
    ],
)
def test_a_value_against_its_rule_is_one_problem_that_names_the_constant(
    name: str, value: object
) -> None:
    said = refusal(**{name: value})
    assert said.startswith("config.py has 1 problem:\n")
    assert re.search(rf"{name}(\[0\])? = ", said)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("MEMORY", "15 GB", "must be a whole number of MB, without a unit"),
        ("MEMORY", 15.5, "must be a whole number of MB, without a unit"),
        ("EBS_VOL_SIZE", "30G", "must be a whole number of GiB, without a unit"),
        ("MAX_COST", "10 USD", "must be a number of US dollars, without a unit"),
        ("CLUSTER_MACHINES", "three", "must be a whole number."),
    ],
)
def test_a_number_with_a_unit_is_told_which_unit_is_meant(
    name: str, value: object, rule: str
) -> None:
    assert f"{name} = {value!r}: {rule}" in refusal(**{name: value})


def test_one_bad_machine_type_of_several_is_named() -> None:
    assert "MACHINE_TYPE[1] = 'huge'" in refusal(MACHINE_TYPE=["m5.large", "huge"])


def test_a_bad_app_name_is_told_once_and_not_for_all_that_is_named_after_it() -> None:
    assert "1 problem" in refusal(APP_NAME="bad name!", SQS_DEAD_LETTER_QUEUE=None)
    assert "APP_NAME is missing" in refusal(APP_NAME=None, SQS_DEAD_LETTER_QUEUE=None)


# Extra constants


def test_extra_scalars_reach_the_worker_as_text_and_nothing_else_does(tmp_path: Path) -> None:
    text = f"""{HELLO_WORLD}
import os
SCALE = 0.5
COUNT = 3
FAST = True
EXTRA = 'mine'
LIST = [1]
TABLE = {{'a': 1}}
_PRIVATE = 'x'
lower = 'x'
def Function(): pass
"""
    assert load(tmp_path, text).extra == {
        "MY_NAME": "Your Name",
        "SCALE": "0.5",
        "COUNT": "3",
        "FAST": "True",
        "EXTRA": "mine",
    }


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_constant_that_holds_a_secret_is_refused_and_its_value_not_shown(name: str) -> None:
    said = refusal(**{name.upper().replace("-", "_"): "hunter2"})
    assert "task role" in said and "AWS Secrets Manager" in said and "hunter2" not in said


@pytest.mark.parametrize("name", ["JOB_DEFAULTS", "MY_NAME", "UPLOAD_FLAGS"])
def test_a_token_is_refused_whatever_its_constant(name: str) -> None:
    token = "ghp_" + "a1B2" * 9
    said = refusal(**{name: {"environment": {"X": token}} if name == "JOB_DEFAULTS" else token})
    assert f"{name}: it holds a secret" in said and token not in said


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_constant_that_only_sounds_like_a_secret_is_ones_own(name: str) -> None:
    own = {} if name in ("APP_NAME", "SSH_KEY_NAME") else {name.upper(): "b1946ac92492d2347c62"}
    assert settings(**own).extra == own


def test_a_constant_that_refers_to_a_secret_is_kept_apart() -> None:
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter/lab/omero"
    made = settings(OMERO_PASSWORD=arn, LOGIN=arn, LOGIN_ARN=arn, PLATE="P1")
    assert made.secrets == {"OMERO_PASSWORD": arn, "LOGIN": arn}
    assert made.extra == {"LOGIN_ARN": arn, "PLATE": "P1"}


@pytest.mark.parametrize("name", ["AWS_SESSION_TOKEN", "WORKER_PASSWORD", "LD_PRELOAD"])
def test_a_reference_takes_no_variable_from_the_worker(name: str) -> None:
    said = refusal(**{name: "arn:aws:ssm:us-east-1:123456789012:parameter/lab/omero"})
    assert name in said and "take the place" in said


def test_a_secret_is_told_beside_the_other_faults() -> None:
    said = refusal(API_TOKEN="x", MEMORY=1)
    assert "2 problems" in said and "API_TOKEN" in said and "MEMORY" in said


# Misspelt constants


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("MAX_COTS", "MAX_COST"),
        ("MAXCOST", "MAX_COST"),
        ("MAX_HOUR", "MAX_HOURS"),
        ("MACHNE_PRICE", "MACHINE_PRICE"),
        ("CLUTSER_MACHINSE", "CLUSTER_MACHINES"),
        ("NOTIFY_MAIL", "NOTIFY_EMAIL"),
        ("ASSIGN_PI", "ASSIGN_IP"),
        ("JOB_RETIRES", "JOB_RETRIES"),
    ],
)
def test_a_misspelt_constant_is_refused_with_the_one_that_was_likely_meant(
    slip: str, meant: str
) -> None:
    said = refusal(**{slip: 1})
    assert f"{slip} is not a setting; did you mean {meant}?" in said
    assert "1 problem:" in said and "names that are not all capitals" in said


def test_a_config_whose_machine_type_stands_in_the_fleet_file_is_told_where_to_put_it() -> None:
    said = refusal(MACHINE_TYPE=None)
    assert "MACHINE_TYPE is missing; every config needs it. If your fleet file names it" in said
    assert "InstanceType of its LaunchSpecifications" in said


def test_a_misspelt_constant_that_is_needed_is_told_beside_what_is_missing() -> None:
    said = refusal(MEMORY=None, MEMROY=4000)
    assert "MEMORY is missing" in said and "did you mean MEMORY?" in said


@pytest.mark.parametrize(
    ("own", "near"),
    [
        ("DEST_BUCKET", "DESTINATION_BUCKET"),
        ("SOURCE_BUCKETS", "SOURCE_BUCKET"),
        ("EBS_VOLUME_SIZE", "EBS_VOL_SIZE"),
    ],
)
def test_another_form_of_a_constant_may_be_ones_own_and_is_only_warned_of(
    own: str, near: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings(**{own: "mine"}).extra == {own: "mine"}
    assert f"{own} is not a setting; did you mean {near}?" in caplog.text


def test_what_may_cost_money_is_refused_even_where_the_right_one_is_there_too() -> None:
    assert "did you mean MAX_COST?" in refusal(MAX_COST=0, MAX_COSTS=5)


@pytest.mark.parametrize(
    "name",
    [
        # of upstream's family
        *("SCRIPT_DOWNLOAD_URL", "USE_PLUGINS", "UPDATE_PLUGINS", "PLUGINS_COMMIT", "MY_NAME"),
        *("INSTALL_REQUIREMENTS", "REQUIREMENTS", "REQUIREMENTS_FILE", "ALWAYS_CONTINUE"),
        "WORKER_CACHE_SHARE",
        # such as people have
        *("AWS_BUCKET_2", "AWS_BUCKET2", "GCS_BUCKET", "INPUT_BUCKET", "MIN_COST", "MAX_CORES"),
        *("MIN_HOURS", "MAX_JOBS", "MAX_TIME", "MEMORY_GB", "JOB_NAME", "MODEL_NAME", "TAG_NAME"),
        *("MAX_FILE_SIZE_BYTES", "SECONDS_TO_STOP", "LOG_LEVEL", "TIMEOUT", "THRESHOLD", "PLATES"),
        *("MACHINE_TYPES", "DOCKER_TAG", "DOCKERHUB_USER", "MEM", "CORES", "PROJECT", "USER"),
    ],
)
def test_an_ordinary_constant_of_ones_own_is_no_slip(name: str) -> None:
    assert settings(**{name: "mine"}).extra == {name: "mine"}


def test_a_name_that_is_no_constant_is_never_looked_at(tmp_path: Path) -> None:
    assert load(tmp_path, f"{HELLO_WORLD}\n_MAX_COTS = 5\nMax_Cots = 5\n").extra == {
        "MY_NAME": "Your Name"
    }


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/config.py")), ids=lambda p: p.parent.name)
def test_the_examples_configs_have_no_slip(path: Path) -> None:
    assert load_settings(path).app_name


# Files that do not run


def test_a_missing_config_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run from the folder"):
        load_settings(tmp_path / "config.py")


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    said = load_refusal(tmp_path, "APP_NAME = 'x'\nMEMORY = = 3\n")
    assert "config.py, line 2: invalid syntax" in said


def test_a_config_that_raises_is_told_with_its_line(tmp_path: Path) -> None:
    said = load_refusal(tmp_path, "APP_NAME = 'x'\nMEMORY = CORES * 2\n")
    assert "config.py, line 2, stops with NameError: name 'CORES' is not defined" in said


def test_a_config_that_leaves_python_does_not_end_the_program(tmp_path: Path) -> None:
    assert "SystemExit" in load_refusal(tmp_path, "import sys\nsys.exit(0)\n")


def test_a_config_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_bytes(b"\xff\xfe\x00A")
    with pytest.raises(UsageError, match=r"config\.py"):
        load_settings(path)


def test_upload_flags_without_a_meaning_are_refused_with_a_list_of_those_that_have_one() -> None:
    with pytest.raises(UsageError, match=r"--dryrun.*--storage-class"):
        settings(UPLOAD_FLAGS="--acl bucket-owner-full-control --dryrun")
    assert settings(UPLOAD_FLAGS="--storage-class STANDARD_IA").upload_flags


def test_limits_have_one_number_or_two() -> None:
    given = {"nofile": 65536, "memlock": -1, "stack": "8:-1", "nproc": (1, 2)}
    assert settings(ULIMITS=given).ulimits == {
        "nofile": (65536, 65536),
        "memlock": (-1, -1),
        "stack": (8, -1),
        "nproc": (1, 2),
    }
    assert settings(ULIMITS="").ulimits == {}


def test_a_mount_is_for_inputs_that_are_not_brought(tmp_path: Path) -> None:
    mounting = CELLPROFILER + "MOUNT_DRIVER = 's3fs'\n"
    assert load(tmp_path, mounting).mounts
    assert not load(tmp_path, CELLPROFILER).mounts
    with pytest.raises(UsageError, match="unless DOWNLOAD_FILES = 'False'"):
        load(tmp_path, mounting.replace("DOWNLOAD_FILES = 'False'", "DOWNLOAD_FILES = 'True'"))
    with pytest.raises(UsageError, match="must be 'auto', 's3fs' or 'mount-s3'"):
        load(tmp_path, mounting.replace("'s3fs'", "'goofys'"))


def test_a_key_of_jobs_in_capitals_is_warned_of_unless_the_config_makes_something_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_config(tmp_path, TIMEOUT=3600, DONE_WHEN={"min_files": 2}, MY_OWN="x")
    path.write_text(path.read_text() + "NAME = 'x'\nLOG_GROUP_NAME = NAME + 'y'\nOUTPUT = 'r'\n")
    assert load_settings(path).extra["TIMEOUT"] == "3600"
    for name in ("TIMEOUT", "DONE_WHEN", "OUTPUT"):
        key = name.lower()
        assert f"{name} has no effect here: `{key}` belongs in the job file, or in" in caplog.text
    assert "NAME has" not in caplog.text and "MY_OWN" not in caplog.text
