"""Verdicts as tables: one row an item, and the counts of each status by operation and target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from conformance.judge.verdict import Status
from conformance.report import build, shown
from conformance.report.aspects import dtype_of
from conformance.report.views import SEVERITY
from conformance.run.target import framework_of, place

if TYPE_CHECKING:
    from conformance.judge.judge import Judged
    from conformance.judge.run import Verdicts

STATUS = pd.CategoricalDtype([status.value for status in reversed(SEVERITY)], ordered=True)
"""From the best to the worst, so that the greatest of several is their status together."""
COLUMNS: dict[str, Any] = {
    "operation": "string",
    "area": "string",
    "case": "string",
    "pair": "string",
    "target": "string",
    "framework": "string",
    "version": "string",
    "device": "string",
    "mode": "string",
    "dtype": "string",
    "status": STATUS,
    "outcome": "string",
    "kinds": "string",
    "ratio": "float64",
    "gradient_ratio": "float64",
    "budget": "float64",
    "why": "string",
    "duration": "float64",
}
"""Name and dtype of each column.  Ratios and budget are in roundoffs, duration in seconds; `kinds`
are separated by spaces; `dtype` is that of the case's first array.  A missing number is NaN, and
missing are the version of a target that did not start and the dtype of a case without arrays."""


def verdicts(judged: Verdicts) -> pd.DataFrame:
    """Return one row for each item, in the order judged; see COLUMNS."""
    rows = [_row(one, judged) for one in judged.judgement.judged]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many verdicts of each status every operation has on every target.

    One row for each (operation, target) in `table`, one column for each status, also where no
    verdict has it, and their `total`.
    """
    keys = ["operation", "target"]
    plain = table.astype({"status": "string"})
    counts = plain.groupby([*keys, "status"], sort=False).size().unstack("status", fill_value=0)
    counts = counts.reindex(columns=[status.value for status in Status], fill_value=0)
    counts.columns.name = None
    return counts.assign(total=counts.sum(axis="columns")).reset_index()


def csv(table: pd.DataFrame) -> str:
    """Return `table` as CSV with a header.

    Text that a spreadsheet would run as a formula (``=``, ``+``, ``-``, ``@`` first) gets a
    leading apostrophe: messages come from frameworks and case files.
    """
    safe = table.copy()
    text = [name for name, dtype in COLUMNS.items() if dtype == "string" and name in safe]
    for name in text:
        risky = safe[name].str.match(r"[=+\-@\t\r]").fillna(False)
        safe.loc[risky, name] = "'" + safe.loc[risky, name]
    return safe.to_csv(index=False, lineterminator="\n")


def records(verdicts: Verdicts) -> Iterator[dict[str, Any]]:
    """Yield every item as plain JSON values, findings included; missing numbers are None.

    NaN and Inf, which JSON does not have, are their names as text.
    """
    for judged in verdicts.judgement.judged:
        yield {
            **{name: _plain(value) for name, value in _row(judged, verdicts).items()},
            "kinds": [kind.value for kind in judged.verdict.kinds],
            "shown": shown.brief(judged.outcome),
            "findings": [
                {
                    "kind": finding.kind.value,
                    "where": finding.where,
                    "detail": finding.detail,
                    "ratio": _plain(finding.ratio),
                }
                for finding in judged.verdict.findings
            ],
        }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _row(judged: Judged, verdicts: Verdicts) -> dict[str, Any]:
    item, verdict = judged.item, judged.verdict
    operation = item.case.operation.operation
    said = verdicts.targets.get(item.target, {})
    device, mode, *_ = place(item.target)
    return {
        "operation": operation,
        "area": build.area(verdicts.paths.get(operation, "")),
        "case": item.case.id,
        "pair": item.pair.id,
        "target": item.target,
        "framework": framework_of(item.target),
        "version": said.get("version"),
        "device": said.get("device", device),
        "mode": said.get("mode", mode),
        "dtype": dtype_of(judged) or None,
        "status": verdict.status.value,
        "outcome": judged.outcome.kind,
        "kinds": " ".join(kind.value for kind in verdict.kinds),
        "ratio": verdict.ratio,
        "gradient_ratio": verdict.gradient_ratio,
        "budget": verdict.budget,
        "why": verdict.why,
        "duration": judged.outcome.duration,
    }
