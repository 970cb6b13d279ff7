"""An S3 server that keeps objects as files, as quickly as Python can.

It runs in a process of its own (`python -m tests.benchmarks.disk_s3 DIR`) and prints its port. It
knows what transfers need: objects and their ranges, listings, heads, uploads in parts. It checks no
signature, and no checksum but the length.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import socketserver
import threading
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

_BLOCK = 2**20
_DATE = "Sat, 21 Nov 2026 00:00:00 GMT"
_MODIFIED = "2026-11-21T00:00:00.000Z"


class Store:
    """The objects: a file each, with its ETag and its parts' size in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, tuple[str, int, int]] = {}  # key: ETag, bytes, bytes in a part
        self.lock = threading.Lock()

    def path(self, key: str) -> Path:
        return self.folder / hashlib.sha1(key.encode()).hexdigest()

    def part(self, upload: str, number: int) -> Path:
        return self.folder / f"{upload}.{number}"

    def join(self, key: str, upload: str, count: int) -> str:
        """Make an object of its parts."""
        digests, part = b"", 0
        with self.path(key).open("wb") as whole:
            for number in range(1, count + 1):
                source = self.part(upload, number)
                with source.open("rb") as piece:
                    size = os.fstat(piece.fileno()).st_size
                    digests += hashlib.md5(piece.read()).digest()
                    place = 0
                    while place < size:
                        place += os.copy_file_range(
                            piece.fileno(), whole.fileno(), size - place, place
                        )
                part = part or size
                source.unlink()
            total = whole.tell() or os.fstat(whole.fileno()).st_size
        etag = f'"{hashlib.md5(digests).hexdigest()}-{count}"'
        with self.lock:
            self.facts[key] = (etag, total, part)
        return etag


class Handler(socketserver.StreamRequestHandler):
    """One connection's requests in turn."""

    rbufsize = _BLOCK
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline().decode("latin-1"):
            self.method, target, _ = line.split(" ", 2)
            self.headers = dict(self._headers())
            if self.headers.get("expect"):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            url = urlsplit(target)
            self.query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
            self.key = unquote(url.path).partition("/")[2].partition("/")[2]
            getattr(self, f"do_{self.method}")()

    def _headers(self) -> list[tuple[str, str]]:
        found = []
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            found.append((name.lower(), value.strip()))
        return found

    @property
    def store(self) -> Store:
        return self.server.store  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        if "list-type" in self.query:
            self._list()
        else:
            self._object(with_body=True)

    def do_HEAD(self) -> None:
        self._object(with_body=False)

    def do_PUT(self) -> None:
        if not self.key:
            self._read_body(None)
            self._answer("200 OK")
            return
        upload, number = self.query.get("uploadId"), int(self.query.get("partNumber", 0))
        path = self.store.part(upload, number) if upload else self.store.path(self.key)
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("wb") as file:
            size = self._read_body(file, digest)
        etag = f'"{digest.hexdigest()}"'
        if not upload:
            with self.store.lock:
                self.store.facts[self.key] = (etag, size, size)
        self._answer("200 OK", {"ETag": etag})

    def do_POST(self) -> None:
        body = self._read_text()
        if "uploads" in self.query:
            answer = (
                f"<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{escape(self.key)}</Key>"
                f"<UploadId>{uuid4().hex}</UploadId></InitiateMultipartUploadResult>"
            )
        else:
            count = body.count("<PartNumber>")
            etag = self.store.join(self.key, self.query["uploadId"], count)
            answer = (
                f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag>"
                "</CompleteMultipartUploadResult>"
            )
        self._answer("200 OK", {"Content-Type": "application/xml"}, answer.encode())

    def do_DELETE(self) -> None:
        self._answer("204 No Content")

    def _list(self) -> None:
        prefix, after = self.query.get("prefix", ""), self.query.get("continuation-token", "")
        with self.store.lock:
            keys = sorted(k for k in self.store.facts if k.startswith(prefix) and k > after)
        page, more = keys[:1000], len(keys) > 1000
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_MODIFIED}</LastModified>"
            f"<ETag>{escape(self.store.facts[key][0])}</ETag><Size>{self.store.facts[key][1]}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        answer = (
            f"<ListBucketResult><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
        )
        self._answer("200 OK", {"Content-Type": "application/xml"}, answer.encode())

    def _object(self, *, with_body: bool) -> None:
        found = self.store.facts.get(self.key)
        if found is None:
            error = b"<Error><Code>NoSuchKey</Code></Error>" if with_body else b""
            self._answer("404 Not Found", {"Content-Type": "application/xml"}, error)
            return
        etag, size, part = found
        start, end, status = 0, size, "200 OK"
        headers = {"ETag": etag, "Last-Modified": _DATE, "Accept-Ranges": "bytes"}
        if wanted := self.headers.get("range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(size, int(last or size - 1) + 1)
        elif "partNumber" in self.query:
            end = min(part, size)
        if (start, end) != (0, size):
            status = "206 Partial Content"
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self._head(status, {**headers, "Content-Length": str(end - start)})
        if with_body:
            with self.store.path(self.key).open("rb") as file:
                while start < end:
                    start += os.sendfile(
                        self.connection.fileno(), file.fileno(), start, end - start
                    )

    def _answer(
        self, status: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        self._head(status, {**(headers or {}), "Content-Length": str(len(body))}, body)

    def _head(self, status: str, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def _read_text(self) -> str:
        return self.rfile.read(int(self.headers.get("content-length", 0))).decode()

    def _read_body(self, file: BinaryIO | None, digest: hashlib._Hash | None = None) -> int:
        chunked = "aws-chunked" in self.headers.get("content-encoding", "")
        if chunked or self.headers.get("transfer-encoding", "") == "chunked":
            raise NotImplementedError("This server takes plain bodies, as clients send over HTTP.")
        left = size = int(self.headers.get("content-length", 0))
        while left:
            block = self.rfile.read(min(left, _BLOCK))
            if not block:
                raise ConnectionError("The body broke off.")
            if file:
                file.write(block)
            if digest:
                digest.update(block)
            left -= len(block)
        return size


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = store
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _BLOCK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    with Server(Store(parser.parse_args().folder)) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
