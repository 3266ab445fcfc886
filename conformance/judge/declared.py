"""Declared differences: documentation in the case file that execution must show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from conformance.corpus.schema import Difference
from conformance.judge.item import Item, covers, plainest
from conformance.judge.verdict import Finding, Verdict
from conformance.run.outcome import Outcome, Unavailable
from conformance.taxonomy import SIGNATURE_KINDS, Kind


class Seen(Protocol):
    """An item with its outcome and verdict."""

    @property
    def item(self) -> Item:
        """The item."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What its target did."""
        ...

    @property
    def verdict(self) -> Verdict:
        """What the judge says of it."""
        ...


def declared(item: Item, finding: Finding) -> bool:
    """Tell whether the pair declares `finding` for this case and target."""
    if finding.contradicts:
        return False
    return any(
        difference.kind == finding.kind
        and _speaks_of(difference, item)
        and item.case.covered_by(difference.cases)
        for difference in item.pair.differences
    )


def stale(seen: Iterable[Seen]) -> list[str]:
    """Return a line for each declared pattern that no case shows.

    `seen` is a complete run.  A difference is judged only where a target it names took part, and
    none of the items it covers was unavailable.
    """
    by_pair: dict[int, list[Seen]] = {}
    for one in seen:
        by_pair.setdefault(id(one.item.pair), []).append(one)
    return [line for group in by_pair.values() for line in _stale(group)]


def _stale(group: Sequence[Seen]) -> Iterator[str]:
    pair, operation = group[0].item.pair, group[0].item.case.operation.operation
    for difference in pair.differences:
        if difference.kind in SIGNATURE_KINDS:
            continue
        on_target = [one for one in group if _speaks_of(difference, one.item)]
        if not _took_part(difference, on_target):
            continue
        for pattern in difference.cases:
            covered = [one for one in on_target if one.item.case.covered_by([pattern])]
            if any(isinstance(one.outcome, Unavailable) for one in covered):
                continue
            if not any(shows(one, difference.kind) for one in covered):
                yield (
                    f"{operation}: {pair.id}: declared difference {difference.kind.value} on "
                    f"{pattern!r} is shown by no case; remove it or name the cases that show it"
                )


def shows(one: Seen, kind: Kind) -> bool:
    """Tell whether a finding of `kind` was made that does not contradict the case itself."""
    return any(f.kind is kind and not f.contradicts for f in one.verdict.findings)


def _speaks_of(difference: Difference, item: Item) -> bool:
    return any(covers(spec, item.target) for spec in difference.targets)


def _took_part(difference: Difference, group: Sequence[Seen]) -> bool:
    """Tell whether a target ran that is as plain as a spec: graph mode alone is not enough."""
    return any(plainest(spec, one.item.target) for spec in difference.targets for one in group)
