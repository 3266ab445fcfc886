"""A verified port on a terminal: the sentence first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from rich.markup import escape
from rich.table import Table

from conformance.port.result import Measure, PortResult, TensorRow, Verdict
from conformance.report.terminal import console

STYLES = {
    Verdict.SAME: "green",
    Verdict.DIFFERS: "bold red",
    Verdict.UNRESOLVED: "yellow",
    Verdict.NOT_COMPARED: "magenta",
}
MOST = 12
"""Rows of a table that are shown; the page has them all."""


def show(result: PortResult) -> None:
    """Print `result` on standard output."""
    out = console()
    out.print(f"[{STYLES[result.verdict]}]{escape(result.sentence)}[/]", soft_wrap=True)
    out.print(_outputs(result))
    for cause in result.causes[:MOST]:
        proven = {True: " (confirmed)", False: " (changing only this does not suffice)"}
        tail = proven.get(cause.confirmed, "") if cause.confirmed is not None else ""
        page = f"; see operations/{cause.page}.html" if cause.page else ""
        out.print(escape(f"cause: {cause.words}: {cause.where}{tail}{page}"), soft_wrap=True)
        if cause.evidence:
            out.print(escape(f"       {cause.evidence}"), soft_wrap=True)
    for row in [row for row in result.weights if row.problem][:MOST]:
        name = " → ".join(filter(None, (row.torch, row.mindspore)))
        out.print(escape(f"weights: {name}: {row.problem}"), soft_wrap=True)
    for name, rows in (
        ("gradient", result.gradients),
        ("state", result.state),
        ("step", result.step),
    ):
        out.print(escape(f"{name}: {_counted(rows)}"), soft_wrap=True)
        for tensor in [row for row in rows if row.verdict is not Verdict.SAME][:MOST]:
            why = f": {tensor.problem}" if tensor.problem else ""
            out.print(escape(f"  {tensor.verdict} {tensor.torch}{why}"), soft_wrap=True)
    for note in result.notes:
        out.print(escape(note), soft_wrap=True)


def _outputs(result: PortResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in ("size", "pass", "mode", "output", "port", "float32 alone", "ratio", "verdict"):
        table.add_column(head, justify="right" if head in ("port", "ratio") else "left")
    for row in result.forward:
        table.add_row(
            row.size,
            "train" if row.training else "eval",
            row.mode,
            escape(row.label),
            *_measured(row.measures),
            f"[{STYLES[row.verdict]}]{row.verdict}[/]"
            + (f" {escape(row.problem)}" if row.problem else ""),
        )
    return table


def _measured(measures: tuple[Measure, ...]) -> tuple[str, str, str]:
    if not measures:
        return "", "", ""
    columns = ((m.port, m.torch, m.ratio) for m in measures)
    port, torch, ratio = (median(column) for column in zip(*columns, strict=True))
    return f"{port:.2g}", f"{torch:.2g}", f"{ratio:.2g}"


def _counted(rows: Iterable[TensorRow]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "none"
