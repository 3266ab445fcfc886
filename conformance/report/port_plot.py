"""Differences as lines over a logarithmic scale: by depth of the model, and by step of training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from conformance.report.port_text import relative
from conformance.report.views_port import LinePlotView, LineView

WIDTH, HEIGHT = 860, 320
LEFT, RIGHT, TOP, BOTTOM = 48, 24, 26, 288
"""The rectangle of the lines, in px; RIGHT is what is left beside it."""
MARKED = 80
"""So many points of a line have a marker each; more would hide it."""
TICKS = 8
"""Most labels along an axis."""
Values = Sequence[float | None]


def lines(
    series: Mapping[str, Values], names: Sequence[str], mark: int | None = None
) -> LinePlotView | None:
    """Return a plot of `series`, each with a value or None at each of `names`; None without any.

    0 lies on the lower edge of the scale, NaN and infinity on the upper.  `mark` is the number of
    the name to be marked.
    """
    known = [value for values in series.values() for value in values if value is not None]
    if not known:
        return None
    low, high = _decades(known)
    xs = _across(len(names))

    def place(value: float) -> float:
        inside = min(max(_power(value, low, high), low), high)
        return round(BOTTOM - (inside - low) / (high - low) * (BOTTOM - TOP), 1)

    step = math.ceil((high - low) / TICKS)
    return LinePlotView(
        lines=tuple(
            LineView(
                kind,
                _path(
                    [(x, None if v is None else place(v)) for x, v in zip(xs, values, strict=True)]
                ),
                tuple(
                    (x, place(value), f"{name}: {relative(value)}")
                    for x, name, value in zip(xs, names, values, strict=True)
                    if value is not None
                )
                if len(names) <= MARKED
                else (),
            )
            for kind, values in series.items()
        ),
        ticks=tuple((place(10.0**power), _label(power)) for power in range(low, high + 1, step)),
        across=tuple((xs[n], str(n + 1)) for n in _numbers(len(names))),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=BOTTOM,
        mark=None if mark is None else (xs[mark], names[mark]),
    )


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten that the scale runs between: two of them at least."""
    powers = [math.log10(value) for value in values if value > 0 and math.isfinite(value)]
    low = math.floor(min(powers, default=-8))
    return low, max(math.ceil(max(powers, default=0)), low + 2)


def _power(value: float, low: int, high: int) -> float:
    if not math.isfinite(value):
        return high
    return math.log10(value) if value > 0 else low


def _across(count: int) -> list[float]:
    room = WIDTH - LEFT - RIGHT
    gap = room / max(count - 1, 1)
    return [round(LEFT + number * gap, 1) for number in range(count)]


def _numbers(count: int) -> list[int]:
    """Return which points are labelled: the first, and round ones, not too many."""
    step = next(s for s in _rounded() if count / s <= TICKS)
    return [0, *(number - 1 for number in range(step, count + 1, step) if number > 1)]


def _rounded() -> Iterator[int]:
    unit = 1
    while True:
        yield from (unit, 2 * unit, 5 * unit)
        unit *= 10


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Return the line through `points`, past those that are missing; a lone point is a dot."""
    known = [f"{x:g} {y:g}" for x, y in points if y is not None]
    return "M" + "L".join(known) + ("h0" if len(known) == 1 else "") if known else ""


def _label(power: int) -> str:
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
