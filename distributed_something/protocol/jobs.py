"""What a job is: the message that travels through SQS, its id, and the keys that have a meaning.

`submitJob` reads a job file's shared keys once with `JobKeys.read`, checks them against every group
and sends one message a group; a worker reads the same keys from it with `Job.from_message`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from . import templates
from .argv import read_command
from .done_when import DoneWhen
from .families import SOMETHING, Family, family_of_message
from .sources import (
    Source,
    fill_source,
    place_of,
    place_problems,
    read_sources,
    source_problems,
    templates_of,
)
from .templates import is_scalar
from .upload_flags import UploadFlags
from .values.safe_values import VARIABLE, fill_word, variable_problems

# Fields that every template of a job may use beside the job's own values.
JOB_FIELDS = frozenset({"job_id", "name"})
# Fields that exist only where the job runs, for `command` and `environment`.
DIRECTORY_FIELDS = frozenset({"work_dir", "input_dir", "output_dir", "checkpoint_dir"})

RESERVED_KEYS = frozenset(
    {
        "command", "command_prefix", "shell", "inputs", "output", "name", "done_when", "timeout",
        "memory_limit", "no_retry_exit_codes", "environment", "checkpoint", "upload_flags",
        "weight", "own_keys",
    }
)  # fmt: skip

# Message attributes; the body stays upstream's.
RUN_ID_ATTRIBUTE = "RunId"
JOB_ID_ATTRIBUTE = "JobId"
REASON_ATTRIBUTE = "Reason"  # on dead letters

# The most SQS takes in a message and in a request of several, attributes included:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MESSAGE_BYTES = 1024 * 1024
REASON_BYTES = 800  # the most of a dead letter's reason
# More than names, types and values of RunId, JobId and Reason take: a message that could be sent
# but not become a dead letter would come back for ever.
ATTRIBUTE_BYTES = 128 + REASON_BYTES + 96

_NAME_LENGTH = 200  # characters: a name becomes part of S3 keys and of a log stream's name
_MOST = 1e9  # of seconds 31 years, of MiB more than any machine has
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]|[\ud800-\udfff]")


class BadJob(ValueError):
    """A message or a job file's keys that can never run; `problems` has a sentence a fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def job_id(message: Mapping[str, object]) -> str:
    """A hash of the message, the same however its JSON was written: 20 hexadecimal digits."""
    text = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def own_keys(shared: Mapping[str, object]) -> frozenset[str]:
    """The keys that a job file claims as values of its own, though they are reserved."""
    names = shared.get("own_keys")
    if not isinstance(names, list):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str) and name != "own_keys")


def job_values(message: Mapping[str, object], family: Family | None = None) -> dict[str, object]:
    """The values that a job's templates may use: shared scalars, overlaid by those of its group.

    The keys that a job file shares need their `family`: a message does not say which it is.
    """
    reserved = RESERVED_KEYS - own_keys(message)
    values = {
        key: value for key, value in message.items() if key not in reserved and is_scalar(value)
    }
    values.update((family or family_of_message(message)).values(message))
    return values


def job_name(
    message: Mapping[str, object], keys: JobKeys, values: Mapping[str, object] | None = None
) -> str:
    """The job's readable name; `values` are `job_values` with `job_id`, if they are at hand.

    Raises TemplateError if the job file's `name` cannot be filled in.
    """
    if keys.name is None:
        return tidy_name(default_name(message), message)
    if values is None:
        values = job_values(message)
        if "job_id" in templates.fields(keys.name):
            values["job_id"] = job_id(message)
    return tidy_name(templates.render(keys.name, values), message)


def default_name(message: Mapping[str, object]) -> str:
    """The group's values joined by `-`, in the order in which the job file gives them.

    A group that holds more than texts and numbers gets the job's id at the end.
    """
    group = family_of_message(message).group(message)
    parts = list(group.values()) if isinstance(group, Mapping) else [group]
    shown = [templates.plain(part) for part in parts if is_scalar(part)]
    name = "-".join(part for part in shown if part)
    return name if len(shown) == len(parts) else f"{name}-{job_id(message)}".lstrip("-")


def tidy_name(name: str, message: Mapping[str, object]) -> str:
    """A name fit for S3 keys and log streams: no `..` or empty step, no control character.

    Too long a name is cut and gets the job's id at its end; one with nothing left is the id.
    """
    if _UNPRINTABLE.search(name):
        name = _UNPRINTABLE.sub("_", name)
    if "." in name or "/" in name:
        name = "/".join(step for step in name.split("/") if step not in ("", ".", ".."))
    if len(name) > _NAME_LENGTH:
        name = f"{name[: _NAME_LENGTH - 21].rstrip('/')}-{job_id(message)}"
    return name or job_id(message)


@dataclass(frozen=True)
class JobKeys:
    """The reserved keys of a job file, read and checked; templates are still templates."""

    command: tuple[str, ...] = ()  # argv; with `shell` one string, bash's script
    shell: bool = False
    inputs: tuple[Source, ...] = ()
    output: str | None = None
    upload_flags: UploadFlags = field(default_factory=UploadFlags)
    name: str | None = None
    done_when: DoneWhen = field(default_factory=DoneWhen)
    timeout: float | None = None  # seconds
    memory_limit: float | None = None  # MiB, of the command and all that it starts
    no_retry_exit_codes: frozenset[int] = frozenset()
    environment: tuple[tuple[str, str], ...] = ()
    checkpoint: bool = False  # save {checkpoint_dir} when interrupted, bring it back
    own_keys: frozenset[str] = frozenset()  # reserved names that are values of this job file
    weight: str | None = None  # how long a job takes beside others; never sent to a worker

    @classmethod
    def read(cls, shared: Mapping[str, object], family: Family = SOMETHING) -> JobKeys:
        """Read the shared keys of a job file or message; raises BadJob with all that is wrong."""
        problems: list[str] = []
        own = own_keys(shared)
        given = shared.get("own_keys", [])
        if not isinstance(given, list) or len(own) != len(given):
            problems.append(f"own_keys is {given!r}; it must be a list of other keys.")
        shared = {k: v for k, v in family.reserved(shared).items() if k not in own}
        shell = _flag(shared.get("shell"), "shell", problems)
        keys = cls(
            command=read_command(shared.get("command"), shell, problems),
            shell=shell,
            inputs=read_sources(shared.get("inputs"), problems),
            output=_optional_text(shared.get("output"), "output", problems),
            upload_flags=_upload_flags(shared.get("upload_flags"), problems),
            name=_optional_text(shared.get("name"), "name", problems),
            done_when=DoneWhen.from_json(shared.get("done_when"), problems),
            timeout=_amount(shared, "timeout", "seconds", problems),
            memory_limit=_amount(shared, "memory_limit", "MiB", problems),
            no_retry_exit_codes=_codes(shared.get("no_retry_exit_codes"), problems),
            environment=_environment(shared.get("environment"), problems),
            checkpoint=_flag(shared.get("checkpoint"), "checkpoint", problems),
            weight=_weight(shared.get("weight"), problems),
            own_keys=own,
        )
        if keys.output and "*" in keys.output:
            problems.append(f"output is {keys.output!r}; it names one place, and no pattern.")
        for template, _ in keys.templates():
            try:
                templates.parse(template)
            except templates.TemplateError as error:
                problems.append(str(error))
        if problems:
            raise BadJob(problems)
        return keys

    def needed_fields(self) -> frozenset[str]:
        """The fields that each job must have itself for all templates to be filled."""
        needed: set[str] = set()
        for template, given in self.templates():
            needed |= templates.fields(template) - given
        return frozenset(needed)

    def has_formats(self) -> bool:
        """Whether a template formats a value (`{site:02d}`), which can fail for some jobs only."""
        return any(
            spec for template, _ in self.templates() for _, _, spec in templates.parse(template)
        )

    def places(self) -> Iterator[str]:
        """The templates of where files come from and go to."""
        yield from map(place_of, self.inputs)
        if self.output is not None:
            yield self.output

    def has_tables(self) -> bool:
        """Whether an input names others, which not every group may be able to choose from."""
        return not all(isinstance(source, str) for source in self.inputs)

    def templates(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Every template, with the fields that it gets without the job having them."""
        if not self.shell:
            yield from ((part, JOB_FIELDS | DIRECTORY_FIELDS) for part in self.command)
        for source in self.inputs:
            yield from ((text, JOB_FIELDS) for text in templates_of(source))
        yield from ((value, JOB_FIELDS | DIRECTORY_FIELDS) for _, value in self.environment)
        yield from ((text, JOB_FIELDS) for text in self.done_when.templates())
        if self.output is not None:
            yield self.output, JOB_FIELDS
        if self.name is not None:
            yield self.name, frozenset({"job_id"})
        if self.weight is not None:
            yield self.weight, frozenset()


@dataclass(frozen=True)
class Job:
    """One job as a worker sees it: names and S3 places are filled in, directories not yet."""

    job_id: str
    name: str
    message: Mapping[str, object]
    values: Mapping[str, object]
    keys: JobKeys
    inputs: tuple[Source, ...]  # S3 keys, prefixes (ending in /), s3:// addresses, tables
    output: str | None  # S3 prefix without a slash at its end, or an s3:// address
    own_results: str = ""  # what of the output is this job's alone; '' if all of it is

    @classmethod
    def from_message(cls, body: str) -> Job:
        """Read a message's body; raises BadJob, with readable reasons, if it can never run."""
        try:
            message = json.loads(body)
        except ValueError as error:
            raise BadJob([f"The message is not JSON: {error}."]) from None
        except RecursionError:
            raise BadJob(["The message's JSON is nested too deeply."]) from None
        if not isinstance(message, dict):
            raise BadJob(["The message is not a JSON object."])
        return cls.from_object(message)

    @classmethod
    def from_object(cls, message: Mapping[str, object]) -> Job:
        """The same from an object, as `submitJob` checks it; raises BadJob."""
        family = family_of_message(message)
        if problem := family.problem(message.get(family.item_key)):
            raise BadJob([f"This job cannot be read: {problem}"])
        return cls.filled(message, JobKeys.read(message, family))

    @classmethod
    def filled(cls, message: Mapping[str, object], keys: JobKeys) -> Job:
        """Fill the templates of keys that were read before; raises BadJob."""
        identity = job_id(message)
        values = {**job_values(message), "job_id": identity}

        def fill(template: str) -> str:
            return templates.render(template, values)

        try:
            name = job_name(message, keys, values)
            values.setdefault("name", name)  # a group's own `name` stays what {name} means
            family = family_of_message(message)
            group = family.group(message) if keys.has_tables() else None
            inputs = tuple(fill_source(part, fill, group) for part in keys.inputs)
            output = None if keys.output is None else fill(keys.output).rstrip("/")
            own_results = fill(family.own_results(message))
            done_when = keys.done_when.filled(fill)
        except templates.TemplateError as error:
            raise BadJob([str(error)]) from None
        problems = [problem for source in inputs for problem in source_problems(source)]
        problems += [] if output is None else place_problems("output", output)
        problems += done_when.problems()
        if keys.shell and not keys.command:
            problems.append("shell is true but there is no command.")
        if keys.shell:
            problems += variable_problems(values, dict(keys.environment))
        if problems:
            raise BadJob(problems)
        keys = keys if done_when is keys.done_when else replace(keys, done_when=done_when)
        return cls(identity, name, message, values, keys, inputs, output, own_results)

    def argv(self, directories: Mapping[str, str]) -> list[str]:
        """The command with every field filled in; `directories` gives the DIRECTORY_FIELDS.

        With `shell` the command is the author's own line, run by bash and never filled in.
        Raises BadJob for a field without a value, and for one that leads out of a directory.
        """
        if self.keys.shell:
            return ["bash", "-c", self.keys.command[0]]
        try:
            return [fill_word(part, self.values, directories) for part in self.keys.command]
        except templates.TemplateError as error:
            raise BadJob([str(error)]) from None

    def environment(self, directories: Mapping[str, str]) -> dict[str, str]:
        """What the tool's environment gets: the job file's `environment`, filled in.

        With `shell`, also each of the job's values and directories under its own name, and the
        directories in capitals; a name that bash could not read is left out. Raises BadJob.
        """
        try:
            filled = {
                key: fill_word(text, self.values, directories)
                for key, text in self.keys.environment
            }
        except templates.TemplateError as error:
            raise BadJob([str(error)]) from None
        if not self.keys.shell:
            return filled
        shown = {key: templates.plain(value) for key, value in self.values.items()}
        shown |= directories
        shown |= {key.upper(): path for key, path in directories.items()}
        return {key: text for key, text in shown.items() if VARIABLE.fullmatch(key)} | filled


def _upload_flags(value: object, problems: list[str]) -> UploadFlags:
    """The flags; `false`, as upstream's job files have it, is none."""
    if isinstance(value, str) or value is None or value is False:
        try:
            return UploadFlags.read(value or "")
        except ValueError as error:
            problems.append(f"upload_flags: {error}.")
    else:
        problems.append(f"upload_flags is {value!r}; it must be text.")
    return UploadFlags()


def _weight(value: object, problems: list[str]) -> str | None:
    """A number, or a template that each job makes one of."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return _optional_text(value, "weight", problems)


def _optional_text(value: object, key: str, problems: list[str]) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    problems.append(f"{key} is {value!r}; it must be text.")
    return None


def _amount(shared: Mapping[str, object], key: str, unit: str, problems: list[str]) -> float | None:
    value = shared.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _MOST:
        return float(value)
    problems.append(f"{key} is {value!r}; it must be a number of {unit} above 0.")
    return None


def _codes(value: object, problems: list[str]) -> frozenset[int]:
    codes = [] if value is None else value
    if isinstance(codes, list) and all(
        isinstance(c, int) and not isinstance(c, bool) for c in codes
    ):
        return frozenset(codes)
    problems.append(f"no_retry_exit_codes is {value!r}; it must be a list of numbers.")
    return frozenset()


def _environment(value: object, problems: list[str]) -> tuple[tuple[str, str], ...]:
    variables = {} if value is None else value
    if not isinstance(variables, Mapping) or not all(map(is_scalar, variables.values())):
        problems.append(f"environment is {value!r}; it must be an object of texts.")
        return ()
    for key in variables:
        if not VARIABLE.fullmatch(str(key)):
            problems.append(f"environment has {key!r}, which cannot name a variable.")
    return tuple((str(key), templates.plain(text)) for key, text in variables.items())


def _flag(value: object, key: str, problems: list[str]) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    problems.append(f"{key} is {value!r}; it must be true or false.")
    return False
