"""Seventeen mistakes of porters: each is found, named, and where it can be tried, confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance import porting
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import Known, verify
from tests.port.seeded import CNN, DEFECTS, TRANSFORMER, Defect, configuration, written

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(1200)]


def verified(folder: Path, defect: Defect, known: Known | None = None) -> PortResult:
    file = written(folder, configuration(defect))
    with porting.sides(file, timeout=600) as (torch, port):
        return verify(torch, port, porting.planned(file), known)


@pytest.mark.parametrize("model", [CNN, TRANSFORMER])
def test_a_right_port_is_the_same_function(model: str, tmp_path: Path) -> None:
    file = written(tmp_path, configuration(Defect(model, "", "")))
    with porting.sides(file, timeout=600) as (torch, port):
        found = verify(torch, port, porting.planned(file))
    assert (found.verdict, found.exit_code, found.causes) == (Verdict.SAME, 0, ())
    assert {row.verdict for row in found.forward} == {Verdict.SAME}
    assert {row.verdict for row in found.gradients} == {Verdict.SAME}
    assert len(found.trajectory) == 4
    assert found.sentence.startswith("Same function: outputs, gradients and training agree")


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_at_its_layer(name: str, tmp_path: Path) -> None:
    defect = DEFECTS[name]
    found = verified(tmp_path, defect)
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1), found.sentence
    first = found.causes[0]
    named = [c for c in found.causes if c.what == defect.what and defect.where in c.where]
    assert named, found.causes
    assert defect.words in named[0].words
    forward = {row.verdict for row in found.forward}
    if defect.trains:
        assert forward == {Verdict.SAME}
    else:
        evaluated = [r for r in found.forward if not r.training and r.size != "default"]
        assert Verdict.SAME not in {row.verdict for row in evaluated}
        assert first == named[0], found.causes
        assert (first.what == "glue") is (first.confirmed is None)
        assert first.confirmed is not False


def test_nan_in_the_port_alone_is_a_difference_and_placed(tmp_path: Path) -> None:
    found = verified(tmp_path, Defect(CNN, "", "", defect="root"))
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1)
    assert found.causes[0].where == "between fc1 and drop"
    assert "relu(fc1)" in found.sentence
    assert {str(row.problem) for row in found.forward} == {"80 of 80 values are NaN or Inf"}


def test_same_padding_shows_at_even_sizes_only(tmp_path: Path) -> None:
    found = verified(tmp_path, DEFECTS["pad_mode same, stride 2"])
    sizes = {row.size for row in found.forward if row.verdict is Verdict.SAME}
    assert sizes == {"default"}
    assert "agrees at size default and differs at even" in found.causes[0].evidence
