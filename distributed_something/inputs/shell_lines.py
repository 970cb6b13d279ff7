"""Find templates in a shell's line, and a shell's variables in templates: nothing fills them in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..protocol.jobs import DIRECTORY_FIELDS, JOB_FIELDS, JobKeys, job_values

# `{name}` and `{name:02d}`, neither bash's `${name}` nor `{{name}}`.
_FIELD = re.compile(r"(?<![${])\{(\w+)(?::[^{}\s]*)?\}(?!\})")


_DOLLAR = re.compile(r"\$\{?(\w+)\}?")


def variables_in_templates(message: Mapping[str, object], keys: JobKeys) -> Iterator[str]:
    """A sentence for each `$name` of a job's value in what is no shell's: only `{name}` is filled.

    A command without a shell refuses every variable when it is read.
    """
    if not has_variables(keys):
        return
    known = {*job_values(message), *DIRECTORY_FIELDS, *JOB_FIELDS}
    command = () if keys.shell else keys.command
    for template in dict.fromkeys(text for text, _ in keys.templates() if text not in command):
        for found in _DOLLAR.finditer(template):
            if found[1] in known:
                yield (
                    f"{template!r} has {found[0]}, which only a shell would fill in: write "
                    f"{{{found[1]}}}."
                )


def has_variables(keys: JobKeys) -> bool:
    """Whether any template has what may be a shell's variable."""
    return any("$" in text for text, _ in keys.templates())


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
