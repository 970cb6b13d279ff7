"""Stand-ins for what the agent runs: workers that remember what was asked of them."""

from __future__ import annotations

from distributed_something.local.machines.runtimes import Container


class FakeWorker:
    """Runs until it is stopped, or until the test says that it ended."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.code: int | None = None
        self.was_stopped = False
        self.was_killed = False
        self.is_stubborn = False

    def exit_code(self) -> int | None:
        return self.code

    def stop(self) -> None:
        self.was_stopped = True
        if not self.is_stubborn:
            self.code = 0

    def kill(self) -> None:
        self.was_killed = True
        self.code = 137


class FakeRuntime:
    """Remembers the workers that it started."""

    name = "fake"

    def __init__(self) -> None:
        self.workers: list[FakeWorker] = []

    @property
    def running(self) -> list[FakeWorker]:
        return [worker for worker in self.workers if worker.code is None]

    def has_program(self, program: str) -> bool:
        return True

    def has_own_code(self) -> bool:
        return False

    def start(self, container: Container) -> FakeWorker:
        container.log.touch()
        worker = FakeWorker(container)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.running:
            worker.kill()
