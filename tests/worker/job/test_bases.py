"""The worker's image on tools' images of all sorts: what it brings, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from distributed_something.commands.setting_up.build import OWN_USER, Plan, build
from tests.images import BARE, BASE, NAME, find_image, worker_on

from ..containers import Containers
from ..world import World

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# A tool whose image leads every Python and library astray but its own, and whose user is its own.
HOSTILE = f"""
FROM {BASE}
RUN mkdir -p /tool/lib && cp -r /usr/lib/python3.* /tool/lib/ && echo 'broken' > /tool/boto3.py \\
    && cp /tool/boto3.py /tool/psutil.py && cp /lib/*/libz.so.1 /tool/libcrypto.so.3 \\
    && printf '#!/bin/sh\\necho not python\\n' > /usr/local/bin/python3 \\
    && chmod +x /usr/local/bin/python3 \\
    && useradd --create-home --shell /bin/sh lab && echo 'the lab only' > /home/lab/data \\
    && chown lab /home/lab/data && chmod 600 /home/lab/data
ENV PYTHONHOME=/nowhere PYTHONPATH=/tool PYTHONSTARTUP=/tool/boto3.py LD_LIBRARY_PATH=/tool
USER lab
WORKDIR /home/lab
ENTRYPOINT ["/nowhere/entrypoint"]
"""
FACTS = (
    'id -un; echo "$HOME"; command -v python3 || echo none; python3 --version; echo "$PYTHONPATH"'
)


@pytest.fixture(scope="module")
def bare(engine: docker.DockerClient) -> str:
    return worker_on(engine, "bare", find_image(engine, BARE))


@pytest.fixture(scope="module")
def hostile(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("hostile") / "Dockerfile"
    path.write_text(HOSTILE)
    yield worker_on(engine, "hostile", "", file=path)


def facts_of(
    world: World, containers: Containers, image: str, script: str, **variables: str
) -> list[str]:
    """What a job of a script prints in a worker of an image, without the worker's own lines."""
    containers.image = image
    job = world.send({"command": script, "shell": True, "group": {"plate": "P1"}})
    container = containers.start(variables)
    world.until_empty()
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    assert world.done() == [job]
    return world.log("P1")[1:-1]


def test_a_tools_image_without_python_gets_a_worker_and_still_has_none(
    world: World, containers: Containers, bare: str
) -> None:
    user, home, python, *_ = facts_of(world, containers, bare, f"{{ {FACTS}; }} 2>&1")
    assert (user, home, python) == (OWN_USER, "/home/ubuntu", "none")


def test_a_tools_user_python_and_variables_stay_its_own_and_lead_no_worker_astray(
    world: World, containers: Containers, hostile: str
) -> None:
    facts = facts_of(world, containers, hostile, f"{FACTS}; cat /home/lab/data")
    assert facts == [
        *("lab", "/home/lab", "/usr/local/bin/python3", "not python", "/tool", "the lab only")
    ]


def test_a_tool_may_not_change_the_worker_or_the_system(
    world: World, containers: Containers, worker_image: str
) -> None:
    places = "/opt/distributed-something/app/worker/x /usr/bin/x /etc/x /root/x"
    script = (
        f"for place in {places}; do touch $place 2>/dev/null && echo changed $place; done; "
        'id -u; touch "$HOME/mine" && echo "$HOME"'
    )
    # Many a tool's image says that HOME is root's.
    found = facts_of(world, containers, worker_image, script, HOME="/root")
    assert found == ["61000", "/home/ubuntu"]


def test_an_install_script_is_roots_and_the_jobs_after_it_are_not(
    world: World, containers: Containers
) -> None:
    world.put("install.sh", "printf '#!/bin/sh\\nid -un; echo $HOME\\n' > /usr/local/bin/mine\n"
              "chmod +x /usr/local/bin/mine\n")  # fmt: skip
    job = world.send({"command": "mine", "group": {"plate": "P1"}})
    container = containers.start(settings={"install_script": "install.sh"}, user="root")
    world.until_empty()
    container.stop(timeout=30)
    assert world.done() == [job]
    assert world.log("P1")[1:-1] == [OWN_USER, "/home/ubuntu"]


def test_a_tool_that_needs_root_can_have_it(
    engine: docker.DockerClient, world: World, containers: Containers
) -> None:
    image = worker_on(engine, "root", user="root")
    assert facts_of(world, containers, image, "id -un; echo $HOME") == ["root", "/root"]


def test_the_worker_adds_little_to_a_tools_image(
    engine: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = engine.images.get(BASE).attrs["Architecture"]
    said = []
    for name, base in (("with Python", BASE), ("without", find_image(engine, BARE))):
        plan = Plan(f"{NAME}:size", f"linux/{machine}", base, python=BASE)
        built = build(engine, plan, lambda _: None)
        said.append(f"{built.beyond_base / 1e6:.0f} MB on a base {name}")
        assert built.beyond_base < 70e6
    with capsys.disabled():
        print(f"\nThe worker's image: {', '.join(said)}")
