"""Programs that some tests need, and when those tests may be left out."""

from __future__ import annotations

import shutil

import pytest

from tests.images import IS_PROMISED


def find_program(*names: str) -> str:
    """The first of these that is installed; skips without any, except where CI has promised it."""
    for name in names:
        if path := shutil.which(name):
            return path
    why = f"{names[0]} is not installed: apt install {names[0]}"
    if IS_PROMISED:
        pytest.fail(why)
    pytest.skip(why)
