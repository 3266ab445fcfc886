"""What a reader should know first: the gravest of what a run shows, each said once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.corpus.difference import Difference
from conformance.judge import words
from conformance.judge.declared import declaration, declared
from conformance.judge.verdict import Finding, Status
from conformance.report import build_claims, shown, views
from conformance.report.build_case import gradient_budget, is_random, side_name
from conformance.report.build_known import known_views
from conformance.report.places import Places
from conformance.report.text import N_
from conformance.report.views_findings import (
    ApiErrorView,
    DefectView,
    ErrorView,
    FindingsView,
    GroupView,
)
from conformance.run.outcome import Raised, Returned, Unsupported
from conformance.taxonomy import Kind

if TYPE_CHECKING:
    from conformance.judge.judge import Judged
    from conformance.judge.known import Known

ERRORS = 40
"""APIs in the list of the largest errors."""
GROUPS = {
    "deaths": (
        N_("Crashes and hangs"),
        N_("The call ends the process or does not come back. Nothing catches that."),
    ),
    "values": (
        N_("Wrong integers, booleans and random numbers"),
        N_("No rounding explains them: what is counted, chosen or drawn is another."),
    ),
    "gradients": (
        N_("Wrong gradients"),
        N_("Training goes on, in another direction."),
    ),
    "special-values": (
        N_("Wrong at special values"),
        N_("NaN and infinity appear where there are none, or are lost."),
    ),
    "exceptions": (
        N_("Raises where the other framework returns"),
        N_("The same call with the same values; what has no kernel for a dtype is not counted."),
    ),
    "forms": (
        N_("Another shape, dtype or structure; inputs changed or left alone"),
        N_("The numbers may be right, and the next line of a program still fails."),
    ),
    "undeclared": (
        N_("Other differences nobody declared"),
        N_("What else makes the run fail; each of them is new."),
    ),
}
"""Sorts of defects, gravest first: what they are called, and what they mean."""
OF_KIND = {
    Kind.CRASH: "deaths",
    Kind.HANG: "deaths",
    Kind.GRADIENT: "gradients",
    Kind.SPECIAL_VALUES: "special-values",
    Kind.RANDOMNESS: "values",
    Kind.DISTRIBUTION: "values",
    Kind.RETURN_STRUCTURE: "forms",
    Kind.RETURN_DTYPE: "forms",
    Kind.RETURN_SHAPE: "forms",
    Kind.MUTATION: "forms",
}


def findings(
    judged: Sequence[Judged],
    pages: Sequence[views.PageView],
    known: Iterable[Known],
    places: Places,
    started: str,
    expired: Collection[Known] = (),
) -> FindingsView:
    """Return the findings of all that was `judged`, and of `pages` what was published.

    `places` holds every case of every pair; `started` is when the run began, in ISO format;
    `expired` are known differences that did not hold any more when it was judged.
    """
    own = [one for one in judged if not one.item.of_reference]
    groups = _groups(own, places)
    errors = _errors(own, places)
    return FindingsView(
        groups=tuple(GroupView(name, *GROUPS[name], tuple(groups[name])) for name in GROUPS),
        errors=tuple(errors[:ERRORS]),
        errors_left=max(0, len(errors) - ERRORS),
        tallies=build_claims.tallies(pages),
        entries=build_claims.refuted_entries(pages),
        statements=build_claims.refuted_statements(pages),
        known=known_views(known, judged, places, started, expired),
    )


@dataclass(frozen=True, eq=False)
class _Sight:
    """An item that shows a defect: by which finding or exception, and what is declared of it."""

    judged: Judged
    kind: Kind
    detail: str
    ratio: float = 0.0
    difference: Difference | None = None


def _groups(judged: list[Judged], places: Places) -> dict[str, list[DefectView]]:
    found: dict[str, dict[object, list[_Sight]]] = {name: {} for name in GROUPS}
    raising = list(_raising(judged))
    told = {id(sight.judged) for sight in raising}
    sights = (
        *_by_kind(judged),
        *(("exceptions", sight) for sight in raising),
        *(("undeclared", sight) for sight in _undeclared(judged, told)),
    )
    for name, sight in sights:
        found[name].setdefault(_key(sight), []).append(sight)
    return {
        name: sorted((_defect(s, places) for s in defects.values()), key=_severity)
        for name, defects in found.items()
    }


def _by_kind(judged: list[Judged]) -> Iterator[tuple[str, _Sight]]:
    for one in judged:
        for finding in one.verdict.findings:
            if (name := _group(one, finding)) is not None:
                yield name, _sight(one, finding)


def _group(judged: Judged, finding: Finding) -> str | None:
    """The sort of defect that a finding is by its kind; errors in roundoffs have their own list."""
    if finding.kind is Kind.VALUE:
        return None if _measured(judged, finding) else "values"
    return OF_KIND.get(finding.kind)


def _measured(judged: Judged, finding: Finding) -> bool:
    """Tell whether a finding is an error in roundoffs, which random numbers do not have."""
    return finding.ratio is not None and not is_random(judged.item.pair)


def _undeclared(judged: list[Judged], told: Collection[int]) -> Iterator[_Sight]:
    """What nothing declares or excuses and no other list has; `told` are items of another one."""
    for one in judged:
        if one.verdict.status is Status.DIFFERS:
            for finding in one.verdict.findings:
                listed = finding.kind is Kind.VALUE or finding.kind in OF_KIND
                if finding.kind is Kind.EXCEPTION:
                    listed = id(one) in told
                if not listed and not declared(one.item, finding):
                    yield _sight(one, finding)


def _sight(judged: Judged, finding: Finding) -> _Sight:
    said = declaration(judged.item, finding)
    detail = shown.brief(judged.outcome) if OF_KIND.get(finding.kind) == "deaths" else ""
    detail = detail or words.said("{where}: {detail}", where=finding.where, detail=finding.detail)
    return _Sight(judged, finding.kind, detail, finding.ratio or 0.0, said)


def _raising(judged: list[Judged]) -> Iterator[_Sight]:
    """What raises although the same call returns in the other framework.

    Where the exception is right, what is declared of the other framework's result explains it.
    """
    same: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        same.setdefault((one.item.case.id, one.item.pair.id), []).append(one)
    for items in same.values():
        returned = {j.item.framework for j in items if isinstance(j.outcome, Returned)}
        for one in items:
            raised = isinstance(one.outcome, Raised) and not isinstance(one.outcome, Unsupported)
            others = returned - {one.item.framework}
            if raised and others:
                beside = (j for j in items if j.item.framework in others)
                said = next(filter(None, map(_exception, (one, *beside))), None)
                yield _Sight(one, Kind.EXCEPTION, shown.brief(one.outcome), difference=said)


def _exception(judged: Judged) -> Difference | None:
    """What is declared of an exception, or of its absence."""
    found = (f for f in judged.verdict.findings if f.kind is Kind.EXCEPTION)
    return next(filter(None, (declaration(judged.item, finding) for finding in found)), None)


def _key(sight: _Sight) -> object:
    """What tells defects apart: one statement is one, and else each pair and framework."""
    item = sight.judged.item
    about = (item.pair.id, item.framework) if sight.difference is None else sight.difference.note.en
    return item.case.operation.operation, sight.kind, about


def _defect(sights: list[_Sight], places: Places) -> DefectView:
    best = max(sights, key=lambda s: (_grave(s.judged), s.ratio))
    item, said = best.judged.item, best.difference
    return DefectView(
        frameworks=tuple(dict.fromkeys(s.judged.item.framework for s in sights)),
        apis=tuple(dict.fromkeys(_api(s.judged) for s in sights)),
        targets=tuple(dict.fromkeys(s.judged.item.target for s in sights)),
        kind=best.kind,
        status=views.worst(s.judged.verdict.status for s in sights),
        cases=len({s.judged.item.case.id for s in sights}),
        place=places[item.case.id, item.pair.id],
        detail=best.detail,
        ratio=best.ratio or None,
        note=said.note if said else None,
        instead=said.instead if said else None,
    )


def _grave(judged: Judged) -> int:
    return -views.SEVERITY.index(judged.verdict.status)


def _severity(defect: DefectView) -> tuple[bool, float, int]:
    """New ones first, then by error, then by how many cases show it."""
    new = defect.status is Status.DIFFERS
    return not new, -(defect.ratio or 0.0), -defect.cases


def _api(judged: Judged) -> str:
    item = judged.item
    return side_name(getattr(item.pair, item.framework)) or item.pair.id


def _errors(judged: list[Judged], places: Places) -> list[ApiErrorView]:
    """The greatest error beyond its budget of each API, values and gradients, greatest first.

    APIs of an operation with the same declarations, such as a function and its module, are one.
    """
    worst: dict[tuple[str, str, str], dict[Kind, _Sight]] = {}
    for one in judged:
        for finding in one.verdict.findings:
            if finding.kind in (Kind.VALUE, Kind.GRADIENT) and _measured(one, finding):
                item = one.item
                key = (item.case.operation.operation, item.framework, _api(one))
                own = worst.setdefault(key, {})
                had = own.get(finding.kind)
                if had is None or (finding.ratio or 0.0) > had.ratio:
                    own[finding.kind] = _sight(one, finding)
    alike: dict[object, list[tuple[str, dict[Kind, _Sight]]]] = {}
    for (operation, framework, api), own in worst.items():
        said = (_said(own.get(kind), api) for kind in (Kind.VALUE, Kind.GRADIENT))
        alike.setdefault((operation, framework, *said), []).append((api, own))
    errors = [_api_error(group, places) for group in alike.values()]
    return sorted(errors, key=lambda error: -error.greatest)


def _said(sight: _Sight | None, api: str) -> object:
    """What tells errors apart: what is declared of them, or else the API."""
    if sight is None:
        return ""
    return api if sight.difference is None else (sight.difference.note.en,)


def _api_error(group: list[tuple[str, dict[Kind, _Sight]]], places: Places) -> ApiErrorView:
    first = next(iter(group[0][1].values()))
    return ApiErrorView(
        first.judged.item.framework,
        tuple(api for api, _ in group),
        _greatest([own[Kind.VALUE] for _, own in group if Kind.VALUE in own], places),
        _greatest([own[Kind.GRADIENT] for _, own in group if Kind.GRADIENT in own], places),
    )


def _greatest(sights: list[_Sight], places: Places) -> ErrorView | None:
    if not sights:
        return None
    best = max(sights, key=lambda sight: sight.ratio)
    item, said = best.judged.item, best.difference
    of_gradient = best.kind is Kind.GRADIENT
    return ErrorView(
        ratio=best.ratio,
        budget=gradient_budget(item.case) if of_gradient else best.judged.verdict.budget,
        target=item.target,
        place=places[item.case.id, item.pair.id],
        note=said.note if said else None,
    )
