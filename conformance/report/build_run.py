"""How the targets went about their calls: time, deaths, warnings."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.gate.record import normal
from conformance.report import shown
from conformance.report.places import Places
from conformance.report.views_run import (
    DeathView,
    ExecutionView,
    OperationTimeView,
    PlaceView,
    SlowView,
    TargetTimeView,
    WarningView,
)
from conformance.run.outcome import Crashed, Outcome, Returned, TimedOut, Unavailable

if TYPE_CHECKING:
    from conformance.judge.judge import Judged

SLOWEST = 25
DEATHS = 100
WARNINGS = 100
"""How many of each the page shows."""
DEPRECATES = ("deprecat", "will be removed", "future release")
"""A warning with one of these words tells of what is going away."""


def execution(judged: Iterable[Judged], targets: Sequence[str], places: Places) -> ExecutionView:
    """Return how the calls behind `judged` went, by the names of `targets`.

    `places` holds every case of every pair that was judged.
    """
    calls = _calls(judged)
    deaths = list(_deaths(calls, places))
    warnings = _warnings(calls, places)
    slowest = heapq.nlargest(SLOWEST, calls, key=lambda j: j.outcome.duration)
    return ExecutionView(
        times=tuple(_times(calls, targets)),
        operations=tuple(_operations(calls, targets)),
        slowest=tuple(
            SlowView(_place(j, places), j.item.target, j.outcome.kind, j.outcome.duration)
            for j in slowest
        ),
        deaths=tuple(deaths[:DEATHS]),
        deaths_left=max(0, len(deaths) - DEATHS),
        warnings=tuple(warnings[:WARNINGS]),
        warnings_left=max(0, len(warnings) - WARNINGS),
    )


def _calls(judged: Iterable[Judged]) -> list[Judged]:
    """The first item of each call that was made: pairs that share a call share its outcome."""
    first: dict[int, Judged] = {}
    for one in judged:
        if not isinstance(one.outcome, Unavailable):
            first.setdefault(id(one.outcome), one)
    return list(first.values())


def _times(calls: list[Judged], targets: Sequence[str]) -> Iterator[TargetTimeView]:
    kinds: dict[str, Counter[str]] = {target: Counter() for target in targets}
    seconds = dict.fromkeys(targets, 0.0)
    for call in calls:
        kinds[call.item.target][call.outcome.kind] += 1
        seconds[call.item.target] += call.outcome.duration
    for target in targets:
        counts = kinds[target]
        yield TargetTimeView(target, counts.total(), seconds[target], tuple(sorted(counts.items())))


def _operations(calls: list[Judged], targets: Sequence[str]) -> list[OperationTimeView]:
    """Longest first."""
    spent: dict[str, dict[str, float]] = {}
    for call in calls:
        on = spent.setdefault(call.item.case.operation.operation, dict.fromkeys(targets, 0.0))
        on[call.item.target] += call.outcome.duration
    found = [OperationTimeView(op, tuple(s.values()), sum(s.values())) for op, s in spent.items()]
    return sorted(found, key=lambda view: (-view.total, view.operation))


def _deaths(calls: list[Judged], places: Places) -> Iterator[DeathView]:
    """Crashes, hangs, then calls that were in flight when their worker died."""
    order = {Crashed.kind: 0, TimedOut.kind: 1}
    dead = [j for j in calls if j.outcome.kind in order or j.outcome.note]
    for call in sorted(dead, key=lambda j: order.get(j.outcome.kind, len(order))):
        outcome = call.outcome
        yield DeathView(
            place=_place(call, places),
            target=call.item.target,
            outcome=outcome.kind,
            shown=_how(outcome),
            stderr=outcome.stderr if isinstance(outcome, Crashed | TimedOut) else "",
            note=outcome.note,
        )


def _how(outcome: Outcome) -> str:
    if isinstance(outcome, Crashed):
        return outcome.signal
    return shown.brief(outcome) if isinstance(outcome, TimedOut) else ""


@dataclass
class _Heard:
    category: str
    text: str
    first: Judged
    targets: dict[str, None]
    calls: int = 0


def _warnings(calls: list[Judged], places: Places) -> list[WarningView]:
    """What goes away first, then by how many calls warned."""
    heard: dict[str, _Heard] = {}
    for call in calls:
        outcome = call.outcome
        given = outcome.warnings if isinstance(outcome, Returned) else ()
        for key, (category, text) in {normal(*w): w for w in given}.items():
            one = heard.setdefault(key, _Heard(category, text, call, {}))
            one.calls += 1
            one.targets[call.item.target] = None
    views = [
        WarningView(
            category=one.category,
            text=" ".join(one.text.split()),
            deprecation=any(word in f"{one.category} {one.text}".lower() for word in DEPRECATES),
            targets=tuple(one.targets),
            calls=one.calls,
            place=_place(one.first, places),
        )
        for one in heard.values()
    ]
    return sorted(views, key=lambda view: (not view.deprecation, -view.calls))


def _place(judged: Judged, places: Places) -> PlaceView:
    return places[judged.item.case.id, judged.item.pair.id]
