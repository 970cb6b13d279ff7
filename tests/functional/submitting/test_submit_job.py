"""`submitJob` against a simulated account, and against a queue that fails as SQS can."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from distributed_something.aws.messaging.messages import Message, queue_message_limit, send_messages
from distributed_something.aws.session import Aws
from distributed_something.commands.submitting.submit_job import (
    CHUNK,
    Submitted,
    check_groups,
    make_maker,
    submit_job,
)
from distributed_something.definitions.queue import queue_attributes
from distributed_something.errors import DistributedSomethingError, NotFound, UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.record import find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.benchmarks.sink import QUEUE_URL, Sink
from tests.builders import settings, write_json

QUEUE = "CountingQueue"
BUCKET = "lab-data"


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        account = simulator.aws()
        account.s3.create_bucket(Bucket=BUCKET)
        account.sqs.create_queue(QueueName=QUEUE)
        yield account


def submit(aws: Aws, path: Path, **options: Any) -> Submitted:
    return submit_job(aws, settings(), path, folder=None, **options)


def job_file(folder: Path, groups: int, **shared: object) -> Path:
    plates = [{"plate": f"P{number:05d}", "site": number % 9} for number in range(groups)]
    return write_json(folder / "jobs.json", {**shared, "groups": plates})


def received(aws: Aws) -> list[tuple[str, dict[str, str]]]:
    """Every message of the queue: its body and its attributes."""
    url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    messages = []
    while found := aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        for message in found:
            given = message["MessageAttributes"].items()
            attributes = {name: value["StringValue"] for name, value in given}
            messages.append((message["Body"], attributes))
    return messages


# In the simulated account


def test_every_group_becomes_one_message_with_the_runs_and_the_jobs_id(
    aws: Aws, tmp_path: Path
) -> None:
    submitted = submit(aws, job_file(tmp_path, 57, command="t {plate}", output="r/{plate}"))
    assert (submitted.count, submitted.duplicates, submitted.queue_name) == (57, 0, QUEUE)
    messages = received(aws)
    assert len(messages) == 57
    for body, attributes in messages:
        job = Job.from_message(body)
        assert attributes == {"RunId": submitted.run_id, "JobId": job.job_id}
    plates = [json.loads(body)["group"]["plate"] for body, _ in messages]
    assert sorted(plates) == [f"P{number:05d}" for number in range(57)]


def test_the_ledger_lists_what_was_sent_and_the_record_names_the_run(
    aws: Aws, tmp_path: Path
) -> None:
    submitted = submit(aws, job_file(tmp_path, 23, name="{plate}/{site}"))
    record = find_record(aws.s3, BUCKET, "Counting")
    assert record is not None and record.run_id == submitted.run_id
    listed = {
        job.job_id: (job.name, job.body) for job in RunLedger.of(aws.s3, record).submitted_jobs()
    }
    assert len(listed) == 23
    for body, attributes in received(aws):
        assert listed[attributes["JobId"]] == (Job.from_message(body).name, body)


def test_long_jobs_are_sent_first_and_the_next_run_knows_them_by_name(
    aws: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "distributed_something")
    sites = [3, 8, 1, 5]
    groups = [{"plate": f"P{site}", "images": site} for site in sites]
    path = write_json(
        tmp_path / "jobs.json",
        {"command": "t {plate}", "weight": "{images}", "name": "{plate}", "groups": groups},
    )
    submit(aws, path)
    assert [json.loads(body)["group"]["images"] for body, _ in received(aws)] == [8, 5, 3, 1]
    assert "Long jobs are queued first, by their weight in the job file." in caplog.text
    slowest = [{"name": f"P{site}", "seconds": 60.0 / site} for site in sites]
    report = write_json(tmp_path / "report.json", {"slowest": slowest})
    path = write_json(path, {"command": "t2 {plate}", "name": "{plate}", "groups": groups})
    submit(aws, path, rehearsal=report)
    assert [json.loads(body)["group"]["images"] for body, _ in received(aws)] == [1, 3, 5, 8]


def test_jobs_with_the_largest_inputs_are_sent_first_if_that_is_asked_for(
    aws: Aws, tmp_path: Path
) -> None:
    for plate, size in (("A", 10), ("B", 3000), ("C/x", 200), ("C/y", 2000)):
        aws.s3.put_object(Bucket=BUCKET, Key=f"in/{plate}", Body=b"x" * size)
    groups = [{"file": name} for name in ("A", "B", "C/", "gone")]
    path = write_json(
        tmp_path / "jobs.json", {"command": "t", "inputs": ["in/{file}"], "groups": groups}
    )
    submit(aws, path, by_size=True)
    sent = [json.loads(body)["group"]["file"] for body, _ in received(aws)]
    assert sent == ["B", "C/", "gone", "A"], "one of unknown size counts as a usual one"


def test_a_run_whose_jobs_all_have_checkpoints_is_noted_as_such(aws: Aws, tmp_path: Path) -> None:
    def has_checkpoints() -> bool | None:
        record = find_record(aws.s3, BUCKET, "Counting")
        assert record is not None
        return record.has_checkpoints

    submit(aws, job_file(tmp_path, 2, command="t {plate}", checkpoint=True))
    assert has_checkpoints() is True
    submit(aws, job_file(tmp_path, 2, command="u {plate}"))
    assert has_checkpoints() is False
    submit(aws, job_file(tmp_path, 2, command="v {plate}", checkpoint=True))
    assert has_checkpoints() is False


def test_groups_beyond_the_limit_are_neither_checked_nor_sent(aws: Aws, tmp_path: Path) -> None:
    groups = [{"plate": "P1"}, {"plate": "P2"}, {"well": "A01"}]
    path = write_json(tmp_path / "jobs.json", {"command": "t {plate}", "groups": groups})
    assert submit(aws, path, limit=2).count == 2
    assert len(received(aws)) == 2


def test_a_group_that_is_there_twice_is_sent_once_and_counted(aws: Aws, tmp_path: Path) -> None:
    groups = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 2}, {"a": 2}]
    path = write_json(tmp_path / "jobs.json", {"output": "r", "groups": groups})
    submitted = submit(aws, path)
    assert (submitted.count, submitted.duplicates) == (2, 2)
    assert len(received(aws)) == 2


def test_a_file_that_is_submitted_again_to_a_live_run_is_sent_again_and_listed_once(
    aws: Aws, tmp_path: Path
) -> None:
    first = submit(aws, job_file(tmp_path, 12))
    second = submit(aws, job_file(tmp_path, 15))
    assert first.run_id == second.run_id
    assert len(received(aws)) == 27
    assert RunLedger(aws.s3, BUCKET, "Counting", first.run_id).count_submitted() == 15


def test_a_job_is_in_the_ledger_before_its_message_is_in_the_queue(tmp_path: Path) -> None:
    jobs = 2 * CHUNK + 10
    calls: list[str] = []
    with served(Sink(delay=0.0)) as aws:
        for client in (aws.s3, aws.sqs):
            client.meta.events.register(
                "before-send", lambda request, **_: calls.append(kind_of(request))
            )
        submit(aws, job_file(tmp_path, jobs, output="r/{plate}"))
    listed = sent = 0
    for call in calls:
        listed += CHUNK if call == "list" else 0
        sent += 10 if call == "messages" else 0
        assert sent <= min(listed, jobs)
    assert (calls.count("list"), sent) == (3, jobs)


def kind_of(request: Any) -> str:
    if "/jobs/" in request.url and request.method == "PUT":
        return "list"
    target = request.headers.get("X-Amz-Target", b"")
    return "messages" if b"SendMessageBatch" in bytes(target) else "other"


def test_progress_counts_the_jobs_that_were_sent(aws: Aws, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    submit(aws, job_file(tmp_path, 35), on_progress=lambda done, of: seen.append((done, of)))
    assert seen == [(10, 35), (20, 35), (30, 35), (35, 35)]


def test_progress_counts_the_groups_that_were_checked_with_no_total(tmp_path: Path) -> None:
    groups = {"product": {"site": "1..25000"}}
    file = open_job_file(write_json(tmp_path / "jobs.json", {"groups": groups}), {})
    seen: list[tuple[int, int | None]] = []
    checked = check_groups(file, make_maker(file), None, lambda done, of: seen.append((done, of)))
    assert checked.groups == 25_000
    assert seen == [(10_000, None), (20_000, None)]


def test_large_messages_are_packed_below_what_one_request_takes(aws: Aws, tmp_path: Path) -> None:
    texts = [{"number": n, "text": "x" * size} for n, size in enumerate([400_000] * 5 + [10] * 5)]
    path = write_json(tmp_path / "jobs.json", {"groups": texts})
    assert submit(aws, path).count == 10
    assert len(received(aws)) == 10


def test_a_queue_that_takes_less_than_a_message_has_is_named_before_anything_is_made(
    aws: Aws, tmp_path: Path
) -> None:
    url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "262144"})
    path = write_json(tmp_path / "jobs.json", {"groups": [{"text": "x" * 300_000}]})
    with pytest.raises(UsageError, match=r"301,0\d\d bytes.*262,144.*setup"):
        submit(aws, path)
    assert find_record(aws.s3, BUCKET, "Counting") is None


def test_setups_queue_takes_the_largest_message() -> None:
    assert queue_attributes(settings(), "arn")["MaximumMessageSize"] == str(1024 * 1024)


def test_without_a_queue_nothing_is_made_and_setup_is_named(aws: Aws, tmp_path: Path) -> None:
    other = settings(SQS_QUEUE_NAME="NoSuchQueue")
    with pytest.raises(NotFound, match=r"NoSuchQueue.*setup"):
        submit_job(aws, other, job_file(tmp_path, 3), folder=None)
    assert find_record(aws.s3, BUCKET, "Counting") is None


def test_one_bad_group_among_many_means_that_nothing_is_sent_or_made(
    aws: Aws, tmp_path: Path
) -> None:
    groups = [{"plate": f"P{n}", "well": "A01"} for n in range(40)]
    del groups[16]["well"]
    path = write_json(tmp_path / "jobs.json", {"command": "t {plate} {well}", "groups": groups})
    with pytest.raises(UsageError, match=r"Group 17: .*\{well\}"):
        submit(aws, path)
    assert received(aws) == []
    assert find_record(aws.s3, BUCKET, "Counting") is None


def test_defaults_of_the_config_reach_the_messages(aws: Aws, tmp_path: Path) -> None:
    given = settings(JOB_DEFAULTS={"command": "t {plate}", "timeout": 60})
    submit_job(aws, given, job_file(tmp_path, 1, timeout=5), folder=None)
    ((body, _),) = received(aws)
    assert json.loads(body)["command"] == "t {plate}"
    assert json.loads(body)["timeout"] == 5


# Against a queue that fails


class FailingQueue(Sink):
    """A queue that keeps bodies, and answers each entry as `verdict(body, attempt)` says.

    The verdict is the error's code, '' for success; a code that ends in '!' is the sender's fault.
    """

    def __init__(self, verdict: Callable[[str, int], str]) -> None:
        super().__init__(delay=0.0)
        self.verdict = verdict
        self.attempts: Counter[str] = Counter()
        self.kept: list[str] = []

    def _sqs(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation != "SendMessageBatch":
            return super()._sqs(operation, request)
        successful, failed = [], []
        for entry in request["Entries"]:
            body = entry["MessageBody"]
            self.attempts[body] += 1
            code = self.verdict(body, self.attempts[body])
            if code:
                fault = code.endswith("!")
                failed.append({"Id": entry["Id"], "Code": code.strip("!"), "SenderFault": fault})
            else:
                self.kept.append(body)
                successful.append({"Id": entry["Id"], "MessageId": "m"})
        return {"Successful": successful, "Failed": failed}


@contextmanager
def served(sink: Sink) -> Iterator[Aws]:
    """Clients of a sink that is served by a thread of this process."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=4 * 1024 * 1024)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    session = boto3.Session("key", "secret", region_name="us-east-1")
    try:
        yield Aws(session, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def end(server: asyncio.Server) -> None:
    """Close a server and what is still connected to it."""
    server.close()
    connections = asyncio.all_tasks() - {asyncio.current_task()}
    for connection in connections:
        connection.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


def send(sink: Sink, count: int, slept: list[float] | None = None) -> int:
    messages = [Message(f"{number:020d}", f'{{"group": {number}}}') for number in range(count)]
    waits = slept if slept is not None else []
    with served(sink) as aws:
        return send_messages(aws.sqs, QUEUE_URL, "run", messages, sleep=waits.append)


def test_entries_that_failed_are_sent_again_alone_until_all_are_taken() -> None:
    queue = FailingQueue(
        lambda body, attempt: "InternalError" if attempt < 3 and "7" in body else ""
    )
    slept: list[float] = []
    assert send(queue, 100, slept) == 100
    assert sorted(queue.kept) == sorted(f'{{"group": {number}}}' for number in range(100))
    assert {queue.attempts[f'{{"group": {n}}}'] for n in (7, 70, 97)} == {3}
    assert {queue.attempts[f'{{"group": {n}}}'] for n in (0, 51, 99)} == {1}
    assert slept and all(0 < wait <= 20 for wait in slept)


def test_a_message_that_sqs_blames_on_the_sender_is_not_tried_again() -> None:
    queue = FailingQueue(lambda body, _: "InvalidMessageContents!" if "13" in body else "")
    with pytest.raises(DistributedSomethingError, match=r"0{18}13: InvalidMessageContents"):
        send(queue, 30)
    assert queue.attempts['{"group": 13}'] == 1


def test_a_queue_that_never_takes_an_entry_is_given_up_with_its_code() -> None:
    queue = FailingQueue(lambda body, _: "ThrottlingException" if "5" in body else "")
    with pytest.raises(DistributedSomethingError, match="ThrottlingException"):
        send(queue, 10)
    assert queue.attempts['{"group": 5}'] == 8


def test_jobs_are_read_no_further_ahead_than_can_be_sent() -> None:
    taken = 0

    def messages() -> Iterator[Message]:
        nonlocal taken
        for taken in range(100_000):
            yield Message(f"{taken:020d}", "{}")

    stopped = FailingQueue(lambda *_: "AccessDenied!")
    with served(stopped) as aws, pytest.raises(DistributedSomethingError):
        send_messages(aws.sqs, QUEUE_URL, "run", messages(), sleep=lambda _: None)
    assert taken < 2000


def test_a_queue_says_how_large_its_messages_may_be(aws: Aws) -> None:
    url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    assert queue_message_limit(aws.sqs, url) == 1024 * 1024
