"""What the page "Findings" shows, as frozen values: each a statement with its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.corpus.model import Text
from conformance.judge.verdict import Status
from conformance.report.views_run import PlaceView
from conformance.taxonomy import Kind


@dataclass(frozen=True)
class KnownView:
    """A known difference: what it excuses, until when, and whose it is.

    `days` are those from the run to the day it expires, None where the run has no date.  It excuses
    `excused` items, whose cases are at `places` and `cases_left` more.
    """

    kinds: tuple[Kind, ...]
    cases: str
    pair: str
    target: str
    reason: str
    owner: str
    link: str
    expires: str
    days: int | None
    versions: str = ""
    device: str = ""
    excused: int = 0
    places: tuple[PlaceView, ...] = ()
    cases_left: int = 0


@dataclass(frozen=True)
class DefectView:
    """One thing that APIs do otherwise, with the case that shows it best.

    `note` and `instead` are declared; without a declaration `detail`, the evidence, speaks.
    `ratio` is the greatest error in roundoffs; `cases` counts all cases that show it.
    """

    frameworks: tuple[str, ...]
    apis: tuple[str, ...]
    targets: tuple[str, ...]
    kind: Kind
    status: Status
    cases: int
    place: PlaceView
    detail: str
    ratio: float | None = None
    note: Text | None = None
    instead: Text | None = None


@dataclass(frozen=True)
class GroupView:
    """Defects of one sort, gravest first.  `name`, the fragment, also tells the sorts apart."""

    name: str
    title: str
    about: str
    defects: tuple[DefectView, ...]


@dataclass(frozen=True)
class ErrorView:
    """An error in roundoffs, beside the budget it exceeds, and the case that shows it."""

    ratio: float
    budget: float | None
    target: str
    place: PlaceView
    note: Text | None = None


@dataclass(frozen=True)
class ApiErrorView:
    """The greatest errors of an API, or of several that the same declaration speaks of."""

    framework: str
    apis: tuple[str, ...]
    value: ErrorView | None = None
    gradient: ErrorView | None = None

    @property
    def greatest(self) -> float:
        """The greater of the two errors."""
        return max(error.ratio for error in (self.value, self.gradient) if error)


@dataclass(frozen=True)
class TallyView:
    """How many claims of a source hold.  `what` is a message, `of` a name that stands for itself.

    `undecided` are those that nothing that ran decides.
    """

    what: str
    of: str
    upheld: int
    refuted: int
    undecided: int


@dataclass(frozen=True)
class RefutedEntryView:
    """What mapping tables say of a pair, and execution refutes: `against` are the kinds found."""

    pair: str
    operation: str
    anchor: str
    claim: str
    releases: tuple[str, ...]
    against: tuple[Kind, ...]


@dataclass(frozen=True)
class RefutedStatementView:
    """What a document states and the installed release refutes; `note` says why it is wrong."""

    document: str
    release: str
    url: str
    what: str
    published: str
    installed: str
    note: Text | None
    operation: str
    anchor: str


@dataclass(frozen=True)
class FindingsView:
    """All findings: defects by sort, errors, published claims, known differences."""

    groups: tuple[GroupView, ...] = ()
    errors: tuple[ApiErrorView, ...] = ()
    errors_left: int = 0
    tallies: tuple[TallyView, ...] = ()
    entries: tuple[RefutedEntryView, ...] = ()
    statements: tuple[RefutedStatementView, ...] = ()
    known: tuple[KnownView, ...] = ()
