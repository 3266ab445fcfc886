"""The views of cases, and of the declared differences they show."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from conformance.corpus.difference import Difference
from conformance.corpus.expand import ExpandedCase
from conformance.corpus.published import Document
from conformance.corpus.schema import Case, Operation, Pair
from conformance.corpus.sides import Side, apis
from conformance.judge.budget import budget_of
from conformance.judge.declared import shows
from conformance.judge.verdict import Status
from conformance.report import shown, views
from conformance.report.anchors import Anchors
from conformance.report.code import source
from conformance.run.outcome import Outcome, Raised, Returned, Unsupported
from conformance.run.target import framework_of
from conformance.taxonomy import FRAMEWORKS, LIBRARIES, SIGNATURE_KINDS, Kind

if TYPE_CHECKING:
    from conformance.judge.judge import Judged


def case_view(judged: list[Judged], pair_anchor: str, anchors: Anchors) -> views.CaseView:
    """Return the view of one case of one pair; `judged` holds all its points and targets."""
    case = judged[0].item.case.case
    anchor = anchors.new(f"{pair_anchor}-{case.id}")
    by_point: dict[str, list[Judged]] = {}
    for item in judged:
        by_point.setdefault(item.item.case.id, []).append(item)
    points = [_point(found, anchor, anchors) for found in by_point.values()]
    first = min(points, key=lambda p: views.SEVERITY.index(p.status))
    told = first if first.status is Status.DIFFERS else points[0]
    return views.CaseView(
        id=case.id,
        anchor=anchor,
        title=case.title,
        points=tuple(points),
        shown=told,
        code=tuple(_code(by_point[told.id])),
        expected=tuple(_expected(judged)),
        source=_source(judged[0].item.case.operation, case),
    )


def _point(judged: list[Judged], anchor: str, anchors: Anchors) -> views.PointView:
    item = judged[0].item
    label = item.case.id.partition("[")[2].removesuffix("]")
    outcomes = {j.item.target: j.outcome for j in judged}
    return views.PointView(
        id=item.case.id,
        label=label,
        anchor=anchors.new(f"{anchor}-{label}") if label else anchor,
        verdicts=tuple(map(_verdict, judged)),
        peer=None if is_random(item.pair) else shown.peers(outcomes),
    )


def side_name(side: Side | None) -> str:
    """Return the API of a side, the APIs of a composite joined by ``+``, or an empty string."""
    return "" if side is None else " + ".join(apis(side))


def is_random(pair: Pair) -> bool:
    """Tell whether `pair` draws random numbers, so that no two results are to be the same."""
    return any(pair.form(framework) == "random" for framework in FRAMEWORKS)


def _verdict(judged: Judged) -> views.VerdictView:
    verdict, outcome = judged.verdict, judged.outcome
    return views.VerdictView(
        target=judged.item.target,
        status=verdict.status,
        outcome=outcome.kind,
        shown=shown.brief(outcome),
        ratio=verdict.ratio,
        gradient_ratio=verdict.gradient_ratio,
        budget=verdict.budget,
        gradient_budget=gradient_budget(judged.item.case),
        kinds=verdict.kinds,
        findings=verdict.findings,
        why=verdict.why,
        duration=outcome.duration,
    )


def gradient_budget(case: ExpandedCase) -> float | None:
    """Return how far a gradient of `case` may be off, in roundoffs."""
    return budget_of(case.accuracy).for_gradients().in_roundoffs


def _code(judged: list[Judged], telling: Collection[str] = ()) -> list[views.CodeView]:
    """The program of each framework, with what one target printed.

    That is the first of `telling`, else the first that answered, else the first.
    """
    item = judged[0].item
    full = any(Kind.GRADIENT in j.verdict.kinds for j in judged)
    found = []
    for framework in LIBRARIES:
        if item.pair.side(framework) is None:
            continue
        text = source(item.case, item.pair, framework, full=full)
        ran = [j for j in judged if framework_of(j.item.target) == framework]
        ran.sort(key=lambda j: (j.item.target not in telling, not isinstance(j.outcome, Returned)))
        if text:
            found.append(
                views.CodeView(
                    framework=framework,
                    text=text,
                    output=_printed(ran[0], item.pair.form(framework)) if ran else "",
                    target=ran[0].item.target if ran else "",
                    gradients=_gradients(ran[0]) if ran and full else "",
                )
            )
    return found


def _printed(judged: Judged, form: str) -> str:
    """What the program prints; a random case was drawn three times, the program draws once."""
    outcome: Any = judged.outcome
    if form == "random" and isinstance(outcome, Returned) and isinstance(outcome.output, tuple):
        outcome = Returned(output=outcome.output[0])
    return shown.printed(outcome)


def _gradients(judged: Judged) -> str:
    """What the program prints of gradients; ours has none to print."""
    outcome = judged.outcome
    if judged.item.framework == "numpy" or not isinstance(outcome, Returned):
        return ""
    if outcome.gradient_error is not None:
        return shown.printed(outcome.gradient_error)
    return shown.printed(Returned(output=tuple(outcome.gradients.values())))


def _expected(judged: list[Judged]) -> list[views.ExpectedView]:
    """What the case quotes: printed values as the judge checked them, exceptions as they came."""
    case = judged[0].item.case.case
    if (expect := case.expect) is None:
        return []
    found = []
    pair = judged[0].item.pair
    for framework in LIBRARIES if pair.numpy else FRAMEWORKS:
        own = [j for j in judged if framework_of(j.item.target) == framework]
        slip = None if framework == "numpy" else case.slip.get(framework)
        claimed = () if framework == "numpy" else (getattr(expect, framework), expect.both)
        for text in (_plain(printed) for printed in claimed if printed is not None):
            checks = [c for j in own for c in j.claims if c.printed == text]
            failed = [c.got for c in checks if not c.holds]
            holds = not failed if checks else None
            got = failed[0] if failed else ""
            found.append(views.ExpectedView(framework, text, False, holds, got, slip))
        if expect.raises and (raises := getattr(expect.raises, framework)) is not None:
            decided = [o for j in own if (o := _decided(j.outcome)) is not None]
            failed = [shown.printed(o) for o in decided if not _is_a(o, raises)]
            holds = not failed if decided else None
            got = failed[0] if failed else ""
            found.append(views.ExpectedView(framework, raises, True, holds, got, slip))
    return found


def _decided(outcome: Outcome) -> Outcome | None:
    """What decides a claim on exceptions: not a crash, and not a missing kernel."""
    decides = isinstance(outcome, Returned | Raised) and not isinstance(outcome, Unsupported)
    return outcome if decides else None


def _is_a(outcome: Outcome, exception: str) -> bool:
    wanted, _, words = exception.partition(": ")
    return isinstance(outcome, Raised) and wanted in outcome.types and words in outcome.message


def _plain(printed: Any) -> str:
    """A published value as it was printed: a list of quoted numbers without the quotes."""
    if isinstance(printed, list):
        return f"[{', '.join(map(_plain, printed))}]"
    return str(printed)


def _source(operation: Operation, case: Case) -> views.SourceView | None:
    if case.source is None:
        return None
    document = next((d for d in operation.documents if d.id == case.source.document), None)
    return source_view(document, case.source.document, case.source.example)


def source_view(
    document: Document | None, name: str, example: int | None = None
) -> views.SourceView:
    """Return where a claim was published; `name` stands in for a document without an entry."""
    if document is None:
        return views.SourceView(name, example=example)
    return views.SourceView(document.title, document.release or "", document.url or "", example)


def shown_by(difference: Difference, judged: list[Judged]) -> bool:
    """Tell whether a difference shared by several pairs is one of the pair whose items these are.

    What signatures show holds for every pair it names; behaviour, for the pairs that show it.
    """
    return difference.kind in SIGNATURE_KINDS or any(shows(j, difference) for j in judged)


def difference_view(
    difference: Difference, judged: list[Judged], cases: tuple[views.CaseView, ...]
) -> views.DifferenceView:
    """Return a declared difference with links to the points that it names and that show it."""
    anchors = {p.id: (c, p) for c in cases for p in c.points}
    showing = [j for j in judged if shows(j, difference)]
    covered = dict.fromkeys(j.item.case.id for j in showing)
    evidence: dict[str, views.EvidenceView] = {}
    for name in covered:
        case, point = anchors[name]
        whole = case.id in difference.cases
        label = case.id if whole or not point.label else f"{case.id}[{point.label}]"
        at = case.anchor if whole or len(case.points) == 1 else point.anchor
        evidence[label] = views.EvidenceView(label, at)
    first = next(iter(covered), None)
    telling = {j.item.target for j in showing if j.item.case.id == first}
    return views.DifferenceView(
        kind=difference.kind,
        note=difference.note,
        instead=difference.instead,
        since=difference.since or "",
        replacement=difference.replacement or "",
        targets=tuple(difference.targets),
        parameters=tuple(difference.parameters),
        evidence=tuple(evidence.values()),
        shown=None if first is None else anchors[first][1],
        code=tuple(_code([j for j in judged if j.item.case.id == first], telling)) if first else (),
    )
