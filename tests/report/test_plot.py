from dataclasses import replace
from pathlib import Path

import pytest

from conformance.judge.judge import Judgement
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.report import build, pages, plot
from conformance.report.build import RunInfo
from conformance.report.plot import PlotView
from conformance.report.views import PairView
from conformance.taxonomy import Kind
from tests.report import handmade

EXACT = handmade.YAML.replace("accuracy: elementwise", "accuracy: exact")
VALUE, GRADIENT = (Finding(kind, "output", "off", 40.0) for kind in (Kind.VALUE, Kind.GRADIENT))


def pair(verdict: Verdict, text: str = handmade.YAML) -> PairView:
    """Return a pair whose one case has `verdict` on the target ``mindspore``."""
    case = handmade.cases(text)[0]
    one = handmade.judged(case, case.pairs()[0], "mindspore", "conforms")
    judgement = Judgement([replace(one, verdict=verdict)], [])
    return build.site(judgement, RunInfo()).pages[0].pairs[0]


def drawn(verdict: Verdict, text: str = handmade.YAML) -> PlotView:
    made = plot.plot(pair(verdict, text).cases)
    assert made is not None
    return made


def test_a_bar_lies_where_its_error_does() -> None:
    (row,) = drawn(Verdict(Status.CONFORMS, (), 0.02, 30.0, 16.0)).rows
    value, gradient = row.bars
    decade = plot.STEP * plot.PER_DECADE
    assert (value.x - 1 - plot.LEFT, gradient.x - 1 - plot.LEFT) == (0, 6 * plot.STEP)
    assert plot.LEFT + 3 * decade <= gradient.x < plot.LEFT + 4 * decade, "between 10 and 100"
    assert (value.low, value.high, gradient.low, gradient.high) == ("0", "0.032", "10", "32")
    assert value.y < row.y == gradient.y, "values above the line, gradients below"
    assert (row.measured, row.worst) == (2, 30.0)


@pytest.mark.parametrize("ratio", [0.0, 1e-9, 1e300, float("inf")])
def test_what_is_off_the_scale_is_in_the_end_bins(ratio: float) -> None:
    (row,) = drawn(Verdict(Status.CONFORMS, (), ratio)).rows
    assert [bar.x for bar in row.bars] == [
        plot.LEFT + 1 + (plot.BINS - 1) * plot.STEP * (ratio > 1)
    ]


@pytest.mark.parametrize(
    ("findings", "over"),
    [((), []), ((VALUE,), [False]), ((GRADIENT,), [True]), ((VALUE, GRADIENT), [False, True])],
)
def test_over_its_budget_is_what_the_judge_finds(
    findings: tuple[Finding, ...], over: list[bool]
) -> None:
    """A gradient within its budget is not accused by that of the values, which may be 0."""
    (row,) = drawn(Verdict(Status.DIFFERS, findings, 0.0, 40.0, 0.0), EXACT).rows
    assert [bar.gradient for bar in row.bars if bar.over] == over
    assert row.over == len(over)


def test_budgets_of_gradients_are_their_own(tmp_path: Path) -> None:
    verdict = Verdict(Status.CONFORMS, (), 0.0, 0.3, 0.0)
    assert drawn(verdict, EXACT).strictest == 16.0
    case = handmade.cases(EXACT)[0]
    one = handmade.judged(case, case.pairs()[0], "mindspore", "conforms")
    findings = (GRADIENT,)
    for status, given in (("conforms", ()), ("differs", findings)):
        judged = replace(one, verdict=replace(verdict, status=Status(status), findings=given))
        made = build.site(Judgement([judged], []), RunInfo())
        pages.write(made, tmp_path, ["en"])
        html = (tmp_path / "operations/shrink.html").read_text(encoding="utf-8")
        assert '<td class="number">0 ∇16.0</td>' in html
        assert ("dashed outline" in html) == bool(given)
    (error,) = made.findings.errors
    assert error.gradient is not None
    assert error.gradient.budget == 16.0
