"""What a person sees of the first things that go wrong, in a rehearsal as it is typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders import write_config, write_json
from tests.golden import screen

# Four jobs of twelve fail, each in its own way; the others are done.
_SHELL = """case "$way" in
  code) echo "no such plate: A02"; exit 3;;
  slow) echo "segmenting"; sleep 60;;
  killed) echo "reading"; kill -9 $$;;
  nothing) echo "found no cells"; exit 0;;
esac
echo done > "$output_dir/result.csv"
"""
_WAYS = {"A02": "code", "B01": "slow", "C04": "killed", "D03": "nothing"}
# What each is called, with the names of its jobs; of the tool's own last line in the end.
_CAUSES = (
    r"exit code 3 \(1\): A02: no such plate: A02",
    r"timed out after 3 s \(1\): B01",
    r"SIGKILL.*\(1\): C04",
    r"\(1\): D03: found no cells",
)


@pytest.mark.slow
def test_four_jobs_of_twelve_fail_and_all_causes_are_on_the_last_screen_and_in_the_report(
    tmp_path: Path,
) -> None:
    write_config(tmp_path)
    names = [f"{row}{number:02d}" for row in "ABCD" for number in (1, 2, 3, 4)][:12]
    names = [*_WAYS, *[name for name in names if name not in _WAYS]][:12]
    content = {
        "command": _SHELL,
        "shell": True,
        "name": "{plate}",
        "timeout": 3,
        "done_when": {"min_files": 1},
        "groups": [{"plate": name, "way": _WAYS.get(name, "well")} for name in names],
    }
    jobs = write_json(tmp_path / "jobs.json", content).name
    code, _, text = screen(
        ["rehearse", jobs, "--runtime", "process", "--retries", "1"], tmp_path, {}
    )
    assert code == 1
    last = text[text.index("Failed: 4 jobs.") :]
    (report,) = tmp_path.glob("rehearsal/*/report.html")
    page = report.read_text()
    block = page.split('id="failed"')[1].partition("</ul>")[0]
    rows = page.split('id="not-done"')[1].partition("</table>")[0]
    for cause in _CAUSES:
        assert re.search(cause, last), last
        assert re.search(cause, block), block
    assert {name for name in _WAYS if f"<td>{name}</td>" in rows} == set(_WAYS)
    assert "8 of 12 done" in text


def test_a_misspelt_program_is_known_before_anything_is_started(tmp_path: Path) -> None:
    write_config(tmp_path)
    content = {"command": "ehco {plate}", "groups": [{"plate": "A"}, {"plate": "B"}]}
    jobs = write_json(tmp_path / "jobs.json", content).name
    code, _, text = screen(["rehearse", jobs, "--runtime", "process"], tmp_path, {})
    assert code == 2
    assert "ehco" in text
    assert not re.search(r"(?m)^setup$", text)
    assert not list(tmp_path.glob("rehearsal/*/worker_logs/*"))
