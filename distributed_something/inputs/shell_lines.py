"""Find templates in a shell's line, where nothing fills them in: bash would get the braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..protocol.jobs import DIRECTORY_FIELDS, JOB_FIELDS, JobKeys, job_values

# `{name}` and `{name:02d}`, neither bash's `${name}` nor `{{name}}`.
_FIELD = re.compile(r"(?<![${])\{(\w+)(?::[^{}\s]*)?\}(?!\})")


def fields_of_line(keys: JobKeys) -> frozenset[str]:
    """The names in plain braces of a line that bash runs, whether or not jobs have them."""
    return frozenset(_FIELD.findall(" ".join(keys.command))) if keys.shell else frozenset()


def unfilled_fields(message: Mapping[str, object], keys: JobKeys) -> Iterator[str]:
    """A sentence for each `{name}` in a job's line for bash that names a value of this job."""
    known = {*job_values(message), *DIRECTORY_FIELDS, *JOB_FIELDS}
    for name in sorted(fields_of_line(keys) & known):
        yield (
            f'command has {{{name}}}, and with "shell" nothing is filled in: write "${name}" '
            "instead, in double quotes (braces of another program keep apart with blanks: "
            f"{{ {name} }})."
        )
