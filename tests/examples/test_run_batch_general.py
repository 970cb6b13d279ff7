"""The batch generator makes the messages that its users' queues have always held, key by key."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from distributed_something.aws.session import Aws
from distributed_something.commands.check import check
from distributed_something.commands.setting_up.setup import setup
from distributed_something.inputs.settings import load_settings
from distributed_something.local.machines.nominal import nominal_types
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.record import find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.builders import settings, write_config

from .kit import EXAMPLES, ROOT

SCRIPT = EXAMPLES / "cellprofiler" / "run_batch_general.py"
CONFIG = SCRIPT.with_name("config.py")
FLEET = ROOT / "files" / "exampleFleet_us-east-1.json"
DEFAULT = {
    "pipelines": "projects/Proj/workspace/pipelines/B1",
    "rules": "projects/Proj/workspace/qc/B1/rules",
    "csv": "projects/Proj/workspace/load_data_csv/B1",
    "batchfiles": "projects/Proj/workspace/batchfiles/B1/",
    "zproj": "projects/Proj/B1/images_projected",
    "illum": "projects/Proj/B1/illum",
    "qc": "projects/Proj/workspace/qc/B1/results",
    "assaydev": "projects/Proj/workspace/assaydev/B1",
    "analysis": "projects/Proj/workspace/analysis/B1",
}
GALLERY = {
    "pipelines": "Proj/source_4/workspace/pipelines/B1",
    "rules": "Proj/source_4/workspace/qc/B1/rules",
    "csv": "Proj/source_4/workspace/load_data_csv/B1",
    "batchfiles": "",
    "zproj": "Proj/source_4/images/B1/images_projected",
    "illum": "Proj/source_4/images/B1/illum",
    "qc": "Proj/source_4/workspace/qc/B1/results",
    "assaydev": "Proj/source_4/workspace/assaydev/B1",
    "analysis": "Proj/source_4/workspace/analysis/B1",
}
STYLES = {
    "default": ([], DEFAULT),
    "cpg": (["--path-style", "cpg", "--source", "source_4"], GALLERY),
}
PER_SITE = "Metadata_Plate/analysis/Metadata_Plate-Metadata_Well-Metadata_Site"
# Step: its output, pipeline, data file and batch file, structure, and the parts of its Metadata.
STEPS: dict[str, tuple[str, str, str, str, str | None, int]] = {
    "zproj": (
        "zproj", "Zproj.cppipe", "load_data_unprojected.csv", "Batch_data_zproj.h5",
        "Metadata_Plate", 3,
    ),
    "illum": ("illum", "illum.cppipe", "load_data.csv", "Batch_data_illum.h5", None, 1),
    "qc": ("qc", "qc.cppipe", "load_data.csv", "Batch_data_qc.h5", None, 2),
    "qc_persite": ("qc", "qc.cppipe", "load_data.csv", "Batch_data_qc.h5", None, 3),
    "assaydev": (
        "assaydev", "assaydev.cppipe", "load_data_with_illum.csv", "Batch_data_assaydev.h5",
        None, 2,
    ),
    "assaydev_persite": (
        "assaydev", "assaydev.cppipe", "load_data_with_illum.csv", "Batch_data_assaydev.h5",
        None, 3,
    ),
    "analysis": (
        "analysis", "analysis.cppipe", "load_data_with_illum.csv", "Batch_data_analysis.h5",
        PER_SITE, 3,
    ),
}  # fmt: skip
PLACES = [(p, w, s) for p in ("P1", "P2") for w in ("A01", "A02", "B01", "B02") for s in ("1", "2")]


@pytest.fixture(scope="module")
def command() -> Iterator[click.Command]:
    """The script's command, for what needs no process of its own."""
    sys.path.insert(0, str(SCRIPT.parent))
    yield importlib.import_module(SCRIPT.stem).run_batch_general
    sys.path.remove(str(SCRIPT.parent))


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *words], capture_output=True, text=True, timeout=120, **options
    )


def made(command: click.Command, folder: Path, *words: str) -> list[dict[str, str]]:
    path = folder / "jobs.jsonl"
    done = CliRunner().invoke(command, [*words, "--write", str(path)])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in path.read_text().splitlines()]


def metadata(parts: int) -> list[tuple[str, str]]:
    """The plate of each job, and its Metadata, of so many parts; each is there once."""
    names = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")[:parts]
    texts = {
        ",".join(f"{name}={value}" for name, value in zip(names, place, strict=False)): place[0]
        for place in PLACES
    }
    return [(plate, text) for text, plate in texts.items()]


@pytest.mark.parametrize("use_batch", [False, True], ids=["csv", "h5"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("step", STEPS)
def test_every_steps_messages_are_the_family_s(
    command: click.Command, step: str, style: str, use_batch: bool, tmp_path: Path
) -> None:
    output, pipeline, datafile, batchfile, structure, parts = STEPS[step]
    flags, place = STYLES[style]
    wells = ["--rows", "A,B", "--columns", "1,2", "--sites", "1,2"]
    jobs = made(
        command,
        tmp_path,
        step,
        "Proj",
        "B1",
        "P1,P2",
        *wells,
        *flags,
        *(["--use-batch"] * use_batch),
    )
    batch = f"{place['batchfiles']}{batchfile}"
    expected = []
    for plate, text in metadata(parts):
        message = {
            "Metadata": text,
            "pipeline": batch if use_batch else f"{place['pipelines']}/{pipeline}",
            "output": place[output],
            "input": place["rules"],
            "data_file": batch if use_batch else f"{place['csv']}/{plate}/{datafile}",
        }
        expected.append({**message, "output_structure": structure} if structure else message)
    assert jobs == expected


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("step", STEPS)
def test_every_name_and_path_can_be_another(
    command: click.Command, step: str, style: str, tmp_path: Path
) -> None:
    structure, parts = STEPS[step][4:]
    job = [step, "Proj", "B1", "P1", *STYLES[style][0], "--wells", "C7", "--sites", "5"]
    flags = [
        "--pipeline", "my.cppipe", "--pipeline-path", "pipes", "--input-path", "in",
        "--output-path", "out", "--datafile-name", "my.csv", "--datafile-path", "tables",
    ]  # fmt: skip
    message = {
        "Metadata": ",".join(["Metadata_Plate=P1", "Metadata_Well=C7", "Metadata_Site=5"][:parts]),
        "pipeline": "pipes/my.cppipe",
        "output": "out",
        "input": "in",
        "data_file": "tables/P1/my.csv",
    }
    if structure:
        flags += ["--output-structure", "Metadata_Well"]
        message["output_structure"] = "Metadata_Well"
    assert made(command, tmp_path, *job, *flags) == [message]
    batch = ["--use-batch", "--batchfile-name", "my.h5", "--batchfile-path", "batches"]
    (made_of_batch,) = made(command, tmp_path, *job, *batch)
    assert made_of_batch["pipeline"] == made_of_batch["data_file"] == "batches/my.h5"


@pytest.mark.parametrize(
    ("flags", "count", "first", "last"),
    [
        ([], 384, "A01", "P24"),
        (["--plate-format", "384"], 384, "A01", "P24"),
        (["--plate-format", "96", "--rows", "A"], 96, "A01", "H12"),
        (["--plate-format", "96", "--no-well-digit-pad"], 96, "A1", "H12"),
        (["--wells", "B3,C07", "--plate-format", "96"], 2, "B3", "C07"),
        (["--plate-format", "96", "--excluded-wells", "A1,H12"], 94, "A02", "H11"),
    ],
)
def test_wells_are_those_of_the_plate_or_the_named_ones(
    command: click.Command, flags: list[str], count: int, first: str, last: str, tmp_path: Path
) -> None:
    jobs = made(command, tmp_path, "qc", "Proj", "B1", "P1", *flags)
    wells = [job["Metadata"].removeprefix("Metadata_Plate=P1,Metadata_Well=") for job in jobs]
    assert (len(set(wells)), wells[0], wells[-1]) == (count, first, last)


def test_nine_sites_are_the_usual_number(command: click.Command, tmp_path: Path) -> None:
    jobs = made(command, tmp_path, "zproj", "Proj", "B1", "P1", "--wells", "A01")
    assert [job["Metadata"].rsplit("=", 1)[1] for job in jobs] == list("123456789")


def test_a_level_below_the_site_is_in_the_metadata_and_the_folder(
    command: click.Command, tmp_path: Path
) -> None:
    place = ["--wells", "A01", "--sites", "3"]
    jobs = made(
        command, tmp_path, "analysis", "Proj", "B1", "P1", *place, "--extra-grouping", "Crop=1,2"
    )
    assert [job["Metadata"] for job in jobs] == [
        f"Metadata_Plate=P1,Metadata_Well=A01,Metadata_Site=3,Metadata_Crop={one}" for one in "12"
    ]
    assert {job["output_structure"] for job in jobs} == {f"{PER_SITE}-Metadata_Crop"}


@pytest.mark.parametrize("step", ["Zproj", "Illum", "QC", "AssayDev", "Analysis"])
def test_each_step_has_a_preset_that_lacks_nothing(
    command: click.Command, step: str, tmp_path: Path
) -> None:
    config, fleet = tmp_path / "config.py", tmp_path / "fleet.json"
    text = re.sub(r'^STEP = "\w+"', f'STEP = "{step}"', CONFIG.read_text(), flags=re.MULTILINE)
    config.write_text(text.replace("your-bucket-name", "lab-data").replace('"user/', '"lab/'))
    fleet.write_text(FLEET.read_text().replace("X" * 12, "123456789012"))
    made(command, tmp_path, step.lower(), "Proj", "B1", "P1", "--wells", "A01", "--sites", "1")
    preset = load_settings(config)
    assert preset.sqs_queue_name == f"Spots_{step}Queue"
    checkup = check(None, preset, tmp_path / "jobs.jsonl", fleet, types_of=nominal_types)
    assert checkup.is_ready, checkup


def test_ranges_of_wells_and_blanks_after_commas_are_understood(
    command: click.Command, tmp_path: Path
) -> None:
    flags = ["--wells", "A01..B02, C03", "--sites", "1..2"]
    jobs = made(command, tmp_path, "analysis", "Proj", "B1", "P1", *flags)
    named = [job["Metadata"].split("Metadata_Well=")[1] for job in jobs]
    wells = ("A01", "A02", "B01", "B02", "C03")
    assert named == [f"{well},Metadata_Site={site}" for well in wells for site in (1, 2)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["qc", "--plate-format", "1536"], "1536 is not 96 or 384"),
        (["qc", "--excluded-wells", "Z99"], "Z99"),
        (["qc", "--extra-grouping", "Crop=1"], "for analysis"),
        (["analysis", "--extra-grouping", "Crop"], "NAME=a,b"),
        (["qc", "--columns", "1,b"], "'b'"),
        (["qc", "--wells", "A01-H12"], "is one name: write A01..H12"),
        (["qc", "--rows", "A-H"], "is one name: write A..H"),
        (["qc", "--sites", "1-9"], "is one name: write 1..9"),
        (["qc", "--wells", "A01...H12"], "write 'A01..H12'"),
        (["illum", "--output-structure", "x"], "zproj and analysis"),
        (["illum", "--path-style", "cpg"], "needs --source"),
        (["illum", "--source", "source_4"], "--path-style cpg"),
        (["segment"], "segment"),
    ],
)
def test_what_no_job_can_be_made_of_is_refused(
    command: click.Command, words: list[str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.jsonl"
    flags = [words[0], "Proj", "B1", "P1", *words[1:], "--write", str(path)]
    refused = CliRunner().invoke(command, flags)
    assert refused.exit_code == 2
    assert said in refused.output
    assert not path.exists()


def queued(aws: Aws, queue: str) -> list[dict[str, Any]]:
    url = aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


def test_jobs_go_to_the_steps_own_queue_and_into_the_ledger(
    command: click.Command, tmp_path: Path
) -> None:
    words = ["qc", "Proj", "B1", "P1", "--wells", "A01,A02"]
    with Simulator() as simulator:
        aws = simulator.aws()
        environment = {**os.environ, **simulator.environment}
        mine = settings(APP_NAME="Proj_QC")
        aws.s3.create_bucket(Bucket=mine.aws_bucket)
        setup(aws, mine)
        (tmp_path / "files").mkdir()
        write_config(tmp_path, APP_NAME="Proj_Analysis")
        refused = run(*words, cwd=tmp_path, env=environment)
        assert refused.returncode == 2
        assert "Proj_QCQueue" in refused.stderr
        write_config(tmp_path, APP_NAME="Proj_QC")
        sent = run(*words, cwd=tmp_path, env=environment)
        assert sent.returncode == 0, sent.stderr
        messages = queued(aws, "Proj_QCQueue")
        record = find_record(aws.s3, mine.aws_bucket, "Proj_QC")
        assert record is not None
        listed = list(RunLedger.of(aws.s3, record).submitted_jobs())
    assert sorted(messages, key=str) == made(command, tmp_path, *words)
    assert [json.loads(job.body) for job in listed] == made(command, tmp_path, *words)
