"""Write the config and the job file of a new project, right from the start."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...inputs.forms.found_files import find_files
from ...inputs.job_files import open_job_file
from ...inputs.placeholders import is_bucket_placeholder, is_image_placeholder
from ...inputs.settings import make_settings
from .submit_job import check_groups, make_maker

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG, JOBS = "config.py", "job.json"
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Answers:
    """What a person says of a project."""

    name: str
    command: str
    files: str  # a pattern whose fields make the jobs
    image: str  # that is built and pushed
    bucket: str
    max_cost: float  # USD


def write_first_files(folder: Path, answers: Answers) -> tuple[Path, Path]:
    """Write config.py and job.json into a folder; returns their paths.

    Raises UsageError for answers that no run could have, and for files that are there already;
    nothing is written then.
    """
    config, jobs = folder / CONFIG, folder / JOBS
    for path in (config, jobs):
        if path.exists():
            raise UsageError(f"{path} is there already, and stays as it is: name another folder.")
    constants = _constants(answers)
    make_settings(constants, str(config))
    _refuse_placeholders(answers)
    content = json.dumps(_job_file(answers), indent=4) + "\n"
    _check_jobs(content, answers)
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text("".join(_config_lines(constants)), encoding="utf-8")
    jobs.write_text(content, encoding="utf-8")
    return config, jobs


def _constants(answers: Answers) -> dict[str, object]:
    return {
        "APP_NAME": answers.name,
        "DOCKERHUB_TAG": answers.image,
        "AWS_REGION": "us-east-1",
        "AWS_BUCKET": answers.bucket,
        "CLUSTER_MACHINES": 1,
        "MACHINE_TYPE": ["m6a.large", "m5.large"],
        "MACHINE_PRICE": 0.10,
        "MEMORY": 6000,
        "MAX_COST": answers.max_cost,
        "MAX_HOURS": 24,
    }


_COMMENTS = {
    "APP_NAME": "names everything that a run creates",
    "DOCKERHUB_TAG": "the image that `build --push` makes of your tool",
    "AWS_BUCKET": "inputs, results and logs",
    "CLUSTER_MACHINES": "how many machines a run buys",
    "MACHINE_TYPE": "any of these, whichever is cheapest",
    "MACHINE_PRICE": "US dollars an hour, the most for a machine",
    "MEMORY": "MB for a container; a rehearsal suggests a better value",
    "MAX_COST": "US dollars; the run stops there",
    "MAX_HOURS": "after which the machines end, whatever happens",
}


def _config_lines(constants: dict[str, object]) -> Iterator[str]:
    yield "# All other settings have defaults: see documentation/step_1_configuration.md.\n"
    for name, value in constants.items():
        text = json.dumps(value, ensure_ascii=False)
        comment = f"  # {_COMMENTS[name]}" if name in _COMMENTS else ""
        yield f"{name} = {text}{comment}\n"


def _job_file(answers: Answers) -> dict[str, object]:
    fields = list(dict.fromkeys(_FIELD.findall(answers.files)))
    return {
        "command": answers.command,
        "output": "/".join([f"results/{answers.name}", *(f"{{{name}}}" for name in fields)]),
        "groups": {"files": answers.files},
    }


def _refuse_placeholders(answers: Answers) -> None:
    if is_bucket_placeholder(answers.bucket):
        raise UsageError(f"{answers.bucket} is a placeholder: name a bucket of your own.")
    if is_image_placeholder(answers.image):
        raise UsageError(
            f"{answers.image} is a placeholder: name a repository that you may push to, such as "
            "lab/tool:1.0."
        )


def _check_jobs(content: str, answers: Answers) -> None:
    """Check the job file with a file that its pattern matches; raises UsageError."""
    example = _FIELD.sub("x", answers.files).replace("*", "x").removeprefix("s3://")
    if answers.files.startswith("s3://"):
        example = example.partition("/")[2]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / JOBS
        path.write_text(content)
        try:
            file = find_files(open_job_file(path, {}), lambda _: [example])
            check_groups(file, make_maker(file))
        except UsageError as error:
            raise UsageError(str(error).replace(f"{path}", JOBS)) from None
