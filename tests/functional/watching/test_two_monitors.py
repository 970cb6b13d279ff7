"""Two monitors of a run, the second on a computer whose clock is off by ten minutes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any

import pytest

from distributed_something.commands.watching.monitor import MonitorOutcome, monitor
from distributed_something.local.simulator import Rules
from distributed_something.resources.table import take_inventory, what_stays
from tests.clock import Clock
from tests.lives import Held, open_life

Sleep = Callable[[float], None]


@dataclass
class Turns:
    """Programs that take turns on one clock: time passes while all of them sleep."""

    clock: Clock
    go_on: Callable[[], None]  # happens whenever time has passed
    _wakes: dict[int, float] = field(default_factory=dict)
    _turn: int = -1
    _changed: Condition = field(default_factory=Condition)

    def play(self, *programs: Callable[[Sleep], Any]) -> list[Any]:
        """Run them all to their ends; what each returned."""
        self._wakes = dict.fromkeys(range(len(programs)), self.clock.time)
        with ThreadPoolExecutor(len(programs)) as threads:
            ends = [threads.submit(self._run, place, one) for place, one in enumerate(programs)]
            with self._changed:
                self._pass_on()
            return [one.result() for one in ends]

    def _run(self, place: int, program: Callable[[Sleep], Any]) -> Any:
        def sleep(seconds: float) -> None:
            with self._changed:
                self._wakes[place] = self.clock.time + seconds
                self._pass_on()
                self._changed.wait_for(lambda: self._turn == place)

        with self._changed:
            self._changed.wait_for(lambda: self._turn == place)
        try:
            return program(sleep)
        finally:
            with self._changed:
                self._pass_on()

    def _pass_on(self) -> None:
        """Wake the program that sleeps the shortest from now."""
        if not self._wakes:
            return
        self._turn = min(self._wakes, key=lambda place: self._wakes[place])
        wake = self._wakes.pop(self._turn)
        if wake > self.clock.time:
            self.clock.time = wake
            self.go_on()
        self._changed.notify_all()


@pytest.mark.slow
@pytest.mark.parametrize("off", [-600.0, 600.0])
def test_a_second_monitor_whose_clock_is_ten_minutes_off_ends_the_run_alike(
    tmp_path: Path, off: float
) -> None:
    rules = Rules(deleted_queue_seconds=0.0, is_throttled=False, dates_objects=True)
    with open_life(tmp_path, rules, CLUSTER_MACHINES=3) as life:
        before = take_inventory(life.aws)
        life.set_up()
        life.submit("a", "b")
        record = life.buy()
        held: list[Held] = [life.take(record, name) for name in life.instances()[:2]]
        began, gone = life.clock.time, list[str]()

        def go_on() -> None:
            life.tick()
            at_work = [one for one in held if life.clock.time < began + _minutes(one)]
            gone.extend(one.instance_id for one in at_work if one.instance_id not in _live(life))
            for one in at_work:
                life.beat(record, one.instance_id, one.job)
            for one in [one for one in held if one not in at_work]:
                held.remove(one)
                life.finish(record, one)

        def _minutes(one: Held) -> float:
            return 600.0 if one.job.name == "a" else 1800.0

        def watch(name: str, ahead: float) -> Callable[[Sleep], MonitorOutcome]:
            folder = tmp_path / name  # of another computer
            folder.mkdir()
            return lambda sleep: monitor(
                life.aws, record, folder=folder, sleep=sleep, now=lambda: life.clock.time + ahead
            )

        outcomes = Turns(life.clock, go_on).play(watch("here", 0.0), watch("there", off))
        assert gone == []
        assert [(one.summary.done, one.is_complete) for one in outcomes] == [(2, True)] * 2
        assert 1800.0 <= life.clock.time - began <= 3600.0
        assert take_inventory(life.aws) - before <= what_stays(outcomes[0].record)


def _live(life: Any) -> list[str]:
    found: list[str] = life.instances()
    return found
