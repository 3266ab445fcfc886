"""What a page shows, as frozen values.  Templates depend on this and on nothing else.

Prose in both languages is a `Text`; everything else is language-neutral evidence.  Cases, pairs and
pages are here; the parts they are made of are beside this module and go by its name as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from conformance.corpus.model import Text
from conformance.judge.verdict import Finding, Status
from conformance.report.upgrade_views import UpgradeView
from conformance.report.views_aspects import AspectCell, AspectView
from conformance.report.views_findings import FindingsView, KnownView
from conformance.report.views_published import (
    ClaimView,
    ExpectedView,
    ParameterRowView,
    PublishedView,
    SignatureView,
    SourceView,
)
from conformance.report.views_run import ExecutionView, RunView, TargetView
from conformance.taxonomy import Kind

__all__ = [
    "CODES", "SEVERITY", "AspectCell", "AspectView", "CaseView", "ClaimView", "CodeView",
    "DifferenceView", "EvidenceView", "ExpectedView", "PageView", "PairView",
    "ParameterRowView", "PeerView", "PointView", "PublishedView", "RunView", "SignatureView",
    "SiteView", "SourceView", "TargetView", "VerdictView", "title", "worst",
]  # fmt: skip

SEVERITY = (
    Status.DIFFERS,
    Status.NOT_COMPARABLE,
    Status.KNOWN,
    Status.DECLARED,
    Status.CONFORMS,
)
"""Worst first: the status of several verdicts together is the first of these among them."""

JUDGED = frozenset(Status) - {Status.NOT_COMPARABLE}

CODES = {
    Status.DIFFERS: "x",
    Status.NOT_COMPARABLE: "n",
    Status.KNOWN: "k",
    Status.DECLARED: "d",
    Status.CONFORMS: "c",
}
"""One letter for each status: a class of the style sheet, a value of the index's filter."""


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst of `statuses`; nothing at all is not comparable."""
    return min(statuses, key=SEVERITY.index, default=Status.NOT_COMPARABLE)


def title(torch: str, mindspore: str, numpy: str) -> str:
    """Return what a pair of these APIs, each or empty, is called in a line of text."""
    return " ↔ ".join(filter(None, (torch, mindspore))) or numpy


@dataclass(frozen=True)
class VerdictView:
    """One cell: what a target did with a case, and what the judge says of it.

    `outcome` is the outcome's kind; `shown` what it did in one line (an exception, a signal).
    Ratios and budgets are in roundoffs, `duration` in seconds.  Gradients have a budget of their
    own: what moves data exactly forwards accumulates backwards.
    """

    target: str
    status: Status
    outcome: str
    shown: str = ""
    ratio: float | None = None
    gradient_ratio: float | None = None
    budget: float | None = None
    kinds: tuple[Kind, ...] = ()
    findings: tuple[Finding, ...] = ()
    why: str = ""
    duration: float = 0.0
    gradient_budget: float | None = None

    def beyond(self, *, gradient: bool) -> bool:
        """Tell whether the error of values, or of gradients, exceeds its budget: the judge says."""
        errors = (f.kind for f in self.findings if f.ratio is not None)
        return any((kind is Kind.GRADIENT) == gradient for kind in errors)


@dataclass(frozen=True)
class PeerView:
    """Greatest difference between the outputs of PyTorch and MindSpore."""

    absolute: float
    relative: float
    targets: tuple[str, str]


@dataclass(frozen=True)
class PointView:
    """One expanded case: a grid point, or a whole case without a grid."""

    id: str
    label: str
    anchor: str
    verdicts: tuple[VerdictView, ...]
    peer: PeerView | None = None

    @property
    def status(self) -> Status:
        """The worst verdict."""
        return worst(v.status for v in self.verdicts)

    @property
    def notes(self) -> list[tuple[tuple[str, ...], VerdictView]]:
        """What there is to explain: (targets, verdict) for each explanation, given once."""
        groups: dict[object, list[VerdictView]] = {}
        for v in self.verdicts:
            if v.findings or v.why or v.outcome != "returned":
                told = tuple((f.kind, f.where, f.detail) for f in v.findings)
                groups.setdefault((v.outcome, v.status, told or v.shown, v.why), []).append(v)
        return [(tuple(v.target for v in same), same[0]) for same in groups.values()]

    def on(self, target: str) -> VerdictView | None:
        """Return the verdict on `target`, or None when the case did not go there."""
        return next((v for v in self.verdicts if v.target == target), None)


@dataclass(frozen=True)
class CodeView:
    """One framework's program for a case, with what it printed.

    `output` and `gradients` are empty when unknown, the latter also when the program prints none.
    """

    framework: str
    text: str
    output: str = ""
    target: str = ""
    gradients: str = ""


@dataclass(frozen=True)
class CaseView:
    """One case of a pair with all its grid points; `code` is of the point `shown`."""

    id: str
    anchor: str
    title: Text | None
    points: tuple[PointView, ...]
    shown: PointView
    code: tuple[CodeView, ...] = ()
    expected: tuple[ExpectedView, ...] = ()
    source: SourceView | None = None

    @property
    def status(self) -> Status:
        """The worst verdict."""
        return worst(p.status for p in self.points)


@dataclass(frozen=True)
class EvidenceView:
    """A link from a declared difference to a case that shows it."""

    label: str
    anchor: str


@dataclass(frozen=True)
class DifferenceView:
    """A declared difference with its evidence; `code` is of the point `shown`, which shows it."""

    kind: Kind
    note: Text
    instead: Text | None = None
    targets: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    evidence: tuple[EvidenceView, ...] = ()
    since: str = ""
    replacement: str = ""
    shown: PointView | None = None
    code: tuple[CodeView, ...] = ()


@dataclass(frozen=True)
class PairView:
    """One pair: what a page of the official mapping covers."""

    id: str
    anchor: str
    torch: str
    mindspore: str
    numpy: str = ""
    signatures: tuple[SignatureView, ...] = ()
    rows: tuple[ParameterRowView, ...] = ()
    summary: Text | None = None
    differences: tuple[DifferenceView, ...] = ()
    published: tuple[PublishedView, ...] = ()
    documented: tuple[bool | None, ...] = ()
    """Whether each statement of the documents that speak of the pair holds."""
    cases: tuple[CaseView, ...] = ()
    aspects: tuple[AspectView, ...] = ()
    known: tuple[KnownView, ...] = ()

    @property
    def title(self) -> str:
        """The APIs, as a line of text."""
        return title(self.torch, self.mindspore, self.numpy)

    @property
    def held(self) -> str:
        """Whether published claims hold: refuted if one is, else upheld, undecided or none.

        Claims are those of mapping tables, of documents, and of the examples these print.
        """
        examples = (e.holds for case in self.cases if case.source for e in case.expected)
        holds = {*(said.holds for said in self.published), *self.documented, *examples}
        for name, value in (("refuted", False), ("upheld", True), ("undecided", None)):
            if value in holds:
                return name
        return "none"

    def on(self, target: str) -> Counter[Status]:
        """How many verdicts of each status `target` has."""
        return Counter(v.status for v in self._verdicts(target))

    def kinds(self, target: str) -> list[Kind]:
        """The kinds of difference found on `target`, in the order of the taxonomy."""
        found = {kind for v in self._verdicts(target) for kind in v.kinds}
        return [kind for kind in Kind if kind in found]

    def _verdicts(self, target: str) -> Iterator[VerdictView]:
        for case in self.cases:
            for point in case.points:
                yield from (v for v in point.verdicts if v.target == target)

    @property
    def counts(self) -> Counter[Status]:
        """How many verdicts there are of each status."""
        return Counter(v.status for c in self.cases for p in c.points for v in p.verdicts)


@dataclass(frozen=True)
class PageView:
    """The page of one operation."""

    operation: str
    title: Text
    targets: tuple[TargetView, ...]
    pairs: tuple[PairView, ...]
    claims: tuple[ClaimView, ...] = ()
    no_reference: Text | None = None
    area: str = ""
    path: str = ""

    @property
    def counts(self) -> Counter[Status]:
        """How many verdicts there are of each status."""
        return sum((pair.counts for pair in self.pairs), Counter())

    def on(self, target: str) -> Counter[Status]:
        """The same for one target."""
        return Counter(
            v.status
            for pair in self.pairs
            for case in pair.cases
            for point in case.points
            for v in point.verdicts
            if v.target == target
        )


@dataclass(frozen=True)
class SiteView:
    """Everything.

    `run` speaks of all run files together, `runs` holds each of them; `upgrade` is there where two
    runs were compared, `ports` says whether pages of verified ports are there.
    """

    run: RunView
    targets: tuple[TargetView, ...]
    pages: tuple[PageView, ...]
    problems: tuple[str, ...] = field(default=())
    runs: tuple[RunView, ...] = ()
    execution: ExecutionView = field(default_factory=ExecutionView)
    findings: FindingsView = field(default_factory=FindingsView)
    upgrade: UpgradeView | None = None
    ports: bool = False

    @property
    def counts(self) -> Counter[Status]:
        """How many verdicts there are of each status."""
        return sum((page.counts for page in self.pages), Counter())

    @property
    def absent(self) -> list[str]:
        """The targets that did not start, or not again."""
        return [target.name for target in self.targets if target.unavailable]

    @property
    def whole(self) -> bool:
        """Whether all targets came to the end and were judged: else nothing found is no news."""
        judged = any(count for status, count in self.counts.items() if status in JUDGED)
        return self.run.finished and not self.absent and judged
