"""From a gate's result to what the upgrade page shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.gate.change import Category, Change, Group, role
from conformance.gate.compare import RETURNED, said
from conformance.gate.gate import Result
from conformance.gate.join import Joined
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.judge.verdict import Status
from conformance.report import shown
from conformance.report.anchors import Anchors
from conformance.report.marked import marked
from conformance.report.upgrade_views import (
    ChangeView,
    GroupView,
    SectionView,
    SeenView,
    UpgradeView,
    VersionView,
)
from conformance.run.outcome import Raised
from conformance.run.target import framework_of

Key = tuple[str, str, str]
Both = tuple[Record | None, Record | None]
LINES = 6
"""Lines of an exception's message that are shown."""


def upgrade_view(result: Result) -> UpgradeView:
    """Return the view of `result`, whose run files must still be open: messages are read there."""
    records = _records(result.joined)
    anchors = Anchors()
    by_category: dict[Category, list[Group]] = {}
    for group in result.groups:
        by_category.setdefault(group.category, []).append(group)
    sections = [
        SectionView(
            category,
            anchors.new(category.value),
            tuple(
                GroupView(
                    category,
                    group.api,
                    anchors.new(f"{category.value}-{group.api}"),
                    tuple(_change(change, records, result) for change in _worst_first(group)),
                )
                for group in sorted(groups, key=lambda group: not group.fails)
            ),
        )
        for category, groups in by_category.items()
    ]
    targets = list(_targets(result))
    return UpgradeView(
        baseline=result.baseline.name,
        candidate=result.candidate.name,
        moved=tuple(_moved(targets)),
        targets=tuple(targets),
        packages=tuple(_packages(result)),
        facts=tuple(result.facts),
        sections=tuple(sorted(sections, key=lambda section: not section.fails)),
    )


def _worst_first(group: Group) -> list[Change]:
    return sorted(group.changes, key=lambda change: not change.fails)


def _records(joined: Joined) -> dict[Key, Both]:
    """Return what both sides know of each item, by the target, case and pair a change names."""
    return {
        **{_key(old): (old, None) for old in joined.gone},
        **{_key(new): (None, new) for new in joined.new},
        **{_key(new): (old, new) for old, new in (*joined.common, *joined.changed)},
    }


def _key(record: Record) -> Key:
    return record.target, record.case, record.pair


def _change(change: Change, records: Mapping[Key, Both], result: Result) -> ChangeView:
    if not change.case:
        before, after = marked(change.before, change.after)
        return ChangeView(
            change.target,
            SeenView(text=before),
            SeenView(text=after),
            evidence=change.detail,
            regression=change.regression,
        )
    old, new = records[change.target, change.case, change.pair]
    told = {record.detail for record in (old, new) if record is not None}
    return ChangeView(
        change.target,
        _seen(result.baseline, old, change.before),
        _seen(result.candidate, new, change.after, known=change.category is Category.KNOWN),
        operation=change.operation,
        pair=change.pair,
        case=change.case,
        evidence="" if change.detail in told else change.detail,
        regression=change.regression,
        unexpected=change.unexpected,
    )


def _seen(side: Side, record: Record | None, words: str, *, known: bool = False) -> SeenView:
    if record is None:
        return SeenView(there=False)
    return SeenView(
        status=Status.KNOWN if known else record.status,
        kinds=record.kinds,
        outcome="" if record.label == RETURNED else record.label,
        ratio=record.ratio,
        gradient_ratio=record.gradient_ratio,
        finding=record.detail,
        message=_message(side, record),
        words="" if said(record).startswith(words) else words,
        varies=record.varies,
        kept=side.run is not None,
    )


def _message(side: Side, record: Record) -> str:
    """Return what an exception or a crash said, unless the finding quotes it whole."""
    if side.run is None or record.label == RETURNED or not record.call:
        return ""
    outcome = side.run.outcome(record.target, record.call)
    if outcome is None:
        return ""
    quoted = isinstance(outcome, Raised) and " ".join(outcome.message.split()) in record.detail
    return "" if quoted else shown.brief(outcome, lines=LINES)


def _targets(result: Result) -> Iterator[VersionView]:
    """Yield the candidate's targets; one that the baseline did not run has no version there."""
    there = {role(name) for name in result.baseline.targets}
    for name in result.candidate.targets:
        old, new = (version or None for version in result.versions(name))
        before = old if role(name) in there else ""
        yield VersionView(name, before, new, result.compared.get(name, 0))


def _moved(targets: list[VersionView]) -> Iterator[VersionView]:
    """Yield each framework that both sides ran, in two versions."""
    yield from dict.fromkeys(
        VersionView(framework_of(target.name), target.before, target.after)
        for target in targets
        if target.before not in ("", target.after)
    )


def _packages(result: Result) -> Iterator[VersionView]:
    """Yield every package that a side names; a side that lists none does not say."""
    old, new = (side.manifest.get("packages") for side in (result.baseline, result.candidate))
    for name in sorted({**(old or {}), **(new or {})}):
        before, after = (packages and str(packages.get(name, "")) for packages in (old, new))
        yield VersionView(name, before, after)
