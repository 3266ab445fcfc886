"""The table of evidence of a pair: a row for each thing its cases ask, a cell for each target."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.judge.verdict import Status


@dataclass(frozen=True)
class AspectCell:
    """What one target did of one aspect: `count` items, `conforming` of them, worst `ratio`."""

    status: Status
    count: int
    conforming: int
    ratio: float | None = None


@dataclass(frozen=True)
class AspectView:
    """One row of the evidence table: an aspect (`code`: a dtype), a cell for each target."""

    name: str
    code: str
    cells: tuple[AspectCell, ...]
