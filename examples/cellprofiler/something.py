"""Run CellProfiler on one group of images, as Distributed-CellProfiler's job files ask for it.

To be copied over worker/something.py before the worker is built.
"""

from __future__ import annotations

import os
from pathlib import Path

from distributed_something.protocol.jobs import Job

from .directories import Directories

DONE = "cp.is.done"  # not among the outputs, so that it is not sent
MOUNT = Path("/home/ubuntu/bucket")
PLUGINS = Path("/home/ubuntu/plugins")  # where install-plugins.sh puts them
KINDS = (".csv", ".txt", ".h5")


def prepare(job: Job, directories: Directories) -> None:
    """Bring pipeline and data file from the workspace bucket, and the images that it names."""
    pipeline, data_file = (workspace(job, key) for key in ("pipeline", "data_file"))
    directories.bring(pipeline)
    kind = Path(data_file).suffix
    if kind == ".csv":
        # Its rows of this job's group, with the images' places on this machine.
        directories.bring({"csv": data_file, "where": group(job)})
    elif kind == ".txt":
        directories.bring({"list": data_file})
    elif kind == ".h5":
        if not (MOUNT.is_mount() or job.keys.inputs):
            raise ValueError(
                f"The batch file {job.values['data_file']} names images by where they were when it "
                "was made: set DOWNLOAD_FILES = 'False' and MOUNT_DRIVER, or use a .csv file."
            )
        directories.bring(data_file)
    else:
        raise ValueError(f"data_file is {data_file!r}; it must end in {', '.join(KINDS)}.")
    (directories.input / text(job, "input")).mkdir(parents=True, exist_ok=True)


def command(job: Job, directories: Directories) -> list[str]:
    """CellProfiler's command line, by the kind of the data file and the config's constants."""
    data_file = directories.input / Path(text(job, "data_file")).name
    words = [
        "cellprofiler", "-c", "-r",
        "-p", str(directories.input / Path(text(job, "pipeline")).name),
        "-i", str(directories.input / text(job, "input")),
        "-o", str(directories.output),
        "-d", str(directories.work / DONE),
    ]  # fmt: skip
    if data_file.suffix == ".csv":
        words.append(f"--data-file={data_file}")
    elif data_file.suffix == ".txt":
        words.append(f"--file-list={data_file}")
    words += ["-g", text(job, "Metadata")]
    if is_true("USE_PLUGINS"):
        active = PLUGINS / "active_plugins"
        words.append(f"--plugins-directory={active if active.is_dir() else PLUGINS}")
    if is_true("ALWAYS_CONTINUE"):
        words.append("--always-continue")
    return words


def check(job: Job, directories: Directories, exit_code: int) -> str | None:  # noqa: ARG001
    """CellProfiler has succeeded if the first line of its done file says Complete."""
    try:
        first = (directories.work / DONE).read_text().partition("\n")[0].strip()
    except OSError:
        return f"CellProfiler ended with exit code {exit_code} and wrote no done file."
    return None if first == "Complete" else f"CellProfiler's done file says {first!r}."


def workspace(job: Job, key: str) -> str:
    """The place of a file of the workspace bucket that a job's key names."""
    return f"s3://WORKSPACE_BUCKET/{text(job, key)}"


def text(job: Job, key: str) -> str:
    value = job.values.get(key)
    if not isinstance(value, str) or not value.strip("/"):
        raise ValueError(f"The job's {key} is {value!r}; it must name something.")
    return value.strip("/")


def group(job: Job) -> dict[str, str]:
    """The names and values of the job's Metadata, by which rows are chosen."""
    pairs = (part.partition("=") for part in text(job, "Metadata").split(","))
    return {name.strip(): value.strip() for name, _, value in pairs}


def is_true(constant: str) -> bool:
    return os.environ.get(constant, "").lower() == "true"
