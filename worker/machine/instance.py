"""What a worker knows of its machine, from the environment or from the instance metadata."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)

METADATA_ENDPOINT = "http://169.254.169.254"
_TOKEN_SECONDS = 21600  # the longest that IMDSv2 gives
_TIMEOUT = 1.0  # the service is on the machine itself
# Seconds before each try to learn a machine's id: without it, it has no alarm, no duties and no
# notices. On a machine that is starting the service may take its time, in a container of ECS's.
_PAUSES = (0.0, 0.5, 1.0)
_PAUSES_ON_ECS = (*_PAUSES, 2.0, 4.0, 8.0, 15.0)
_ON_ECS = "ECS_CONTAINER_METADATA_URI_V4"  # the agent of ECS sets it in each of its containers
# No service, no answer in time, no HTTP, no text.
_NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


class Metadata:
    """The instance metadata service, version 2 alone; every answer is None where there is none."""

    def __init__(self, endpoint: str = METADATA_ENDPOINT) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = ""

    def get(self, path: str) -> str | None:
        """What the service says at `latest/<path>`; None for a 404 or where there is no service."""
        for _ in range(2):
            if not self._token and not self._new_token():
                return None
            headers = {"X-aws-ec2-metadata-token": self._token}
            try:
                return self._ask("GET", path, headers)
            except urllib.error.HTTPError as error:
                if error.code != 401:
                    return None
                self._token = ""  # it has run out
            except _NO_ANSWER:
                return None
        return None

    def _new_token(self) -> bool:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        try:
            self._token = self._ask("PUT", "api/token", headers)
        except _NO_ANSWER:
            return False
        return True

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(
            f"{self._endpoint}/latest/{path}", method=method, headers=headers
        )
        with _OPENER.open(request, timeout=_TIMEOUT) as response:
            return str(response.read().decode())


# A proxy has no way to this machine's own metadata.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Notices:
    """What the metadata say of the machine's future; empty where they say nothing."""

    stop: str = ""  # the machine is taken away: the sentence for log and ledger
    rebalance: bool = False  # it is likely to be taken away


def read_notices(metadata: Metadata) -> Notices:
    """Look for a spot interruption notice and for a rebalance recommendation."""
    action = metadata.get("meta-data/spot/instance-action")
    if action is not None:
        try:
            notice = json.loads(action)
            sentence = f"spot notice: {notice['action']} at {notice['time']}"
        except (ValueError, KeyError, TypeError):
            sentence = f"spot notice: {action[:200]}"
        return Notices(stop=sentence)
    rebalance = metadata.get("meta-data/events/recommendations/rebalance")
    return Notices(rebalance=rebalance is not None)


def find_metadata(variables: Mapping[str, str]) -> Metadata | None:
    """The service that botocore's variables name; None if it is switched off."""
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    return Metadata(variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA_ENDPOINT)


def identify(
    variables: Mapping[str, str],
    metadata: Metadata | None,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, str]:
    """INSTANCE_ID, INSTANCE_TYPE and INSTANCE_ZONE, as given or found, else the host's name."""
    if variables.get("INSTANCE_ID"):
        names = ("INSTANCE_ID", "INSTANCE_TYPE", "INSTANCE_ZONE")
        return {name: variables.get(name, "") for name in names}
    found = _find_id(metadata, _ON_ECS in variables, sleep) if metadata else None
    if metadata is None or not found:
        return {"INSTANCE_ID": socket.gethostname(), "INSTANCE_TYPE": "", "INSTANCE_ZONE": ""}
    return {
        "INSTANCE_ID": found,
        "INSTANCE_TYPE": metadata.get("meta-data/instance-type") or "",
        "INSTANCE_ZONE": metadata.get("meta-data/placement/availability-zone") or "",
    }


def _find_id(metadata: Metadata, on_ecs: bool, sleep: Callable[[float], object]) -> str | None:
    """The id that the service tells, asked for half a minute where there must be one."""
    for pause in _PAUSES_ON_ECS if on_ecs else _PAUSES:
        sleep(pause)
        if found := metadata.get("meta-data/instance-id"):
            return found
    if on_ecs:
        logger.error(
            "The instance metadata do not answer with this machine's id: it has no alarm, and spot "
            "notices are not noticed. Containers reach them if the hop limit of IMDSv2 is 2."
        )
    return None
