"""``python tests/calibrate.py RUN``: the distribution of errors in roundoffs, for docs/judge.md.

One row for each accuracy class and target: items measured, median, 90th and 99th percentile, the
largest ratio of an item that conforms, and how many items lie above the budget.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np

from conformance.judge.judge import Judged
from conformance.judge.run import judge_run
from conformance.run.store import RunFile

BUDGET = 16.0
COLUMNS = "median | 90 % | 99 % | largest within | above 16"


def main(path: str) -> None:
    """Print the table of values and that of gradients."""
    file = RunFile.open(Path(path))
    judged = judge_run(file, today=date.today()).judgement.judged
    for title, attribute in (("values", "ratio"), ("gradients", "gradient_ratio")):
        print(f"| {title}: class | target | items | {COLUMNS} |")
        print("|---|---|---|---|---|---|---|---|")
        for (name, target), ratios in sorted(groups(judged, attribute).items()):
            print(row(name, target, np.asarray(ratios)))
        print()
    file.close()


def groups(judged: Iterable[Judged], attribute: str) -> dict[tuple[str, str], list[float]]:
    """Return the measured ratios by accuracy class and target; each distinct call counts once."""
    found: dict[tuple[str, str], list[float]] = {}
    seen: set[tuple[str, str, str]] = set()
    for one in judged:
        ratio = getattr(one.verdict, attribute)
        accuracy = one.item.case.accuracy
        api = str(one.item.pair.torch if one.item.framework == "torch" else one.item.pair.mindspore)
        key = (one.item.case.id, one.item.target, "" if one.item.framework == "numpy" else api)
        if ratio is None or not isinstance(accuracy, str) or key in seen:
            continue
        seen.add(key)
        found.setdefault((accuracy, one.item.target), []).append(ratio)
    return found


def row(name: str, target: str, ratios: np.ndarray) -> str:  # type: ignore[type-arg]
    """Return one line of the table."""
    finite = ratios[np.isfinite(ratios)]
    quantiles = (
        [f"{q:.2g}" for q in np.quantile(finite, [0.5, 0.9, 0.99])] if finite.size else ["-"] * 3
    )
    within = finite[finite <= BUDGET]
    largest = f"{within.max():.2g}" if within.size else "-"
    above = int(np.sum(~(ratios <= BUDGET)))
    return f"| {name} | {target} | {ratios.size} | {' | '.join(quantiles)} | {largest} | {above} |"


if __name__ == "__main__":
    main(sys.argv[1])
