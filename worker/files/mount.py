"""Mount the bucket of the inputs on a folder, and mount it again whenever it drops.

The program that mounts runs in the foreground, below the supervisor, which so learns of its end.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.environment import WorkerEnvironment

from ..job.outcomes import MachineFault

logger = logging.getLogger(__name__)

FOLDER_VARIABLE = "WORKER_MOUNT"
FOLDER = Path("/home/ubuntu/bucket")  # as ever in this family, whose tables name paths below it
TRIES = 5  # in a row that fail or do not last, after which the machine cannot work
LASTING = 300.0  # seconds; a mount that drops or hangs sooner has not lasted
_LONGEST_PAUSE = 30.0  # seconds between two tries
_PATIENCE = 60.0  # seconds without the bucket, after which a program that lives on is ended
_ANSWER_SECONDS = 2.0  # within which a folder that works says that it is there
_MNT_DETACH = 2
_LAST_LINES = 5
_MOUNTPOINT = "mountpoint-s3"  # what Mountpoint for S3 calls every mount of its
_MOUNT_TABLE = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\(\d{3})")


class _Asker:
    """Asks whether a folder is there: in a thread, since a mount that hangs may never answer."""

    def __init__(self) -> None:
        self._asking: threading.Thread | None = None
        self._is_there = False

    def is_there(self, folder: Path) -> bool:
        """Whether the folder says so within a few seconds; one question waits at a time."""
        if self._asking is None or not self._asking.is_alive():
            self._is_there = False
            self._asking = threading.Thread(target=self._ask, args=(folder,), daemon=True)
            self._asking.start()
        self._asking.join(_ANSWER_SECONDS)
        return self._is_there and not self._asking.is_alive()

    def _ask(self, folder: Path) -> None:
        # Its program may be gone: "Transport endpoint is not connected".
        with contextlib.suppress(OSError):
            folder.stat()
            self._is_there = True


@dataclass(frozen=True)
class Bucket:
    """The bucket that is to be seen as a folder; for reading alone."""

    name: str
    region: str
    folder: Path = FOLDER
    requester_pays: bool = False
    _asker: _Asker = field(default_factory=_Asker, init=False, repr=False, compare=False)

    def is_mounted(self, table: str | None = None) -> bool:
        """Whether this bucket, and not something else, is what the folder shows now."""
        found = _mounts(table if table is not None else _MOUNT_TABLE.read_text())
        kind, source = found.get(str(self.folder), ("", ""))
        if not kind.startswith("fuse") or source not in (self.name, _MOUNTPOINT):
            return False
        return table is not None or self._asker.is_there(self.folder)

    def path_of(self, key: str) -> Path:
        return self.folder / key


def mounted_bucket(settings: WorkerEnvironment, variables: Mapping[str, str]) -> Bucket:
    """The bucket that a worker with these settings mounts, and where."""
    folder = Path(variables.get(FOLDER_VARIABLE, FOLDER))
    source = Buckets.of(settings).source
    return Bucket(source, settings.aws_region, folder, settings.requester_pays)


def _mounts(table: str) -> dict[str, tuple[str, str]]:
    """The file system's kind and source by folder; the last one mounted on a folder counts."""
    found = {}
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        kind, source, *_ = [*right.split(" "), "", ""]
        folder = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), left.split(" ")[4])
        found[folder] = (kind, source)
    return found


def find_driver(wanted: str, which: Callable[[str], str | None] = shutil.which) -> str:
    """The program for a MOUNT_DRIVER, `auto` being Mountpoint for S3 before s3fs.

    Raises MachineFault if it is not in the image.
    """
    programs = ("mount-s3", "s3fs") if wanted == "auto" else (wanted,)
    for program in programs:
        if which(program):
            return program
    raise MachineFault(
        f"The bucket cannot be mounted: {' or '.join(programs)} is not in the image. `run.py "
        "build` adds s3fs if MOUNT_DRIVER needs it; mount-s3 must be in your tool's image."
    )


def mount_command(driver: str, bucket: Bucket, variables: Mapping[str, str]) -> list[str]:
    """The command that mounts a bucket for everybody to read, and ends only with the mount."""
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    if driver == "mount-s3":
        command = ["mount-s3", "--foreground", "--read-only", "--allow-other"]
        command += ["--region", bucket.region]
        if bucket.requester_pays:
            command.append("--requester-pays")
        if endpoint:
            command += ["--endpoint-url", endpoint, "--force-path-style"]
        return [*command, bucket.name, str(bucket.folder)]
    options = ["ro", "allow_other", "umask=0022", f"fsname={bucket.name}", "stat_cache_expire=60"]
    if endpoint:
        options += [f"url={endpoint}", "use_path_request_style"]
    else:
        options += [f"url=https://s3.{bucket.region}.amazonaws.com", f"endpoint={bucket.region}"]
    if bucket.requester_pays:
        options.append("requester_pays")
    if "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" in variables:
        options.append("ecs")  # the task's role
    elif "AWS_ACCESS_KEY_ID" not in variables:
        options.append("iam_role=auto")  # the machine's
    return ["s3fs", bucket.name, str(bucket.folder), "-f", "-o", ",".join(options)]


class Mount:
    """A bucket's mount, kept by the supervisor; `keep` is to be called about once a second."""

    def __init__(
        self,
        bucket: Bucket,
        wanted: str,
        variables: Mapping[str, str],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises MachineFault where the program does not exist or the folder is in use."""
        self.bucket = bucket
        driver = find_driver(wanted, partial(shutil.which, path=variables.get("PATH")))
        self._command = mount_command(driver, bucket, variables)
        self._variables = dict(variables)
        self._now = now
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._was_mounted = False
        self._mounted_at = 0.0
        self._last_seen = 0.0  # when the bucket was, or else its program was started
        self._failures = 0
        self._due = 0.0
        if str(bucket.folder) in _mounts(_MOUNT_TABLE.read_text()):
            raise MachineFault(
                f"Something else is mounted on {bucket.folder}, where the bucket {bucket.name} "
                "should be."
            )

    @property
    def pids(self) -> set[int]:
        return {self._process.pid} if self._process else set()

    def keep(self) -> None:
        """See that the bucket is mounted; raises MachineFault after too many tries in a row."""
        if self._process is not None and self._process.poll() is None:
            self._look(self._process)
            return
        if self._process is not None:
            self._note_end(self._process.returncode)
        if self._now() >= self._due:
            self._start()

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        """Note whether a program that lives shows the bucket, and end one that does not."""
        if self.bucket.is_mounted():
            self._last_seen = self._now()
            if not self._was_mounted:
                logger.info("The bucket %s is mounted on %s.", self.bucket.name, self.bucket.folder)
                self._was_mounted, self._mounted_at = True, self._last_seen
            elif self._last_seen - self._mounted_at >= LASTING:
                self._failures = 0
        elif self._now() - self._last_seen > _PATIENCE:
            why = f"{self._command[0]} ran for {_PATIENCE:g} s without the bucket, and was ended."
            if why not in self._lines:
                self._lines.append(why)
            # Its end, which the next look notes, also frees whoever waits for the folder.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._last_seen = self._now()

    def end(self) -> None:
        """Unmount, and leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
            self._process.kill()
            self._process.wait()
        self._process = None
        _detach(self.bucket.folder)

    def _start(self) -> None:
        _detach(self.bucket.folder)  # what is left of the last one
        self._was_mounted = False
        self._last_seen = self._now()
        try:
            self._process = subprocess.Popen(
                self._command,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineFault(f"The bucket cannot be mounted: {error}") from error
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line.decode("utf-8", "replace").strip())

    def _note_end(self, code: int) -> None:
        self._process = None
        self._failures += 1
        said = " ".join(self._lines) or f"exit code {code}"
        if self._failures >= TRIES:
            what = "does not stay mounted" if self._was_mounted else "cannot be mounted"
            raise MachineFault(
                f"The bucket {self.bucket.name} {what} on {self.bucket.folder}: {said}"
            )
        if self._was_mounted:
            logger.warning(
                "The mount of the bucket %s dropped; it is mounted again. %s",
                self.bucket.name,
                said,
            )
            return
        pause = min(_LONGEST_PAUSE, 2.0 ** (self._failures - 1))
        logger.warning("The bucket could not be mounted, next try in %g s: %s", pause, said)
        self._due = self._now() + pause


def _detach(folder: Path) -> None:
    """Take away whatever is mounted on a folder, whoever still looks at it."""
    ctypes.CDLL(None, use_errno=True).umount2(str(folder).encode(), _MNT_DETACH)
