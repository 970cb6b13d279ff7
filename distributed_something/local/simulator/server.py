"""Serve the simulated AWS on a loopback port from a thread of this process."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any

import boto3
from botocore.loaders import create_loader
from botocore.session import Session
from moto.core.base_backend import BackendDict
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from typing_extensions import Self
from werkzeug.serving import BaseWSGIServer, make_server

from ...aws.session import Aws
from ...errors import UsageError
from . import cloudwatch, ec2, ecs, iam, quotas, rights, rules, s3, scheduler, sqs, ssm
from .delays.newness import begin_request
from .delays.throttle import Throttle, operation_of, refusal
from .guard import Guard
from .keys import OwnerKey
from .on_disk.pieces import SHELF
from .rules import Rules

HOST = "127.0.0.1"
ACCOUNT = "123456789012"
REGION = "us-east-1"

_SERVICES = (sqs, s3, ecs, ec2, ssm, quotas, iam, scheduler, rights, cloudwatch)
_running = Lock()  # moto's state is one for the process
_models = create_loader()  # AWS's own description of its services, read once


class _Handler(MotoRequestHandler):
    """Answers without a log line, and without holding small answers back for 40 ms (Nagle)."""

    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """AWS's clock, by which what it holds is as old as it is."""
        is_s3 = "/s3/" in self.headers.get("Authorization", "/s3/")
        clock = s3.clock if is_s3 else rules.current().clock
        return formatdate(timestamp or clock(), usegmt=True)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing: thousands of requests a minute are no news."""


_OF_MOTO = ("moto_api", "instance_metadata")
# No page of another origin may read an answer.
werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]


class _Application(DomainDispatcherApplication):
    """moto's services at AWS's request rates, on the simulated clock.

    A conditional PUT is one step: moto looks, then writes. Of moto only AWS's services are served:
    none of its routes that manage moto itself.
    """

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.throttle = Throttle()
        self.observers: list[Callable[[dict[str, Any]], None]] = []  # are shown each request
        self._conditional = Lock()
        self._backends: dict[str, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """The service of a host name, looked up once: moto lists its own folder every time."""
        if host is None or host in _OF_MOTO:
            return None
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        begin_request()
        cloudwatch.evaluate_all()

        for observe in self.observers:
            observe(environ)
        service = _service_of(environ)
        if rules.current().is_throttled:
            operation, prefix = operation_of(service, environ, _body(environ))
            if not self.throttle.admits(operation, prefix):
                status, headers, body = refusal(service, operation)
                start_response(status, [*headers, ("Content-Length", str(len(body)))])
                return [body]
        if "HTTP_IF_NONE_MATCH" in environ and environ["REQUEST_METHOD"] == "PUT":
            with self._conditional:
                return super().__call__(environ, start_response)
        return super().__call__(environ, start_response)


def _service_of(environ: dict[str, Any]) -> str:
    """The service that a signed request is for; S3 where nothing says so."""
    scope = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0]
    parts = scope.split("/")
    return parts[3] if len(parts) > 3 else "s3"


def _body(environ: dict[str, Any]) -> bytes:
    """The body of a form, which is read again after us."""
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return b""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    return body


application = _Application()  # knows the services' addresses; what they hold is elsewhere


class Simulator:
    """A simulated AWS account, empty at its start and gone at its end; one at a time in a process.

    `port` 0 takes a free one. Raises UsageError when the port is busy. Listens on 127.0.0.1 alone,
    and answers nothing but what a random key of its own has signed.
    """

    def __init__(self, port: int = 0, rules: Rules | None = None) -> None:
        self._port = port
        self._owner = OwnerKey()
        self._rules = rules or Rules()
        self._server: BaseWSGIServer | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if not _running.acquire(blocking=False):
            raise RuntimeError("Another simulator runs in this process; stop it first.")
        try:
            listener = _listen(self._port)
        except BaseException:
            _running.release()
            raise
        for service in _SERVICES:
            service.install()
        self.empty()
        self._port = listener.getsockname()[1]
        guard = Guard(application, self._owner)
        self._server = make_server(
            HOST, self._port, guard, True, request_handler=_Handler, fd=listener.fileno()
        )
        listener.close()  # the server has its own copy
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None and self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        BackendDict.reset()
        SHELF.empty()
        rules.use(Rules())
        _running.release()

    def empty(self, changed: Rules | None = None) -> None:
        """Make the account new and empty again, under the same rules unless they are changed."""
        rules.use(changed or self._rules)
        BackendDict.reset()
        application.throttle.empty()

    def put_file(self, bucket: str, key: str, path: Path, etag: str = "") -> str:
        """Make a file an object without copying it, and return its ETag, read from it if unknown.

        The file must stay as it is.
        """
        return s3.put_file(ACCOUNT, bucket, key, path, etag)

    @property
    def port(self) -> int:
        return self._port

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What another process needs in its environment to be in this account."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self._owner.access_key,
            "AWS_SECRET_ACCESS_KEY": self._owner.secret,
        }

    @property
    def worker_environment(self) -> dict[str, str]:
        """The same for a worker, whose requests are known by their key."""
        return {**self.environment, "AWS_ACCESS_KEY_ID": self._owner.worker_key}

    def aws(self, region: str = REGION) -> Aws:
        """Clients of the simulated account."""
        core = Session()
        core.register_component("data_loader", _models)
        session = boto3.Session(
            aws_access_key_id=self._owner.access_key,
            aws_secret_access_key=self._owner.secret,
            region_name=region,
            botocore_session=core,
        )
        return Aws(session, self.endpoint_url)


def _listen(port: int) -> socket.socket:
    """A socket that listens on the port; raises UsageError if something else does."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port whose last server has just gone is free; one that is listened on stays refused.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise UsageError(
            f"Port {port} of {HOST} is busy or not allowed: choose another, or none for a free one."
        ) from None
    return listener


# The server's own lines would drown what a person should read.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
