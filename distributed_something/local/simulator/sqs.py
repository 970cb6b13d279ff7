"""Simulated SQS: as fast for a long queue as for a short one, by the rules that moto leaves out."""

from __future__ import annotations

import copy
import heapq
import itertools
import json
import time
from dataclasses import dataclass, field
from threading import Condition
from types import ModuleType
from typing import Any
from uuid import uuid4

from moto.sqs import urls
from moto.sqs.constants import MAXIMUM_VISIBILITY_TIMEOUT
from moto.sqs.exceptions import InvalidParameterValue, QueueDoesNotExist, SQSException
from moto.sqs.models import (
    Message,
    Queue,
    SQSBackend,
    _filter_message_attributes,
    sqs_backends,
)
from moto.sqs.utils import generate_receipt_handle

from . import rules
from .delays.newness import Newness

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_IN_FLIGHT = 120_000
MAX_ATTRIBUTES = 10
_COUNTS = {
    "ApproximateNumberOfMessages": "waiting",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
    "ApproximateNumberOfMessagesDelayed": "delayed",
}
_order = itertools.count()


def _message_not_inflight() -> SQSException:
    return SQSException(
        "AWS.SimpleQueueService.MessageNotInflight", "The specified message isn't in flight."
    )


def _check_size(queue: Any, body: str, attributes: dict[str, Any]) -> None:
    """Refuse what AWS does: names, types and values of attributes count as the body does."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{MAX_ATTRIBUTES}]."
        )
    most = queue.maximum_message_size
    size = len(body.encode()) + sum(
        len(f"{name}{attribute['DataType']}{attribute.get('StringValue', '')}".encode())
        + len(attribute.get("BinaryValue", ""))
        for name, attribute in attributes.items()
    )
    if size > most:
        raise InvalidParameterValue(
            "One or more parameters are invalid. "
            f"Reason: Message must be shorter than {most} bytes."
        )


@dataclass(eq=False)
class _Entry:
    """A message: waiting while `wakes` is 0, else hidden until then (in flight or delayed)."""

    message: Message
    wakes: float = 0.0
    received: float | None = None  # None until first received: hidden means delayed
    order: int = field(default_factory=lambda: next(_order))


class FastQueue(Queue):
    """A queue whose every call costs the same however long it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._change = Condition()
        self._waiting: dict[int, _Entry] = {}
        self._hidden: list[tuple[float, int, _Entry]] = []
        self._live: dict[int, _Entry] = {}
        self._by_handle: dict[str, _Entry] = {}
        self._counts = {"in_flight": 0, "delayed": 0}
        self._told: dict[str, tuple[float, int]] = {}  # counts as they were last told, and when

    @classmethod
    def is_created(cls, *_args: Any, **_kwargs: Any) -> bool:
        """Nothing here is made through CloudFormation."""
        return False

    def add_message(self, message: Message) -> None:
        entry = _Entry(message)
        with self._change:
            self._live[entry.order] = entry
            delay = message.delayed_until / 1000
            if delay > rules.current().clock():
                self._hide(entry, delay)
            else:
                self._show(entry)

    def take(self, count: int, visibility: float, wait: float) -> list[Message]:
        """Receive up to `count` messages, waiting up to `wait` seconds for the first."""
        deadline = time.monotonic() + wait  # a test's clock may stand still
        with self._change:
            while True:
                taken = self._take_waiting(count, visibility)
                remaining = deadline - time.monotonic()
                if taken or remaining <= 0:
                    return taken
                self._change.wait(self._until_next(remaining))

    def forget(self, handle: str) -> None:
        """Delete by the latest receipt handle; an older one does nothing, as on AWS."""
        with self._change:
            entry = self._by_handle.get(handle)
            if entry is None or entry.message.receipt_handle != handle:
                return
            self._leave(entry)
            self._live.pop(entry.order, None)  # deleted twice is deleted

    def change_visibility(self, handle: str, seconds: int) -> None:
        """Hide a message in flight for `seconds` from now; raises what AWS does for any other."""
        with self._change:
            self._wake()
            entry = self._by_handle.get(handle)
            if entry is None or entry.order not in self._live:
                raise InvalidParameterValue(
                    f"Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does "
                    "not exist or is not available for visibility timeout change."
                )
            if entry.message.receipt_handle != handle or not entry.wakes:
                raise _message_not_inflight()
            now = rules.current().clock()
            if now + seconds - (entry.received or now) > MAXIMUM_VISIBILITY_TIMEOUT:
                raise InvalidParameterValue(
                    f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
                    "VisibilityTimeout for the message is beyond the limit [43200 seconds]."
                )
            self._leave(entry)
            if seconds:
                self._hide(entry, now + seconds)
            else:
                self._show(entry)

    def purge(self) -> None:
        with self._change:
            self._waiting.clear()
            self._hidden.clear()
            self._live.clear()
            self._by_handle.clear()
            self._counts = {"in_flight": 0, "delayed": 0}

    def count(self, what: str) -> int:
        """How many messages are `waiting`, `in_flight` or `delayed`."""
        with self._change:
            self._wake()
            return len(self._waiting) if what == "waiting" else self._counts[what]

    def tell(self, what: str) -> int:
        """A count as SQS tells it, which may be that of a minute ago."""
        now = rules.current().clock()
        when, count = self._told.get(what, (float("-inf"), 0))
        if not 0 <= now - when < rules.current().count_lag_seconds:
            when, count = self._told[what] = (now, self.count(what))
        return count

    @property
    def approximate_number_of_messages(self) -> int:
        return self.count("waiting")

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        return self.count("in_flight")

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        return self.count("delayed")

    def _take_waiting(self, count: int, visibility: float) -> list[Message]:
        self._wake()
        taken: list[Message] = []
        for entry in list(itertools.islice(self._waiting.values(), count)):
            if self._is_spent(entry):
                self._bury(entry)
                continue
            if self._counts["in_flight"] >= MAX_IN_FLIGHT:
                raise SQSException("OverLimit", "Too many messages in flight.")
            taken.append(self._receive(entry, visibility))
        return taken

    def _receive(self, entry: _Entry, visibility: float) -> Message:
        now = rules.current().clock()
        message = entry.message
        message.approximate_receive_count += 1
        message.approximate_first_receive_timestamp = (
            message.approximate_first_receive_timestamp or int(now * 1000)
        )
        message.receipt_handle = generate_receipt_handle()
        self._by_handle[message.receipt_handle] = entry
        entry.received = now
        if visibility:
            self._leave(entry)
            self._hide(entry, now + visibility)
        return copy.copy(message)

    def _is_spent(self, entry: _Entry) -> bool:
        policy = self.redrive_policy
        return bool(
            policy
            and self.dead_letter_queue is not None
            and entry.message.approximate_receive_count >= policy["maxReceiveCount"]
        )

    def _bury(self, entry: _Entry) -> None:
        self._leave(entry)
        del self._live[entry.order]
        assert self.dead_letter_queue is not None
        self.dead_letter_queue.add_message(entry.message)

    def _show(self, entry: _Entry) -> None:
        entry.wakes = 0.0
        self._waiting[entry.order] = entry
        self._change.notify_all()

    def _hide(self, entry: _Entry, until: float) -> None:
        entry.wakes = until
        self._counts["delayed" if entry.received is None else "in_flight"] += 1
        heapq.heappush(self._hidden, (until, entry.order, entry))

    def _leave(self, entry: _Entry) -> None:
        """Take an entry out of where it is; its place in the heap is stale from now on."""
        if entry.wakes:
            self._counts["delayed" if entry.received is None else "in_flight"] -= 1
            entry.wakes = 0.0
        self._waiting.pop(entry.order, None)

    def _wake(self) -> None:
        """Show every hidden message whose time has come."""
        now = rules.current().clock()
        while self._hidden and self._hidden[0][0] <= now:
            until, _, entry = heapq.heappop(self._hidden)
            if entry.wakes == until and entry.order in self._live:
                self._leave(entry)
                self._show(entry)

    def _until_next(self, remaining: float) -> float:
        """How long a long poll may sleep before it must look again."""
        if not self._hidden:
            return min(remaining, 1.0)
        return max(0.01, min(remaining, self._hidden[0][0] - rules.current().clock(), 1.0))


class SimulatedSqs(SQSBackend):
    """moto's SQS on fast queues, in which a deleted queue is not gone for a minute."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.new = Newness()  # queues, and queues as targets of dead letters
        self._deleted: dict[str, tuple[float, FastQueue]] = {}

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> Queue:
        if name in self.queues:
            return super().create_queue(name, tags, **kwargs)
        if self._ghost(name) is not None:
            raise SQSException(
                "AWS.SimpleQueueService.QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another "
                "with the same name.",
            )
        kwargs.pop("region", None)
        self._check_dead_letters(kwargs.get("RedrivePolicy"))
        queue = FastQueue(name, self.region_name, self.account_id, **kwargs)
        queue.tags = tags or {}
        self.queues[name] = queue
        self.new.note(name)
        self.new.note(f"dead letters of {name}")
        return queue

    def set_queue_attributes(self, queue_name: str, attributes: dict[str, Any]) -> Queue:
        self._check_dead_letters(attributes.get("RedrivePolicy"))
        return super().set_queue_attributes(queue_name, attributes)

    def _check_dead_letters(self, policy: str | None) -> None:
        """Refuse a target that was made just now, as one that does not exist."""
        arn = json.loads(policy).get("deadLetterTargetArn", "") if policy else ""
        if self.new.hides(f"dead letters of {arn.rpartition(':')[2]}"):
            raise InvalidParameterValue(
                f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead letter "
                "target does not exist."
            )

    def get_queue(self, queue_name: str) -> Queue:
        """The queue; for a minute after its deletion AWS takes what nobody will ever receive."""
        queue = self.queues.get(queue_name) or self._ghost(queue_name)
        if queue is None or self.new.hides(queue_name):
            raise QueueDoesNotExist()
        return queue

    def get_queue_url(self, queue_name: str) -> Queue:
        if self.new.hides(queue_name):
            raise QueueDoesNotExist()
        return super().get_queue(queue_name)

    def delete_queue(self, queue_name: str) -> None:
        queue = super().get_queue(queue_name)
        assert isinstance(queue, FastQueue)
        self._deleted[queue_name] = (rules.current().clock(), queue)
        super().delete_queue(queue_name)

    def get_queue_attributes(self, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
        queue = self.get_queue(queue_name)
        if attribute_names and set(attribute_names) <= set(_COUNTS):
            assert isinstance(queue, FastQueue)
            return {name: queue.tell(_COUNTS[name]) for name in attribute_names}
        return super().get_queue_attributes(queue_name, attribute_names)

    def send_message(
        self,
        queue_name: str,
        message_body: str,
        message_attributes: dict[str, Any] | None = None,
        delay_seconds: int | None = None,
        deduplication_id: str | None = None,  # noqa: ARG002  # FIFO queues' alone
        group_id: str | None = None,  # noqa: ARG002
        system_attributes: dict[str, Any] | None = None,
        validate_group_id: bool = True,  # noqa: ARG002
    ) -> Message:
        queue: Any = self.get_queue(queue_name)
        self._validate_message(queue, message_body, int(delay_seconds or 0))
        _check_size(queue, message_body, message_attributes or {})
        message = Message(str(uuid4()), message_body, system_attributes)
        message.message_attributes = message_attributes or {}
        delay = int(queue.delay_seconds if delay_seconds is None else delay_seconds)
        if not 0 <= delay <= 900:
            raise InvalidParameterValue(
                f"Value {delay} for parameter DelaySeconds is invalid. "
                "Reason: DelaySeconds must be >= 0 and <= 900."
            )
        sent: Any = int(rules.current().clock() * 1000)
        message.sent_timestamp = sent
        if delay:
            message.delayed_until = sent + delay * 1000
        queue.add_message(message)
        return message

    def receive_message(
        self,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Message]:
        queue = self.get_queue(queue_name)
        assert isinstance(queue, FastQueue)
        messages = queue.take(count, visibility_timeout, wait_seconds_timeout)
        for message in messages:
            _filter_message_attributes(message, message_attribute_names or [])
        return messages

    def delete_message(self, queue_name: str, receipt_handle: str) -> None:
        queue = self.get_queue(queue_name)
        assert isinstance(queue, FastQueue)
        queue.forget(receipt_handle)

    def change_message_visibility(
        self, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        queue = self.get_queue(queue_name)
        assert isinstance(queue, FastQueue)
        queue.change_visibility(receipt_handle, int(visibility_timeout))

    def purge_queue(self, queue_name: str) -> None:
        queue = self.get_queue(queue_name)
        assert isinstance(queue, FastQueue)
        queue.purge()

    def _ghost(self, name: str) -> FastQueue | None:
        deleted, queue = self._deleted.get(name, (0.0, None))
        if queue is None:
            return None
        recently = rules.current().clock() - deleted < rules.current().deleted_queue_seconds
        if not recently:
            del self._deleted[name]
        return queue if recently else None


def install() -> None:
    """Put the simulated SQS in the place of moto's, for backends made from now on."""
    sqs_backends.backend = SimulatedSqs
