"""A headless Chromium for the tests that need a browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.programs import find_program


def open_page(address: str, folder: Path) -> tuple[str, str]:
    """The page as its scripts left it, and what the browser printed; its profile is in folder."""
    program = find_program("chromium", "chromium-browser")
    done = subprocess.run(
        [
            *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder / 'profile'}"),
            *("--enable-logging=stderr", "--virtual-time-budget=10000"),
            *("--window-size=1280,900", "--dump-dom", address),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
