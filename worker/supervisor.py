"""The container's first process: starts the loops, keeps them running, ends them when told to."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from distributed_something.protocol.environment import WorkerEnvironment

from .environment import (
    Pace,
    cache_folder,
    loop_environment,
    python_command,
    working_directory,
)
from .files.mount import Mount, mounted_bucket
from .job.directories import remove
from .job.install import install
from .job.outcomes import MachineFault, NoRoom
from .job.processes import adopt_orphans, kill_descendants, reap
from .job.user import loop_user
from .machine.chores import do_duties, end_when_idle, heed_notices, start, watch_run
from .machine.faults import (
    FAULT_EXIT,
    check_disk,
    end_broken_machine,
    end_spare_machine,
    read_fault,
)
from .machine.instance import find_metadata, identify
from .stopping import SAVE_SIGNAL, STOP_SIGNALS, Stopping, listen, write_interruption

logger = logging.getLogger(__name__)

_LOOK_ROUND = 1.0
_QUICK_DEATH = 10.0  # seconds; a loop that lives shorter is started again more slowly
_LONGEST_PAUSE = 60.0
_SETTLED = 10.0  # seconds; a younger loop may not listen to signals yet, and would die of one


@dataclass
class Slot:
    """One loop: its process while it runs, when it is to be started, how often it died young."""

    name: str
    due: float
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick_deaths: int = 0
    told_to_save: bool = False

    def put_off(self, now: float) -> float:
        """Start a loop that has ended again, later each time it dies young; after how long."""
        quick = now - self.started < _QUICK_DEATH
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        pause = min(_LONGEST_PAUSE, 2.0 ** (self.quick_deaths - 1)) if quick else 0.0
        self.due = now + pause
        return pause


class Supervisor:
    """The loops of one container; times are of the monotonic clock."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Raises KeyError or ValueError for settings that are missing or cannot be read."""
        self._settings = WorkerEnvironment.from_environment(variables)
        self._pace = Pace.from_environment(variables)
        self._metadata = find_metadata(variables)
        self._variables = {**variables, **identify(variables, self._metadata)}
        self._directory = working_directory(variables)
        self._stopping = Stopping()
        self._fault = ""
        self._spare = False  # nothing is left for this machine to do
        self._installing = False
        self._mount: Mount | None = None
        self._user = loop_user(variables)
        # Containers that share their host's network share its name, hence the random part.
        base = f"{socket.gethostname()[:24]}-{secrets.token_hex(2)}"
        now = time.monotonic()
        self._slots = [
            Slot(f"{base}-{n + 1}", now + n * self._settings.seconds_to_start)
            for n in range(self._settings.docker_cores)
        ]

    def run(self) -> int:
        """Keep the loops running until told to stop; the exit code."""
        adopt_orphans()
        listen(self._on_signal, *STOP_SIGNALS, signal.SIGCHLD)
        try:
            check_disk(self._directory)
        except NoRoom:
            pass  # what fills it may be a job of another container's: loops wait for room
        except MachineFault as fault:
            self._cannot_work(str(fault))
        self._begin_chores()
        self._install()
        self._begin_mount()
        logger.info(
            "%d loops on %s for %s.",
            len(self._slots),
            self._variables["INSTANCE_ID"],
            self._settings.app_name,
        )
        while not self._stopping.asked:
            self._start_what_is_due()
            self._stopping.wake.wait(self._until_due())
            self._stopping.wake.clear()
            self._look_round()
        self._end()
        if self._fault or self._spare:
            self._give_up_machine()
        return 0

    def _begin_chores(self) -> None:
        """Heed the machine's notices and do its duties, each in a thread."""
        machine, stopping = self._variables["INSTANCE_ID"], self._stopping
        start(heed_notices, self._metadata, machine, stopping, self._pace.notice_seconds)
        start(
            do_duties,
            self._settings,
            machine,
            self._count_busy,
            self._directory,
            self._pace,
            stopping,
        )
        start(watch_run, self._settings, machine, self._directory, self._pace, stopping)
        start(
            end_when_idle,
            self._settings,
            machine,
            self._count_busy,
            self._pace,
            stopping,
            self._is_spare,
        )

    def _is_spare(self) -> None:
        self._spare = True
        self._stopping.ask("this machine has nothing to do, and is not needed any more")

    def _cannot_work(self, why: str) -> None:
        self._fault = why
        self._stopping.ask(f"this machine cannot work: {why}")

    def _begin_mount(self) -> None:
        """Mount the bucket of the inputs, if it is asked for; loops wait until it is there."""
        if not self._settings.mounts or self._stopping.asked:
            return
        bucket = mounted_bucket(self._settings, self._variables)
        try:
            self._mount = Mount(bucket, self._settings.mount_driver, self._variables)
        except MachineFault as fault:
            self._cannot_work(str(fault))

    def _keep_mount(self) -> None:
        if self._mount is None:
            return
        try:
            self._mount.keep()
        except MachineFault as fault:
            self._cannot_work(str(fault))

    def _install(self) -> None:
        """Run the install script, if there is one."""
        if not self._settings.install_script or self._stopping.asked:
            return
        self._installing = True  # which is work: an idle machine would be ended
        folder = self._directory / "install"
        with ThreadPoolExecutor(1) as pool:
            arguments = (self._settings, folder, self._variables, self._stopping)
            running = pool.submit(install, *arguments)
            wait([running])
        try:
            running.result()
        except MachineFault as fault:
            self._cannot_work(str(fault))
        self._installing = False

    def _give_up_machine(self) -> None:
        """End this machine, and say why if it cannot work; without the right to, wait idly."""
        self._stopping = Stopping()
        machine = self._variables["INSTANCE_ID"]
        if self._fault:
            end_broken_machine(self._settings, machine, self._fault)
        else:
            end_spare_machine(self._settings, machine)
        # An exit would only start this container again.
        logger.info("Waiting for the end of this machine.")
        while not self._stopping.asked:
            self._stopping.wait(_LOOK_ROUND * 10)

    def _on_signal(self, number: signal.Signals) -> None:
        if number in STOP_SIGNALS:
            self._stopping.ask(f"the worker was asked to stop ({number.name})")
        else:
            self._stopping.wake.set()

    def _count_busy(self) -> int:
        """How many loops work on a job: each has a folder in its own while it does."""
        if self._installing:
            return 1
        folders = (self._directory / slot.name for slot in self._slots)
        return sum(1 for folder in folders if any(path.is_dir() for path in _entries(folder)))

    def _ask_to_save(self) -> None:
        """Pass a rebalance recommendation on, once to each loop that has had time to listen."""
        now = time.monotonic()
        for slot in self._slots:
            if slot.process and not slot.told_to_save and now - slot.started > _SETTLED:
                slot.told_to_save = True
                logger.info("Rebalance recommendation: loop %s saves its checkpoint.", slot.name)
                slot.process.send_signal(SAVE_SIGNAL)

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.process is None and now >= slot.due and not self._stopping.asked:
                slot.started = now
                try:
                    slot.process = self._start(slot.name)
                except OSError as error:  # no memory, process or file is left for it, for now
                    pause = slot.put_off(now)
                    logger.error(
                        "Loop %s cannot be started, next try in %g s: %s", slot.name, pause, error
                    )

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            python_command("loop", str(os.getpid())),
            env={**loop_environment(self._variables, name), **self._user.environment},
            **self._user.options,
        )

    def _until_due(self) -> float:
        dues = [slot.due for slot in self._slots if slot.process is None]
        return max(0.0, min([_LOOK_ROUND, *(due - time.monotonic() for due in dues)]))

    def _look_round(self) -> None:
        """See which loops have ended, and take note of orphans that have."""
        self._keep_mount()
        died = [slot for slot in self._slots if slot.process and slot.process.poll() is not None]
        for slot in died:
            self._note_death(slot)
        if died:
            # The dead loop's tool is ours now. Its job will be given to another worker,
            # and must not run twice.
            if killed := kill_descendants(self._pids()):
                logger.warning("Killed %d processes that an ended loop left behind.", killed)
            for slot in died:
                remove(self._directory / slot.name)
        reap(self._pids())
        if self._stopping.save_wanted.is_set():
            self._ask_to_save()

    def _note_death(self, slot: Slot) -> None:
        assert slot.process is not None
        if slot.process.returncode == FAULT_EXIT:
            self._cannot_work(read_fault(self._directory))
            slot.process = None
            return
        exit_code, slot.process = slot.process.returncode, None
        pause = slot.put_off(time.monotonic())
        logger.error(
            "Loop %s ended with exit code %d; it is started again in %g s.",
            slot.name,
            exit_code,
            pause,
        )

    def _pids(self) -> set[int]:
        """Our children, apart from what tools left behind."""
        loops = {slot.process.pid for slot in self._slots if slot.process is not None}
        return loops | (self._mount.pids if self._mount else set())

    def _end(self) -> None:
        """Tell the loops to stop, give them their time, and leave nothing running."""
        logger.info("Stopping: %s.", self._stopping.reason)
        running = [slot for slot in self._slots if slot.process is not None]
        for slot in running:
            assert slot.process is not None
            write_interruption(self._directory / slot.name, self._stopping.reason)
            slot.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._pace.stop_seconds
        for slot in running:
            assert slot.process is not None
            try:
                slot.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("Loop %s does not end in time and is killed.", slot.name)
                slot.process.kill()
                slot.process.wait()
        kill_descendants(self._mount.pids if self._mount else ())
        if self._mount:
            self._mount.end()
        for slot in self._slots:
            remove(self._directory / slot.name)
        remove(cache_folder(self._directory))
        logger.info("Stopped.")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
