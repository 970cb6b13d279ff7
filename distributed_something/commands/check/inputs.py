"""Check that the inputs of a job file's jobs are there and can be read, one row of tables deep."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from ...aws import storage
from ...aws.presence import find_absent
from ...aws.readability import ARCHIVES, archived_of, find_unreadable
from ...errors import DistributedSomethingError, NotFound
from ...protocol.buckets import Buckets
from ...protocol.families import SOMETHING
from ...protocol.sources import Source, place_of, read_sources
from ...words import count_of
from .findings import Finding, is_forbidden, missing, ok, unseen, warning
from .tables import MOST_TABLES, NamedFiles, Place

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.jobs import Job
    from .jobs import RightJobs

MOST_JOBS = 100_000  # whose inputs are looked for; a million would take minutes
MOST_NAMED = 200_000  # files that tables name
MOST_TRIED = 30  # objects of which a byte is read
MOST_BELOW = 20  # prefixes that are listed
_BELOW = 5000  # objects of one
_SHOWN = 3  # inputs that are not there

SUBJECT = "inputs"
_FIX = "upload them, or fix `inputs` in the job file"
_FIX_OF_FAMILY = "upload them, or fix their names in the job file"


class _Wanted(NamedTuple):
    """What jobs read: places, files that tables name, and what only the family's worker reads."""

    places: dict[Place, None]
    files: NamedFiles
    of_family: dict[Place, None]
    outputs: set[str]  # buckets


def inputs(aws: Aws, settings: Settings, jobs: RightJobs) -> Iterator[Finding]:
    """Whether each input of the jobs is there and can be read, as their workers would look."""
    wanted = _wanted(aws, settings, jobs)
    yield from _tables(wanted.files)
    named = dict(islice(wanted.files.places.items(), MOST_NAMED))
    closed = yield from _other_buckets(aws, settings, wanted, named)
    fix = _FIX if jobs.file.family is SOMETHING else _FIX_OF_FAMILY
    looked_at = min(jobs.count, MOST_JOBS)
    scope = f"{count_of(len(wanted.places), 'input')} of {count_of(looked_at, 'job')}"
    if looked_at < jobs.count:
        scope = f"{len(wanted.places):,} inputs of the first {looked_at:,} of {jobs.count:,} jobs"
    yield from _presence(aws, _open(wanted.places, closed), SUBJECT, scope, fix)
    if named:
        by = count_of(wanted.files.tables, "list or table", "lists or tables")
        files = f"{count_of(len(named), 'file')} named by {by}"
        fix = "upload them, or fix the table (or `paths`, which say where its paths are)"
        yield from _presence(aws, _open(named, closed), "files of tables", files, fix)
    if wanted.of_family:
        yield from _of_family(aws, jobs, _open(wanted.of_family, closed))
    if not (wanted.places or named or wanted.of_family or wanted.files.tables):
        yield _no_inputs(jobs)


def _no_inputs(jobs: RightJobs) -> Finding:
    """That jobs name no inputs; what code of one's own downloads is not known here."""
    first = jobs.maker.job(next(iter(jobs.file.groups())))
    if first.keys.command:
        return ok(SUBJECT, "the jobs name no inputs")
    return unseen(SUBJECT, "the jobs name none; what something.py downloads itself is not known")


def _wanted(aws: Aws, settings: Settings, jobs: RightJobs) -> _Wanted:
    named = Buckets.of(settings)
    wanted = _Wanted({}, NamedFiles(aws, named), {}, set())
    for group in islice(jobs.file.groups(), MOST_JOBS):
        job = jobs.maker.job(group)
        for source in (*job.inputs, *_family_sources(job, jobs)):
            wanted.places[named.find(place_of(source), named.source)] = None
            if not isinstance(source, str):
                wanted.files.look_at(source)
        if job.keys.command and not job.keys.inputs:
            for source in _read_by_family(job, jobs):
                wanted.of_family[named.find(place_of(source), named.source)] = None
        if job.output and job.output.startswith("s3://"):
            wanted.outputs.add(named.find(job.output, named.destination)[0])
    return wanted


def _family_sources(job: Job, jobs: RightJobs) -> Iterable[Source]:
    """What the family's own worker reads; a command without the family's inputs may not."""
    is_sure = not job.keys.command or (job.keys.inputs and "inputs" not in job.message)
    return _read_by_family(job, jobs) if is_sure else ()


def _read_by_family(job: Job, jobs: RightJobs) -> tuple[Source, ...]:
    return read_sources(list(jobs.file.family.reads(job.message)), [])


def _tables(files: NamedFiles) -> Iterator[Finding]:
    for fault in files.faults():
        yield missing("tables", fault, "fix the table, or what names its rows")
    if files.unread:
        more = f" and {len(files.unread) - 1:,} more" if len(files.unread) > 1 else ""
        text = f"{files.unread[0]}{more} not read: too large, or more than {MOST_TABLES} tables"
        yield unseen("tables", text)


def _open(places: dict[Place, None], closed: set[str]) -> dict[Place, None]:
    return {place: None for place in places if place[0] not in closed}


def _other_buckets(
    aws: Aws, settings: Settings, wanted: _Wanted, named: dict[Place, None]
) -> Generator[Finding, None, set[str]]:
    """A line for each bucket that only jobs name and that cannot be used; returns all closed."""
    configs = {
        settings.aws_bucket,
        settings.source_bucket,
        settings.workspace_bucket,
        settings.destination_bucket,
    }
    read = {bucket for bucket, _ in (*wanted.places, *named, *wanted.of_family)}
    closed: set[str] = set()
    for bucket in sorted(read | wanted.outputs):
        try:
            storage.check_bucket(aws.s3, bucket)
        except DistributedSomethingError as error:
            closed.add(bucket)
            if bucket not in configs:
                what = str(error).partition(":")[0]
                fix = "fix its name in the job file or table"
                if not isinstance(error, NotFound):
                    fix += ", or ask its owner for access"
                    fix += "" if settings.pays_requests else f"; {storage.IF_READERS_PAY}"
                yield missing(f"bucket {bucket}", what, fix)
    return closed


def _of_family(aws: Aws, jobs: RightJobs, places: dict[Place, None]) -> Iterator[Finding]:
    """Files that the job file names, where a command of its own may not need them."""
    absent = list(_absent(aws, places, []))
    if absent:
        text = f"nothing at {_shown(absent)}, which a {jobs.file.family.title} job file names"
        yield warning("job file", text, "upload them, unless the command does not read them")


def _presence(
    aws: Aws, places: dict[Place, None], subject: str, scope: str, fix: str
) -> Iterator[Finding]:
    """What does not exist, and what is and cannot be read."""
    if not places:
        return
    archived: list[tuple[Place, str]] = []
    try:
        absent = list(_absent(aws, places, archived))
    except ClientError as error:
        if not is_forbidden(error):
            raise
        yield unseen(subject, "not seen: needs the right s3:ListBucket on their bucket")
        absent = []
    if absent:
        text = f"nothing at {_shown(absent)} ({len(absent):,} of {scope})"
        yield missing(subject, f"{text}{_slash_hint(aws, absent)}", fix)
    gone = set(absent)
    refused = _refused(aws, [one for one in places if one not in gone], archived)
    yield from _unreadable(subject, refused)
    if not absent and not refused:
        yield ok(subject, f"{scope}: all are there")


def _unreadable(subject: str, refused: dict[Place, str]) -> Iterator[Finding]:
    """A line for each reason, with the objects that have it."""
    by_reason: dict[str, list[Place]] = defaultdict(list)
    for place, why in refused.items():
        by_reason[why].append(place)
    for why, places in by_reason.items():
        fix = "give the workers' role the right to read it and to use its key, and yourself"
        if "archived" in why:
            fix = (
                "restore them first: "
                "https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html"
            )
        yield missing(subject, f"{_shown(places)} {why}", fix)


def _refused(aws: Aws, there: list[Place], archived: list[tuple[Place, str]]) -> dict[Place, str]:
    """Why objects cannot be read: of some of each kind it is tried, others are as their class."""
    sure = [place for place, name in archived if name in ARCHIVES]
    maybe = [place for place, name in archived if name not in ARCHIVES]
    objects = [place for place in there if place[1] and not place[1].endswith("/")]
    step = max(1, len(objects) // MOST_TRIED)
    tried = [*sure[:MOST_TRIED], *maybe[:MOST_TRIED], *objects[::step][:MOST_TRIED]]
    refused = find_unreadable(aws.s3, tried)
    classes = dict(archived)
    for place in sure[MOST_TRIED:]:
        refused[place] = f"is archived in {classes[place]}, and not restored"
    return refused


def _absent(
    aws: Aws, places: Iterable[Place], archived: list[tuple[Place, str]]
) -> Iterator[Place]:
    """Those that are not there, bucket by bucket; wanted objects of an archive are added to it."""
    keys: dict[str, list[str]] = defaultdict(list)
    for bucket, key in places:
        keys[bucket].append(key)
    for bucket, wanted in keys.items():
        absent, seen = _absent_and_archived(aws, bucket, wanted)
        yield from ((bucket, key) for key in absent)
        for prefix in [key for key in wanted if key.endswith("/") or not key][:MOST_BELOW]:
            seen.update(archived_of(storage.list_objects(aws.s3, bucket, prefix, _BELOW)))
        archived += [((bucket, key), name) for key, name in _meant(seen, sorted(set(wanted)))]


def _absent_and_archived(
    aws: Aws, bucket: str, wanted: list[str]
) -> tuple[list[str], dict[str, str]]:
    """The absent ones of wanted keys, and the archived objects of the listings that showed it."""
    seen: dict[str, str] = {}
    absent = find_absent(aws.s3, bucket, wanted, lambda page: seen.update(archived_of(page)))
    return absent, seen


def _meant(seen: dict[str, str], wanted: list[str]) -> Iterator[tuple[str, str]]:
    """Those of a listing's objects that jobs want, by name or by a prefix."""
    prefixes = [key for key in wanted if key.endswith("/") or not key]
    names = set(wanted)
    for key, storage_class in seen.items():
        below = prefixes[: bisect_right(prefixes, key)]
        if key in names or any(key.startswith(one) for one in reversed(below[-MOST_BELOW:])):
            yield key, storage_class


def _slash_hint(aws: Aws, absent: list[Place]) -> str:
    """What to write where an absent key is a folder's name."""
    for bucket, key in absent[:_SHOWN]:
        if key and not key.endswith("/") and not find_absent(aws.s3, bucket, [f"{key}/"]):
            return f"; {key}/ is a folder: write it with the slash at its end"
    return ""


def _shown(places: list[Place]) -> str:
    shown = ", ".join(f"s3://{bucket}/{key}" for bucket, key in places[:_SHOWN])
    return f"{shown} and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else shown
