"""What a supervisor does beside its loops goes on, whatever goes wrong meanwhile."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from distributed_something.local.machines.metadata import FakeMetadata
from worker.machine.chores import heed_notices, repeat
from worker.machine.instance import Metadata, identify
from worker.stopping import Stopping

from ..world import until

MACHINE = "i-0123456789abcdef0"
ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"


class _Babble(socketserver.BaseRequestHandler):
    """Answers with what is no HTTP, or with HTTP that is no text."""

    answers = (b"\x00\xffnot HTTP\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n\xff\xfe", b"")
    asked = 0

    def handle(self) -> None:
        self.request.recv(4096)
        kind = type(self)
        self.request.sendall(kind.answers[kind.asked % len(kind.answers)])
        kind.asked += 1


@pytest.fixture
def babble() -> Iterator[Metadata]:
    class Handler(_Babble):
        asked = 0

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Metadata(f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert Handler.asked >= len(Handler.answers), "each kind of answer was given"


def test_metadata_that_answer_nonsense_count_as_none(babble: Metadata) -> None:
    assert [babble.get("meta-data/instance-id") for _ in range(3)] == [None] * 3
    assert identify({}, babble)["INSTANCE_TYPE"] == ""


class _Wavering(Metadata):
    """Metadata whose first looks fail, one of them in a way that nobody expects."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.looks = 0

    def get(self, path: str) -> str | None:
        self.looks += 1
        if self.looks == 2:
            raise RuntimeError("who expects this?")
        return None if self.looks < 4 else super().get(path)


class _Late(Metadata):
    """Metadata that have no answer for the first four looks."""

    looks = 0

    def get(self, path: str) -> str | None:
        self.looks += 1
        return None if self.looks < 5 else super().get(path)


def test_a_machines_id_is_asked_for_again_if_there_is_no_answer_at_first() -> None:
    with FakeMetadata(MACHINE) as served:
        wavering = _Wavering(served.environment[ENDPOINT])
        wavering.looks = 2
        assert identify({}, wavering)["INSTANCE_ID"] == MACHINE


def test_a_container_of_ecs_asks_longer_and_says_what_no_answer_costs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_ecs = {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1"}
    pauses: list[float] = []
    with FakeMetadata(MACHINE) as served:
        late = _Late(served.environment[ENDPOINT])
        assert identify(on_ecs, late, pauses.append)["INSTANCE_ID"] == MACHINE
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert not caplog.text
    nobody = Metadata("http://127.0.0.1:9")
    assert identify(on_ecs, nobody, pauses.append)["INSTANCE_ID"] == socket.gethostname()
    assert "it has no alarm" in caplog.text and "hop limit" in caplog.text


def test_a_notice_is_heeded_though_looks_before_it_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FakeMetadata(MACHINE) as served:
        wavering, stopping = _Wavering(served.environment[ENDPOINT]), Stopping()
        watching = (wavering, MACHINE, stopping, 0.01)
        thread = threading.Thread(target=heed_notices, args=watching, daemon=True)
        thread.start()
        until(lambda: wavering.looks > 4, "the metadata are looked at again and again")
        assert not stopping.asked
        served.recommend_rebalance()
        until(stopping.save_wanted.is_set, "the recommendation is heeded")
        served.give_notice()
        until(lambda: stopping.asked, "the notice is heeded")
        assert stopping.reason.startswith("spot notice: terminate")
        thread.join(10)
        assert not thread.is_alive()
    assert "could not be read" in caplog.text and "who expects this?" in caplog.text


def test_notices_of_another_machine_are_not_heeded() -> None:
    with FakeMetadata(MACHINE) as served:
        served.give_notice()
        stopping = Stopping()
        heed_notices(Metadata(served.environment[ENDPOINT]), "i-another", stopping, 0.01)
        assert not stopping.asked


def test_a_chore_that_fails_is_tried_again_until_it_is_over_or_the_process_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopping = Stopping()
    done: list[int] = []

    def do() -> bool:
        done.append(len(done))
        if len(done) < 3:
            raise KeyError("a bug")
        if len(done) == 5:
            stopping.ask("it is time")
        return False

    repeat(do, 0.001, stopping, "It failed.")
    assert len(done) == 5
    assert caplog.text.count("It failed.") == 2
    repeat(do, 0.001, stopping, "It failed.")
    assert len(done) == 5, "a process that ends does no chores"


def test_a_chore_that_is_over_is_not_done_again() -> None:
    done: list[int] = []

    def do() -> bool:
        done.append(len(done))
        return True

    repeat(do, 0.001, Stopping(), "It failed.")
    assert done == [0]
