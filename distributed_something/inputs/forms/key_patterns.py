"""Patterns of keys, such as `images/{plate}/{well}_*.tif`: what they match, and in which order.

`*` stands for any characters but a slash, `**` for slashes too, `[*]` for a star itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ...errors import UsageError
from ...protocol import templates

_STARS = re.compile(r"\*\*/|\*\*|\*|\[\*\]")
_REGEX = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "[*]": r"\*"}
_FIELD = "([^/]+?)"  # as few characters as can be: of A01_s1.tif, {well}_*.tif takes A01
_DIGITS = re.compile(r"(\d+)")
_NEAREST = 3


@dataclass(frozen=True)
class KeyPattern:
    """A pattern that was read; `prefix` is the text before its first field or star."""

    text: str  # of the key alone
    address: str  # `s3://bucket/`, or '' for a key without an address
    prefix: str
    fields: tuple[str, ...]
    regex: re.Pattern[str]

    def match(self, key: str) -> dict[str, str] | None:
        """The fields' values in a key; None for a key that does not fit."""
        found = self.regex.fullmatch(key)
        return dict(zip(self.fields, found.groups(), strict=True)) if found else None


def has_star(text: str) -> bool:
    """Whether a key stands for all that match it."""
    return "*" in text.replace("[*]", "")


def read_pattern(text: str, values: Mapping[str, object] | None = None) -> KeyPattern:
    """Read a pattern; with `values` its fields are filled in and match nothing else.

    Raises UsageError, or TemplateError for a template that cannot be read or filled in.
    """
    address, place = _divide(text)
    fields: list[str] = []
    regex, prefix, is_plain = "", "", True
    for literal, field, form in templates.parse(place):
        for part in _split_stars(literal):
            regex += _REGEX.get(part) or re.escape(part)
            is_plain = is_plain and (part == "[*]" or part not in _REGEX)
            prefix += part.replace("[*]", "*") if is_plain else ""
        if field is None:
            continue
        if values is not None:
            filled = templates.render(f"{{{field}:{form}}}" if form else f"{{{field}}}", values)
            regex += re.escape(filled)
            prefix += filled if is_plain else ""
            continue
        _refuse_form(text, field, form, follows_field=bool(fields) and not literal)
        is_plain = False
        regex += f"\\{fields.index(field) + 1}" if field in fields else _FIELD
        fields += [] if field in fields else [field]
    return KeyPattern(place, address, prefix, tuple(fields), re.compile(regex, re.DOTALL))


def _divide(text: str) -> tuple[str, str]:
    """The `s3://bucket/` of a place, and its key."""
    if not text.startswith("s3://"):
        return "", text.lstrip("/")
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return f"s3://{bucket}/", key


def _split_stars(text: str) -> Iterable[str]:
    place = 0
    for found in _STARS.finditer(text):
        yield text[place : found.start()]
        yield found[0]
        place = found.end()
    yield text[place:]


def _refuse_form(text: str, field: str, form: str, *, follows_field: bool) -> None:
    if form:
        raise UsageError(f"{text}: {{{field}:{form}}} has a format; a field of files has none.")
    if follows_field:
        raise UsageError(
            f"{text}: nothing divides {{{field}}} from the field before it: write what does, "
            "such as {plate}_{well}."
        )


def natural_key(text: str) -> tuple[tuple[int, str] | tuple[int, int, str], ...]:
    """What texts are sorted by, their numbers as numbers: A2 comes before A10."""
    parts = _DIGITS.split(text)
    return tuple((1, int(p), p) if p.isdecimal() else (0, p) for p in parts if p)


def nearest(pattern: KeyPattern, keys: Iterable[str]) -> list[str]:
    """The keys that are most like a pattern."""
    likeness = re.sub(r"[{}*\[\]]", "", pattern.text)
    return get_close_matches(likeness, list(keys), n=_NEAREST, cutoff=0.0)
