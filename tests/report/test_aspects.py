"""The table of evidence: what counts as conforming, and what was never measured."""

from dataclasses import replace

from conformance.judge.judge import Judged, Judgement
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.report import build
from conformance.report.build import RunInfo
from conformance.report.views import AspectCell
from conformance.taxonomy import Kind
from tests.report import handmade

SMOOTH = handmade.YAML.replace("gradients: []", "gradients: [input]")
GRADIENT = Finding(Kind.GRADIENT, "gradient of input", "off", 99.0)
VALUE = Finding(Kind.VALUE, "output", "off", 50.0)


def cells(*verdicts: Verdict) -> dict[str, AspectCell]:
    """Return what the table says on ``mindspore`` of grid points with these verdicts, by row."""
    points = handmade.cases(SMOOTH)[1:]
    judged: list[Judged] = []
    for case, verdict in zip(points, verdicts, strict=False):
        one = handmade.judged(case, case.pairs()[0], "mindspore", "conforms")
        judged.append(replace(one, verdict=verdict))
    (pair,) = build.site(Judgement(judged, []), RunInfo()).pages[0].pairs
    return {row.name: row.cells[0] for row in pair.aspects}


def test_only_what_conforms_is_counted_and_the_worst_gives_the_mark() -> None:
    found = cells(
        Verdict(Status.CONFORMS, (), 0.5, 0.1),
        Verdict(Status.DECLARED, (VALUE,), 50.0, 0.2),
        Verdict(Status.NOT_COMPARABLE),
        Verdict(Status.CONFORMS, (), 2.0, 0.1),
    )
    assert found["Values"] == AspectCell(Status.NOT_COMPARABLE, 4, 2, 50.0)
    assert found["Gradients"] == AspectCell(Status.NOT_COMPARABLE, 4, 3, 0.2)


def test_a_gradient_that_nobody_measured_does_not_conform() -> None:
    assert cells(Verdict(Status.CONFORMS, (), 0.5, None))["Gradients"] == AspectCell(
        Status.NOT_COMPARABLE, 1, 0, None
    )


def test_a_gradient_is_not_blamed_for_the_value_nor_excused_by_it() -> None:
    found = cells(
        Verdict(Status.DIFFERS, (VALUE,), 50.0, 0.2), Verdict(Status.DECLARED, (GRADIENT,), 0, 99.0)
    )
    assert found["Gradients"] == AspectCell(Status.DECLARED, 2, 1, 99.0)
    assert cells(Verdict(Status.DIFFERS, (GRADIENT,), 0.0, 99.0))["Gradients"].conforming == 0
