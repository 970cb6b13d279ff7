"""A line to the simulated account on which the writing of some objects never comes to an end."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class StuckLine:
    """Passes on what comes, but for requests to PUT an address that holds a text."""

    def __init__(self, endpoint_url: str, text: str) -> None:
        parts = urlsplit(endpoint_url)
        self._target = (parts.hostname, parts.port or 80)
        self._text = text.encode()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.stuck = 0  # how many such requests there were

    def __enter__(self) -> StuckLine:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                head = block.partition(b"\r\n")[0]
                if is_request and head.startswith(b"PUT ") and self._text in head:
                    self.stuck += 1
                    return
                target.sendall(block)
            target.shutdown(socket.SHUT_WR)
