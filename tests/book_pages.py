"""Read the pages of the book as what they are for a test: files to write and commands to run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).parents[1]
BOOK = CLONE / "documentation"

# A fence says a language, and after it the name of the file that the block is: ```json jobs.json
_BLOCK = re.compile(r"^```(\w*)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of code; `file` is the name of the file that it shows, or empty."""

    language: str
    file: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The lines of a block that is to be typed into a terminal."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: str) -> Iterator[Block]:
    """Every block of a page, in order."""
    for language, file, text in _BLOCK.findall((BOOK / page).read_text()):
        yield Block(language, file, text)


def commands(page: str) -> list[str]:
    """What a page tells its reader to type: the lines of its bash blocks.

    A fence without a language shows what to type when something went wrong; the tests of its verb
    make that happen.
    """
    return [line for block in blocks(page) if block.language == "bash" for line in block.commands]
