"""Send what a job prints to CloudWatch, once: to its own stream or its machine's; keep its end."""

from __future__ import annotations

import logging
import random
import threading
import time
import warnings
from collections import deque
from typing import TYPE_CHECKING

import watchtower
from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.log_streams import SHARED_LINE, stream_name
from distributed_something.protocol.values.secrets import Redactor

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)
_printed = logging.getLogger("worker.printed")

TAIL_LINES = 20
LONGEST_TAIL_LINE = 500  # characters
LOG_LIMIT = 64 * 2**20  # characters a job; CloudWatch asks about 0.50 USD a GB
FLUSH_EVERY = 20_000  # lines; the shipping library's queue has no bound of its own
SEND_SECONDS = 5
# AWS makes 50 streams a second in a region, and after more it says no to whoever asks next:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
# Once it has, this slot's jobs use their machine's stream for so long, seconds, drawn at random.
_WITHOUT_OWN_STREAM = (60.0, 300.0)
_THROTTLED = ("ThrottlingException", "Throttling", "LimitExceededException")

_closing: list[threading.Thread] = []


class Streams:
    """Whether this process asks for a stream for each job, or AWS has just said that it is full."""

    def __init__(self) -> None:
        self._asks_from = 0.0

    @property
    def may_ask(self) -> bool:
        return time.monotonic() >= self._asks_from

    def pause(self) -> None:
        """Ask no more for some minutes: others of the run want streams too."""
        self._asks_from = time.monotonic() + random.uniform(*_WITHOUT_OWN_STREAM)


_streams = Streams()


class JobLog:
    """The log of one attempt at a job.

    Its lines go to a stream of its own, where CloudWatch makes one at once: no job waits for it.
    Otherwise they go, behind the job's name, to what the container prints, which is its machine's
    stream. `shows` prints them in any case, for one who looks at a rehearsal's files. `redact`
    hides the secrets in them.
    """

    def __init__(
        self,
        logs: CloudWatchLogsClient,
        group: str,
        name: str,
        *,
        brisk: CloudWatchLogsClient | None = None,
        shows: bool = False,
        streams: Streams = _streams,
        redact: Redactor | None = None,
    ) -> None:
        self._logs = logs
        self._redact = redact or Redactor()
        self._brisk = brisk or logs  # asks once
        self._shows = shows
        self._streams = streams
        self._group = group
        self._stream = stream_name(name)
        self._name = name
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._size = 0
        self._lines = 0
        self._lock = threading.Lock()
        self._handler = self._open() if group else None

    @property
    def tail(self) -> str:
        """The last lines, joined."""
        return "\n".join(self._tail)

    @property
    def is_full(self) -> bool:
        """Whether only the last lines are kept from now on."""
        return self._size > LOG_LIMIT

    def write(self, line: str) -> None:
        """Log one line; beyond LOG_LIMIT it is only remembered."""
        with self._lock:
            line = self._redact.line(line)
            self._tail.append(_shortened(line))
            if self.is_full:
                return
            self._size += len(line) + 1
            self._show(line)
            if self.is_full:
                self._show(f"The job has printed {LOG_LIMIT // 2**20} MiB; the rest is not logged.")

    def close(self) -> None:
        """Send the rest, in a thread; `wait_until_sent` waits for it."""
        if self._handler is None:
            return
        wait_until_sent()  # of the job before
        thread = threading.Thread(target=_close, args=(self._handler,), name="log", daemon=True)
        _closing.append(thread)
        thread.start()

    def _show(self, line: str) -> None:
        if self._shows or self._handler is None:
            _printed.info(SHARED_LINE, self._name, line)
        if self._handler is None:
            return
        # CloudWatch refuses an empty event.
        record = logging.LogRecord("job", logging.INFO, "", 0, "%s", (line or " ",), None)
        self._handler.emit(record)  # type: ignore[no-untyped-call]
        self._lines += 1
        if self._lines % FLUSH_EVERY == 0:
            self._handler.flush()  # type: ignore[no-untyped-call]

    def _open(self) -> watchtower.CloudWatchLogHandler | None:
        """Make the stream; None if it cannot be had at once, said in the log unless for a quota."""
        if not self._streams.may_ask:
            return None
        try:
            self._brisk.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except self._brisk.exceptions.ResourceAlreadyExistsException:
            pass
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _THROTTLED:
                self._streams.pause()
            else:
                logger.warning("Job %s has no log of its own: %s", self._name, error)
            return None
        return watchtower.CloudWatchLogHandler(
            log_group_name=self._group,
            # The library fills braces in a stream's name.
            log_stream_name=self._stream.replace("{", "{{").replace("}", "}}"),
            boto3_client=self._logs,
            create_log_group=False,
            create_log_stream=False,
            send_interval=SEND_SECONDS,
        )


def _shortened(line: str) -> str:
    """A line whose middle is left out if it is too long for the ledger."""
    if len(line) <= LONGEST_TAIL_LINE:
        return line
    half = LONGEST_TAIL_LINE // 2
    return f"{line[:half]} ... {line[-half:]}"


def wait_until_sent() -> None:
    """Wait until what closed logs hold is sent, or cannot be."""
    while _closing:
        _closing.pop().join()


def _close(handler: watchtower.CloudWatchLogHandler) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it cannot deliver; the log says so already
        handler.close()  # type: ignore[no-untyped-call]
