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
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import RUN_ID_ATTRIBUTE, job_id
from distributed_something.protocol.ledger_keys import RunKeys
from worker.clients import Clients
from worker.environment import Pace, Place
from worker.heartbeat import Heart
from worker.lease import Lease
from worker.loop import Loop
from worker.stopping import Stopping
from worker.tool import ToolResult

APP, BUCKET, RUN = "model", "bucket", "20261121-142233-a1b2"
KEYS = RunKeys(APP, RUN)
VISIBILITY = 60
LIMIT = 300.0  # seconds; SQS's twelve hours, shrunk
RETRIES = 3


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


class Model:
    """The state of the queue and the bucket, and the clock."""

    def __init__(self) -> None:
        self.clock = 1_700_000_000.0
        self.messages: list[Held] = []
        self.dead_letters: list[str] = []
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.finals: list[str] = []  # every done marker that was written
        self.lost: list[str] = []  # messages deleted with neither done nor dead marker
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
            raise refused("InvalidParameterValue")
        if self.clock + seconds > message.received + LIMIT:
            raise refused("InvalidParameterValue", "Total VisibilityTimeout is beyond the limit")
        message.hidden_until = self.clock + seconds

    def delete(self, receipt: str) -> None:
        message = self._find(receipt)
        if message is not None:
            self.messages.remove(message)
            identity = json.loads(message.body)["group"]["id"]
            settled = {k.rsplit("/", 1)[1] for k in self.objects if "/done/" in k or "/dead/" in k}
            if not settled & {job_of(message.body)}:
                self.lost.append(identity)

    def _find(self, receipt: str) -> Held | None:
        return next((m for m in self.messages if m.receipt == receipt), None)

    # S3

    def put(self, key: str, body: bytes, only_new: bool) -> None:
        if only_new and key in self.objects:
            raise refused("PreconditionFailed")
        self.objects[key] = (body, self.clock)
        if key.startswith(KEYS.done_markers):
            self.finals.append(key)
        if key.endswith(".interrupted"):
            self._note_if_late(json.loads(body))

    def _note_if_late(self, attempt: dict[str, Any]) -> None:
        """Others counted an attempt as vanished if its lease ran out before it told of its end."""
        message = next((m for m in self.messages if job_of(m.body) == attempt["job_id"]), None)
        held = message and message.received <= attempt["started"]
        if message is None or not held or message.hidden_until <= self.clock:
            self.late.append(attempt["job_id"])


def job_of(body: str) -> str:
    return job_id(json.loads(body))


@dataclass
class Turn:
    """One worker's place in the queue for its turn."""

    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    dead: bool = False
    ended: bool = False

    def wait(self) -> None:
        """Called by the worker before each of its calls."""
        if self.dead:
            raise Died
        self.waiting.release()
        self.go.acquire()
        if self.dead:
            raise Died


class Sqs:
    def __init__(self, model: Model, turn: Turn) -> None:
        self._model, self._turn = model, turn

    def receive_message(self, VisibilityTimeout: int, **_: Any) -> dict[str, Any]:
        self._turn.wait()
        held = self._model.receive(VisibilityTimeout)
        if held is None:
            return {}
        return {
            "Messages": [
                {
                    "Body": held.body,
                    "ReceiptHandle": held.receipt,
                    "Attributes": {
                        "ApproximateReceiveCount": str(held.count),
                        "SentTimestamp": str(int(held.sent * 1000)),
                    },
                    "MessageAttributes": {RUN_ID_ATTRIBUTE: {"StringValue": RUN}},
                }
            ]
        }

    def change_message_visibility(
        self, ReceiptHandle: str, VisibilityTimeout: int, **_: Any
    ) -> None:
        self._turn.wait()
        self._model.change(ReceiptHandle, VisibilityTimeout)

    def delete_message(self, ReceiptHandle: str, **_: Any) -> None:
        self._turn.wait()
        self._model.delete(ReceiptHandle)

    def send_message(self, MessageBody: str, **_: Any) -> None:
        self._turn.wait()
        self._model.dead_letters.append(MessageBody)


class S3:
    class exceptions:
        NoSuchKey = NoSuchKey

    def __init__(self, model: Model, turn: Turn) -> None:
        self._model, self._turn = model, turn

    def put_object(self, Key: str, Body: Any, IfNoneMatch: str = "", **_: Any) -> None:
        self._turn.wait()
        body = Body if isinstance(Body, bytes) else Body.read()
        self._model.put(Key, body, IfNoneMatch == "*")

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
        keys = sorted(key for key in self._model.objects if key.startswith(Prefix))
        yield {"Contents": [{"Key": key} for key in keys], "KeyCount": len(keys)}


class Worker:
    """The real loop of one slot, in a thread that takes one message and ends."""

    def __init__(self, model: Model, folder: Path, number: int, fails: bool) -> None:
        self.turn = Turn()
        self.stopping = Stopping(now=model.now)
        self._lease: Lease | None = None
        self._fails = fails
        sqs, s3 = Sqs(model, self.turn), S3(model, self.turn)
        place = Place(
            settings=WorkerEnvironment(
                app_name=APP,
                aws_region="us-east-1",
                sqs_queue_url="queue",
                sqs_dead_letter_queue_url="dead",
                aws_bucket=BUCKET,
                log_group_name="",
                sqs_message_visibility=VISIBILITY,
                job_retries=RETRIES,
            ),
            pace=Pace(lease_limit_seconds=LIMIT, backoff_seconds=1.0),
            directory=folder / f"slot-{number}",
            slot=f"slot-{number}",
            instance_id="i-0",
        )
        clients = Clients(
            sqs=sqs,  # type: ignore[arg-type]
            lease_sqs=sqs,  # type: ignore[arg-type]
            s3=s3,  # type: ignore[arg-type]
            lease_s3=s3,  # type: ignore[arg-type]
            logs=None,  # type: ignore[arg-type]
        )
        heart = Heart(s3, place, now=model.now)  # type: ignore[arg-type]  # never started: silent
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

    def _make_lease(self, *arguments: Any, **named: Any) -> Lease:
        self._lease = Lease(*arguments, **named)
        return self._lease

    def _tool(
        self, argv: list[str], directory: Path, _environment: Any, *, why_end: Any, **_: Any
    ) -> ToolResult:
        """A tool that takes as many turns as its argument says; its lease is renewed meanwhile."""
        assert self._lease is not None
        for _turn in range(int(argv[0])):
            self._lease.renew()
            if reason := why_end():
                return ToolResult(-15, 0.0, 0.0, 0.0, ended=reason)
        (directory / "output" / "out").write_text("x")
        return ToolResult(int(self._fails), 0.0, 0.0, 0.0)
