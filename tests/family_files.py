"""Configs and job files in the form of each of upstream's programs, with the messages they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Content = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A job file, and what must come of it."""

    family: str
    content: Content
    messages: list[Content]
    names: list[str]


def cellprofiler(groups: object, **changes: object) -> Content:
    """A job file for CellProfiler."""
    shared = {"pipeline": "a.cppipe", "data_file": "load_data.csv", "input": "in"}
    return {"_comment": "x", **shared, "output": "results", **changes, "groups": groups}


def fiji(groups: object, shared_metadata: object = None, **changes: object) -> Content:
    """A job file for Fiji."""
    given = {"input_location": "in"} if shared_metadata is None else shared_metadata
    content = {"output_file_location": "project/out", "shared_metadata": given}
    return {**content, **changes, "groups": groups}


def omezarr(plates: object, **changes: object) -> Content:
    """A job file for bioformats2raw."""
    return {"_comment": "x", **_OMEZARR, **changes, "plates": plates}


_OMEZARR = {
    "input_bucket": "in-bucket",
    "input_location": "images",
    "path_to_metadata": "Images/Index.idx.xml",
    "output_bucket": "out-bucket",
    "output_location": "zarr",
    "upload_flags": False,
    "resolutions": 6,
    "tile_width": False,
    "tile_height": False,
    "target-min-size": False,
    "additional_flags": False,
}
_SIX = {"pipeline": "a.cppipe", "data_file": "load_data.csv", "input": "in", "output": "results"}
_FLY = [{"Metadata_Position": "2"}, {"Metadata_Position": "76"}]
_COLLATE = {
    "batch": "B1",
    "config": "c.yaml",
    "tmp-dir": "/tmp",
    "overwrite": True,
    "column": False,
}
_PROFILE = {"project": "p", "default_parameters": {"gpu": 0, "exp": "e"}, "index": "i.csv"}

JOB_FILES = {
    "Something": Case(
        "something",
        {"_comment": "x", "input_location": "in", "groups": [{"a": "1"}, {"a": "2"}]},
        [
            {"input_location": "in", "group": {"a": "1"}},
            {"input_location": "in", "group": {"a": "2"}},
        ],
        ["1", "2"],
    ),
    "HelloWorld": Case(
        "something",
        {"output": "Hello", "groups": [{"color": "red", "food": "pie"}]},
        [{"output": "Hello", "group": {"color": "red", "food": "pie"}}],
        ["red-pie"],
    ),
    "Collate": Case(
        "something",
        {**_COLLATE, "groups": [{"Metadata_Plate": "P1"}]},
        [{**_COLLATE, "group": {"Metadata_Plate": "P1"}}],
        ["P1"],
    ),
    "DeepProfiler": Case(
        "something",
        {**_PROFILE, "groups": [{"Metadata_Plate": "P1", "Metadata_Well": "A01"}]},
        [{**_PROFILE, "group": {"Metadata_Plate": "P1", "Metadata_Well": "A01"}}],
        ["P1-A01"],
    ),
    "CellProfiler, text": Case(
        "cellprofiler",
        cellprofiler([{"Metadata": "Metadata_Plate=P1,Metadata_Well=A01"}]),
        [{**_SIX, "output_structure": "", "Metadata": "Metadata_Plate=P1,Metadata_Well=A01"}],
        ["P1-A01"],
    ),
    "CellProfiler, objects": Case(
        "cellprofiler",
        cellprofiler(_FLY, output_structure="Metadata_Position"),
        [{**_SIX, "output_structure": "Metadata_Position", "Metadata": one} for one in _FLY],
        ["2", "76"],
    ),
    "Fiji": Case(
        "fiji",
        fiji([{"image": "a.tif"}, {"image": "b.tif"}]),
        [
            {
                "Metadata": {"image": image},
                "output_file_location": "project/out",
                "shared_metadata": {"input_location": "in"},
            }
            for image in ("a.tif", "b.tif")
        ],
        ["a.tif", "b.tif"],
    ),
    "OMEZarr": Case(
        "omezarr",
        omezarr(["PLATEA", "PLATEB"]),
        [{**_OMEZARR, "plate": "PLATEA"}, {**_OMEZARR, "plate": "PLATEB"}],
        ["PLATEA", "PLATEB"],
    ),
}


def _config(app: str, **constants: object) -> dict[str, object]:
    """The constants that all programs have, as upstream writes them, and some of one's own."""
    return {
        "APP_NAME": app,
        "LOG_GROUP_NAME": app,
        "DOCKERHUB_TAG": "user/tool:1",
        "AWS_REGION": "us-east-1",
        "AWS_PROFILE": "default",
        "SSH_KEY_NAME": "your-key-file.pem",
        "AWS_BUCKET": "your-bucket-name",
        "ECS_CLUSTER": "default",
        "CLUSTER_MACHINES": 3,
        "TASKS_PER_MACHINE": 1,
        "MACHINE_TYPE": ["m4.xlarge"],
        "MACHINE_PRICE": 0.10,
        "EBS_VOL_SIZE": 30,
        "MEMORY": 15000,
        "SQS_QUEUE_NAME": app + "Queue",
        "SQS_MESSAGE_VISIBILITY": 60,
        "SQS_DEAD_LETTER_QUEUE": "user_DeadMessages",
        **constants,
    }


_WATCHED = {"AUTO_MONITOR": "True", "CREATE_DASHBOARD": "True", "CLEAN_DASHBOARD": "True"}
_CHECKED = {
    "CHECK_IF_DONE_BOOL": "False",
    "EXPECTED_NUMBER_FILES": "7",
    "MIN_FILE_SIZE_BYTES": 1,
    "NECESSARY_STRING": "",
}
_CORES = {"DOCKER_CORES": 4, "CPU_SHARES": 4096, "SECONDS_TO_START": 180}

CONFIGS = {
    "Something": _config("Thing", **_WATCHED, **_CHECKED, **_CORES, ASSIGN_IP="False"),
    "CellProfiler": _config(
        "DistributedCP",
        **_WATCHED,
        **_CHECKED,
        **_CORES,
        SOURCE_BUCKET="bucket-name",
        WORKSPACE_BUCKET="FALSE",
        DESTINATION_BUCKET="bucket-name",
        UPLOAD_FLAGS="",
        ASSIGN_IP="True",
        DOWNLOAD_FILES="false",
        JOB_RETRIES="3",
        ALWAYS_CONTINUE="False",
        USE_PLUGINS="False",
        UPDATE_PLUGINS="False",
        PLUGINS_COMMIT="",
        INSTALL_REQUIREMENTS="False",
        REQUIREMENTS="",
        REQUIREMENTS_FILE=False,
    ),
    "Fiji": _config(
        "DistributedFiji",
        **_WATCHED,
        **_CHECKED,
        SCRIPT_DOWNLOAD_URL="https://some/url/with/a/script.py",
        DOWNLOAD_FILES="False",
    ),
    "OMEZarr": {
        **_config("BioFormats2Raw", **_WATCHED, CHECK_IF_DONE_BOOL="False", CPU_SHARES=1024),
        "CLUSTER_MACHINES": 1,
        "EBS_VOL_SIZE": "600",
        "MEMORY": "7500",
        "SQS_MESSAGE_VISIBILITY": 4 * 60 * 60,
    },
    "HelloWorld": {
        **_config("HelloWorld", **_CHECKED, DOCKER_CORES=1, MY_NAME="Sam"),
        "MACHINE_TYPE": ["t2.micro"],
        "EBS_VOL_SIZE": 22,
        "MEMORY": 800,
        "SQS_DEAD_LETTER_QUEUE": "arn:aws:sqs:us-east-1:123456789012:user_DeadMessages",
    },
    "Collate": _config(
        "Collate", **_CHECKED, DOCKER_CORES=1, CREATE_DASHBOARD="False", CLEAN_DASHBOARD=False
    ),
    "DeepProfiler": {
        **_config("DeepProfiler", **_CHECKED, **_CORES),
        "SQS_DEAD_LETTER_QUEUE": "arn:aws:sqs:us-east-1:123456789012:user_DeadMessages",
    },
}
