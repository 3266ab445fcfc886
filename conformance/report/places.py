"""Where the pages show each case of each pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conformance.report import views
from conformance.report.views_run import PlaceView

Places = dict[tuple[str, str], PlaceView]
"""By (expanded case id, pair id)."""


def of_pages(pages: Iterable[views.PageView]) -> Places:
    """Return the place of every case of every pair of `pages`."""
    return {
        key: place
        for page in pages
        for pair in page.pairs
        for key, place in of_cases(page.operation, pair.id, pair.title, pair.cases)
    }


def of_cases(
    operation: str, pair: str, title: str, cases: Iterable[views.CaseView]
) -> Iterator[tuple[tuple[str, str], PlaceView]]:
    """Yield the places of the cases of one pair, whose id is `pair`."""
    for case in cases:
        for point in case.points:
            at = point.anchor if len(case.points) > 1 else case.anchor
            yield (point.id, pair), PlaceView(operation, at, point.id, title)
