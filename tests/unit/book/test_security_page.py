"""Each claim of the page on security names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

CLONE = Path(__file__).parents[3]


def test_each_claim_about_security_names_a_test_that_there_is() -> None:
    page = (CLONE / "documentation" / "security.md").read_text()
    named = re.findall(r"`(test_\w+)`", page)
    sources = (path.read_text() for path in (CLONE / "tests").rglob("test_*.py"))
    known = {name for text in sources for name in re.findall(r"def (test_\w+)\(", text)}
    assert len(named) >= 8 and set(named) <= known
    lines = page.splitlines()
    heads = {lines[at - 1] for at, line in enumerate(lines) if line.startswith("|---")}
    claims = [line for line in lines if line.startswith("| ") and line not in heads]
    assert len(claims) > 30 and [line for line in claims if "`test_" not in line] == []
