"""A server that takes SQS's and S3's requests, acknowledges them after a delay, and keeps nothing.

It runs in a process of its own (`python -m tests.benchmarks.sink --delay 0.02`) and prints its
port. Every SendMessageBatch is parsed, and answered as SQS does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

QUEUE_URL = "http://127.0.0.1/123456789012/SinkQueue"
_HEAD = "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
_NO_KEY = b"<Error><Code>NoSuchKey</Code><Message>It keeps nothing.</Message></Error>"
_NO_KEYS = (
    b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"
)


class Sink:
    """Answers one connection's requests in turn; `delay` seconds lie before each answer."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.messages = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, headers = _parse_head(head)
                if headers.get("expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await _read_body(reader, headers)
                status, kind, answer = self.answer(request, headers, body)
                await asyncio.sleep(self.delay)
                head_out = _HEAD.format(status=status, kind=kind, length=len(answer))
                writer.write(head_out.encode() + (b"" if request.startswith("HEAD") else answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    def answer(self, request: str, headers: dict[str, str], body: bytes) -> tuple[str, str, bytes]:
        if "x-amz-target" in headers:
            content = self._sqs(headers["x-amz-target"].split(".")[1], json.loads(body))
            return "200 OK", "application/x-amz-json-1.0", json.dumps(content).encode()
        if request.startswith("GET") and "list-type=2" in request:
            return "200 OK", "application/xml", _NO_KEYS
        if request.startswith(("GET", "HEAD")):
            return "404 Not Found", "application/xml", _NO_KEY
        return "200 OK", "application/xml", b""

    def _sqs(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation == "SendMessageBatch":
            self.messages += len(request["Entries"])
            taken = [{"Id": e["Id"], "MessageId": e["Id"]} for e in request["Entries"]]
            return {"Successful": taken, "Failed": []}
        if operation == "SendMessage":
            self.messages += 1
            return {"MessageId": "1"}
        if operation == "GetQueueUrl":
            return {"QueueUrl": QUEUE_URL}
        if operation == "GetQueueAttributes":
            return {"Attributes": {"ApproximateNumberOfMessages": str(self.messages)}}
        return {}


def _parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    request, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return request, {name.lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


async def _run(delay: float) -> None:
    server = await asyncio.start_server(Sink(delay).serve, "127.0.0.1", 0, limit=4 * 1024 * 1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds before each answer")
    asyncio.run(_run(parser.parse_args().delay))


if __name__ == "__main__":
    main()
