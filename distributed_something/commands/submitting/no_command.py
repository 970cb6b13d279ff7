"""Warn of jobs that nothing makes a command for, before they are paid for."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ...protocol.families import CELLPROFILER, FIJI, OMEZARR

if TYPE_CHECKING:
    from ...inputs.job_files import JobFile

logger = logging.getLogger(__name__)

_WORKERS_CODE = Path(__file__).resolve().parents[3] / "worker" / "something.py"
# Of the file as it is shipped, which makes no command of its own.
SHIPPED = "8959e8cf3054aed3e3fda9ec6b0de00ce459a11b49c6645a57faf4069e03d9d4"
# By the word of a family: what an image was built with that makes commands, and the next step.
_SOMETHING_OF_ITS_OWN = "its own something.py"
_EXAMPLE = "Copy JOB_DEFAULTS from examples/{}/config.py, which contain the command."
_OF_FAMILY = {
    CELLPROFILER.word: (
        "`--something examples/cellprofiler/something.py`",
        "If it was not, rebuild it with that option.",
    ),
    FIJI.word: (_SOMETHING_OF_ITS_OWN, _EXAMPLE.format("fiji")),
    OMEZARR.word: (_SOMETHING_OF_ITS_OWN, _EXAMPLE.format("omezarr")),
}
_OF_ANY = (
    _SOMETHING_OF_ITS_OWN,
    "Add a `command` to the job file, or change worker/something.py and rebuild the image.",
)


def is_as_shipped(code: Path = _WORKERS_CODE) -> bool:
    """Whether `worker/something.py` is there and nobody has changed it, line endings aside."""
    try:
        text = code.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return False
    return hashlib.sha256(text).hexdigest() == SHIPPED


def warn_of_no_command(file: JobFile, lacking: int, groups: int) -> None:
    """Log a warning if `lacking` of a file's jobs have no command, and likely nobody makes one.

    It is no error: the image may have been built with a `something.py` from elsewhere.
    """
    if not lacking or not is_as_shipped():
        return
    whose = "No job" if lacking == groups else f"{lacking:,} of the {groups:,} jobs"
    own, fix = _OF_FAMILY.get(file.family.word, _OF_ANY)
    logger.warning(
        "%s of %s %s `command`, and the unchanged worker/something.py makes none: each "
        "would fail, unless the workers' image was built with %s. %s",
        whose,
        file.path,
        "has a" if lacking == groups else "have no",
        own,
        fix,
    )
