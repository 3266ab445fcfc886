"""Run mutants and judge them: which ones does the corpus kill?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.loader import Corpus
from conformance.corpus.pairs import Call, plan
from conformance.corpus.schema import Operation, Pair
from conformance.judge.item import Item
from conformance.judge.judge import Bench
from conformance.judge.verdict import Status
from conformance.run import pool
from conformance.run.outcome import Named, Outcome, Raised, Returned, from_message
from conformance.run.session import DEADLY
from conformance.run.target import Target
from tests.mutation import calls, replies

SHOWN = (Status.CONFORMS, Status.DECLARED)
"""Verdicts on the right kernel of cases that can tell a wrong one."""


@dataclass(frozen=True)
class Result:
    """What became of one mutant of one pair on one target; `by` is the case that noticed it."""

    operation: str
    pair: str
    target: str
    mutant: str
    by: str = ""

    @property
    def killed(self) -> bool:
        """Whether some case told it from the right kernel."""
        return bool(self.by)


@dataclass(frozen=True)
class Subject:
    """One pair on one target: its items, their calls, and what the right kernel did."""

    operation: Operation
    pair: Pair
    target: Target
    items: list[Item]
    calls: list[Call]
    outcomes: list[Outcome]

    @property
    def runs(self) -> bool:
        """Whether the kernel is there at all."""
        return any(isinstance(outcome, Returned) for outcome in self.outcomes)


def score(corpus: Corpus, targets: Sequence[Target], jobs: int = 2) -> Iterator[list[Result]]:
    """Yield for each operation the results of all mutants of its pairs that run on `targets`.

    The right kernel and all wrong ones are executed first, in two runs for each target.
    """
    documents = corpus.documents.values()
    subjects = [
        [s for t in targets for s in _subjects(d.operation, d.folder, t)] for d in documents
    ]
    for target in targets:
        own = [s for group in subjects for s in group if s.target is target]
        outcomes = run(target, (call for s in own for call in s.calls), jobs)
        for subject in own:
            subject.outcomes.extend(outcomes[call.id] for call in subject.calls)
    examined = [_examined(group) for group in subjects]
    for target in targets:
        own_mutants = [e for group in examined for e in group if e.subject.target is target]
        outcomes = run(target, (call for e in own_mutants for call in e.wanted()), jobs)
        for examination in own_mutants:
            examination.outcomes = outcomes
    for group in examined:
        yield [result for examination in group for result in examination.results()]


def _examined(subjects: list[Subject]) -> list[_Examination]:
    bench = Bench([given for s in subjects for given in zip(s.items, s.outcomes, strict=True)])
    return [_Examination(subject, bench) for subject in subjects if subject.runs]


def _subjects(operation: Operation, folder: Path, target: Target) -> Iterator[Subject]:
    cases = [case for case in expand(operation, folder) if not _deadly(case)]
    for pair in operation.pairs:
        if pair.torch is None or pair.mindspore is None:
            continue
        found = [
            (Item(case, pair, target.name), call)
            for case in cases
            if pair in case.pairs() and (call := plan(case, pair, target.framework))
        ]
        yield Subject(operation, pair, target, [i for i, _ in found], [c for _, c in found], [])


def _deadly(case: ExpandedCase) -> bool:
    declared = [d for pair in case.pairs() for d in case.operation.differences_of(pair)]
    return any(d.kind in DEADLY and case.covered_by(d.cases) for d in declared)


def run(target: Target, wanted: Iterable[Call], jobs: int) -> dict[str, Outcome]:
    """Execute each distinct call on `target`; return outcomes by call id."""
    distinct = {call.id: call for call in wanted}
    lane = pool.Lane(target=target, calls=deque(distinct.values()), apis=())
    outcomes: dict[str, Outcome] = {}
    for event in pool.execute([lane], jobs=jobs, timeout=60.0):
        match event:
            case pool.Done():
                outcomes[event.call] = from_message(event.message)
            case pool.Refused() | pool.Lost():
                raise RuntimeError(f"{event.target}: {event.reason}")
    return outcomes


class _Examination:
    """One pair on one target, mutant by mutant."""

    def __init__(self, subject: Subject, bench: Bench) -> None:
        self.subject, self.bench = subject, bench
        self.outcomes: dict[str, Outcome] = {}
        given = zip(subject.items, subject.outcomes, subject.calls, strict=True)
        self.telling = [
            (item, outcome, call)
            for item, outcome, call in given
            if self._status(item, outcome) in SHOWN
        ]

    def results(self) -> Iterator[Result]:
        """Yield a result for each mutant that changes what some case returns."""
        yield from self._of_replies()
        yield from self._of_calls()

    def _of_replies(self) -> Iterator[Result]:
        gradients = list(
            dict.fromkeys(n.partition(".")[0] for i, *_ in self.telling for n in i.case.gradients)
        )
        for name, change in [*replies.of_results(), *replies.of_gradients(gradients)]:
            mutated = [
                (item, outcome, change(outcome) if isinstance(outcome, Returned) else outcome)
                for item, outcome, _ in self.telling
            ]
            yield from self._result(name, mutated)
        for name in self._written():
            mutated = [
                (item, outcome, _not_updated(item, outcome, name))
                for item, outcome, _ in self.telling
            ]
            yield from self._result(f"{name} not updated", mutated)
        unchecked = [
            (i, o, replies.unchecked(o) if isinstance(o, Raised) else o) for i, o, _ in self.telling
        ]
        yield from self._result("arguments not checked", unchecked)

    def _written(self) -> list[str]:
        """Return the state and inputs that the call changes in some case."""
        written: dict[str, None] = {}
        for item, outcome, _ in self.telling:
            if isinstance(outcome, Returned):
                written.update(dict.fromkeys(outcome.mutated))
                for name, after in outcome.state.items():
                    before = item.case.arrays.get(name)
                    if after is not None and before is not None and _differ(after, before):
                        written[name] = None
        return list(written)

    def wanted(self) -> Iterator[Call]:
        """Yield the calls that `outcomes` must hold before there are results."""
        for rows in self.mutated_calls.values():
            yield from (call for *_, call in rows if call is not None)

    @cached_property
    def mutated_calls(self) -> dict[str, list[tuple[Item, Outcome, Call | None]]]:
        """By mutant, each telling item, its outcome, and the call a wrong kernel would be for."""
        if not self.telling:
            return {}
        kind = self.telling[0][2].message["kind"]
        return {
            name: [
                (item, before, calls.changed(call, change)) for item, before, call in self.telling
            ]
            for name, change in calls.of(self.subject.operation, kind)
        }

    def _of_calls(self) -> Iterator[Result]:
        for name, rows in self.mutated_calls.items():
            mutated = [
                (item, before, _same_if_refused(before, self.outcomes[call.id] if call else None))
                for item, before, call in rows
            ]
            touched = any(
                call is not None and isinstance(self.outcomes[call.id], Returned)
                for *_, call in rows
            )
            yield from self._result(name, mutated, must_show=touched and _an_option(name))

    def _result(
        self,
        mutant: str,
        mutated: Sequence[tuple[Item, Outcome, Outcome]],
        must_show: bool = False,
    ) -> Iterator[Result]:
        """Yield nothing for a mutant that changes no outcome: it is no mutant of this kernel."""
        differing = [(item, after) for item, before, after in mutated if _changed(before, after)]
        subject = self.subject
        result = Result(subject.operation.operation, subject.pair.id, subject.target.name, mutant)
        if differing or must_show:
            by = next(
                (i.case.id for i, after in differing if self._status(i, after) is Status.DIFFERS),
                "",
            )
            yield replace(result, by=by)

    def _status(self, item: Item, outcome: Outcome) -> Status:
        with np.errstate(all="ignore"):
            return self.bench.judge(item, outcome, (), {}, date.min).verdict.status


def _an_option(mutant: str) -> bool:
    return mutant.endswith((" ignored", " off by one")) and not mutant.startswith(
        ("strides", "training mode")
    )


def _not_updated(item: Item, outcome: Outcome, name: str) -> Outcome:
    before = item.case.arrays.get(name)
    if before is None or not isinstance(outcome, Returned):
        return outcome
    return replies.not_updated(outcome, name, before)


def _same_if_refused(before: Outcome, after: Outcome | None) -> Outcome:
    """A wrong kernel returns; where the changed call is refused, it is taken to be right."""
    if not isinstance(after, Returned):
        return before
    if isinstance(before, Returned) and isinstance(after, Returned):
        if before.gradients and after.gradient_error is not None:
            return before
        gradients = {n: after.gradients.get(n) for n in before.gradients}
        return replace(after, gradients=gradients) if after.gradients else after
    return after


def _changed(before: Outcome, after: Outcome) -> bool:
    if before is after:
        return False
    if isinstance(before, Returned) and isinstance(after, Returned):
        parts = ("output", "gradients", "state", "mutated")
        return any(_differ(getattr(before, p), getattr(after, p)) for p in parts)
    if isinstance(before, Raised) and isinstance(after, Raised):
        return before.types != after.types
    return type(before) is not type(after)


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes()
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() != b.keys() or any(_differ(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) != len(b) or any(_differ(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Named) and isinstance(b, Named):
        return _differ(a.fields, b.fields)
    return type(a) is not type(b) or bool(a != b)
