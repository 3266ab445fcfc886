"""Errors in roundoffs as a plot: for each target a histogram over a logarithmic scale."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.report.views import CaseView, VerdictView

DECADES = (-2, 10)
"""The scale's ends, powers of ten; what lies outside, 0 and infinity too, is in the end bins."""
PER_DECADE = 2
BINS = (DECADES[1] - DECADES[0]) * PER_DECADE
LEFT, STEP, ROW = 190, 20, 46
"""Where the scale begins, the width of a bin and the height of half a row and its gap, in px."""
BAR = 20
WIDTH = LEFT + BINS * STEP + 20


@dataclass(frozen=True)
class Bar:
    """One bin of one target: `count` items, `over` their budget; drawn from (x, y) by `height`."""

    x: int
    y: float
    height: float
    count: int
    over: bool
    gradient: bool
    low: str
    high: str


@dataclass(frozen=True)
class PlotRow:
    """One target: its bars, values above the line at `y` and gradients below.

    `measured` errors of it, `over` of them beyond their budget, and the `worst` of all.
    """

    target: str
    y: int
    bars: tuple[Bar, ...]
    measured: int
    worst: float
    over: int


@dataclass(frozen=True)
class PlotView:
    """The plot of one pair.  `budget` is where the strictest budget lies, in px."""

    rows: tuple[PlotRow, ...]
    ticks: tuple[tuple[int, str], ...]
    budget: float | None
    strictest: float | None

    @property
    def height(self) -> int:
        """The height in px."""
        return len(self.rows) * ROW + 34

    @property
    def width(self) -> int:
        """The width in px."""
        return WIDTH


def plot(cases: Iterable[CaseView]) -> PlotView | None:
    """Return the plot of all verdicts with a measured error, None where there is none."""
    verdicts = [v for case in cases for point in case.points for v in point.verdicts]
    measured = [v for v in verdicts if v.ratio is not None or v.gradient_ratio is not None]
    targets = list(dict.fromkeys(v.target for v in measured))
    if not targets:
        return None
    rows = (
        _row(target, 24 + number * ROW, [v for v in measured if v.target == target])
        for number, target in enumerate(targets)
    )
    strictest = min(filter(None, map(_strictest, measured)), default=None)
    ticks = ((LEFT + i * PER_DECADE * STEP, DECADES[0] + i) for i in range(BINS // PER_DECADE + 1))
    return PlotView(
        rows=tuple(rows),
        ticks=tuple((x, f"10{_superscript(power)}") for x, power in ticks if power % 2 == 0),
        budget=None if strictest is None else _place(strictest),
        strictest=strictest,
    )


def _strictest(verdict: VerdictView) -> float | None:
    """The least budget of what was measured; 0 lies nowhere on a logarithmic scale."""
    given = (
        verdict.ratio is not None and verdict.budget,
        verdict.gradient_ratio is not None and verdict.gradient_budget,
    )
    return min(filter(None, given), default=None)


def _row(target: str, y: int, verdicts: list[VerdictView]) -> PlotRow:
    found = [
        (ratio, gradient, v.beyond(gradient=gradient))
        for gradient in (False, True)
        for v in verdicts
        if (ratio := v.gradient_ratio if gradient else v.ratio) is not None
    ]
    bins = Counter((_bin(ratio), gradient, over) for ratio, gradient, over in found)
    most = max(bins.values())
    bars = []
    for (number, gradient, over), count in sorted(bins.items()):
        height = round(3 + (BAR - 3) * math.log1p(count) / math.log1p(most), 1)
        low, high = (DECADES[0] + (number + i) / PER_DECADE for i in (0, 1))
        shift = STEP // 2 if over else 0
        bars.append(
            Bar(
                x=LEFT + number * STEP + shift + 1,
                y=float(y) if gradient else round(y - height, 1),
                height=height,
                count=count,
                over=over,
                gradient=gradient,
                low="0" if number == 0 else f"{10**low:.2g}",
                high="∞" if number == BINS - 1 else f"{10**high:.2g}",
            )
        )
    beyond = sum(over for _, _, over in found)
    return PlotRow(target, y, tuple(bars), len(found), max(r for r, _, _ in found), beyond)


def _bin(ratio: float) -> int:
    if not ratio > 0:
        return BINS - 1 if math.isnan(ratio) else 0
    if math.isinf(ratio):
        return BINS - 1
    return min(max(math.floor((math.log10(ratio) - DECADES[0]) * PER_DECADE), 0), BINS - 1)


def _place(ratio: float) -> float:
    inside = min(max(math.log10(ratio), DECADES[0]), DECADES[1])
    return round(LEFT + (inside - DECADES[0]) * PER_DECADE * STEP, 1)


def _superscript(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
