"""Keep a job's checkpoint folder in S3, so that the next attempt goes on where this one stopped."""

from __future__ import annotations

import contextlib
import logging
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..files.transfers import PARTS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_LOOK = 1.0  # seconds between two looks whether a save is wanted


class OutOfTime(OSError):
    """A save took longer than it may; what was saved last stays."""


class Checkpoint:
    """One job's folder and the archive of it in S3, which is replaced as a whole or not at all."""

    def __init__(self, s3: S3Client, bucket: str, key: str, folder: Path) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._folder = folder
        self._saved = self._state()
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    def bring_back(self, check: Callable[[], None]) -> bool:
        """Fill the folder with what was saved last, while `check` does not raise; False if none."""
        with tempfile.TemporaryFile(dir=self._folder.parent) as archive:
            try:
                self._s3.download_fileobj(
                    self._bucket, self._key, archive, Config=PARTS, Callback=lambda _: check()
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    return False
                raise
            archive.seek(0)
            _unpack(archive, self._folder)
        self._saved = self._state()
        return True

    def save(self) -> bool:
        """Save the folder if it has changed; False, said in the log, if it cannot be saved now."""
        with self._lock:
            state = self._state()
            if state == self._saved:
                return True
            try:
                with tempfile.TemporaryFile(dir=self._folder.parent) as archive:
                    with tarfile.open(fileobj=archive, mode="w") as tar:
                        tar.add(self._folder, arcname=".")
                    archive.seek(0)
                    self._send(archive)
            except (OSError, tarfile.TarError, ClientError, BotoCoreError) as error:
                # The tool may be writing at this moment; the last archive stays whole.
                logger.warning("The checkpoint could not be saved: %s", error)
                return False
            self._saved = state
            logger.info("The checkpoint is saved.")
            return True

    def save_within(self, left: Callable[[], float]) -> None:
        """Save while `left` says that there are seconds left, and no longer."""
        thread = threading.Thread(target=self.save, name="last checkpoint", daemon=True)
        thread.start()
        self._wait_for(thread, left)

    def _send(self, archive: IO[bytes]) -> None:
        def check(_sent: int = 0) -> None:
            if self._given_up.is_set():
                raise OutOfTime("there was no time left")

        check()
        self._s3.upload_fileobj(archive, self._bucket, self._key, Config=PARTS, Callback=check)

    def _wait_for(self, thread: threading.Thread, left: Callable[[], float]) -> None:
        """Wait for a thread that saves, or give its save up: a call to S3 can take minutes."""
        while thread.is_alive() and (seconds := left()) > 0:
            thread.join(min(_LOOK, seconds))
        if thread.is_alive():
            logger.warning("The checkpoint is not saved: there was no time left.")
            self._given_up.set()

    @contextlib.contextmanager
    def kept(
        self, seconds: float, wanted: threading.Event, left: Callable[[], float]
    ) -> Iterator[None]:
        """Save every so many seconds and whenever it is wanted, from a thread, while in here.

        At the end a save that is under way is waited for while `left` says that there are seconds
        left.
        """
        ended = threading.Event()
        thread = threading.Thread(
            target=self._keep, args=(seconds, wanted, ended), name="checkpoint", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._wait_for(thread, left)

    def _keep(self, seconds: float, wanted: threading.Event, ended: threading.Event) -> None:
        left = seconds
        while not ended.wait(min(_LOOK, left)):
            left -= _LOOK
            if wanted.is_set() or left <= 0:
                wanted.clear()
                self.save()
                left = seconds

    def _state(self) -> frozenset[tuple[str, int, int]]:
        """What the folder holds: names, sizes and times of change."""
        found = set()
        for path in self._folder.rglob("*"):
            with contextlib.suppress(OSError):
                status = path.lstat()
                found.add((str(path), status.st_size, status.st_mtime_ns))
        return frozenset(found)


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpack files and folders; anything that is something else, or lies outside, is left out."""
    with tarfile.open(fileobj=archive, mode="r") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                continue
            target = folder / path
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg() and (content := tar.extractfile(member)) is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    while block := content.read(2**20):
                        file.write(block)
                target.chmod(member.mode & 0o777)
