"""A small instance metadata service, version 2 alone: a machine's identity and spot notices."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from types import TracebackType

from typing_extensions import Self


class FakeMetadata:
    """One machine's metadata, served on a free loopback port once `environment` leads there.

    A context manager, which ends the service. Workers find it through
    AWS_EC2_METADATA_SERVICE_ENDPOINT, as botocore does.
    """

    def __init__(
        self, instance_id: str, instance_type: str = "m5.xlarge", zone: str = "us-east-1a"
    ) -> None:
        self._answers = {
            "instance-id": instance_id,
            "instance-type": instance_type,
            "placement/availability-zone": zone,
        }
        self._tokens: set[str] = set()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def environment(self) -> dict[str, str]:
        """What leads a worker here."""
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        port = self._server.server_address[1]
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}"}

    def give_notice(self, seconds: float = 120.0) -> None:
        """Say that the machine is taken away in so many seconds."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        self._answers["spot/instance-action"] = json.dumps({"action": "terminate", "time": when})

    def recommend_rebalance(self) -> None:
        """Say that the machine is likely to be taken away."""
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._answers["events/recommendations/rebalance"] = json.dumps({"noticeTime": when})

    def forget_tokens(self) -> None:
        """Let every token run out."""
        self._tokens.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers, tokens = self._answers, self._tokens

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                if self.path != "/latest/api/token":
                    self._answer(404)
                    return
                token = token_hex(8)
                tokens.add(token)
                self._answer(200, token)

            def do_GET(self) -> None:
                name = self.path.removeprefix("/latest/meta-data/")
                if self.headers.get("X-aws-ec2-metadata-token") not in tokens:
                    self._answer(401)
                elif name in answers:
                    self._answer(200, answers[name])
                else:
                    self._answer(404)

            def _answer(self, status: int, body: str = "") -> None:
                with suppress(ConnectionError):  # of a worker that was killed while it asked
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
