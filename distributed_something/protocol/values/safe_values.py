"""What a job's values may not do: lead out of its folders, steer its shell, be too long a word."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from .. import templates
from ..templates import TemplateError

# The most of an argument, or of a variable with its name; a zero byte ends it. MAX_ARG_STRLEN in
# https://man7.org/linux/man-pages/man2/execve.2.html
WORD_BYTES = 128 * 1024 - 1

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Names that bash obeys, names that it sets itself, and those by which it, the loader, Python and
# AWS's clients find what they run.
_TAKEN = re.compile(
    r"BASH\w*|ENV|PS4|SHELLOPTS|IFS|LINENO|PPID|PWD|RANDOM|SECONDS"
    r"|HOME|PATH|LD_\w*|PYTHONHOME|PYTHONPATH|AWS_\w*"
)


def fill_word(template: str, values: Mapping[str, object], directories: Mapping[str, str]) -> str:
    """A word of a command, or a variable, in which the values lead out of no directory.

    Raises TemplateError if they would, if the word is too long, and for a field without a value.
    """
    word = templates.render(template, {**values, **directories})
    if ".." in word and _leads_out(template, values, directories):
        others = sorted(templates.fields(template) - directories.keys())
        raise TemplateError(
            f"The template {template!r} gets a '..' from this job's "
            f"{' and '.join(f'{{{name}}}' for name in others)}, which would leave its "
            "directories: remove it from the value, or write it in the template if it is intended."
        )
    if (size := _size(word)) > WORD_BYTES:
        raise TemplateError(
            f"The template {template[:60]!r} becomes {size:,} bytes for this job, and no program "
            f"accepts an argument above {WORD_BYTES:,}: put the text in a file among the inputs."
        )
    return word


def is_taken(name: str) -> bool:
    """Whether a variable of this name would not be plain text to a shell and what it runs."""
    return _TAKEN.fullmatch(name) is not None


def variable_problems(values: Mapping[str, object], replaced: Collection[str]) -> Iterator[str]:
    """What is wrong with values that become variables; others take the place of the `replaced`."""
    for name, value in values.items():
        if name in replaced or not VARIABLE.fullmatch(name):
            continue
        if is_taken(name):
            yield (
                f'{name} cannot be a value\'s name with "shell", where values are variables: it '
                "means something else to bash or to what it runs. Rename the column, "
                f"to {name.lower()} for instance."
            )
        if (size := _size(f"{name}={templates.plain(value)}")) > WORD_BYTES:
            yield (
                f"{name} is a variable of {size:,} bytes for this job, and no program takes one "
                f"above {WORD_BYTES:,}: put the text in a file among the inputs."
            )


def _leads_out(template: str, values: Mapping[str, object], directories: Mapping[str, str]) -> bool:
    """Whether a word that names one of the directories has a `..` that is not the template's."""
    if templates.fields(template).isdisjoint(directories):
        return False
    filled = templates.render(template, {**values, **dict.fromkeys(directories, "x")})
    own = "".join(text + "x" * (field is not None) for text, field, _ in templates.parse(template))
    return filled.split("/").count("..") > own.split("/").count("..")


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
