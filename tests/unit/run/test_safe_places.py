"""What is downloaded stays in its folder and off the program's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.commands.reading.safe_places import refuse_place
from distributed_something.run.places import local_paths


@pytest.mark.parametrize(
    "key", ["run.py", "config.py", ".git/hooks/pre-commit", "worker/loop.py", "files/a.json"]
)
def test_a_key_that_is_a_file_of_the_program_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(OSError, match="of the program itself"):
        refuse_place(tmp_path / key, tmp_path, clone=tmp_path)
    refuse_place(tmp_path / "downloads" / key, tmp_path / "downloads", clone=tmp_path)


def test_no_link_leads_a_file_out_of_the_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "here", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "results").symlink_to(outside)
    with pytest.raises(OSError, match="a link in the folder points out"):
        refuse_place(folder / "results" / "a.csv", folder, clone=tmp_path / "clone")
    (folder / "inner").mkdir()
    (folder / "link").symlink_to(folder / "inner")
    refuse_place(folder / "link" / "a.csv", folder, clone=tmp_path / "clone")


def test_no_control_character_is_in_a_files_name() -> None:
    (path,) = local_paths([("b", "a\x1b[2J/c\x00d")], "b")
    assert path.startswith("a_[2J/c_d~")
