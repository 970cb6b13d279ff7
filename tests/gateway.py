"""A way to the simulated account that answers some requests itself, as an unwell AWS would."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_HOP_BY_HOP = ("content-length", "connection", "transfer-encoding", "date", "server")


@dataclass(frozen=True)
class Request:
    """What a client asks for."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def service(self) -> str:
        """Whom a request is signed for, such as s3."""
        parts = self.headers.get("authorization", "").split("/")
        return parts[3] if len(parts) > 3 else ""


@dataclass(frozen=True)
class Answer:
    """What the gateway says; status 0 breaks the connection off."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def s3_error(status: int, code: str, message: str = "No.", **facts: str) -> Answer:
    """An error as S3 writes it."""
    elements = {"Code": code, "Message": message, **facts}
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in elements.items())
    body = f'<?xml version="1.0"?><Error>{inside}</Error>'.encode()
    return Answer(status, body, {"Content-Type": "application/xml"})


class Gateway:
    """Passes requests on to a server, but for those that `answers` answers."""

    def __init__(self, server: str, answers: Callable[[Request], Answer | None]) -> None:
        parts = urlsplit(server)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self.answers = answers
        self.answered: list[Request] = []
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                gateway._handle(self)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, headers, handler.rfile.read(length))
        answer = self.answers(request)
        if answer is None:
            answer = self._pass_on(request)
        else:
            self.answered.append(request)
        if not answer.status:
            handler.close_connection = True
            return
        handler.send_response_only(answer.status)
        if not any(name.lower() == "date" for name in answer.headers):
            handler.send_header("Date", handler.date_time_string())
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if request.method != "HEAD" or "Content-Length" not in answer.headers:
            handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if request.method != "HEAD":
            handler.wfile.write(answer.body)

    def _pass_on(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(*self._target, timeout=60)
        skipped = ("connection", "expect", "transfer-encoding")  # the host is signed
        headers = {name: value for name, value in request.headers.items() if name not in skipped}
        connection.request(request.method, request.path, request.body or None, headers)
        found = connection.getresponse()
        body = found.read()
        kept = {
            name: value for name, value in found.getheaders() if name.lower() not in _HOP_BY_HOP
        }
        if request.method == "HEAD":
            kept["Content-Length"] = found.getheader("Content-Length") or "0"
        if date := found.getheader("Date"):
            kept["Date"] = date
        connection.close()
        return Answer(found.status, body, kept)


@contextmanager
def gateway(server: str, answers: Callable[[Request], Answer | None]) -> Iterator[Gateway]:
    """A gateway while in here."""
    opened = Gateway(server, answers)
    try:
        yield opened
    finally:
        opened.close()
