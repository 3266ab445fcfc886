"""Published numbers are upheld to their last printed digit, or refuted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conformance.judge.claims import reproduces
from conformance.judge.verdict import Status
from conformance.run.outcome import Crashed, Named, Raised, Unavailable, Unsupported
from tests.judge.toys import cases, gives, kinds, one


@pytest.mark.parametrize(
    ("printed", "value", "holds"),
    [
        ("0.7142954", np.float32(0.71429545), True),
        ("0.7193", np.float32(0.71934), True),
        ("0.7193", np.float32(0.71945), False),
        ("0.3464", np.float64(0.34636116), True),
        ("-1.5e-3", np.float64(-0.00159), True),
        ("-1.5e-3", np.float64(-0.00161), False),
        ("1.5e+3", np.float64(1580), True),
        ("0.71429545", np.float32(0.7142954), True),
        ("0.71429545", np.float32(0.7142958), False),
        ("3", np.int64(3), True),
        ("3", np.int64(4), False),
        ("3.", np.float32(3.2), True),
        ("3.", np.float32(3.9), False),
        ("-inf", np.float32(-np.inf), True),
        ("inf", np.float32(-np.inf), False),
        ("nan", np.float32(np.nan), True),
        ("nan", np.float32(0), False),
        ("0.0", np.float32(np.nan), False),
        ("True", np.bool_(True), True),
        ("True", np.bool_(False), False),
        ("1", np.bool_(True), False),
        ("True", np.float32(1), False),
        ("1.00+2.00j", np.complex64(1 + 2.005j), True),
        ("1.00+2.00j", np.complex64(1 + 2.05j), False),
        ("1.5", np.complex64(1.5), True),
        ("soon", np.float32(1), False),
        ("2.5", np.array(2.5, ml_dtypes.bfloat16), True),
        ("2.5", np.array([2.5]), True),
        ("2.5", np.array([2.5, 2.5]), False),
        (["1.0", "2.0"], np.array([1.0, 2.0]), True),
        (["1.0", "2.0"], np.array([1.0, 2.2]), False),
        (["1.0", "2.0"], np.array([[1.0, 2.0]]), False),
        ([["1", "2"], ["3", "4"]], np.array([[1, 2], [3, 4]]), True),
        ([["1", "2"], ["3"]], np.array([[1, 2], [3, 4]]), False),
        ("0.5", 0.5, True),
        ("None", None, True),
        ("None", np.float32(1), False),
    ],
)
def test_printed_digits_are_the_tolerance(printed: Any, value: Any, holds: bool) -> None:
    assert reproduces(printed, value) is holds


@given(st.floats(1e-6, 1e6), st.integers(1, 8), st.integers(-3, 3))
def test_one_unit_in_the_last_digit(x: float, digits: int, units: int) -> None:
    """A text is reproduced by the number it was printed from, and not from two units away."""
    printed = f"{x:.{digits}e}"
    text = Decimal(printed)
    unit = Decimal(1).scaleb(int(text.as_tuple().exponent))
    shifted = float(text + units * unit)
    assume(abs(units) != 1)
    assert reproduces(printed, np.float64(shifted)) is (units == 0)
    assert reproduces(printed, np.float64(x))


CASE = """
  - id: a
    inputs: {{input: [0.0, 1.0]}}
    expect: {{{expect}}}
    {slip}
"""
Y = np.exp(np.array([0, 1], np.float32))


def claimed(expect: str, slip: str = "") -> Any:
    (case,) = cases("exp", CASE.format(expect=expect, slip=slip))
    return case


def test_an_upheld_claim_is_recorded() -> None:
    judged = one(claimed('torch: ["1.", "2.7183"], mindspore: ["9", "9"]'), gives(Y))
    assert judged.verdict.status is Status.CONFORMS
    (check,) = judged.claims
    assert check.holds
    assert (check.framework, check.printed) == ("torch", "[1., 2.7183]")
    assert "2.71828" in check.got


@pytest.mark.parametrize("key", ["torch", "both"])
def test_a_claim_not_reproduced_contradicts(key: str) -> None:
    judged = one(claimed(f'{key}: ["1.0", "2.7193"]'), gives(Y))
    assert judged.verdict.status is Status.DIFFERS
    (finding,) = judged.verdict.findings
    assert (finding.kind.value, finding.contradicts) == ("claim", True)
    assert "the document says [1.0, 2.7193]" in finding.detail


def test_claims_are_not_of_numpy_nor_of_the_other_framework() -> None:
    case = claimed('torch: ["9", "9"]')
    for target in ("numpy", "mindspore", "mindspore:cpu:graph"):
        judged = one(case, gives(Y), target)
        assert judged.verdict.status is Status.CONFORMS
        assert judged.claims == ()


SLIP = "slip: {torch: {en: printed of other inputs, zh: 误}}"


def test_a_slip_must_be_refuted() -> None:
    shown = one(claimed('both: ["1.0", "5.0"]', SLIP), gives(Y))
    assert shown.verdict.status is Status.CONFORMS
    assert [(c.holds, c.slip) for c in shown.claims] == [(False, "printed of other inputs")]
    unshown = one(claimed('both: ["1.0", "2.718"]', SLIP), gives(Y))
    assert unshown.verdict.status is Status.DIFFERS
    assert "the slip is not shown" in unshown.verdict.findings[0].detail
    other = one(claimed('both: ["1.0", "5.0"]', SLIP), gives(Y), "mindspore")
    assert kinds(other) == ["claim"]


def test_a_number_of_several_outputs() -> None:
    expect = 'expect: {both: [["1", "0"]], output: 1}'
    (case,) = cases("top", f"  - {{id: a, inputs: {{input: [[3.0, 4.0]]}}, {expect}}}")
    values, order = np.array([[4, 3]], np.float32), np.array([[1, 0]])
    assert one(case, gives(Named("t", {"values": values, "indices": order}))).claims[0].holds
    lost = one(case, gives(values))
    assert not lost.claims[0].holds


@pytest.mark.parametrize(
    ("outcome", "checked"),
    [
        (Raised(types=("ValueError",), message="no"), 1),
        (Unsupported(types=("TypeError",), message="no"), 0),
        (Crashed(), 0),
        (Unavailable(), 0),
    ],
)
def test_what_says_nothing_of_a_value_leaves_the_claim_open(outcome: Any, checked: int) -> None:
    judged = one(claimed('torch: ["1.0", "2.718"]'), outcome)
    assert len(judged.claims) == checked
    assert ("claim" in kinds(judged)) is bool(checked)
