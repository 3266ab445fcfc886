"""Known differences as the pages show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from conformance.report.places import Places
from conformance.report.views_findings import KnownView
from conformance.report.views_run import PlaceView

if TYPE_CHECKING:
    from conformance.judge.judge import Judged
    from conformance.judge.known import Known

SHOWN = 12
"""Cases that an entry links to."""


def known_views(
    entries: Iterable[Known],
    judged: Iterable[Judged],
    places: Places,
    started: str,
    expired: Collection[Known] = (),
) -> tuple[KnownView, ...]:
    """Return the view of each of `entries`, what expires soonest first.

    What an entry excuses is looked for among `judged`, each of which has a place in `places`.
    `started` is when the run began, in ISO format.  One of `expired` has no day left,
    however many it had then: it has excused nothing.
    """
    found: dict[Known, list[Judged]] = {entry: [] for entry in entries}
    for one in judged:
        for entry in one.known:
            if entry in found:
                found[entry].append(one)
    day = _day(started)
    views = [
        _view(entry, excused, places, 0 if entry in expired else _days(entry, day))
        for entry, excused in found.items()
    ]
    return tuple(sorted(views, key=lambda view: view.expires))


def expired(entries: Iterable[Known], problems: Iterable[str]) -> list[Known]:
    """Return those of `entries` that the judge's `problems` say have expired."""
    said = set(problems)
    return [e for e in entries if f"{e}: expired on {e.expires.isoformat()}" in said]


def spoken_of(entries: Iterable[Known], judged: Sequence[Judged]) -> list[Known]:
    """Return those of `entries` that speak of some case of one pair, whose items `judged` are."""
    item = judged[0].item
    head, pair = f"{item.case.operation.operation}/", item.pair.id
    cases = dict.fromkeys(one.item.case.id for one in judged)
    return [
        entry
        for entry in entries
        if _may_start(entry.cases, head) and any(entry.speaks_of(case, pair) for case in cases)
    ]


def _may_start(pattern: str, head: str) -> bool:
    """Tell whether something that begins with `head` may match: most entries are of elsewhere."""
    fixed = pattern.partition("*")[0]
    return fixed.startswith(head) or head.startswith(fixed)


def _view(entry: Known, excused: list[Judged], places: Places, days: int | None) -> KnownView:
    at: dict[str, PlaceView] = {}
    for one in excused:
        at.setdefault(one.item.case.id, places[one.item.case.id, one.item.pair.id])
    return KnownView(
        kinds=entry.kinds,
        cases=entry.cases,
        pair=entry.pair,
        target=entry.target,
        reason=entry.reason,
        owner=entry.owner,
        link=entry.link,
        expires=entry.expires.isoformat(),
        days=days,
        versions=entry.versions,
        device=entry.device or "",
        excused=len(excused),
        places=tuple(at.values())[:SHOWN],
        cases_left=max(0, len(at) - SHOWN),
    )


def _days(entry: Known, day: date | None) -> int | None:
    return None if day is None else (entry.expires - day).days


def _day(started: str) -> date | None:
    try:
        return date.fromisoformat(started[:10])
    except ValueError:
        return None
