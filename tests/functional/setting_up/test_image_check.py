"""`setup` knows a worker image of ours by its label, wherever the label can be seen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from distributed_something.aws.compute.registry import (
    engine_labels,
    image_digest,
    image_facts,
    image_labels,
    parse_image,
)
from distributed_something.aws.session import Aws
from distributed_something.commands.setting_up.image_check import check_image
from distributed_something.commands.setting_up.setup import setup
from distributed_something.errors import NotFound, UsageError
from distributed_something.inputs.settings import load_settings
from distributed_something.protocol import IMAGE_LABEL, PROTOCOL_VERSION
from distributed_something.resources.table import take_inventory
from tests.account import open_account
from tests.builders import settings

ROOT = Path(__file__).parents[3]
OURS = {IMAGE_LABEL: PROTOCOL_VERSION}
PAGES = {
    "manifests/1.0": {
        "manifests": [
            {"digest": "sha256:note", "platform": {"os": "unknown"}},
            {"digest": "sha256:linux", "platform": {"os": "linux", "architecture": "amd64"}},
        ]
    },
    "manifests/plain": {"config": {"digest": "sha256:bare"}},
    "manifests/sha256:linux": {"config": {"digest": "sha256:config"}},
    "blobs/sha256:config": {"config": {"Labels": OURS}},
    "blobs/sha256:bare": {"config": {"Labels": None}},
}


class _Registry(BaseHTTPRequestHandler):
    """A registry that shows its pages to who fetched a token first."""

    def do_GET(self) -> None:
        host = self.headers["Host"]
        if self.path.startswith("/token?"):
            known = "scope=repository%3Alab%2Fcounting%3Apull" in self.path
            self._answer(200, {"token": "open" if known else ""})
        elif self.headers["Authorization"] != "Bearer open":
            challenge = (
                f'Bearer realm="http://{host}/token",service="lab",'
                'scope="repository:lab/counting:pull"'
            )
            self._answer(401, {}, {"WWW-Authenticate": challenge})
        else:
            page = PAGES.get(self.path.removeprefix("/v2/lab/counting/"))
            self._answer(404 if page is None else 200, page or {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, code: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command of the test's own, which knows no image unless the test says so."""
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return command


def nobody() -> Aws:
    return Aws(boto3.Session(region_name="us-east-1"))


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("lab/tool:1.0", ("registry-1.docker.io", "lab/tool", "1.0")),
        ("tool", ("registry-1.docker.io", "library/tool", "latest")),
        ("localhost:5000/lab/tool", ("localhost:5000", "lab/tool", "latest")),
        ("quay.io/lab/tool@sha256:12", ("quay.io", "lab/tool", "sha256:12")),
        ("quay.io/lab/tool:2@sha256:12", ("quay.io", "lab/tool", "sha256:12")),
    ],
)
def test_a_name_is_read_as_docker_reads_it(image: str, parts: tuple[str, ...]) -> None:
    name = parse_image(image)
    assert (name.registry, name.repository, name.reference) == parts


def test_a_registry_shows_the_labels_of_an_image_for_several_machines(
    registry: str, engine: Path
) -> None:
    assert image_labels(nobody(), f"{registry}/lab/counting:1.0") == OURS


def test_an_image_without_labels_has_none_and_one_that_is_not_there_is_not_seen(
    registry: str, engine: Path
) -> None:
    assert image_labels(nobody(), f"{registry}/lab/counting:plain") == {}
    assert image_labels(nobody(), f"{registry}/lab/counting:none") is None


def test_what_the_engine_has_is_seen_without_the_registry(engine: Path) -> None:
    engine.write_text(
        f"#!/bin/sh\necho '{json.dumps([OURS, 'arm64', ['lab/counting@sha256:12']])}'\n"
    )
    assert image_labels(nobody(), "127.0.0.1:1/lab/counting:1.0") == OURS
    facts = image_facts(nobody(), "127.0.0.1:1/lab/counting:1.0")
    assert facts and facts.architectures == {"arm64"}
    assert image_digest(nobody(), "127.0.0.1:1/lab/counting:1.0") == "sha256:12"


def test_for_which_machines_an_image_is_and_that_it_is_not_there_can_be_seen(
    registry: str, engine: Path
) -> None:
    facts = image_facts(nobody(), f"{registry}/lab/counting:1.0")
    assert facts and facts.architectures == {"x86_64"}
    manifest = json.dumps(PAGES["manifests/1.0"]).encode()
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert image_digest(nobody(), f"{registry}/lab/counting:1.0") == digest
    with pytest.raises(NotFound, match="has no image"):
        image_facts(nobody(), f"{registry}/lab/counting:none")


def test_without_docker_and_registry_nothing_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine_labels("lab/counting:1.0") is None
    assert image_labels(nobody(), "127.0.0.1:1/lab/counting:1.0") is None


@pytest.mark.parametrize(
    ("image", "options", "config"),
    [
        (
            "cellprofiler/distributed-cellprofiler:2.2.0_4.2.8",
            "--base cellprofiler/cellprofiler:TAG --something examples/cellprofiler/something.py",
            "",
        ),
        (
            "bethcimini/distributed-cellprofiler:1.2.2_3.1.9",
            "--base cellprofiler/cellprofiler:TAG --something examples/cellprofiler/something.py",
            "",
        ),
        (
            "docker.io/cellprofiler/distributed-fiji",
            "--base fiji/fiji:TAG --file examples/fiji/Dockerfile",
            "examples/fiji/config.py",
        ),
        (
            "erinweisbart/distributed-bioformats2raw:0.0.19",
            "--base openmicroscopy/bioformats2raw:TAG --file examples/omezarr/Dockerfile",
            "examples/omezarr/config.py",
        ),
    ],
)
def test_upstreams_images_are_refused_by_name_with_the_whole_line_that_builds_ours(
    image: str, options: str, config: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        check_image(image, lambda _: OURS)
    said = str(refusal.value)
    assert said.endswith(f": python run.py build {options} --push")
    assert (f"copy JOB_DEFAULTS from {config}" in said) is bool(config)
    for path in [one for one in (*options.split(), config) if one.startswith("examples/")]:
        assert (ROOT / path).is_file()
    if config:
        assert load_settings(ROOT / config).job_defaults["command"]


def test_the_placeholder_of_the_config_is_called_one() -> None:
    with pytest.raises(UsageError, match="is a placeholder") as refusal:
        check_image("user/distributed-something:sometag", lambda _: OURS)
    assert "python run.py build --base your/tool" in str(refusal.value)
    assert "first version" not in str(refusal.value)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"maintainer": "lab"}, "has no label distributed-something.protocol"),
        ({"distributed-something.protocol": "0"}, "worker of another version"),
    ],
)
def test_an_image_without_our_worker_is_refused(labels: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=rf"{words}[\s\S]*python run.py build --base"):
        check_image("lab/counting:1.0", lambda _: labels)


def test_an_image_that_nobody_shows_is_said_once_and_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check_image("lab/counting:1.0", lambda _: None)
    assert caplog.text.count("lab/counting:1.0 cannot be read from here") == 1
    caplog.clear()
    check_image("lab/counting:1.0", lambda _: OURS)
    assert caplog.text == ""


def test_setup_makes_nothing_for_an_image_that_it_refuses() -> None:
    with open_account() as aws:
        before = take_inventory(aws)
        with pytest.raises(UsageError, match="DOCKERHUB_TAG"):
            setup(aws, settings(), labels_of=lambda _: {})
        assert take_inventory(aws) == before
