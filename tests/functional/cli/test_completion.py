"""The completion scripts, tried in the shells that they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden import CLONE, screen
from tests.programs import find_program

SHELLS = ("bash", "zsh", "fish")


def script_of(shell: str, folder: Path) -> str:
    code, out, seen = screen(["completion", shell], folder, {})
    assert code == 0
    assert f"completion {shell}" in seen
    return out


def completed_by_bash(script: str) -> list[str]:
    asks = "COMP_WORDS=(ds che); COMP_CWORD=1; _ds_completion; echo ${COMPREPLY[@]}"
    return in_shell(["bash", "-c", f"{script}\n{asks}"]).split()


def completed_by_zsh(script: str) -> list[str]:
    """zsh completes in its line editor alone: what its functions would offer is printed instead."""
    asks = "words=(ds che); CURRENT=2; _ds_completion"
    inside = (
        "compdef() { :; }; _describe() { print -l ${(P)4%%:*}; }; compadd() { print -l $@[5]; }"
    )
    played = script.replace(
        "_describe -V unsorted completions_with_descriptions -U",
        "print -l ${completions_with_descriptions%%:*}",
    )
    return in_shell(["zsh", "-c", f"{inside}\n{played}\n{asks}"]).split()


def completed_by_fish(script: str) -> list[str]:
    asked = in_shell(["fish", "-c", f"{script}\ncomplete -C 'ds che'"])
    return [line.split("\t")[0] for line in asked.splitlines()]


def in_shell(words: list[str]) -> str:
    find_program(words[0])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words,
        cwd=CLONE,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_completes_a_verb(shell: str, tmp_path: Path) -> None:
    by = {"bash": completed_by_bash, "zsh": completed_by_zsh, "fish": completed_by_fish}
    assert by[shell](script_of(shell, tmp_path)) == ["check"]
