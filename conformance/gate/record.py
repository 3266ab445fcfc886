"""What the gate knows of an item: what its target did, by hash, and what the judge says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Self

from conformance.judge.declared import declared, sometimes
from conformance.judge.judge import Judged
from conformance.judge.verdict import Finding, Status
from conformance.run.behaviour import behaviour, outcome_label
from conformance.run.outcome import Returned
from conformance.run.store import PlannedItem

DETAIL = 400
"""Characters of evidence kept of an item."""


@dataclass(frozen=True)
class Record:
    """One item: a case through a pair on a target.

    `status` is the verdict before known differences are looked at.  `kinds` are the kinds of
    difference found, declared or not; `open` those that the case file does not declare.
    `behaviour` is the hash of what the framework did and `label` its name, such as ``raised
    ValueError``; `ratio` and `gradient_ratio` are errors in roundoffs.  `variants` holds the kinds
    found on each other behaviour that repetitions showed, `sometimes` the kinds that the case file
    says come and go.  `failed` says that the judge broke down.
    """

    case: str
    hash: str
    pair: str
    target: str
    call: str
    status: Status
    behaviour: str = ""
    label: str = ""
    kinds: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    ratio: float | None = None
    gradient_ratio: float | None = None
    detail: str = ""
    variants: tuple[tuple[str, ...], ...] = ()
    sometimes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failed: bool = False

    @property
    def operation(self) -> str:
        """The operation's name."""
        return self.case.partition("/")[0]

    @property
    def judged(self) -> bool:
        """Whether there is a judgement: a declared crash is one, a missing oracle is none."""
        return self.status is not Status.NOT_COMPARABLE or bool(self.kinds)

    @property
    def accepted(self) -> bool:
        """Whether the judge was content: it conforms, or differs as declared."""
        return self.judged and self.status is not Status.DIFFERS

    @property
    def varies(self) -> bool:
        """Whether the call does different things: as repetitions showed, or the case file says."""
        return bool(self.variants or self.sometimes)

    @property
    def shown(self) -> set[str]:
        """All kinds of difference that it showed, or may show at times."""
        seen = (self.kinds, self.sometimes, *self.variants)
        return {kind for kinds in seen for kind in kinds}

    def row(self) -> list[Any]:
        """Return what a run's plan does not say of the item, in builtin types."""
        return [getattr(self, name) for name in _OWN]

    @classmethod
    def of_row(cls, planned: PlannedItem, row: list[Any]) -> Self:
        """Return the record of a planned item that `row` wrote."""
        given = {n: _tuples(v) for n, v in zip(_OWN, row, strict=True)}
        given["status"] = Status(given["status"])
        return cls(*_names(planned), **given)

    @classmethod
    def of(cls, planned: PlannedItem, judged: Judged) -> Self:
        """Return the record of a judged item."""
        verdict, outcome = judged.verdict, judged.outcome
        status = Status.DIFFERS if verdict.status is Status.KNOWN else verdict.status
        open_ = [f for f in verdict.findings if not declared(judged.item, f)]
        seen = outcome.warnings if isinstance(outcome, Returned) else ()
        return cls(
            *_names(planned),
            status=status,
            behaviour=behaviour(outcome),
            label=outcome_label(outcome),
            kinds=tuple(kind.value for kind in verdict.kinds),
            open=tuple(dict.fromkeys(f.kind.value for f in open_)),
            ratio=_plain(verdict.ratio),
            gradient_ratio=_plain(verdict.gradient_ratio),
            detail=evidence(verdict.findings) or _line(verdict.why),
            sometimes=tuple(kind.value for kind in sometimes(judged.item)),
            warnings=tuple(dict.fromkeys(normal(*warning) for warning in seen)),
            failed=verdict.failed,
        )


_OWN = [f.name for f in fields(Record)][5:]


def evidence(findings: tuple[Finding, ...]) -> str:
    """Return the first findings in one line of printable characters."""
    told = "; ".join(f"{f.kind.value}: {f.where}: {f.detail}" for f in findings[:3])
    return _line(told)


def _line(text: str) -> str:
    return _printable(text)[:DETAIL]


def _printable(text: str) -> str:
    """Return `text` in one line, without what would steer a terminal."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())


def normal(category: str, text: str) -> str:
    """Return a warning without what changes from place to place: numbers, paths, addresses."""
    plain = _printable(text).partition("(Triggered internally")[0]
    plain = re.sub(r"\b0x[0-9a-fA-F]+|(/[\w.+-]+){2,}|\b\d+(\.\d+)*\b", "#", plain)
    return f"{category}: {plain[:200]}"


def _names(planned: PlannedItem) -> tuple[str, str, str, str, str]:
    return planned.case, planned.hash, planned.pair, planned.target, planned.call


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(ratio: float | None) -> float | None:
    """Return `ratio` in three digits: that is what it is good for."""
    return None if ratio is None else float(f"{ratio:.3g}")
