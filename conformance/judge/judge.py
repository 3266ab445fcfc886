"""From items and outcomes to verdicts, and to the lines that make a run fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np

from conformance import parallel
from conformance.corpus.expand import ExpandedCase
from conformance.judge import claims, declared
from conformance.judge import known as exemptions
from conformance.judge.budget import budget_of
from conformance.judge.claims import ClaimCheck
from conformance.judge.examine import examine
from conformance.judge.item import Item
from conformance.judge.known import Known
from conformance.judge.oracle import Expectation
from conformance.judge.returned import Examined
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.judge.words import said
from conformance.run.outcome import Outcome
from conformance.taxonomy import Kind

_Said = tuple[Verdict, tuple[ClaimCheck, ...], tuple[Known, ...]]
NOT_RUN = (Kind.UNSUPPORTED, Kind.CRASH, Kind.HANG)
"""Declared, these say that there is nothing to compare."""


@dataclass(frozen=True, eq=False)
class Judged:
    """An item, what its target did, what the judge says, and the published claims it checked.

    `known` are the known differences that excuse all it shows that is not declared.  Items that
    share a call share its `outcome`: one object, not merely equal ones.
    """

    item: Item
    outcome: Outcome
    verdict: Verdict
    claims: tuple[ClaimCheck, ...] = ()
    known: tuple[Known, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """All verdicts, and one line for each thing that is wrong with the corpus itself."""

    judged: list[Judged]
    problems: list[str]


def judge(
    items: Iterable[tuple[Item, Outcome]],
    *,
    known: Sequence[Known] = (),
    versions: Mapping[str, str],
    today: date,
    complete: bool,
    known_complete: bool = True,
    problems: Iterable[str] = (),
) -> Judgement:
    """Judge every outcome.

    `versions` gives the framework's version by target.  `complete` says that nothing of the corpus
    was left out, so what no case shows is stale; `known_complete` that nothing was which the known
    differences may speak of.  `problems` are lines found elsewhere, such as by
    introspection of signatures.
    """
    given = list(items)
    groups: dict[str, list[int]] = {}
    for i, (item, _) in enumerate(given):
        groups.setdefault(item.case.operation.operation, []).append(i)

    def group(numbers: list[int]) -> tuple[list[_Said], list[str]]:
        bench = Bench([given[i] for i in numbers])
        with np.errstate(all="ignore"):
            found = [bench.judge(*given[i], known, versions, today) for i in numbers]
        return [(one.verdict, one.claims, one.known) for one in found], bench.problems

    listed = sorted(groups.values(), key=len, reverse=True)
    lines = list(problems)
    verdicts: dict[int, _Said] = {}
    for numbers, (found, told) in zip(listed, parallel.mapped(group, listed), strict=True):
        verdicts |= dict(zip(numbers, found, strict=True))
        lines += told
    judged = []
    for i, (item, outcome) in enumerate(given):
        verdict, checked, excuses = verdicts[i]
        judged.append(Judged(item, outcome, verdict, checked, excuses))
    if complete:
        lines += declared.stale(judged)
    lines += exemptions.stale(known, judged, versions, today, complete and known_complete)
    return Judgement(judged, list(dict.fromkeys(lines)))


class Bench:
    """What judging one run shares: an oracle for each case, and what PyTorch did.

    `problems` collects a line for each reference that raised and each failure of the judge.
    """

    def __init__(self, given: Sequence[tuple[Item, Outcome]]) -> None:
        self.problems: list[str] = []
        self._expectations: dict[int, Expectation | None] = {}
        self._peers: dict[tuple[str, str], tuple[str, Outcome]] = {}
        for item, outcome in given:
            if item.framework == "torch":
                key = (item.case.id, item.pair.id)
                # The plainest torch target speaks for torch: "torch" before "torch:cuda".
                best = self._peers.get(key)
                if best is None or len(item.target) < len(best[0]):
                    self._peers[key] = (item.target, outcome)

    def judge(
        self,
        item: Item,
        outcome: Outcome,
        known: Sequence[Known],
        versions: Mapping[str, str],
        today: date,
    ) -> Judged:
        """Return the verdict on one item."""
        failed = False
        try:
            seen, checks = self._examine(item, outcome)
        except Exception as error:
            failed = True
            what = f"{type(error).__name__}: {error}"
            line = said(
                "{case}: the judge failed on {target}: {error}",
                case=item.case.id,
                target=item.target,
                error=what,
            )
            self.problems.append(line)
            seen, checks = Examined(why=line), []
        entries = exemptions.excusing(known, item, versions, today)
        status, why, excuses = _status(item, seen, entries)
        budget = budget_of(item.case.accuracy).in_roundoffs
        verdict = Verdict(
            status, tuple(seen.findings), seen.ratio, seen.gradient_ratio, budget, why, failed
        )
        return Judged(item, outcome, verdict, tuple(checks), excuses)

    def _examine(self, item: Item, outcome: Outcome) -> tuple[Examined, list[ClaimCheck]]:
        expectation = self._expectation(item.case)
        _, peer = self._peers.get((item.case.id, item.pair.id), ("", None))
        seen, checks = examine(item, outcome, expectation, peer)
        printed = claims.check(item, outcome)
        seen.findings += [finding for check in printed if (finding := check.finding())]
        return seen, [*checks, *printed]

    def _expectation(self, case: ExpandedCase) -> Expectation | None:
        if case.operation.reference is None:
            return None
        key = id(case)
        if key not in self._expectations:
            expectation = self._expectations[key] = Expectation(case)
            if expectation.raised is not None and not case.raises:
                error = expectation.raised
                self.problems.append(
                    f"{case.id}: the reference {case.operation.reference} raised "
                    f"{type(error).__name__}: {error}"
                )
        return self._expectations[key]


def _status(
    item: Item, seen: Examined, entries: Sequence[Known]
) -> tuple[Status, str, tuple[Known, ...]]:
    if not seen.findings:
        return (Status.CONFORMS if seen.compared else Status.NOT_COMPARABLE), seen.why, ()
    open_ = [f for f in seen.findings if not declared.declared(item, f)]
    if not open_:
        return *_declared(seen), ()
    excused = [entry for f in open_ if (entry := _excuse(f, entries))]
    if len(excused) == len(open_):
        excuses = tuple(dict.fromkeys(excused))
        return Status.KNOWN, reduce(_and, dict.fromkeys(map(_until, excuses))), excuses
    return Status.DIFFERS, seen.why, ()


def _declared(seen: Examined) -> tuple[Status, str]:
    for finding in seen.findings:
        if finding.kind in NOT_RUN:
            why = said("{kind}, as declared: {detail}", kind=finding.kind, detail=finding.detail)
            return Status.NOT_COMPARABLE, why
    if seen.other_outputs:
        return Status.NOT_COMPARABLE, said("as declared: {why}", why=seen.why)
    return Status.DECLARED, seen.why


def _until(entry: Known) -> str:
    return said(
        "until {date}: {reason} ({link})",
        date=entry.expires.isoformat(),
        reason=entry.reason,
        link=entry.link,
    )


def _and(one: str, other: str) -> str:
    return said("{one}; {other}", one=one, other=other)


def _excuse(finding: Finding, entries: Sequence[Known]) -> Known | None:
    return next((entry for entry in entries if finding.kind in entry.kinds), None)
