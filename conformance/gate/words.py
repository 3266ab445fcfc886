"""A gate's result in words: one line, a title, and what a terminal shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.gate.change import Category, Change, Group
from conformance.gate.gate import Result
from conformance.run.target import framework_of

QUIET = (Category.NEW, Category.CHANGED, Category.REMOVED)
"""Categories of which counts say enough."""
WIDTH = 300


def summary(result: Result) -> str:
    """Return the result in one line."""
    count = len(result.regressions)
    failing = Counter(change.category for change in result.regressions)
    others = result.counts - failing
    verdict = f"{count} regression{'' if count == 1 else 's'}" if count else "no regression"
    parts = [verdict + (f" ({_counted(failing)})" if count else "")]
    if edited := len(result.unexpected):
        parts.append(f"{edited} edited case{'' if edited == 1 else 's'} that differ now")
    parts += [_counted(others)] if others else []
    return "; ".join([*parts, f"{sum(result.compared.values())} items compared"])


def _counted(counts: Counter[Category]) -> str:
    return ", ".join(f"{counts[c]} {c.value}" for c in Category if counts[c])


def title(result: Result) -> str:
    """Return what was compared, such as ``mindspore 2.9.0 → 2.10.0``."""
    moved: dict[str, tuple[str, str]] = {}
    same: dict[str, tuple[str, str]] = {}
    for target in result.candidate.targets:
        before, after = result.versions(target)
        if not before:
            continue
        (same if before == after else moved)[framework_of(target)] = (before, after)
    if moved:
        return ", ".join(f"{name} {a} → {b}" for name, (a, b) in moved.items())
    return ", ".join(f"{name} {b}" for name, (_, b) in same.items()) + ", unchanged"


def line(change: Change) -> str:
    """Return a change in one line: what, where, and the evidence."""
    if not change.case:
        moved = f": {change.before} → {change.after}" if change.after else ""
        return " ".join(f"{change.api}: {change.detail}{moved}".split())
    moved = f"{change.before} → {change.after}" if change.before != change.after else ""
    told = [change.case, change.category.value, moved, change.detail]
    return " ".join(": ".join(filter(None, told)).split())


def shown(group: Group) -> tuple[Change, ...]:
    """Return the changes to show of a group: of a signature all, for none stands for another."""
    return group.changes if group.category is Category.SIGNATURE else (group.first,)


def lines(result: Result) -> Iterator[str]:
    """Yield the result for a terminal: every regression, then what else changed, by API."""
    yield title(result)
    yield from (f"  {fact}" for fact in result.facts)
    for group in result.groups:
        if group.category in QUIET and not group.fails:
            continue
        on = ", ".join(group.targets)
        count = f", {len(group.cases)} cases" if len(group.cases) > 1 else ""
        mark = "FAIL  " if group.fails else "      "
        yield f"{mark}{group.category.value}: {group.api} ({on}{count})"
        for change in shown(group):
            yield f"       {line(change)[:WIDTH]}"
    yield summary(result)
