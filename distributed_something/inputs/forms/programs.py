"""See that the first word of a command is no program, as far as a word alone can tell."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = re.compile(r"[+-]?[\d.,:]+")
_WORD = re.compile(r"\s*(?:'([^']*)'|\"([^\"]*)\"|([^\s;|&<>()$`'\"]+))")
_DATA = re.compile(
    r"\.(?:csv|tsv|txt|json|ya?ml|toml|ini|xml|h5|hdf5|nc|npy|npz|mat|tiff?|png|jpe?g|mps|lp|"
    r"fastq|fq|bam|vcf|zip|gz|ijm|cppipe|ipynb)",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"\.(?:jl|py|r|m|sh|pl|rb|js|groovy|java|jar)", re.IGNORECASE)


class NoProgram(NamedTuple):
    """A first word that is none, and why; not `is_sure` if it may be a program all the same."""

    word: str
    why: str
    is_sure: bool

    @property
    def sentence(self) -> str:
        return f"{self.word!r}, with which commands begin, is {self.why}"


FIX = "if lines are the arguments of a program, name it in COMMAND_PREFIX of config.py"


def first_word(command: object) -> str:
    """The first word of a command that is text, or a list of words; '' if it has none."""
    if isinstance(command, list):
        return command[0] if command and isinstance(command[0], str) else ""
    found = _WORD.match(command) if isinstance(command, str) else None
    return next((group for group in found.groups() if group), "") if found else ""


def why_no_program(word: str) -> NoProgram | None:
    """What a first word is if it is likely no program; None if it may well be one.

    A script without its folder is only found if it was installed as a program.
    """
    if word.startswith("-"):
        return NoProgram(word, "an option", is_sure=True)
    if _NUMBER.fullmatch(word):
        return NoProgram(word, "a number", is_sure=True)
    _, dot, suffix = word.rpartition(".")
    if dot and _DATA.fullmatch(f".{suffix}"):
        return NoProgram(word, "a file's name, and no program", is_sure=True)
    if dot and "/" not in word and _SCRIPT.fullmatch(f".{suffix}"):
        why = "a script's name: without its interpreter it must be installed as a program"
        return NoProgram(word, why, is_sure=False)
    return None
