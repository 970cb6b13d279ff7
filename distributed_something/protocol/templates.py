"""Fill `{field}` templates of job files from a job's values, plain names alone.

`{{` and `}}` stand for braces, and a format such as `{site:02d}` works on numbers.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import lru_cache

_FORMATTER = string.Formatter()
_NOT_IN_A_NAME = set(".[]{}!")
# A width of more digits than this would only fill memory.
_TOO_WIDE = re.compile(r"\d{4}")


class TemplateError(ValueError):
    """A template that cannot be read, or that names a field its job does not have."""


@lru_cache(maxsize=4096)
def parse(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """The parts: the text before a field, the field's name (None at the end), its format.

    Raises TemplateError where a brace is not closed or a field is more than a name.
    """
    try:
        parts = list(_FORMATTER.parse(template))
    except ValueError as error:
        raise TemplateError(
            f"The template {template!r} cannot be read ({error}); write {{{{ and }}}} for braces."
        ) from None
    for _, field, spec, conversion in parts:
        if field is None:
            continue
        if not field or conversion or _NOT_IN_A_NAME & set(field) or "{" in (spec or ""):
            raise TemplateError(
                f"The template {template!r} has the field {{{field}}}: "
                "a field is a plain name, such as {plate}; write {{ and }} for braces."
            )
        if _TOO_WIDE.search(spec or ""):
            raise TemplateError(
                f"The template {template!r} formats {{{field}}} too wide: {spec!r}."
            )
    return tuple((text, field, spec or "") for text, field, spec, _ in parts)


def fields(template: str) -> frozenset[str]:
    """The names of the fields that a template uses."""
    return frozenset(field for _, field, _ in parse(template) if field is not None)


def render(template: str, values: Mapping[str, object]) -> str:
    """The template with its fields filled in; raises TemplateError for a field without a value."""
    filled = []
    for text, field, spec in parse(template):
        filled.append(text)
        if field is None:
            continue
        if field not in values:
            raise TemplateError(
                f"The template {template!r} names {{{field}}}, which this job does not have; "
                f"it has {', '.join(sorted(values)) or 'no fields'}."
            )
        try:
            filled.append(format(values[field], spec) if spec else plain(values[field]))
        except (ValueError, TypeError, OverflowError) as error:
            raise TemplateError(
                f"The template {template!r} cannot show {field}={values[field]!r} "
                f"as {spec!r}: {error}."
            ) from None
    return "".join(filled)


def plain(value: object) -> str:
    """A value as text, booleans and null in JSON's spelling."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return "" if value is None else str(value)


def is_scalar(value: object) -> bool:
    """Whether a template can show the value."""
    return value is None or isinstance(value, (str, int, float, bool))
