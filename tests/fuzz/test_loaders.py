"""No input ends a loader in anything but a sentence; `tests/fuzz/long.py` tries many more."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from .loaders import LOADERS, Loader, refusal
from .makers import INPUTS

_EACH = 25  # inputs for each loader; the long run tries thousands


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", LOADERS)
def test_broken_input_is_refused_in_a_sentence_or_taken(name: str, tmp_path: Path) -> None:
    @seed(len(name))
    @settings(
        max_examples=_EACH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(INPUTS[name])
    def read(content: bytes) -> None:
        told = refusal(LOADERS[name], tmp_path, content)
        assert len(told) < 100_000

    read()


@pytest.mark.parametrize("name", [name for name in LOADERS if name != "message"])
def test_bytes_that_are_no_text_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    for content in (b"\xff\xfe\xfd", b"\x00" * 100, b"\xed\xa0\x80", b"{" * 100_000, b""):
        refusal(LOADERS[name], tmp_path, content)


def test_the_harness_sees_a_loader_that_fails(tmp_path: Path) -> None:
    """A test that cannot fail would prove nothing."""
    broken = Loader("x", lambda path: dict[str, str]()[path.read_text()], bytes)
    with pytest.raises(KeyError):
        refusal(broken, tmp_path, b"any")


def test_makers_are_strategies_of_bytes() -> None:
    assert set(INPUTS) >= set(LOADERS)
    assert all(isinstance(one, st.SearchStrategy) for one in INPUTS.values())
