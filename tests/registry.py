"""A registry on this computer that takes pushed images, or refuses whoever has not logged in.

https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Registry:
    """What was pushed; `address` is the host and port that an image's name begins with."""

    address: str = ""
    refuses: bool = False
    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, bytes] = field(default_factory=dict)  # by name:reference


@contextmanager
def open_registry(*, refuses: bool = False) -> Iterator[Registry]:
    registry = Registry(refuses=refuses)
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        self.path, _, self.query = self.path.partition("?")
        return True

    def do_GET(self) -> None:
        if self.registry.refuses:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="lab"'})
        else:
            self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        digest = self.path.rpartition("/")[2]
        self._answer(200 if digest in self.registry.blobs else 404)

    def do_POST(self) -> None:
        self._body()
        self._answer(202, {"Location": f"{self.path}one"})

    def do_PATCH(self) -> None:
        self._answer(202, {"Location": self.path, "Range": f"0-{len(self._body())}"})

    def do_PUT(self) -> None:
        body = self._body()
        if "/manifests/" in self.path:
            name, _, reference = self.path.removeprefix("/v2/").partition("/manifests/")
            self.registry.manifests[f"{name}:{reference}"] = body
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        else:
            (digest,) = parse_qs(urlsplit(f"?{self.query}").query)["digest"]
            self.registry.blobs.add(digest)
        self._answer(201, {"Docker-Content-Digest": digest, "Location": self.path})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
