"""Find what in a job file's keys and values is likely no value, and say so."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ...inputs.forms.misplaced import Misplaced, misplaced_constants
from ...inputs.forms.programs import FIX, NoProgram, first_word, why_no_program
from ...inputs.key_slips import idle_keys, used_names
from ...inputs.product import near_range
from ...inputs.settings import constant_names
from ...protocol.families import SOMETHING

if TYPE_CHECKING:
    from ...inputs.job_files import JobFile
    from ...inputs.jobs import JobMaker
    from ...protocol.jobs import JobKeys

logger = logging.getLogger(__name__)

_RANGES_IN = 1000  # groups that are looked through for ranges


def say_programs(file: JobFile, found: tuple[NoProgram, ...]) -> None:
    """Log what commands begin with that is no program."""
    if found:
        more = f", and {len(found) - 1:,} more like it" if len(found) > 1 else ""
        logger.warning("%s: %s%s: %s.", file.path, found[0].sentence, more, FIX)


def shared_limits(file: JobFile, keys: JobKeys) -> list[str]:
    """A sentence for each shared key that would limit a run if it were in config.py.

    Other constants of config.py are warned of.
    """
    found = list(_misplaced({*file.shared, *file.dropped}, keys))
    for status_of_run in found:
        if not status_of_run.is_guard:
            logger.warning("%s: %s", file.path, status_of_run.sentence)
    return [slip.sentence for slip in found if slip.is_guard]


def _misplaced(names: set[str], keys: JobKeys) -> Iterator[Misplaced]:
    has_command = bool(keys.command)
    return misplaced_constants(names, used_names(keys), constant_names(), has_command=has_command)


class OddValues:
    """What groups have that is taken as it stands, though it was likely meant for more."""

    def __init__(self, file: JobFile, maker: JobMaker) -> None:
        self._file = file
        self._maker = maker
        self._idle: set[str] = set()  # keys that mean something only elsewhere
        self._misplaced: set[Misplaced] = set()
        self._words: dict[str, NoProgram | None] = {}  # with which commands begin
        self._range = ""  # a sentence on a value that was likely meant for a range

    def look_at_names(self, values: Mapping[str, object]) -> Iterator[str]:
        """Remember odd names of a group's values; gives a sentence for each that is refused."""
        is_row = self._file.noun in ("Row", "Line")
        if not is_row and self._maker.family is SOMETHING:
            self._idle |= set(idle_keys(values, self._maker.keys))
        for slip in _misplaced(set(values), self._maker.keys):
            if slip.is_guard:
                yield slip.sentence
            elif is_row:
                self._misplaced.add(slip)

    def look_at_command(self, own: Mapping[str, object] | None) -> None:
        """Remember the first word of a job's command, if it is no program."""
        word = first_word((own or {}).get("command", self._file.shared.get("command")))
        if word not in self._words:
            self._words[word] = None if "{" in word else why_no_program(word)

    @property
    def no_programs(self) -> tuple[NoProgram, ...]:
        return tuple(word for word in self._words.values() if word)

    def look_at_values(self, number: int, values: Mapping[str, object]) -> None:
        """Only a product multiplies ranges; elsewhere one is a value like any other."""
        if self._range or number > _RANGES_IN:
            return
        for key, value in values.items():
            if isinstance(value, str) and (meant := near_range(value)):
                self._range = (
                    f"{self._file.noun} {number} has {key} {value!r}, which is one value there; "
                    f'a range is written "groups": {{"product": {{"{key}": "{meant}"}}}}.'
                )

    def warn(self) -> None:
        """Log what was found."""
        if self._idle:
            logger.warning(
                "In a group of %s no template uses %s: there it is an ordinary value. "
                "To set it per job, use a table or JSON Lines.",
                self._file.path,
                ", ".join(f"`{key}`" for key in sorted(self._idle)),
            )
        for sentence in (*sorted(slip.sentence for slip in self._misplaced), self._range):
            if sentence:
                logger.warning("%s: %s", self._file.path, sentence)
