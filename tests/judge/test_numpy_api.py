"""NumPy's own API is judged as a framework is; the reference, as before, is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.judge.judge import Judged
from conformance.judge.verdict import Status
from conformance.run.outcome import Outcome, Raised, Unsupported
from tests.judge.toys import cases, gives, item, kinds, one

X = np.array([5.0, 6.0], np.float32)
CALLED = "    numpy: numpy.abs"


def raised(kind: str, stage: str = "call") -> Raised:
    return Raised(types=(kind, "Exception"), message="said", stage=stage)


def judged(outcome: Outcome, body: str = "", pair: str = CALLED, **keys: str) -> Judged:
    text = f"  - {{id: a, inputs: {{input: [5.0, 6.0]}}{body}}}"
    (case,) = cases("absolute", text, pair=pair, **keys)
    return one(case, outcome, "numpy")


def test_an_item_knows_whether_the_reference_runs() -> None:
    text = "  - {id: a, inputs: {input: [5.0]}}"
    (called,) = cases("absolute", text, pair=CALLED)
    (other,) = cases("absolute", text)
    assert not item(called, "numpy").of_reference
    assert item(other, "numpy@2.4.6").of_reference
    assert not item(other, "torch").of_reference


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        (gives(X), []),
        (gives(X * 2), ["value"]),
        (gives(X.astype(np.float64)), ["return-dtype"]),
        (gives(X[None]), ["return-shape"]),
        (gives((X,)), ["return-structure"]),
        (gives(X, mutated={"input": X * 2}), ["mutation"]),
        (raised("TypeError"), ["exception"]),
        (raised("AttributeError", "resolve"), ["exception"]),
        (Unsupported(types=("TypeError",), message="no", reason="dtype"), ["dtype-support"]),
    ],
)
def test_everything_is_judged_by_the_oracle(outcome: Outcome, found: list[str]) -> None:
    assert kinds(judged(outcome)) == found


def test_a_narrow_dtype_is_no_excuse_for_an_api() -> None:
    assert kinds(judged(raised("TypeError"), ", dtype: float16")) == ["exception"]
    reference = judged(raised("TypeError"), ", dtype: float16", pair="")
    assert reference.verdict.status is Status.NOT_COMPARABLE


def test_gradients_are_not_asked_of_numpy() -> None:
    assert kinds(judged(gives(X), gradients="[input]")) == []


@pytest.mark.parametrize(
    ("raises", "outcome", "status"),
    [
        ("numpy: ValueError", raised("ValueError"), Status.CONFORMS),
        ("numpy: 'ValueError: said'", raised("ValueError"), Status.CONFORMS),
        ("numpy: 'ValueError: other'", raised("ValueError"), Status.DIFFERS),
        ("numpy: ValueError", raised("TypeError"), Status.DIFFERS),
        ("numpy: ValueError", gives(X), Status.DIFFERS),
        ("torch: ValueError", gives(X), Status.CONFORMS),
        ("torch: ValueError", raised("ValueError"), Status.DIFFERS),
    ],
)
def test_exceptions_are_what_the_case_expects_of_numpy(
    raises: str, outcome: Outcome, status: Status
) -> None:
    verdict = judged(outcome, f", expect: {{raises: {{{raises}}}}}").verdict
    assert verdict.status is status
    assert "does not check arguments" not in verdict.why
    assert all(f.contradicts for f in verdict.findings)


def test_the_reference_need_not_raise_what_numpy_does() -> None:
    (case,) = cases(
        "absolute",
        "  - {id: a, inputs: {input: [5.0, 6.0]}, expect: {raises: {numpy: ValueError}}}",
        pair="  - {torch: torch.absolute, numpy: numpy.abs}",
    )
    assert one(case, gives(X), "numpy").verdict.status is Status.CONFORMS


def test_an_exception_without_an_oracle_is_compared_with_nothing() -> None:
    body: dict[str, Any] = {"reference": "", "no_reference": "{en: none, zh: 无}"}
    assert judged(raised("ValueError"), **body).verdict.status is Status.NOT_COMPARABLE
    gone = judged(raised("AttributeError", "resolve"), **body)
    assert kinds(gone) == ["exception"]


def test_a_difference_of_numpy_is_declared_by_its_target() -> None:
    note = "note: {en: n, zh: n}"
    for targets, status in (("numpy", Status.DECLARED), ("mindspore", Status.DIFFERS)):
        declared = f"{{kind: return-dtype, cases: [a], targets: [{targets}], {note}}}"
        pair = f"{CALLED}\n    differences: [{declared}]"
        assert judged(gives(X.astype(np.float64)), pair=pair).verdict.status is status
