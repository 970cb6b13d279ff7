"""What `build` says in the end, of an image that stays here and of one that was pushed."""

from __future__ import annotations

import pytest

from distributed_something.cli.verbs.build import show_built
from distributed_something.commands.setting_up.build import Built
from tests.golden import check_golden

BUILT = Built("lab/counting:1", "linux/amd64", "worker", 412_000_000, 52_000_000)


@pytest.mark.parametrize(("name", "digest"), [("build", ""), ("build_push", f"sha256:{'0' * 64}")])
def test_the_screen_of_a_built_image(
    name: str, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_built(BUILT, digest)
    said = capsys.readouterr()
    check_golden(name, said.err)
    assert said.out == (f"lab/counting:1@{digest}\n" if digest else "lab/counting:1\n")
