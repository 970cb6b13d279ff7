"""Run in a container: s3fs hangs, then loses its folder while it lives on; is it mounted again?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from distributed_something.protocol.environment import WorkerEnvironment
from worker.files.mount import FOLDER_VARIABLE, Mount, mounted_bucket


def until(what: Callable[[], object], wanted: str) -> None:
    deadline = time.monotonic() + 30.0
    while not what():
        if time.monotonic() > deadline:
            sys.exit(f"In 30 s it did not happen that {wanted}.")
        time.sleep(0.05)


def main(folder: Path) -> None:
    folder.mkdir()
    variables = {**os.environ, FOLDER_VARIABLE: str(folder)}
    settings = WorkerEnvironment.from_environment(variables)
    bucket = mounted_bucket(settings, variables)
    clock = 0.0
    mount = Mount(bucket, "s3fs", variables, now=lambda: clock)

    def is_kept() -> bool:
        mount.keep()
        return bucket.is_mounted()

    until(is_kept, "the bucket is mounted")
    mount.keep()
    (first,) = mount.pids
    os.kill(first, signal.SIGSTOP)
    until(lambda: not bucket.is_mounted(), "a mount that hangs counts as none")
    mount.keep()
    assert mount.pids == {first}, "it had no time"
    clock += 61.0
    until(is_kept, "a mount that hangs is made again")
    mount.keep()
    (second,) = mount.pids
    assert second != first

    held = os.open(folder, os.O_RDONLY)  # so that its program lives on
    subprocess.run(["umount", "-l", folder], check=True)
    mount.keep()
    assert mount.pids == {second}, "it had no time"
    clock += 61.0
    until(is_kept, "a mount that was taken away is made again")
    assert mount.pids != {second}
    os.close(held)
    mount.end()
    print("Mounted again twice.")


main(Path("/tmp/hanging"))
