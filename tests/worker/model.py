"""A model of SQS and S3 in memory, and workers on it whose every call waits for its turn.

The model's leases really expire: a late renewal is refused, and the message goes to another.
Each worker is the real loop in a thread of its own; only one runs at a time, and the test decides
which, when the clock moves, and which worker dies or is told to stop at which call.
"""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import (
    JOB_ID_ATTRIBUTE,
    REASON_ATTRIBUTE,
    RUN_ID_ATTRIBUTE,
    job_id,
)
from distributed_something.protocol.ledger.keys import RunKeys
from worker.clients import Clients
from worker.environment import Pace, Place
from worker.job.tool import ToolResult
from worker.loop import Loop
from worker.machine.heartbeat import Heart
from worker.queue.lease import Lease
from worker.stopping import Stopping

APP, BUCKET, RUN = "model", "bucket", "20261121-142233-a1b2"
KEYS = RunKeys(APP, RUN)
VISIBILITY = 60
LIMIT = 120.0  # seconds; SQS's twelve hours, shrunk
RETRIES = 2


class Died(BaseException):
    """The worker was killed at this call; nothing that it does from now on has any effect."""


def refused(code: str, why: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": why or code}}, "model")


class NoSuchKey(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "NoSuchKey", "Message": "no such key"}}, "GetObject")


@dataclass
class Held:
    """A message in the model; `hidden_until` 0 while it waits."""

    body: str
    sent: float
    hidden_until: float = 0.0
    received: float = 0.0
    receipt: str = ""
    count: int = 0
    message_id: str = ""


class Model:
    """The state of the queue and the bucket, and the clock."""

    def __init__(self, reached: Counter[str] | None = None) -> None:
        """What happens that a test is meant to bring about is counted in `reached`."""
        self.reached = Counter() if reached is None else reached
        self.limit = LIMIT
        self.clock = 1_700_000_000.0
        self.messages: list[Held] = []
        self.dead_letters: list[str] = []
        self.loses_answer = False  # to the next letter that is sent
        self.before_output: Callable[[], None] = lambda: None  # it may raise what S3 answers
        self.repeated: list[str] = []  # letters of messages that were known to have theirs
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.finals: list[str] = []  # every done marker that was written
        self.early: list[str] = []  # done markers that were written before the outputs
        self.deaths = 0  # of workers
        self.lost: list[str] = []  # messages deleted with neither done marker nor dead letter
        self.late: list[str] = []  # jobs of attempts that told of their end without their lease
        self._receipts = itertools.count(1)

    def now(self) -> float:
        return self.clock

    # SQS

    def receive(self, visibility: int) -> Held | None:
        for message in self.messages:
            if message.hidden_until <= self.clock:
                message.receipt = f"receipt-{next(self._receipts)}"
                message.received = self.clock
                message.hidden_until = self.clock + visibility
                message.count += 1
                return message
        return None

    def change(self, receipt: str, seconds: int) -> None:
        message = self._find(receipt)
        if message is None or message.hidden_until <= self.clock:
            self.reached["renewal after the lease"] += 1
            raise refused("InvalidParameterValue")
        if self.clock + seconds > message.received + self.limit:
            raise refused("InvalidParameterValue", "Total VisibilityTimeout is beyond the limit")
        message.hidden_until = self.clock + seconds

    def delete(self, receipt: str) -> None:
        message = self._find(receipt)
        if message is not None:
            self.messages.remove(message)
            is_done = KEYS.done(job_of(message.body)) in self.objects
            if not is_done and message.body not in self.dead_letters:
                self.lost.append(message.body)

    def bury(self, body: str, reason: str, had_its_letter: bool) -> None:
        self.dead_letters.append(body)
        self.reached["letter that may be a second"] += "there may be two copies" in reason
        if had_its_letter:
            self.repeated.append(body)

    def has_its_letter(self, message: Held) -> bool:
        """Whether the ledger says that the letter of this very message was sent."""
        marker, _ = self.objects.get(KEYS.dead(job_of(message.body)), (b"{}", 0.0))
        told = json.loads(marker)
        return bool(told.get("is_sent")) and told["message_id"] == message.message_id

    def _find(self, receipt: str) -> Held | None:
        return next((m for m in self.messages if m.receipt == receipt), None)

    # S3

    def put(self, key: str, body: bytes, only_new: bool, receipt: str) -> None:
        """`receipt` is that of the message which the writer believes it holds."""
        if only_new and key in self.objects:
            raise refused("PreconditionFailed")
        self.objects[key] = (body, self.clock)
        if key.startswith(KEYS.done_markers):
            self.finals.append(key)
            if not self._has_results(key.rpartition("/")[2], body.decode()):
                self.early.append(key)
        for part, what in _EVENTS.items():
            self.reached[what] += part in key
        # Others counted an attempt as vanished if its lease ran out before it told of its end.
        if ".interrupted." in key and not self.is_held(receipt):
            self.late.append(json.loads(body)["job_id"])

    def _has_results(self, job: str, attempt_id: str) -> bool:
        """Whether an attempt at a job has told of its end, and its output is there."""
        begin = f"{KEYS.attempts_of(job)}{attempt_id}.done."
        ends = [json.loads(body) for key, (body, _) in self.objects.items() if begin in key]
        places = [end["output"].removeprefix(f"s3://{BUCKET}/") + "/out" for end in ends]
        return bool(places) and all(place in self.objects for place in places)

    def is_held(self, receipt: str) -> bool:
        message = self._find(receipt)
        return message is not None and message.hidden_until > self.clock


# What it means that an object is written whose key has this in it.
_EVENTS = {
    "/claim": "lease at SQS's limit",
    "/receipt": "lease passed on",
    ".interrupted.": "interruption",
    ".failed.": "failure",
}


def job_of(body: str) -> str:
    return job_id(json.loads(body))


@dataclass
class Turn:
    """One worker's place in the queue for its turn."""

    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    dead: bool = False
    ended: bool = False
    received: str = ""  # the receipt of its message
    had_its_letter: bool = False  # and whether the ledger said then that its letter was sent

    def wait(self) -> None:
        """Called by the worker before each of its calls."""
        if self.dead:
            raise Died
        self.waiting.release()
        self.go.acquire()
        if self.dead:
            raise Died


class Sqs:
    """Like the SDK's client, this one may send again what has no answer."""

    def __init__(self, model: Model, turn: Turn, sends_again: bool) -> None:
        self._model, self._turn, self._sends_again = model, turn, sends_again

    def receive_message(self, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:
        self._turn.wait()
        held = self._model.receive(VisibilityTimeout)
        if held is None:
            return {}
        self._turn.received = held.receipt
        self._turn.had_its_letter = self._model.has_its_letter(held)
        return {
            "Messages": [
                {
                    "MessageId": held.message_id,
                    "Body": held.body,
                    "ReceiptHandle": held.receipt,
                    "Attributes": {
                        "ApproximateReceiveCount": str(held.count),
                        "SentTimestamp": str(int(held.sent * 1000)),
                    },
                    "MessageAttributes": {
                        RUN_ID_ATTRIBUTE: {"StringValue": RUN},
                        JOB_ID_ATTRIBUTE: {"StringValue": job_of(held.body)},
                    },
                }
            ]
        }

    def change_message_visibility(
        self, ReceiptHandle: str, VisibilityTimeout: int, **_: Any
    ) -> None:
        self._turn.wait()
        self._model.change(ReceiptHandle, VisibilityTimeout)
        went_on = ReceiptHandle != self._turn.received
        self._model.reached["lease that went on with a receipt left for it"] += went_on

    def delete_message(self, ReceiptHandle: str, **_: Any) -> None:
        self._turn.wait()
        self._model.delete(ReceiptHandle)

    def send_message(self, MessageBody: str, MessageAttributes: Any, **_: Any) -> None:
        self._turn.wait()
        reason = MessageAttributes[REASON_ATTRIBUTE]["StringValue"]
        self._model.bury(MessageBody, reason, self._turn.had_its_letter)
        if self._model.loses_answer:
            self._model.loses_answer = False
            if not self._sends_again:
                raise ReadTimeoutError(endpoint_url="the queue of dead letters")
            self._model.bury(MessageBody, reason, self._turn.had_its_letter)


class S3:
    class exceptions:
        NoSuchKey = NoSuchKey
        ClientError = ClientError

    def __init__(self, model: Model, turn: Turn, receipt: Callable[[], str]) -> None:
        self._model, self._turn, self._receipt = model, turn, receipt

    def put_object(self, Key: str, Body: Any, IfNoneMatch: str = "", **_: Any) -> None:
        self._turn.wait()
        body = Body if isinstance(Body, bytes) else Body.read()
        if Key.endswith("/out"):
            self._model.before_output()
        self._model.put(Key, body, IfNoneMatch == "*", self._receipt())

    def get_object(self, Key: str, **_: Any) -> dict[str, Any]:
        self._turn.wait()
        if Key not in self._model.objects:
            raise NoSuchKey
        body, written = self._model.objects[Key]
        date = datetime.fromtimestamp(self._model.clock, timezone.utc)
        return {
            "Body": io.BytesIO(body),
            "LastModified": datetime.fromtimestamp(int(written), timezone.utc),
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(date, usegmt=True)}},
        }

    def head_object(self, Key: str, **_: Any) -> dict[str, Any]:
        self._turn.wait()
        if Key not in self._model.objects:
            raise refused("404")
        written = self._model.objects[Key][1]
        return {"LastModified": datetime.fromtimestamp(int(written), timezone.utc)}

    def delete_object(self, Key: str, **_: Any) -> None:
        self._turn.wait()
        self._model.objects.pop(Key, None)

    def get_paginator(self, _name: str) -> S3:
        return self

    def paginate(self, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:
        self._turn.wait()
        now = datetime.fromtimestamp(self._model.clock, timezone.utc)
        found = [
            {
                "Key": key,
                "Size": len(body),
                "LastModified": datetime.fromtimestamp(int(written), timezone.utc),
            }
            for key, (body, written) in sorted(self._model.objects.items())
            if key.startswith(Prefix)
        ]
        headers = {"date": format_datetime(now, usegmt=True)}
        yield {"Contents": found, "ResponseMetadata": {"HTTPHeaders": headers}}


class Worker:
    """The real loop of one slot, in a thread that takes one message and ends."""

    def __init__(
        self,
        model: Model,
        folder: Path,
        number: int,
        fails: bool,
        *,
        retries: int = RETRIES,
        make_lease: type[Lease] = Lease,
    ) -> None:
        self.turn = Turn()
        self.stopping = Stopping(now=model.now)
        self._model = model
        self.lease: Lease | None = None
        self._lease_kind = make_lease
        self._fails = fails
        sqs, lease_sqs = Sqs(model, self.turn, True), Sqs(model, self.turn, False)
        s3 = S3(model, self.turn, self._receipt)
        place = Place(
            settings=WorkerEnvironment(
                app_name=APP,
                aws_region="us-east-1",
                sqs_queue_url="queue",
                sqs_dead_letter_queue_url="dead",
                aws_bucket=BUCKET,
                log_group_name="",
                sqs_message_visibility=VISIBILITY,
                job_retries=retries,
            ),
            pace=Pace(lease_limit_seconds=LIMIT, backoff_seconds=1.0),
            directory=folder / f"slot-{number}",
            slot=f"slot-{number}",
            instance_id="i-0",
        )
        clients = Clients(
            sqs=sqs,  # type: ignore[arg-type]
            lease_sqs=lease_sqs,  # type: ignore[arg-type]
            s3=s3,  # type: ignore[arg-type]
            lease_s3=s3,  # type: ignore[arg-type]
            logs=None,  # type: ignore[arg-type]
            brisk_logs=None,  # type: ignore[arg-type]
        )
        heart = Heart(place, now=model.now)  # never started: silent
        self._loop = Loop(
            clients,
            place,
            self.stopping,
            heart,
            run=self._tool,
            make_lease=self._make_lease,
            now=model.now,
        )
        self._thread = threading.Thread(target=self._take_one, daemon=True)
        self._thread.start()
        self.turn.waiting.acquire()

    def step(self) -> None:
        """Let it make its next call, and come to the one after it."""
        self.turn.go.release()
        self.turn.waiting.acquire()

    def kill(self) -> None:
        self._model.reached["death while it held a message"] += self.lease is not None
        self._model.deaths += 1
        self.turn.dead = True
        self.step()
        self._thread.join()

    def _take_one(self) -> None:
        try:
            self._loop.take_one()
        except Died:
            pass
        finally:
            self.turn.ended = True
            self.turn.waiting.release()

    def _receipt(self) -> str:
        return "" if self.lease is None else self.lease.message.receipt

    def _make_lease(self, *arguments: Any, **named: Any) -> Lease:
        self.lease = self._lease_kind(*arguments, **named)
        return self.lease

    def _tool(
        self, argv: list[str], directory: Path, _environment: Any, *, why_end: Any, **_: Any
    ) -> ToolResult:
        """A tool that takes as many turns as its argument says; its lease is renewed meanwhile."""
        assert self.lease is not None
        for _turn in range(int(argv[0])):
            self.lease.renew()
            if reason := why_end():
                return ToolResult(-15, 0.0, 0.0, 0.0, ended=reason)
        (directory / "output" / "out").write_text("x")
        return ToolResult(int(self._fails), 0.0, 0.0, 0.0)
