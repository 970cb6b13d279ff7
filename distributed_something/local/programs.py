"""See before a rehearsal starts whether the programs that its jobs name are there."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice

from ..commands.submitting.submit_job import make_maker
from ..errors import UsageError
from ..inputs.job_files import JobFile
from ..protocol.jobs import BadJob, Job
from ..protocol.templates import TemplateError

_LOOKED_AT = 1000  # jobs
_DIRECTORIES = dict.fromkeys(("input_dir", "output_dir", "checkpoint_dir", "work_dir"), "")


def refuse_missing_programs(
    file: JobFile, has_program: Callable[[str], bool], *, jobs: int | None = None
) -> None:
    """Raise UsageError for programs of the first jobs that cannot be run; `jobs` is as in rehearse.

    A program with a relative path or in a job's own folder may come with the job's inputs, and a
    line of `shell` is bash's: these are not looked for.
    """
    missing = [name for name in sorted(programs_of(file, jobs)) if not has_program(name)]
    if missing:
        names = ", ".join(map(repr, missing))
        raise UsageError(
            f"{names} cannot be run where the jobs of {file.path} run: correct `command`, or "
            "install it (in the image, where workers are containers). Nothing was started."
        )


def programs_of(file: JobFile, jobs: int | None) -> set[str]:
    """The programs that the first jobs start by a name or an absolute path."""
    most = _LOOKED_AT if jobs is None else min(jobs, _LOOKED_AT)
    maker, found = make_maker(file), set()
    for group in islice(file.groups(), most):
        try:
            job = Job.from_message(maker.make(group).body)
            argv = [] if job.keys.shell else job.argv(_DIRECTORIES)
        except (BadJob, TemplateError, ValueError):  # submitJob says what is wrong with the job
            continue
        in_folder = bool(job.keys.command) and "_dir}" in job.keys.command[0]
        if argv and not in_folder and (os.sep not in argv[0] or argv[0].startswith(os.sep)):
            found.add(argv[0])
    return found
