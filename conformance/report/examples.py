"""The few cases of a pair that a page for readers shows as code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.judge.verdict import Status
from conformance.report.views import CaseView, CodeView, DifferenceView, PairView, PointView


@dataclass(frozen=True)
class Example:
    """A case at one point: `shows` are the numbers, from 1, of the declared differences it shows.

    `published` tells whether what was published of the case is said here, once for all examples
    of it.
    """

    case: CaseView
    point: PointView
    code: tuple[CodeView, ...]
    shows: tuple[int, ...] = ()
    published: bool = False


def examples(pair: PairView) -> list[Example]:
    """Return what to show of `pair`, at most one example for the same code.

    A plain case comes first, one in which the frameworks conform; then every published example;
    then, for each declared difference, the first point that shows it.
    """
    chosen: list[Example] = []
    published = [case for case in pair.cases if case.source and case.code]
    if plain := _plain(published) or _plain(pair.cases):
        chosen.append(Example(plain, plain.shown, plain.code, published=True))
    chosen += [
        Example(case, case.shown, case.code, published=True)
        for case in published
        if case is not plain
    ]
    for number, difference in enumerate(pair.differences, 1):
        _add(chosen, pair, number, difference)
    return chosen


def _plain(cases: Sequence[CaseView]) -> CaseView | None:
    """The first case that conforms on every target whose output its code shows."""
    for case in cases:
        ran = [case.shown.on(code.target) for code in case.code]
        if ran and all(verdict and verdict.status is Status.CONFORMS for verdict in ran):
            return case
    return None


def _add(chosen: list[Example], pair: PairView, number: int, difference: DifferenceView) -> None:
    """Add the example of a difference, or note that another one shows it already."""
    point, code = difference.shown, difference.code
    if point is None or not code:
        return
    for i, example in enumerate(chosen):
        if example.point.id == point.id and _same(example.code, code):
            chosen[i] = replace(example, shows=(*example.shows, number))
            return
    case = next(c for c in pair.cases if point in c.points)
    seen = any(example.case is case for example in chosen)
    chosen.append(Example(case, point, code, (number,), published=not seen))


def _same(one: tuple[CodeView, ...], other: tuple[CodeView, ...]) -> bool:
    return [(c.text, c.output, c.gradients) for c in one] == [
        (c.text, c.output, c.gradients) for c in other
    ]
