"""constraints.txt holds every requirement to a version in its range, and audits do not lie."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.versions import written

CLONE = Path(__file__).resolve().parents[3]
AUDIT = ["--strict", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
ADVISORY = {
    "id": "PYSEC-0-1",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "summary": "A weakness.",
    "details": "A weakness.",
    "affected": [
        {
            "package": {"name": "click", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
        }
    ],
}


def pinned(name: str) -> dict[str, str]:
    """Each package's version in a file of the clone."""
    found = written(CLONE / name)
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


def test_every_requirement_is_held_to_a_version_in_its_range() -> None:
    versions = pinned("constraints.txt")
    wanted = written(CLONE / "requirements-dev.txt")
    assert len(wanted) > 25
    assert [str(one) for one in wanted if not _is_met(one, versions)] == []


def _is_met(requirement: Requirement, versions: dict[str, str]) -> bool:
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version)


def test_the_image_has_the_versions_that_the_tests_passed_with() -> None:
    versions, image = pinned("constraints.txt"), pinned("worker/image/packages.txt")
    assert "boto3" in image
    assert {name: one for name, one in image.items() if versions.get(name, one) != one} == {}


@contextmanager
def index(answer: dict[str, Any]) -> Iterator[str]:
    """An index of advisories that says the same of every package."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(answer if asked["package"]["name"] == "click" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make audit` runs, on two packages, with another index."""
    some = folder / "some.txt"
    lines = (CLONE / "constraints.txt").read_text().splitlines()
    some.write_text("\n".join(one for one in lines if one.startswith(("click=", "grimp="))))
    words = ["pip_audit", *AUDIT, "--vulnerability-service", "osv", "--osv-url", url]
    return subprocess.run(
        [sys.executable, "-m", *words, "--cache-dir", str(folder), "-r", str(some)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_an_audit_is_green_only_where_the_index_answers_and_names_nothing(tmp_path: Path) -> None:
    assert all(word in (CLONE / "Makefile").read_text() for word in AUDIT)
    with index({}) as url:
        green = audit(url, tmp_path)
    assert green.returncode == 0, green.stderr
    with index({"vulns": [ADVISORY]}) as url:
        named = audit(url, tmp_path)
    assert named.returncode == 1 and "PYSEC-0-1" in named.stdout
    unreachable = audit(url, tmp_path)  # whose server is gone
    assert unreachable.returncode != 0 and unreachable.stderr
