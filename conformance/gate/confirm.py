"""What changed, run again: a call that does not repeat by itself has not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from conformance.corpus.loader import Corpus
from conformance.gate.change import Category, Change, api_of, role
from conformance.run import session
from conformance.run.pool import DEFAULT_JOBS, Event
from conformance.run.repeat import repeat
from conformance.run.select import Selection
from conformance.run.store import PlannedItem, RunFile
from conformance.run.target import Target

TIMES = 5
"""Of a call that gives one of two results as by a toss, both sides repeat the first by chance once
in 2**10; other odds are better."""

ROW = 24
"""A kernel of MindSpore 2.10 tries out numbers of threads in its first fifteen calls, and keeps the
one that was fastest then: the order of a sum, and whether subnormal numbers survive, hang on it."""


def confirm(
    path: Path,
    targets: Sequence[Target],
    changes: Iterable[Change],
    *,
    times: int = TIMES,
    jobs: int = DEFAULT_JOBS,
    timeout: float = 60.0,
    corpus: Corpus | None = None,
    observer: Callable[[Event], None] = lambda _: None,
) -> None:
    """Make the calls that `changes` speak of `times` more, ROW in a row each time, and keep in the
    run file at `path` what comes out otherwise, and the shortest time each took.

    `targets` are those of the run, `corpus` is its own where it is at hand.  HarnessError when a
    target is not what it was in the run.
    """
    wanted = {(change.case, change.pair) for change in changes if change.case}
    slow = {(role(c.target), c.api) for c in changes if c.category is Category.SLOWER}
    run = RunFile.open(path)
    try:
        facts = run.manifest
        selection = Selection(
            facts.get("select") or "", bool(facts.get("quick")), bool(facts.get("covering"))
        )
        made = session.make_plan(corpus or run.corpus(), targets, selection)
        keys = {
            (i.target, i.call)
            for i in made.items
            if (i.case, i.pair) in wanted or (role(i.target), _api(i)) in slow
        }
        calls = {
            target: {name: call for name, call in found.items() if (target, name) in keys}
            for target, found in made.calls.items()
        }
        repeat(
            run, targets, calls, times=times, row=ROW, jobs=jobs, timeout=timeout, observer=observer
        )
    finally:
        run.close()


def _api(item: PlannedItem) -> str:
    return api_of(item.target, item.pair, item.case.partition("/")[0])
