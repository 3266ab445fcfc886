"""Two sides to a result: what changed, what it means for CI."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from conformance.errors import HarnessError
from conformance.gate import drift, signatures
from conformance.gate.change import Category, Change, Group, api_of, grouped, role
from conformance.gate.compare import Context, added, changed, compare
from conformance.gate.join import Joined, join
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.gate.slower import slower
from conformance.judge.known import Known
from conformance.run.target import framework_of, place

MACHINE = ("machine", "cpu", "platform")
"""What a target says of its machine; on another one, last digits differ by right."""
SETTING = ("build", "python", "numpy", "device", "mode", "threads")


@dataclass(frozen=True)
class Result:
    """What a gate found.

    `compared` counts the items that ran on both sides and asked the same, by target; `facts` are
    lines about the two sides that a reader of the changes should know.
    """

    baseline: Side
    candidate: Side
    changes: list[Change]
    joined: Joined
    compared: Mapping[str, int]
    facts: list[str] = field(default_factory=list)

    @property
    def regressions(self) -> list[Change]:
        """The changes that make the gate fail."""
        return [change for change in self.changes if change.regression]

    @property
    def unexpected(self) -> list[Change]:
        """The edited cases that differ now, and did not before they were edited."""
        return [change for change in self.changes if change.unexpected]

    @property
    def repeatable(self) -> list[Change]:
        """The changes that another try might take back: not what is new or edited and as it should
        be, and not what is gone.
        """
        apart = (Category.NEW, Category.CHANGED, Category.REMOVED)
        return [change for change in self.changes if change.fails or change.category not in apart]

    @property
    def groups(self) -> list[Group]:
        """The changes by category and API."""
        return grouped(self.changes)

    @property
    def counts(self) -> Counter[Category]:
        """How many changes there are of each category."""
        return Counter(change.category for change in self.changes)

    @property
    def exit_code(self) -> int:
        """1 when anything fails, else 0; what cannot be compared never gets as far as a result."""
        return 1 if any(change.fails for change in self.changes) else 0

    def versions(self, target: str) -> tuple[str, str]:
        """Return the versions of the framework of the candidate's `target`, before and after."""
        before = next((n for n in self.baseline.targets if role(n) == role(target)), "")
        return self.baseline.version(before), self.candidate.version(target)


def gate(baseline: Side, candidate: Side, *, known: Sequence[Known] = (), today: date) -> Result:
    """Compare two sides.

    HarnessError, with the reason, when they cannot be compared: other targets, another selection,
    another corpus, nothing in common.
    """
    _refuse(baseline, candidate)
    joined = join(baseline.records, candidate.records)
    ran = [(old, new) for old, new in joined.common if old.behaviour and new.behaviour]
    compared = Counter(new.target for _, new in ran)
    if not joined.common:
        raise HarnessError(
            f"{baseline.name} and {candidate.name} have no case in common: every case was edited, "
            "or they are of different corpora"
        )
    there = {role(name) for name in baseline.targets}
    joined.new = [new for new in joined.new if role(new.target) in there]
    for _, target in _roles(baseline, candidate):
        if not compared[target]:
            raise HarnessError(f"nothing ran on {target} on both sides")
    if not any(old.judged or new.judged for old, new in ran):
        raise HarnessError("nothing that ran on both sides was judged on either")
    context = _context(baseline, candidate, joined, known, today)
    changes = [
        *_items(joined, context, baseline, candidate),
        *_unmatched(joined, context, baseline, candidate),
        *_described(baseline, candidate),
    ]
    if baseline.run is not None and candidate.run is not None:
        times = baseline.run.durations(), candidate.run.durations()
        changes += slower(joined.common, *times)
    return Result(
        baseline, candidate, changes, joined, compared, list(_facts(baseline, candidate, joined))
    )


def selected(manifest: Mapping[str, Any]) -> str:
    """Return the options by which a run's manifest says it was selected, in words."""
    options = [f"-k {shlex.quote(str(manifest['select']))}"] if manifest.get("select") else []
    options += ["--quick"] if manifest.get("quick") else []
    if not options and not manifest.get("covering"):
        options = ["--all"]
    return f"with {' '.join(options)}" if options else "without --all"


def _refuse(baseline: Side, candidate: Side) -> None:
    """Raise HarnessError where the two are no evidence for or against each other."""
    one, other = (selected(side.manifest) for side in (baseline, candidate))
    if one != other:
        raise HarnessError(
            f"{baseline.name} was run {one} and {candidate.name} {other}: "
            f"run the candidate {one} too"
        )
    roles = {role(name) for name in candidate.targets}
    if missing := [name for name in baseline.targets if role(name) not in roles]:
        raise HarnessError(
            f"{candidate.name} did not run {', '.join(missing)}, the baseline did: add "
            f"{' '.join(f'-t {name}' for name in missing)} to its run"
        )
    there = {record.operation for record in candidate.records}
    if gone := sorted({record.operation for record in baseline.records} - there):
        raise HarnessError(
            f"the runs are of different corpora: {candidate.name} lacks "
            f"{len(gone)} operations of {baseline.name}: {', '.join(gone[:5])}"
            f"{', …' if len(gone) > 5 else ''}; removed on purpose? then make a new baseline"
        )


def _context(
    baseline: Side, candidate: Side, joined: Joined, known: Sequence[Known], today: date
) -> Context:
    peers = {
        (new.case, new.pair): (old, new)
        for old, new in reversed(joined.common)
        if framework_of(new.target) == "torch"
    }
    versions = {
        **{id(old): baseline.version(old.target) for old, _ in joined.common},
        **{id(new): candidate.version(new.target) for _, new in joined.common},
        **{id(new): candidate.version(new.target) for new in joined.new},
    }
    same_judge = baseline.manifest.get("judged_by") == candidate.manifest.get("judged_by")
    edited = _edited(baseline, candidate)
    return Context(
        edited=lambda operation: not same_judge or operation in edited,
        peer=lambda record: peers.get((record.case, record.pair)),
        known=known,
        version=lambda record: versions.get(id(record), ""),
        today=today,
    )


def _edited(baseline: Side, candidate: Side) -> set[str]:
    """Return the operations whose case files differ."""
    before, after = (side.manifest.get("files") or {} for side in (baseline, candidate))
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _items(joined: Joined, context: Context, baseline: Side, candidate: Side) -> list[Change]:
    found = []
    for old, new in joined.common:
        change = compare(old, new, context)
        if change is not None and change.category is Category.DRIFTED:
            change = replace(change, detail=_drift(old, new, baseline, candidate))
        if change is not None:
            found.append(change)
    return found


def _drift(old: Record, new: Record, baseline: Side, candidate: Side) -> str:
    if baseline.run is None or candidate.run is None:
        return drift.describe(old, new)
    before = baseline.run.outcome(old.target, old.call)
    after = candidate.run.outcome(new.target, new.call)
    return drift.describe(old, new, before, after)


def _unmatched(joined: Joined, context: Context, baseline: Side, candidate: Side) -> list[Change]:
    """Report once for each case and target what has no counterpart that asked the same.

    Of a case file that nobody edited nothing can be missing by right, except that another part of
    it may cover it.
    """
    edited = _edited(baseline, candidate)
    covering = bool(candidate.manifest.get("covering"))
    found = [changed(old, new, context) for old, new in joined.changed]
    for old in joined.gone:
        if old.operation in edited:
            found.append(_change(Category.REMOVED, old, "removed from the corpus"))
        elif covering and place(old.target)[1:] == ["graph"]:
            found.append(_change(Category.REMOVED, old, "not in the covering part any more"))
        elif old.judged:
            found.append(replace(_change(Category.LOST, old, "missing"), regression=True))
    found += [added(new, context) for new in joined.new if new.judged]
    return found


def _change(category: Category, record: Record, detail: str) -> Change:
    api = api_of(record.target, record.pair, record.operation)
    return Change(
        category,
        record.target,
        api,
        str(record.status),
        "",
        detail,
        record.operation,
        record.case,
        record.pair,
        record.kinds,
    )


def _described(baseline: Side, candidate: Side) -> list[Change]:
    """Return signature drift; what several targets of one framework tell is told once."""
    found: dict[tuple[str, str], Change] = {}
    for before, after in _roles(baseline, candidate):
        sides = baseline.signatures.get(before, {}), candidate.signatures.get(after, {})
        for side, name, mine in zip((baseline, candidate), (before, after), sides, strict=True):
            if any(sides) and not mine:
                raise HarnessError(f"{side.name}: holds no signatures of {name}; make it anew")
        heard = [
            side.warnings.get(name, frozenset())
            for side, name in ((baseline, before), (candidate, after))
        ]
        told = [
            *signatures.drift(after, *sides, _asked(candidate, after)),
            *signatures.new_warnings(after, *heard),
        ]
        for change in told:
            found.setdefault((change.api, change.detail), change)
    return list(found.values())


def _asked(side: Side, target: str) -> set[str]:
    """Return the names of the APIs in the pairs that ran on `target`."""
    pairs = {record.pair for record in side.records if record.target == target}
    return {api for pair in pairs for api in re.split("[=+]", pair)}


def _roles(baseline: Side, candidate: Side) -> list[tuple[str, str]]:
    """Return each target of the candidate after the baseline's of that role, where it has one."""
    by_role = {role(name): name for name in baseline.targets}
    return [(by_role[role(n)], n) for n in candidate.targets if role(n) in by_role]


def _facts(baseline: Side, candidate: Side, joined: Joined) -> Iterator[str]:
    """Yield what a reader should know of the two sides."""
    ids = [side.manifest.get("id") for side in (baseline, candidate)]
    if ids[0] is not None and ids[0] == ids[1]:
        yield "both sides are the same run"
    if baseline.manifest.get("judged_by") != candidate.manifest.get("judged_by"):
        yield "the baseline was judged by another version of the judge; a new one would tell more"
    if edited := _edited(baseline, candidate):
        yield f"the case files of {len(edited)} operations differ"
    common = _roles(baseline, candidate)
    for name in sorted(candidate.targets.keys() - {after for _, after in common}):
        yield f"{name}: only the candidate ran it"
    for before, after in common:
        old, new = baseline.targets[before], candidate.targets[after]
        for key in (*MACHINE, *SETTING):
            if key in old and key in new and old[key] != new[key]:
                yield f"{after}: {key} {old[key]} → {new[key]}"
    packages = [side.manifest.get("packages") or {} for side in (baseline, candidate)]
    for name in sorted(packages[0].keys() | packages[1].keys()):
        versions = [found.get(name, "absent") for found in packages]
        if versions[0] != versions[1] and all(packages):
            yield f"package {name} {versions[0]} → {versions[1]}"
    repeated = {(n.target, n.call) for o, n in joined.common if o.variants or n.variants}
    declared = {(n.target, n.call) for o, n in joined.common if o.varies or n.varies} - repeated
    if repeated:
        yield (
            f"{len(repeated)} calls did another thing when they were repeated; "
            "their values are not compared"
        )
    if declared:
        yield (
            f"{len(declared)} calls do not do the same every time, as their case files say; "
            "their values are not compared"
        )
