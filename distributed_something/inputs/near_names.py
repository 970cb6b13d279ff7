"""Tell a slip of the keyboard in a known name from a name of somebody's own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

_LONGEST = 60  # letters of a name; megabytes are no slip of anything
_LONG = 4  # letters from which on a letter more, less or other is a slip and no other word
_LEAST = 6  # letters of a name whose underscores may be anywhere
_STEM = 3  # letters of a word that stand for all of it, as VOL for VOLUME
_MOST_WORDS = 2  # with a slip each


def likely_meant(name: str, known: Collection[str]) -> str:
    """The known name of which this is likely a slip; '' if it is a known one or none is near.

    Names are compared word by word, since another word makes another name: `MAX_COTS` is near
    `MAX_COST`; `MIN_COST`, `MAX_CORES` and `AWS_BUCKET_2` are not. Capitals make no difference.
    """
    if name in known or len(name) > _LONGEST:
        return ""
    found = [candidate for candidate in known if _is_near(name.casefold(), candidate.casefold())]
    return min(
        found, key=lambda candidate: (abs(len(candidate) - len(name)), candidate), default=""
    )


def is_other_form(name: str, meant: str) -> bool:
    """Whether a near name is another form of the same words, such as their plural or a stem.

    That may well be a name of somebody's own; `MAX_COTS` cannot.
    """
    pairs = list(zip(name.casefold().split("_"), meant.casefold().split("_"), strict=False))
    return all(pair == other or _is_stem(pair, other) for pair, other in pairs)


def misspelt_constants(
    constants: Mapping[str, object], known: Collection[str], guards: Collection[str]
) -> Iterator[tuple[str, bool]]:
    """A sentence for each constant of a config file that is likely a known one, misspelt.

    With each, whether it is surely a slip. Another form of a known name, such as DEST_BUCKET, may
    be somebody's own, and beside the known one surely is; but nothing near `guards`, which end a
    run that costs too much, is taken for anything else.
    """
    for name, value in constants.items():
        meant = likely_meant(name, known)
        is_guard = meant in guards and isinstance(value, (str, int, float, bool))
        is_slip = bool(meant) and (is_guard or not is_other_form(name, meant))
        if not meant or (meant in constants and not is_slip):
            continue
        sentence = (
            f"{name} is not a setting; did you mean {meant}? If it is your own, rename "
            "it; names that are not all capitals, or start with _, are ignored."
        )
        yield sentence, is_slip


def _is_near(name: str, known: str) -> bool:
    joined = name.replace("_", ""), known.replace("_", "")
    if joined[0] == joined[1]:
        return name == known or len(joined[0]) >= _LEAST
    words, meant = name.split("_"), known.split("_")
    if len(words) != len(meant):
        return False
    pairs = [pair for pair in zip(words, meant, strict=True) if pair[0] != pair[1]]
    if len(pairs) > _MOST_WORDS or any(sign.isdigit() for pair in pairs for sign in "".join(pair)):
        return False
    return all(_is_stem(*pair) or _is_slip(*pair, alone=len(words) == 1) for pair in pairs)


def _is_stem(word: str, other: str) -> bool:
    """Whether one of two words begins as the other: a plural, or VOL and VOLUME."""
    short, long = sorted((word, other), key=len)
    return len(short) >= _STEM and long.startswith(short)


def _is_slip(word: str, meant: str, *, alone: bool) -> bool:
    """Whether a word is another with two letters swapped, or one letter more, less or other.

    Words seldom begin with a slip: `hell` is no `shell`, unless other words beside it agree.
    """
    short, long = sorted((word, meant), key=len)
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    shorter, other = short[start:], long[start:]
    if len(shorter) == len(other):
        if shorter[:2] == other[1::-1] and shorter[2:] == other[2:]:
            return True
        return start > 0 and len(short) >= _LONG and shorter[1:] == other[1:]
    return (start > 0 or not alone) and len(short) >= _LONG and shorter == other[1:]
