"""What the budgets of `conformance/port/budget.py` rest on: ratios of verified ports, as a table.

    make ports
    python -m tests.calibrate_port reports/ports/*.json

A ratio says how many times farther from float64 the port is than PyTorch's float32.  For gradients
that of the draw at the lower quartile counts, else the median of all draws; `draws beyond` is the
share of single draws that exceed the budget for differing, which are kinks where a port matches.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from conformance.port.budget import GRADIENT, LAYER, OUTPUT, STATE, STEP, TRAJECTORY, Budget
from conformance.port.trajectory import CHAOS

Result = Mapping[str, Any]
Draws = list[float]
BUDGETS = {
    "outputs": OUTPUT,
    "layers alone": LAYER,
    "gradients": GRADIENT,
    "state": STATE,
    "step": STEP,
    "trajectory": TRAJECTORY,
}


def ratio(measure: Mapping[str, float]) -> float:
    """Return `Measure.ratio` of a measure in JSON."""
    return measure["port"] / max(measure["torch"], measure["floor"])


def ratios(result: Result) -> Iterator[tuple[str, Draws]]:
    """Yield for every tensor what it belongs to, and its ratio in each draw."""
    for name, what in (
        ("forward", "outputs"),
        ("gradients", "gradients"),
        ("state", "state"),
        ("step", "step"),
    ):
        for row in result[name]:
            if row["measures"] and row["verdict"] != "not compared":
                yield what, [ratio(measure) for measure in row["measures"]]
    for row in result["layers"]:
        if row["replayed"] is not None:
            yield "layers alone", [ratio(row["replayed"])]
    for row in result["trajectory"]:
        noise = max(row["torch"], row["perturbed"])
        if noise > CHAOS:
            break
        yield "trajectory", [row["port"] / noise]


def line(port: str, what: str, tensors: list[Draws], budget: Budget) -> str:
    """Return a row of the table."""
    middle = [sorted(t)[len(t) // 4] if budget.kinks else median(t) for t in tensors]
    single = [draw for draws in tensors for draw in draws]
    beyond = sum(draw >= budget.differs for draw in single) / len(single)
    return (
        f"{port:<18}{what:<14}{len(tensors):>6}{median(middle):>10.2g}{max(middle):>10.3g}"
        f"{max(single):>12.3g}{beyond:>12.1%}{budget.same:>7g}{budget.differs:>9g}"
    )


def table(results: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        f"{'port':<18}{'':<14}{'count':>6}{'median':>10}{'greatest':>10}{'single draw':>12}"
        f"{'draws beyond':>13}{'same':>6}{'differs':>9}"
    )
    for result in results:
        found: dict[str, list[Draws]] = {what: [] for what in BUDGETS}
        for what, draws in ratios(result):
            found[what].append(draws)
        for what, tensors in found.items():
            if tensors:
                yield line(result["name"], what, tensors, BUDGETS[what])


if __name__ == "__main__":
    print("\n".join(table(json.loads(Path(name).read_text("utf-8")) for name in sys.argv[1:])))
