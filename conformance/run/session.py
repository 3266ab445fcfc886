"""A run from end to end: plan, execute, store."""

from __future__ import annotations

import hashlib
import platform
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from conformance import __version__
from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import Corpus
from conformance.corpus.pairs import Call, numpy_call, plan
from conformance.corpus.schema import Pair
from conformance.corpus.sides import apis
from conformance.errors import HarnessError
from conformance.run import pool
from conformance.run.cover import Cover
from conformance.run.repeat import repeat as again
from conformance.run.repeat import same_target
from conformance.run.select import Selection
from conformance.run.store import PlannedItem, RunFile
from conformance.run.target import Target
from conformance.taxonomy import Kind

BATCH = 64
BATCH_SECONDS = 0.5
DEADLY = (Kind.CRASH, Kind.HANG)


@dataclass
class Plan:
    """What a run will execute: items by name, and each target's distinct calls."""

    items: list[PlannedItem] = field(default_factory=list)
    calls: dict[str, dict[str, Call]] = field(default_factory=dict)
    apis: dict[str, dict[str, None]] = field(default_factory=dict)
    deadly: set[str] = field(default_factory=set)


def make_plan(corpus: Corpus, targets: Sequence[Target], selection: Selection) -> Plan:
    """Plan every selected case through every pair on every target.

    The same call asked for by two pairs is made once.  Of a covering selection, targets in graph
    mode get what covers the corpus.  HarnessError when nothing is selected.
    """
    made = Plan(calls={t.name: {} for t in targets}, apis={t.name: {} for t in targets})
    had: set[tuple[str, str]] = set()
    covers = {t.name: Cover(t.name) for t in targets if selection.covering and t.mode == "graph"}
    for case in corpus.cases():
        for pair in case.pairs():
            key = (case.operation.operation, pair.id)
            if selection.quick and (key in had or case.raises):
                continue
            for target in targets:
                if selection.takes(case, pair, target.name):
                    _add(made, case, pair, target, covers.get(target.name))
                    had.add(key)
    if not made.items:
        raise HarnessError("nothing selected: no case, pair and target match")
    return made


def _add(
    made: Plan, case: ExpandedCase, pair: Pair, target: Target, cover: Cover | None = None
) -> None:
    call = _call(case, pair, target)
    if cover and call and not cover.takes(case, pair, call):
        return
    made.items.append(
        PlannedItem(case.id, case.hash, pair.id, target.name, call.id if call else "")
    )
    if call is not None:
        made.calls[target.name].setdefault(call.id, call)
    if target.framework != "numpy" or pair.numpy:
        made.apis[target.name].update(dict.fromkeys(_apis(case, pair, target)))
        declared = case.operation.differences_of(pair)
        if any(d.kind in DEADLY and case.covered_by(d.cases) for d in declared):
            made.deadly.add(target.name)


def _call(case: ExpandedCase, pair: Pair, target: Target) -> Call | None:
    if target.framework == "numpy":
        return numpy_call(case, pair)
    return plan(case, pair, target.framework)


def _apis(case: ExpandedCase, pair: Pair, target: Target) -> Iterator[str]:
    """Yield the APIs of the pair and of the documents' claims that are `target`'s to describe."""
    yield from apis(pair.side(target.framework))
    for document in case.operation.documents:
        claimed = [claim.api for claim in document.signatures]
        for heading in document.headings:
            claimed += [heading.names, heading.describes]
        yield from (api for api in claimed if api.split(".")[0] == target.framework)


def corpus_hash(corpus: Corpus) -> str:
    """Return a hash of all case files."""
    digest = hashlib.sha256()
    for name in sorted(corpus.documents):
        digest.update(corpus.documents[name].text.encode())
    return digest.hexdigest()[:16]


Observer = Callable[[pool.Event], None]


def execute(
    corpus: Corpus,
    targets: Sequence[Target],
    run: RunFile,
    *,
    selection: Selection,
    jobs: int,
    timeout: float,
    needed: bool = True,
    repeat: int = 1,
    made: Plan | None = None,
    observer: Observer = lambda _: None,
) -> None:
    """Execute what `run` does not hold yet and store it.

    The run is finished when nothing is missing: every target that started was there to the end.
    With `repeat` above 1, every call is made that often, to see what does not do the same twice.

    Raises HarnessError when no framework's target starts although one is `needed`.
    """
    made = made or make_plan(corpus, targets, selection)
    _prepare(run, corpus, targets, made, selection)
    done = run.executed()
    lanes = [
        pool.Lane(
            target=target,
            calls=deque(
                c for i, c in made.calls[target.name].items() if (target.name, i) not in done
            ),
            apis=tuple(made.apis[target.name]),
            expects_death=target.name in made.deadly,
        )
        for target in targets
    ]
    lanes = [lane for lane in lanes if lane.calls or lane.apis]
    start = time.perf_counter()
    lost = _collect(run, pool.execute(lanes, jobs=jobs, timeout=timeout), observer)
    started = [name for name, info in run.targets().items() if "unavailable" not in info]
    wanted = [t.name for t in targets if t.framework != "numpy"]
    if repeat > 1 and not lost:
        there = [target for target in targets if target.name in started]
        again(
            run, there, made.calls, times=repeat - 1, jobs=jobs, timeout=timeout, observer=observer
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run.note(finished=None if lost else now, lost=lost, repeat=repeat)
    run.note(seconds=round(time.perf_counter() - start, 3))
    if needed and wanted and not set(wanted) & set(started):
        reasons = "; ".join(f"{n}: {run.targets()[n]['unavailable']}" for n in wanted)
        raise HarnessError(f"no framework could be started ({reasons})")


def _prepare(
    run: RunFile, corpus: Corpus, targets: Sequence[Target], made: Plan, selection: Selection
) -> None:
    """Fill a new run file, or check that a resumed one holds the same run."""
    facts = {
        "corpus": corpus_hash(corpus),
        "targets": [target.name for target in targets],
        "select": selection.expression,
        "quick": selection.quick,
        "covering": selection.covering,
    }
    if "corpus" not in run.manifest:
        run.keep_corpus(corpus)
        run.plan(made.items)
        run.note(
            **facts,
            id=uuid.uuid4().hex[:12],
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            command=sys.argv,
            conformance=__version__,
            platform=platform.platform(),
            complete=selection.everything,
        )
        return
    for key, value in facts.items():
        before = run.manifest.get(key, False)
        if before != value:
            raise HarnessError(
                f"{run.path}: cannot resume, {key} was {before} and is now {value}; "
                "run without --resume to start over"
            )
    run.note(finished=None, judged_by=None)


def _collect(run: RunFile, events: Iterator[pool.Event], observer: Observer) -> dict[str, str]:
    """Store what happens; return the targets that were lost on the way, and why."""
    lost: dict[str, str] = {}
    batch: list[tuple[str, str, dict[str, Any]]] = []
    written = time.monotonic()
    try:
        for event in events:
            match event:
                case pool.Done():
                    batch.append((event.target, event.call, event.message))
                case pool.Started():
                    same_target(run, event)
                    run.target(event.target, event.info)
                case pool.Lost():
                    lost[event.target] = event.reason
                case pool.Refused():
                    _refused(run, event)
                case pool.Described():
                    run.describe(event.target, event.signatures)
            if len(batch) >= BATCH or (batch and time.monotonic() - written > BATCH_SECONDS):
                run.add(batch)
                batch, written = [], time.monotonic()
            observer(event)
    finally:
        run.add(batch)
    return lost


def _refused(run: RunFile, event: pool.Refused) -> None:
    """Store why a target cannot be used, with what it said of itself when it still could.

    Its outcomes stay in the run, so a resumed one must know of which version they are.
    """
    said = run.targets().get(event.target, {})
    was = said.get("was", said)
    kept = {"was": was} if "version" in was else {}
    run.target(event.target, {"unavailable": event.reason, **kept})
