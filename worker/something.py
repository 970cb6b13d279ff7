"""What your tool needs beyond a command template: change these three functions, or leave them.

Each gets the job. `job.values` holds its values by name (the shared ones and the group's),
`job.message` the whole message, `job.name` its readable name. `directories` has four private
folders, empty at the start and removed afterwards: `input` (the job file's `inputs` are there
already), `output` (what is in it afterwards is kept), `checkpoint`, and `work`, where the command
starts and which holds the other three.

A `ValueError` says that this job can never run, and its text is the reason that the person reads;
it goes to the dead-letter queue at once. So does an error that is a mistake in this file. What AWS,
the network, the disk or a command that you run fails with is tried again, as for `inputs`.
"""

from __future__ import annotations

from distributed_something.protocol.jobs import Job

from .job.directories import Directories


def prepare(job: Job, directories: Directories) -> None:
    """Get things ready after the inputs are there: unpack an archive, write a parameter file."""


def command(job: Job, directories: Directories) -> list[str]:
    """The command to run, as a list of words; by default the job file's `command`, filled in."""
    if not job.keys.command:
        raise ValueError(
            "The job file has no `command`, and worker/something.py does not make one. "
            "Give it one of the two."
        )
    return job.argv(directories.fields())


def check(job: Job, directories: Directories, exit_code: int) -> str | None:  # noqa: ARG001
    """Look at the outputs before they are kept: None if they are good, else why they are not.

    It is asked after the job file's `done_when` is met; a job that fails here is tried again.
    """
    return None
