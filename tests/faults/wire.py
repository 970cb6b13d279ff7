"""Hand requests straight to the simulated account, and let one call of a program fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from email.utils import formatdate
from enum import Enum
from io import BytesIO
from threading import local
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from botocore.retries import quota, standard
from urllib3 import HTTPResponse

from distributed_something.aws.session import Aws
from tests.lives import clients

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LENGTH = "content-length"
_BEGAN = formatdate(usegmt=True)
SDK_ATTEMPTS = 6  # of one call, as our clients are set


class Fault(Enum):
    """What happens to one API call."""

    DENIED = "AWS denies this operation until the verb has ended"
    THROTTLED = "AWS throttles the first attempt of every call"
    THROTTLED_FOR_GOOD = "AWS throttles every attempt of the call"
    UNHEARD = "AWS acts, its answer is lost, and the next attempt is heard"
    UNHEARD_FOR_GOOD = "AWS acts, its answer is lost, and the network with it"
    KILLED = "AWS acts, and our process is killed"


class Killed(BaseException):
    """Our process is no more; nothing catches it."""


class Wire:
    """The way from some clients to the simulated account, on which one call can be made to fail.

    No server and no thread is between them: a forked process goes on with the account as it was.
    """

    def __init__(self, aws: Aws, application: Application) -> None:
        self.calls: list[str] = []
        self._application = application
        self._here = local()  # which call this thread makes, and how often it was sent
        self._fault: Fault | None = None
        self._position = 0
        self._before_each: Callable[[str], None] = lambda _: None
        self._denied = ""
        self._is_dead = False
        for client in [*clients(aws), aws.sts]:
            client.meta.events.register("before-call", self._begin)
            client.meta.events.register("before-send", self._send)
            _retry_at_once(client)

    def before_each(self, act: Callable[[str], None]) -> None:
        """Have something done before every call from now on, which is given the call's name."""
        self._before_each = act

    def fail(self, fault: Fault) -> None:
        """Let the call that is about to be made fail."""
        self._fault, self._position = fault, len(self.calls)

    def restore(self) -> None:
        """Let all calls go well from now on; a killed process is started again."""
        self.calls.clear()
        self._fault, self._denied, self._is_dead = None, "", False
        self._before_each = lambda _: None

    def _begin(self, model: Any, **_: Any) -> None:
        self._before_each(model.name)
        self._here.call, self._here.attempts = len(self.calls), 0
        self.calls.append(model.name)

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        self._here.attempts += 1
        if self._is_dead:
            raise Killed
        if self._fault is Fault.THROTTLED and self._here.attempts == 1:
            return _refusal(request, event_name, 503, "ThrottlingException")
        is_it = self._fault is not None and self._here.call == self._position
        if is_it and self._fault is Fault.DENIED:
            self._denied = event_name
        if event_name == self._denied:
            return _refusal(request, event_name, 403, "AccessDenied")
        return self._failing(request, event_name) if is_it else self._hand_over(request)

    def _failing(self, request: Any, event_name: str) -> AWSResponse:
        is_first = self._here.attempts == 1
        if self._fault is Fault.THROTTLED_FOR_GOOD:
            return _refusal(request, event_name, 503, "ThrottlingException")
        if self._fault is Fault.UNHEARD_FOR_GOOD and not is_first:
            raise ConnectionClosedError(endpoint_url=request.url)
        answer = self._hand_over(request)
        if self._fault is Fault.KILLED:
            self._is_dead = True
            raise Killed
        if is_first:
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer

    def _hand_over(self, request: Any) -> AWSResponse:
        status: list[Any] = []
        environ = _environ(request)
        content = b"".join(self._application(environ, lambda *words, **_: status.extend(words)))
        headers = dict(status[1])
        if request.method == "HEAD":  # which has no body, whatever its length is said to be
            headers = {name: one for name, one in headers.items() if name.lower() != _LENGTH}
        return _answer(request.url, int(status[0].split()[0]), content, headers)


def _retry_at_once(client: Any) -> None:
    """Retry as the SDK does in its standard mode, but without a pause."""
    service = client.meta.service_model.service_id.hyphenize()
    name = f"retry-config-{service}"
    adapter = standard.RetryEventAdapter()
    throttling = standard.ThrottlingErrorDetector(adapter)
    handler = standard.RetryHandler(
        standard.RetryPolicy(
            standard.StandardRetryConditions(max_attempts=SDK_ATTEMPTS),
            standard.ExponentialBackoff(max_backoff=0),
        ),
        adapter,
        standard.RetryQuotaChecker(quota.RetryQuota(), throttling),  # type: ignore[arg-type]
    )
    events = client.meta.events
    events.unregister(f"needs-retry.{service}", unique_id=name)
    events.register(f"needs-retry.{service}", handler.needs_retry, unique_id=name)


def _environ(request: Any) -> dict[str, Any]:
    """The request as a WSGI server gives it to its application."""
    url = urlsplit(request.url)
    body = request.body
    content = body.read() if hasattr(body, "read") else body or b""
    content = content.encode() if isinstance(content, str) else content
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": f"{url.path}?{url.query}" if url.query else url.path,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": url.hostname,
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": BytesIO(content),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for key, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        environ["HTTP_" + key.upper().replace("-", "_")] = text
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(len(content))
    return environ


def _refusal(request: Any, event_name: str, status: int, code: str) -> AWSResponse:
    """An error answer in the way of the service that was called."""
    service = event_name.split(".")[1]
    error = f"<Error><Code>{code}</Code><Message>Not now.</Message></Error>"
    if request.method == "HEAD":
        content = ""
    elif service == "s3":
        content = error
    elif service == "ec2":
        content = f"<Response><Errors>{error}</Errors></Response>"
    elif service in ("iam", "sts"):
        content = f"<ErrorResponse>{error}</ErrorResponse>"
    else:
        content = json.dumps({"__type": code, "message": "Not now."})
    return _answer(request.url, status, content.encode(), {"x-amzn-ErrorType": code})


def _answer(url: str, status: int, content: bytes, headers: dict[str, str]) -> AWSResponse:
    # It is always the time at which the tests began, so that the first and the last of them agree
    # on which heartbeat is too old.
    headers = {"Date": _BEGAN, **headers}
    raw = HTTPResponse(BytesIO(content), headers, status, preload_content=False)
    return AWSResponse(url, status, HTTPHeaders.from_dict(headers), raw)
