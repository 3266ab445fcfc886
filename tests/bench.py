"""``make bench``: how long the whole corpus takes, and what the harness adds to the frameworks.

Prints one table.  `harness` is wall time times workers less the time inside framework calls and
imports, so it is an upper bound: it contains planning, transport, storing, judging and rendering.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

from conformance.corpus.loader import load
from conformance.judge.judge import judge
from conformance.judge.run import judge_run
from conformance.report import formats
from conformance.run import pool, session, target
from conformance.run.outcome import Outcome
from conformance.run.select import Selection
from conformance.run.store import RunFile


def main() -> None:
    """Run, judge and report the corpus once, timing each part."""
    marks = {"start": time.perf_counter()}
    corpus = load([Path("cases")])
    marks["load"] = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = RunFile.create(Path(folder, "run.sqlite"))
        targets = [target.parse(name) for name in target.DEFAULT_TARGETS]
        gaps = Gaps()
        session.execute(
            corpus,
            targets,
            file,
            selection=Selection(),
            jobs=pool.DEFAULT_JOBS,
            timeout=60,
            observer=gaps,
        )
        marks["execute"] = time.perf_counter()
        verdicts = judge_run(file, corpus=corpus, today=date.today())
        marks["judge"] = time.perf_counter()
        formats.render(verdicts, Path(folder, "site"))
        marks["report"] = time.perf_counter()
        outcomes = file.outcomes()
        file.close()
    items = len(verdicts.judgement.judged)
    calls = f"{items} items, {len(outcomes)} distinct calls"
    print(f"{len(corpus.documents)} operations, {calls}, {pool.DEFAULT_JOBS} jobs")
    for before, name in pairwise(marks):
        print(f"{name:>10}  {marks[name] - marks[before]:7.2f} s")
    print(f"{'total':>10}  {marks['report'] - marks['start']:7.2f} s")
    for name, seconds in framework_time(outcomes).items():
        median = statistics.median(seconds)
        calls = f"{len(seconds)} calls, median {median * 1e3:.2f} ms"
        print(f"{name:>22}  {sum(seconds):7.2f} s in {calls}")
    judging = judge_each(verdicts.judgement.judged)
    print(f"transport and storing, median per call  {gaps.median() * 1e3:.3f} ms")
    print(f"judging, median per item                {judging * 1e3:.3f} ms")
    loading = (marks["load"] - marks["start"]) / items
    print(f"loading, mean per item                  {loading * 1e3:.3f} ms")


class Gaps:
    """The time between a target's replies that was not spent inside the framework's call."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}
        self.gaps: list[float] = []

    def __call__(self, event: pool.Event) -> None:
        """Note when a reply came."""
        if isinstance(event, pool.Done):
            now = time.perf_counter()
            if event.target in self.last:
                gap = now - self.last[event.target] - event.message.get("duration", 0.0)
                self.gaps.append(max(0.0, gap))
            self.last[event.target] = now

    def median(self) -> float:
        """Return the median gap in seconds."""
        return statistics.median(self.gaps)


def framework_time(outcomes: dict[tuple[str, str], Outcome]) -> dict[str, list[float]]:
    """Return the seconds inside each call by target."""
    found: dict[str, list[float]] = defaultdict(list)
    for (name, _), outcome in outcomes.items():
        found[name].append(outcome.duration)
    return dict(found)


def judge_each(judged: list) -> float:  # type: ignore[type-arg]
    """Return the median seconds of judging all items of one case, per item."""
    groups = defaultdict(list)
    for one in judged:
        groups[one.item.case.id].append((one.item, one.outcome))
    costs = []
    for items in groups.values():
        start = time.perf_counter()
        judge(items, versions={}, today=date.today(), complete=False)
        costs += [(time.perf_counter() - start) / len(items)] * len(items)
    return statistics.median(costs)


if __name__ == "__main__":
    main()
