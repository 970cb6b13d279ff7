"""The private folders of one attempt at a job: made before it, always removed after it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .outcomes import MachineFault


def _bring_nothing(*sources: object) -> list[Path]:
    raise RuntimeError(f"There is no bucket to download {sources!r} from.")


@dataclass(frozen=True)
class Directories:
    """The folders of one attempt; `work` is where the command starts, the others are inside it.

    `bring` takes what a job file's `inputs` may hold, filled in, and brings it to `input`. It
    returns a path for each: a key's file, a prefix's folder, or the list or table with its files'
    new places.
    """

    work: Path
    bring: Callable[..., list[Path]] = _bring_nothing

    @property
    def input(self) -> Path:
        return self.work / "input"

    @property
    def output(self) -> Path:
        return self.work / "output"

    @property
    def checkpoint(self) -> Path:
        return self.work / "checkpoint"

    def fields(self) -> Mapping[str, str]:
        """What a command's {input_dir}, {output_dir}, {checkpoint_dir} and {work_dir} become."""
        return {
            "work_dir": str(self.work),
            "input_dir": str(self.input),
            "output_dir": str(self.output),
            "checkpoint_dir": str(self.checkpoint),
        }


@contextlib.contextmanager
def private_directories(
    parent: Path, attempt_id: str, leaves: Callable[[], bool] = lambda: False
) -> Iterator[Directories]:
    """Make an attempt's folders, and remove them and all that is in them; raises MachineFault.

    They stay if it then `leaves` them to whoever removes the parent: a million files take minutes.
    """
    directories = Directories(parent / attempt_id)
    try:
        try:
            for folder in (directories.input, directories.output, directories.checkpoint):
                folder.mkdir(parents=True)
        except OSError as error:
            raise MachineFault(f"Folders for a job cannot be made: {error}") from error
        yield directories
    finally:
        if not leaves():
            remove(directories.work)


def has_attempt(directory: Path) -> bool:
    """Whether any slot with its folder in this one works on a job."""
    return any(path.is_dir() for path in directory.glob("*/[0-9]*-*"))  # named by attempts' ids


def remove(folder: Path) -> None:
    """Remove a folder, also one whose own tool has taken its write permission away."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for path in (folder, *folder.rglob("*")):
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)
