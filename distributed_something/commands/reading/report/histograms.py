"""Say how numbers are spread over jobs, in columns as wide as a person would choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import quantiles

from .facts import Histogram, Spread

_MOST_COLUMNS = 30
_LEAST = 1e-9  # a smaller span is one of rounding: all in one column
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # times a power of ten: widths that people read easily


def spread(values: Sequence[float]) -> Spread | None:
    """How numbers are spread; None for none."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(1, *([values[0]] * 4))
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(len(values), min(values), tenths[4], tenths[8], max(values))


def histogram(values: Sequence[float], each: float = 1.0) -> Histogram | None:
    """Numbers in columns of equal width, about as many as the root of their number; None for none.

    Widths and edges are round in units of `each`.
    """
    if not values:
        return None
    low, high = min(values), max(values)
    columns = min(_MOST_COLUMNS, math.ceil(math.sqrt(len(values))))
    span = (high - low) / each
    width = _round_up(span / columns if span > _LEAST else max(abs(high) / each, 1) / 2) * each
    first = math.floor(low / width)
    counts = [0] * (math.floor(high / width) - first + 1)
    for value in values:
        counts[min(len(counts) - 1, max(0, math.floor(value / width) - first))] += 1
    edges = tuple(width * (first + place) for place in range(len(counts) + 1))
    return Histogram(edges, tuple(counts))


def time_unit(most: float) -> tuple[str, float]:
    """Which unit fits spans of time up to `most` seconds, and its seconds."""
    for unit, seconds in (("hours", 3600.0), ("minutes", 60.0)):
        if most >= 2 * seconds:
            return unit, seconds
    return "seconds", 1.0


def _round_up(width: float) -> float:
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in _STEPS if step * power >= width * (1 - 1e-9))
