"""Look at a container image, on this computer's Docker engine or in its registry."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from botocore.exceptions import BotoCoreError, ClientError

from ...errors import NotFound

if TYPE_CHECKING:
    from ..session import Aws

logger = logging.getLogger(__name__)

Labels = Mapping[str, str]
_MACHINES = {"amd64": "x86_64", "arm64": "arm64"}  # Docker's word and EC2's

_PATIENCE = 5.0  # seconds for each answer: setup goes on without one
_DOCKER_HUB = "registry-1.docker.io"
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
# https://github.com/opencontainers/image-spec/blob/main/media-types.md
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_UNSEEN = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    StopIteration,
    ClientError,
    BotoCoreError,
)


@dataclass(frozen=True)
class ImageName:
    """Where an image is: `reference` is its tag or digest."""

    registry: str
    repository: str
    reference: str


def parse_image(image: str) -> ImageName:
    """The parts of a name such as user/tool:1.0, which without a registry is Docker Hub's."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, rest) if is_host else (_DOCKER_HUB, name)
    path, _, tag = path.partition(":")
    if registry == _DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return ImageName(registry, path, digest or tag or "latest")


@dataclass(frozen=True)
class ImageFacts:
    """What an image says of itself; `architectures` in EC2's words, empty where it does not say."""

    labels: Labels
    architectures: frozenset[str] = frozenset()
    digest: str = ""  # that its registry has for it now, such as sha256:12ab


def image_facts(aws: Aws, image: str) -> ImageFacts | None:
    """What is known of an image; None if nobody shows it to us just now.

    Raises NotFound if its registry shows its other tags, and has none of this name.
    """
    found = _engine_facts(image)
    return _registry_facts(aws, image) if found is None else found


def image_digest(aws: Aws, image: str) -> str:
    """The digest that an image's registry has for it now; '' if nobody shows it to us."""
    try:
        found = _registry_facts(aws, image) or _engine_facts(image)
    except NotFound:
        found = _engine_facts(image)
    return found.digest if found else ""


def image_labels(aws: Aws, image: str) -> Labels | None:
    """The labels of an image; None if nobody shows it to us just now."""
    found = engine_labels(image)
    return registry_labels(aws, image) if found is None else found


def engine_labels(image: str) -> Labels | None:
    """The labels of an image that this computer's Docker engine has."""
    found = _engine_facts(image)
    return found.labels if found else None


def registry_labels(aws: Aws, image: str) -> Labels | None:
    """The labels of an image that its registry shows to everybody, or ECR to us."""
    try:
        found = _registry_facts(aws, image)
    except NotFound:
        return None
    return found.labels if found else None


def _engine_facts(image: str) -> ImageFacts | None:
    form = '[{{json .Config.Labels}}, "{{.Architecture}}", {{json .RepoDigests}}]'
    command = ["docker", "image", "inspect", "--format", form, image]
    try:
        answer = subprocess.run(command, capture_output=True, check=True, timeout=_PATIENCE)
        labels, architecture, digests = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    digest = next((known.rpartition("@")[2] for known in digests or ()), "")
    return ImageFacts(labels or {}, _machines([architecture]), digest)


def _registry_facts(aws: Aws, image: str) -> ImageFacts | None:
    name = parse_image(image)
    try:
        registry = _Registry(name, _password(aws, name.registry))
        get = registry.get
        manifest = get(f"manifests/{name.reference}")
        digest = registry.digest
        platforms = [
            manifest_entry.get("platform", {}) for manifest_entry in manifest.get("manifests", ())
        ]
        if platforms:  # one for each kind of machine; their labels are alike
            manifest = get(f"manifests/{_first_of_a_machine(manifest['manifests'])}")
        config = get(f"blobs/{manifest['config']['digest']}")
        kinds = [platform.get("architecture") for platform in platforms or [config]]
        return ImageFacts(config.get("config", {}).get("Labels") or {}, _machines(kinds), digest)
    except _UNSEEN as error:
        if isinstance(error, HTTPError) and error.code == 404:
            raise NotFound(f"{name.registry} has no image {image}") from None
        logger.debug("Could not read the image %s: %s", image, error)
        return None


def _machines(architectures: Iterable[str | None]) -> frozenset[str]:
    return frozenset(
        _MACHINES[architecture] for architecture in architectures if architecture in _MACHINES
    )


class _Registry:
    """One repository of a registry, asked as the Docker engine asks.

    https://distribution.github.io/distribution/spec/auth/token/
    """

    def __init__(self, name: ImageName, password: str) -> None:
        scheme = "http" if re.match(r"(localhost|127\.0\.0\.1)(:|$)", name.registry) else "https"
        self._root = f"{scheme}://{name.registry}/v2/{name.repository}"
        self._authorization = password
        self.digest = ""  # of the last answer

    def get(self, path: str) -> dict[str, Any]:
        try:
            return self._ask(path)
        except HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or not challenge.startswith("Bearer "):
                raise
            self._authorization = _token(challenge)
            return self._ask(path)

    def _ask(self, path: str) -> dict[str, Any]:
        request = Request(f"{self._root}/{path}", headers={"Accept": ", ".join(_MANIFESTS)})
        if self._authorization:
            # Not sent on to the storage that a registry may point to, which would refuse it.
            request.add_unredirected_header("Authorization", self._authorization)
        body = _body(request)
        self.digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        found: dict[str, Any] = json.loads(body)
        return found


def _token(challenge: str) -> str:
    """A token for what a registry's challenge asks, as anybody may have it."""
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urlencode({key: parts[key] for key in ("service", "scope") if key in parts})
    answer = _json(Request(f"{parts['realm']}?{query}"))
    return f"Bearer {answer.get('token') or answer['access_token']}"


def _password(aws: Aws, registry: str) -> str:
    """What ECR wants to see; '' for other registries."""
    own = _ECR.fullmatch(registry)
    if own is None:
        return ""
    data = aws.registry(own["region"]).get_authorization_token()["authorizationData"]
    return f"Basic {data[0]['authorizationToken']}"


def _first_of_a_machine(manifests: list[dict[str, Any]]) -> str:
    """The digest of the first manifest that is an image's, and no attestation's."""
    return str(
        next(
            manifest["digest"]
            for manifest in manifests
            if manifest.get("platform", {}).get("os", "linux") != "unknown"
        )
    )


def _json(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_body(request))
    return found


def _body(request: Request) -> bytes:
    with urlopen(request, timeout=_PATIENCE) as answer:
        body: bytes = answer.read(4 << 20)
    return body
