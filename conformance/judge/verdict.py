"""What the judge says of one item: a case through a pair on a target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conformance.taxonomy import Kind


class Status(StrEnum):
    """The five verdicts.  Only CONFORMS is green; NOT_COMPARABLE is counted on its own."""

    CONFORMS = "conforms"
    DECLARED = "differs as declared"
    KNOWN = "known until a date"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Finding:
    """One difference that execution shows: its kind, where, and the evidence in words.

    `where` is ``output``, ``output 1``, ``gradient of input``, ``state running_mean``, ….
    `ratio` is the error in roundoffs, where there is one.  A finding that contradicts what the
    case itself expects (`contradicts`) cannot be covered by a declared difference.
    """

    kind: Kind
    where: str
    detail: str
    ratio: float | None = None
    contradicts: bool = False


@dataclass(frozen=True)
class Verdict:
    """The judge's statement on one outcome.

    `ratio` is the greatest error in roundoffs over outputs, state and mutated inputs,
    `gradient_ratio` over gradients; None where nothing was measured.  `why` is for people.
    """

    status: Status
    findings: tuple[Finding, ...] = ()
    ratio: float | None = None
    gradient_ratio: float | None = None
    budget: float | None = None
    why: str = ""
    failed: bool = False
    """The judge itself broke down on this item."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds found, each once, in order of finding."""
        return tuple(dict.fromkeys(f.kind for f in self.findings))
