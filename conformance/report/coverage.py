"""Coverage of the published pairs, and depth of the corpus, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.coverage.coverage import COUNTS, Coverage, PairDepth, Row, counts, reasons
from conformance.coverage.depth import BOXES, Box

MARKS = {"ticked": "x", "missing": "-", "not applicable": "."}


def as_json(coverage: Coverage, *, depth: bool) -> dict[str, Any]:
    """Return counts in total and by area, each published pair, and, with `depth`, every box."""
    found: dict[str, Any] = {
        "total": _counted(coverage.rows),
        "areas": {area: _counted(rows) for area, rows in coverage.areas.items()},
        "pairs": [_pair(row) for row in coverage.rows],
    }
    if depth:
        found["depth"] = {
            "share": round(coverage.share, 4),
            "ticked": sum(d.ticked for d in coverage.depths),
            "applicable": sum(d.applicable for d in coverage.depths),
            "pairs": [_depth(d) for d in coverage.depths],
        }
    return found


def _counted(rows: list[Row]) -> dict[str, Any]:
    return {**counts(rows), "not_comparable_reasons": reasons(rows)}


def _pair(row: Row) -> dict[str, Any]:
    release, claim = row.published.claim
    found: dict[str, Any] = {
        "torch": row.published.torch,
        "mindspore": row.published.mindspore,
        "claims": {release: text for release, text in row.published.claims.items() if text},
        "judged_claim": {"release": release, "claim": claim},
        "state": row.state,
    }
    if row.why:
        found["why"] = row.why
    if row.verdict is not None:
        found["against"] = {kind.value: n for kind, n in row.verdict.against.items()}
    return found


def _depth(depth: PairDepth) -> dict[str, Any]:
    return {
        "operation": depth.operation,
        "pair": depth.pair,
        "ticked": depth.ticked,
        "applicable": depth.applicable,
        "boxes": {box.name: _state(box) for box in depth.boxes},
        "reasons": {b.name: b.reason.en for b in depth.boxes if not b.applies and b.reason},
    }


def _state(box: Box) -> str:
    return "ticked" if box.ticked else "missing" if box.applies else "not applicable"


def show(coverage: Coverage, screen: Console, *, depth: bool) -> None:
    """Print counts by area and in total; with `depth`, the boxes of every pair instead."""
    if depth:
        _show_depth(coverage, screen)
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("area")
    for name in COUNTS:
        table.add_column(name.replace("_", " "), justify="right")
    for area, rows in coverage.areas.items():
        table.add_row(escape(area), *_numbers(rows))
    table.add_section()
    table.add_row("total", *_numbers(coverage.rows))
    screen.print(table)
    for reason, number in reasons(coverage.rows).items():
        screen.print(f"not comparable, {escape(reason)}: {number}")
    for row in coverage.rows:
        if row.state == "refuted" and row.verdict is not None:
            release, claim = row.published.claim
            against = ", ".join(f"{kind.value} ({n})" for kind, n in row.verdict.against.items())
            what = against or "the difference is not there"
            screen.print(
                f"refuted  {escape(row.published.id)}: {release} claims {claim}; {what}",
                soft_wrap=True,
            )


def _numbers(rows: Iterable[Row]) -> list[str]:
    return [str(number) for number in counts(rows).values()]


def _show_depth(coverage: Coverage, screen: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("pair", overflow="fold")
    for name in BOXES:
        table.add_column(name, justify="center")
    for found in coverage.depths:
        by_name = {box.name: box for box in found.boxes}
        own = [b for b in found.boxes if b.name.startswith("parameter ")]
        marks = {"parameters": f"{sum(b.ticked for b in own)}/{sum(b.applies for b in own)}"}
        marks |= {name: MARKS[_state(box)] for name, box in by_name.items()}
        cells = [marks[name] for name in BOXES]
        table.add_row(f"{found.operation}: {escape(found.pair)}", *cells)
    screen.print(table)
    for found in coverage.depths:
        missing = [box.name for box in found.boxes if box.applies and not box.ticked]
        if missing:
            what = ", ".join(missing)
            screen.print(
                f"missing  {found.operation}: {escape(found.pair)}: {what}", soft_wrap=True
            )
    ticked = sum(d.ticked for d in coverage.depths)
    applicable = sum(d.applicable for d in coverage.depths)
    screen.print(
        f"{ticked} of {applicable} applicable boxes ticked: {100 * coverage.share:.1f} %  "
        "(x ticked, - missing, . does not apply)"
    )
