"""Serve a run's live page to the browsers of this computer, and to no page of another's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ....errors import UsageError
from .run import Look
from .shell import shell

_HOST = "127.0.0.1"
# Names that no server of another can have: a page elsewhere that points its name here has its own.
_OWN_NAMES = ("127.0.0.1", "localhost")
_STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SHOW = f"{_STRICT}; sandbox"  # of what is shown, and runs nothing

ReadPicture = Callable[[int], tuple[str, bytes] | None]


class PageServer:
    """The page at `address`, whose path holds a secret; `stopped` is set once it is to end.

    Port 0 takes a free one; raises UsageError for a busy one.
    """

    def __init__(self, title: str, read_picture: ReadPicture, *, port: int = 0) -> None:
        self.title = title
        self.read_picture = read_picture
        self.stopped = Event()
        self.token = secrets.token_urlsafe(24)
        self.look: Look | None = None
        try:
            self._server = ThreadingHTTPServer(
                (_HOST, port), type("Handler", (_Handler,), {"page": self})
            )
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used: {error.strerror}. Leave --port out for a free one."
            ) from None
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self._server.server_port}/{self.token}/"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer from a thread until this is left."""
        thread = Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request of a browser's."""

    page: PageServer  # of a subclass for each
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        if path == "":
            self._answer_shell()
        elif path == "look":
            self._answer_look()
        elif path.startswith("picture/") and path[8:].isdecimal() and len(path) < 20:
            found = self.page.read_picture(int(path[8:]))
            self._answer(*found) if found else self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        path = self._path()
        if path is None:
            return
        if path != "stop":
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._answer("text/plain; charset=utf-8", "Stopped.")
        self.page.stopped.set()

    def _path(self) -> str | None:
        """What follows the token; None once a request that is not our page's is refused."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        _, token, *rest = [*urlsplit(self.path).path.split("/", 2), ""][:3]
        is_known = secrets.compare_digest(token.encode(), self.page.token.encode())
        if host not in _OWN_NAMES or not is_known or self.path.count("/") < 2:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        return rest[0]

    def _answer_shell(self) -> None:
        nonce = secrets.token_urlsafe(16)
        text = shell(self.page.title, self.page.look, nonce)
        self._answer("text/html; charset=utf-8", text, nonce)

    def _answer_look(self) -> None:
        """The inside of the page, if it is another than the browser has."""
        has = parse_qs(urlsplit(self.path).query).get("after", [""])[0]
        if self.page.look is None or has == str(self.page.look.number):
            self._send(HTTPStatus.NO_CONTENT, "", b"")
        else:
            self._answer("text/html; charset=utf-8", self.page.look.html)

    def _answer(self, kind: str, body: str | bytes, nonce: str = "") -> None:
        content = body.encode() if isinstance(body, str) else body
        self._send(HTTPStatus.OK, kind, content, _policy(nonce) if nonce else _SHOW)

    def _refuse(self, status: HTTPStatus) -> None:
        self._send(status, "text/plain; charset=utf-8", status.phrase.encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes, policy: str = _SHOW) -> None:
        self.send_response_only(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", policy)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:
        """Say nothing: a page that is open asks every few seconds."""


def _policy(nonce: str) -> str:
    """Run the page's own scripts alone, and ask nothing of anybody else."""
    return (
        f"{_STRICT}; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'"
    )
