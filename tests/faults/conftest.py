"""What a process needs in which a run is tried in many copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from .stage import open_stage


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A run is played to its end: what moto reads from its files is in memory for all copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("warm"))
        with open_stage() as stage:
            for verb in (stage.setup, stage.submit, stage.buy, stage.work_all, stage.monitor):
                verb()
            stage.left_over(stage.inventory())


@pytest.fixture
def here(warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that this process is in: a copy of the process goes to a copy of it."""
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def states(tmp_path: Path) -> Path:
    """The folder where copies keep from which states they have gone on."""
    folder = tmp_path / "states"
    folder.mkdir()
    return folder
