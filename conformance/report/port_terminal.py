"""A verified port on a terminal: the sentence first, then what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import TypeVar

from rich.markup import escape
from rich.table import Table

from conformance.phrase import Phrase
from conformance.port.budget import FARTHER
from conformance.port.result import (
    Cause,
    ForwardRow,
    Measure,
    PortResult,
    TensorRow,
    TrajectoryRow,
    Verdict,
)
from conformance.report.port_text import relative
from conformance.report.terminal import console

STYLES = {
    Verdict.SAME: "green",
    Verdict.DIFFERS: "bold red",
    Verdict.UNRESOLVED: "yellow",
    Verdict.NOT_COMPARED: "magenta",
}
MOST = 12
"""Rows of a table that are shown; the page has them all."""
Row = TypeVar("Row")


def show(result: PortResult) -> None:
    """Print `result` on standard output."""
    out = console()
    out.print(f"[{STYLES[result.verdict]}]{escape(result.sentence)}[/]", soft_wrap=True)
    if result.forward:
        out.print(_outputs(result.forward))
    for line in _lines(result):
        out.print(escape(line), soft_wrap=True)


def _lines(result: PortResult) -> Iterator[str]:
    """Yield everything below the table of outputs."""
    yield from _some([_cause(cause) for cause in result.causes], "causes")
    told = {cause.where for cause in result.causes[:MOST] if cause.what == "weights"}
    broken = [row for row in result.weights if row.problem]
    left = [row for row in broken if (row.torch or row.mindspore) not in told]
    names = [" → ".join(filter(None, (row.torch, row.mindspore))) for row in left]
    yield from _some(
        [(f"weights: {n}: {row.problem}",) for n, row in zip(names, left, strict=True)], "rows"
    )
    for name, rows in (
        ("gradient", result.gradients),
        ("state", result.state),
        ("step", result.step),
    ):
        if rows:
            yield from _tensors(name, rows)
    if result.trajectory:
        yield _trajectory(result.trajectory[-1])
    yield from result.notes


def _some(items: Sequence[Sequence[str]], what: str) -> Iterator[str]:
    """Yield the lines of the first items, and how many more there are."""
    for lines in items[:MOST]:
        yield from lines
    if len(items) > MOST:
        yield f"and {len(items) - MOST} more {what}"


def _cause(cause: Cause) -> list[str]:
    proven = {True: " (confirmed)", False: " (changing only this does not suffice)", None: ""}
    page = f"; see operations/{cause.page}.html" if cause.page else ""
    # Words about a tensor begin with its name.
    where = "" if cause.words.startswith(cause.where) else f": {cause.where}"
    lines = [f"cause: {cause.words}{where}{proven[cause.confirmed]}{page}"]
    return [*lines, f"       {cause.evidence}"] if cause.evidence else lines


# Outputs ----------------------------------------------------------------------------------------


def _outputs(rows: Sequence[ForwardRow]) -> Table:
    """Return the table of outputs, modes that show the same in one row."""
    table = Table(box=None, pad_edge=False)
    for head in ("size", "pass", "mode", "output", "port", "float32 alone", "ratio", "verdict"):
        table.add_column(head, justify="right" if head in ("port", "ratio") else "left")
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        reason = "" if row.measures and _ratio(row.problem) else row.problem
        verdict = f"[{STYLES[row.verdict]}]{row.verdict}[/]" + (reason and f" {escape(reason)}")
        numbers = _measured(row.measures)
        key = row.size, "train" if row.training else "eval", escape(row.label), *numbers, verdict
        found.setdefault(key, []).append(row.mode)
    for (size, kind, output, *shown), modes in found.items():
        table.add_row(size, kind, ", ".join(modes), output, *shown)
    return table


def _measured(measures: tuple[Measure, ...]) -> tuple[str, str, str]:
    if not measures:
        return "", "", ""
    columns = ((m.port, m.torch, m.ratio) for m in measures)
    port, torch, ratio = (median(column) for column in zip(*columns, strict=True))
    return f"{port:.2g}", f"{torch:.2g}", f"{ratio:.2g}"


def _ratio(problem: str) -> str:
    """Return the ratio where a problem says nothing else, or ""."""
    alone = isinstance(problem, Phrase) and problem.template == FARTHER
    return str(problem.values["ratio"]) if isinstance(problem, Phrase) and alone else ""


# Tensors and training ---------------------------------------------------------------------------


def _tensors(name: str, rows: Sequence[TensorRow]) -> Iterator[str]:
    """Yield how many tensors are what, and those that are not the same."""
    counts = Counter(row.verdict for row in rows)
    yield f"{name}: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"
    wrong = [row for row in rows if row.verdict is not Verdict.SAME]
    yield from _some([(f"  {row.verdict} {row.torch}{_why(row.problem)}",) for row in wrong], name)


def _why(problem: str) -> str:
    if ratio := _ratio(problem):
        return f": ratio {ratio}"
    return f": {problem}" if problem else ""


def _trajectory(last: TrajectoryRow) -> str:
    """Return the end of a stretch of training; distances are relative to what was moved."""
    steps = "1 step" if last.step == 1 else f"{last.step} steps"
    port, alone = relative(last.port), relative(max(last.torch, last.perturbed))
    return (
        f"training: after {steps} the port is {port} from float64, float32 alone {alone}; "
        f"loss {last.port_loss:.4g}, PyTorch's {last.torch_loss:.4g}"
    )
