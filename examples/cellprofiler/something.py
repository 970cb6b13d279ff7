"""Run CellProfiler on one group of images, as Distributed-CellProfiler's job files ask for it.

To be copied over worker/something.py before the worker is built.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import Job

from .clients import make_clients
from .job.directories import Directories
from .job.judge import may_pass

logger = logging.getLogger(__name__)

DONE = "cp.is.done"  # not among the outputs, so that it is not sent
MOUNT = Path(os.environ.get("WORKER_MOUNT", "/home/ubuntu/bucket"))
PLUGINS = Path(os.environ.get("PLUGINS_FOLDER", "/home/ubuntu/plugins"))  # of install-plugins.sh
KINDS = (".csv", ".txt", ".h5")
# The most that is brought of the default input folder: rules and classifiers, not a plate's images.
MOST_FILES = 100
MOST_BYTES = 100_000_000

clients_of = functools.cache(make_clients)


def prepare(job: Job, directories: Directories) -> None:
    """Bring pipeline and data file from the workspace bucket, and the images that it names."""
    if is_true("USE_PLUGINS") and not PLUGINS.is_dir():
        raise ValueError(
            f"USE_PLUGINS is set, and there is no folder {PLUGINS}: copy install-plugins.sh of "
            "examples/cellprofiler to setup/ of the workspace bucket, and set INSTALL_SCRIPT = "
            "'s3://WORKSPACE_BUCKET/setup/install-plugins.sh' in config.py."
        )
    pipeline, data_file = (workspace(job, key) for key in ("pipeline", "data_file"))
    directories.bring(pipeline)
    kind = Path(data_file).suffix
    paths = job.message.get("paths", {})  # what beginnings of paths mean, as in `inputs`
    if kind == ".csv":
        # Its rows of this job's group, with the images' places on this machine.
        directories.bring({"csv": data_file, "where": group(job), "paths": paths})
    elif kind == ".txt":
        directories.bring({"list": data_file, "paths": paths})
    elif kind == ".h5":
        if not (os.path.ismount(MOUNT) or job.keys.inputs):
            raise ValueError(
                f"The batch file {job.values['data_file']} names images by where they were when it "
                "was made: set DOWNLOAD_FILES = 'False' and MOUNT_DRIVER, or use a .csv file."
            )
        directories.bring(data_file)
    else:
        raise ValueError(f"data_file is {data_file!r}; it must end in {', '.join(KINDS)}.")
    if default_input(job, directories) == directories.input and is_small(job, directories):
        directories.bring(f"{workspace(job, 'input')}/")


def command(job: Job, directories: Directories) -> list[str]:
    """CellProfiler's command line, by the kind of the data file and the config's constants."""
    data_file = directories.input / Path(text(job, "data_file")).name
    words = [
        "cellprofiler", "-c", "-r",
        "-p", str(directories.input / Path(text(job, "pipeline")).name),
        "-i", str(default_input(job, directories)),
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


def default_input(job: Job, directories: Directories) -> Path:
    """CellProfiler's default input folder: the bucket's own if it is mounted, else the job's."""
    seen = MOUNT / text(job, "input")
    with contextlib.suppress(OSError):  # the mount may have dropped
        if os.path.ismount(MOUNT) and seen.is_dir():
            return seen
    return directories.input


def is_small(job: Job, directories: Directories) -> bool:
    """Whether `input` is a folder of the workspace bucket that can be brought for a single job."""
    place, own = f"{text(job, 'input')}/", {text(job, "pipeline"), text(job, "data_file")}
    settings = WorkerEnvironment.from_environment(os.environ)
    bucket = Buckets.of(settings).workspace
    try:
        s3 = clients_of(settings.aws_region, requester_pays=settings.requester_pays).s3
        page = s3.list_objects_v2(Bucket=bucket, Prefix=place, MaxKeys=MOST_FILES)
    except (BotoCoreError, ClientError) as error:
        if may_pass(error):
            raise
        logger.warning(
            "s3://%s/%s is not brought, as it cannot be listed: %s", bucket, place, error
        )
        return False
    found = {item["Key"]: item["Size"] for item in page.get("Contents", [])}
    if page["IsTruncated"] or sum(found.values()) > MOST_BYTES:
        logger.warning("s3://%s/%s is not brought: it holds too much.", bucket, place)
        return False
    for key in found.keys() - own:
        if key != place and (directories.input / key.removeprefix(place)).exists():
            logger.warning("s3://%s/%s is not brought: %s is here already.", bucket, place, key)
            return False
    return any(not key.endswith("/") for key in found)


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
