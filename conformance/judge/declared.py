"""Declared differences: documentation in the case file that execution must show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from conformance.corpus.difference import Difference, SharedDifference
from conformance.corpus.model import matches
from conformance.corpus.schema import Operation
from conformance.judge.item import Item
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.run.outcome import Outcome, Unavailable
from conformance.run.target import covers, plainest
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
    """Tell whether the case file declares `finding` for this case, pair and target."""
    return declaration(item, finding) is not None


def declaration(item: Item, finding: Finding) -> Difference | None:
    """Return what the case file declares of `finding` for this case, pair and target."""
    if finding.contradicts:
        return None
    found = (
        difference
        for difference in item.case.operation.differences_of(item.pair)
        if difference.kind == finding.kind
        and _speaks_of(difference, item)
        and item.case.covered_by(difference.cases)
        and _excuses(difference, finding)
    )
    return next(found, None)


def sometimes(item: Item) -> tuple[Kind, ...]:
    """Return the kinds of difference that the case file says `item` shows at times only."""
    declared_so = (
        difference.kind
        for difference in item.case.operation.differences_of(item.pair)
        if difference.sometimes
        and _speaks_of(difference, item)
        and item.case.covered_by(difference.cases)
    )
    return tuple(dict.fromkeys(declared_so))


def stale(seen: Iterable[Seen]) -> list[str]:
    """Return a line for each declared pattern that no case shows, and each replacement that fails.

    `seen` is a complete run.  A difference is judged only where a target it names took part, and
    none of the items it covers was unavailable.  What several pairs share is shown by any of them.
    """
    by_operation: dict[str, list[Seen]] = {}
    for one in seen:
        by_operation.setdefault(one.item.case.operation.operation, []).append(one)
    return [line for group in by_operation.values() for line in _stale(group)]


def _stale(group: Sequence[Seen]) -> Iterator[str]:
    operation = group[0].item.case.operation
    by_pair: dict[str, list[Seen]] = {}
    for one in group:
        by_pair.setdefault(one.item.pair.id, []).append(one)
    for name, items in by_pair.items():
        for difference in items[0].item.pair.differences:
            yield from _unshown(f"{operation.operation}: {name}", difference, items)
            yield from _unmended(operation, difference, items, by_pair)
    for shared in operation.differences:
        covered = [p for p in by_pair if any(matches(pattern, p) for pattern in shared.pairs)]
        items = [one for p in covered for one in by_pair[p]]
        if items:
            yield from _unshown(operation.operation, shared, items)
            yield from _unshown_pairs(operation, shared, items)
            yield from _unmended(operation, shared, items, by_pair)


def _unshown(where: str, difference: Difference, items: Sequence[Seen]) -> Iterator[str]:
    """Yield a line for each pattern of cases in `difference` that none of `items` shows."""
    if difference.sometimes:
        return
    on_target = _judgeable(difference, items)
    for pattern in difference.cases if on_target else ():
        covered = [one for one in on_target if one.item.case.covered_by([pattern])]
        if any(isinstance(one.outcome, Unavailable) for one in covered):
            continue
        if not any(shows(one, difference) for one in covered):
            yield (
                f"{where}: declared difference {difference.kind.value} on {pattern!r} is shown by "
                f"no case{_part(covered)}; remove it or name the cases that show it"
            )


def _part(covered: Sequence[Seen]) -> str:
    """Say so where some target ran fewer of the `covered` cases than another."""
    ran = Counter(one.item.target for one in covered)
    if len(set(ran.values())) < 2:
        return ""
    return " (graph mode compiled a part; if only it differs, name it in targets)"


def _unshown_pairs(
    operation: Operation, shared: SharedDifference, items: Sequence[Seen]
) -> Iterator[str]:
    """Yield a line for each pattern of pairs in `shared` by which no pair shows it."""
    if shared.sometimes:
        return
    on_target = _judgeable(shared, items)
    for pattern in shared.pairs if on_target else ():
        covered = [
            one
            for one in on_target
            if matches(pattern, one.item.pair.id) and one.item.case.covered_by(shared.cases)
        ]
        if any(isinstance(one.outcome, Unavailable) for one in covered):
            continue
        if not any(shows(one, shared) for one in covered):
            yield (
                f"{operation.operation}: declared difference {shared.kind.value} is shown by no "
                f"pair that matches {pattern!r}; narrow its pairs"
            )


def _unmended(
    operation: Operation,
    difference: Difference,
    items: Sequence[Seen],
    by_pair: Mapping[str, Sequence[Seen]],
) -> Iterator[str]:
    """Yield a line for each case on which the replacement shows the difference it should mend."""
    name = difference.replacement
    if name is None:
        return
    given = {(one.item.case.id, one.item.target): one for one in by_pair.get(name, ())}
    runs = {case for case, _ in given}
    head = f"{operation.operation}: replacement {name}"
    for one in _judgeable(difference, items):
        if not shows(one, difference):
            continue
        mended = given.get((one.item.case.id, one.item.target))
        if mended is None:
            if one.item.case.id in runs:
                continue  # elsewhere: graph mode compiles a part only
            yield f"{head} does not run {one.item.case.id}, which shows {difference.kind.value}"
        elif mended.verdict.status is Status.NOT_COMPARABLE:
            if not isinstance(mended.outcome, Unavailable):
                yield f"{head} says nothing on {one.item.case.id} on {one.item.target}"
        elif mended.verdict.findings:
            found = ", ".join(k.value for k in mended.verdict.kinds)
            yield f"{head} shows {found} on {one.item.case.id} on {one.item.target}"


def _judgeable(difference: Difference, items: Sequence[Seen]) -> list[Seen]:
    """Return the items on targets that `difference` speaks of; none when no such target ran."""
    if difference.kind in SIGNATURE_KINDS:
        return []
    on_target = [one for one in items if _speaks_of(difference, one.item)]
    return on_target if _took_part(difference, on_target) else []


def _excuses(difference: Difference, finding: Finding) -> bool:
    """Tell whether `finding` is in a place and within the error that `difference` excuses.

    Where the error is bounded, what has none (a gradient that is missing) is not excused.
    """
    limit, ratio = difference.at_most, finding.ratio
    here = not difference.where or any(matches(p, finding.where) for p in difference.where)
    return here and (limit is None or (ratio is not None and ratio <= limit))


def shows(one: Seen, difference: Difference) -> bool:
    """Tell whether `one` shows what `difference` excuses, on a case and a target it names."""
    if not (_speaks_of(difference, one.item) and one.item.case.covered_by(difference.cases)):
        return False
    found = (f for f in one.verdict.findings if f.kind is difference.kind and not f.contradicts)
    return any(_excuses(difference, finding) for finding in found)


def _speaks_of(difference: Difference, item: Item) -> bool:
    return any(covers(spec, item.target) for spec in difference.targets)


def _took_part(difference: Difference, group: Sequence[Seen]) -> bool:
    """Tell whether a target ran that is as plain as a spec: graph mode alone is not enough."""
    return any(plainest(spec, one.item.target) for spec in difference.targets for one in group)
