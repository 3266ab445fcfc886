"""Counts over the published pairs, from a run of a corpus on fake frameworks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conformance.coverage import published
from conformance.coverage.coverage import COUNTS, Coverage, counts, measure
from conformance.judge.run import judge_run
from conformance.report import coverage as shown
from conformance.run.target import Target
from tests.fakes import FAKES, corpus, run

CASES = """
operation: abs
no_reference: {en: a fake, zh: 虚构}
accuracy: exact
parameters: {input: {role: input}}
pairs:
  - {torch: torch.abs, mindspore: mindspore.ops.abs}
  - {torch: torch.square, mindspore: mindspore.ops.square}
  - {torch: torch.add, mindspore: mindspore.mint.add}
cases:
  - {id: c, inputs: {input: [1.0, -2.0]}}
"""


@pytest.fixture(scope="module")
def coverage(tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    """MindSpore is right of abs; of add it is asked with one argument, which it refuses."""
    targets = [
        Target("torch", "torch", adapter=FAKES / "right.py"),
        Target("mindspore", "mindspore", adapter=FAKES / "right.py"),
    ]
    given = corpus(CASES)
    _, _, file = run(given, targets, Path(tmp_path_factory.mktemp("run"), "run.sqlite"))
    verdicts = judge_run(file, today=date(2026, 6, 1))
    file.close()
    names = {"torch.abs", "mindspore.ops.abs", "torch.square", "mindspore.ops.square"}
    names |= {"torch.add", "mindspore.mint.add", "torch.acos", "mindspore.ops.acos"}
    return measure(given, verdicts, names)


def state(coverage: Coverage, pair: str) -> str:
    (found,) = [row.state for row in coverage.rows if row.published.id == pair]
    return found


def test_each_pair_is_counted_once(coverage: Coverage) -> None:
    total = counts(coverage.rows)
    assert total["published"] == len(published.pairs())
    assert total["existing"] == (total["executed"] + total["not_comparable"] + total["not_covered"])
    assert total["executed"] == total["upheld"] + total["refuted"]
    by_area = [counts(rows) for rows in coverage.areas.values()]
    assert {name: sum(area[name] for area in by_area) for name in COUNTS} == total


def test_states(coverage: Coverage) -> None:
    assert state(coverage, "torch.abs=mindspore.ops.abs") == "upheld"
    assert state(coverage, "torch.acos=mindspore.ops.acos") == "not_covered"
    assert state(coverage, "torch.add=mindspore.mint.add") == "not_comparable"
    assert state(coverage, "torch.cat=mindspore.ops.cat") == "gone"


def test_what_is_not_comparable_says_why(coverage: Coverage) -> None:
    total = shown.as_json(coverage, depth=True)["total"]
    assert sum(total["not_comparable_reasons"].values()) == total["not_comparable"] == 1


def test_json_has_the_counts_in_total_and_by_area_and_the_depth(coverage: Coverage) -> None:
    found = shown.as_json(coverage, depth=True)
    assert set(COUNTS) <= set(found["total"])
    assert set(COUNTS) <= set(found["areas"]["torch"])
    assert found["depth"]["applicable"] == sum(
        pair["applicable"] for pair in found["depth"]["pairs"]
    )
    assert "depth" not in shown.as_json(coverage, depth=False)
