from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.gate.drift import describe, values
from conformance.run.outcome import Other, Outcome, Raised, Returned, TimedOut
from tests.gate.records import record

F = np.float32


def of(output: Any, **given: Any) -> Returned:
    return Returned(output=output, **given)


def array(*numbers: complex, dtype: Any = F) -> np.ndarray[Any, Any]:
    return np.array(numbers, dtype)


ONE = array(1, 2, 3)
UP = array(1, np.nextafter(F(2), F(3)), 3)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (of(ONE), of(UP), "output: 1 of 3 elements, by at most 1 spacing, 2.38e-07"),
        (of(F(1)), of(F(1.5)), "output: the value, by at most 4.19e+06 spacings, 0.5"),
        (
            of(array(1, 2, dtype=np.int8)),
            of(array(1, 5, dtype=np.int8)),
            "output: 1 of 2 elements, by at most 3",
        ),
        (of(array(1, dtype=bool)), of(array(0, dtype=bool)), "output: the value"),
        (of(array(0.0)), of(array(-0.0)), "output: the value, in the sign of a zero"),
        (of(array(1, np.nan)), of(array(np.nan, 1)), "2 of 2 elements, where one is not finite"),
        (
            of(array(np.nan, 1)),
            of(array(np.nan, 2)),
            "output: 1 of 2 elements, by at most 4.19e+06",
        ),
        (of(ONE), of(ONE.astype(np.float64)), "output: float32[3] → float64[3]"),
        (of(ONE), of(ONE[:2]), "output: float32[3] → float32[2]"),
        (of(ONE), of((ONE, ONE)), "output → output 0, output 1"),
        (of(1), of(2), "output: 1 → 2"),
        (of(Other("<a>")), of(Other("<b>")), "output: Other(repr='<a>') → Other(repr='<b>')"),
        (of(ONE, gradients={"x": ONE}), of(ONE, gradients={"x": UP}), "gradient of x: 1 of 3"),
        (of(ONE, state={"x": ONE}), of(ONE, state={"x": UP}), "state x: 1 of 3"),
        (of(ONE, gradients={"x": ONE}), of(ONE, gradients={"x": None}), "gradient of x: array([1."),
        (
            of(array(1, dtype=ml_dtypes.bfloat16)),
            of(array(1.0078125, dtype=ml_dtypes.bfloat16)),
            "output: the value, by at most 1 spacing, 0.00781",
        ),
        (
            of(array(1 + 1j, dtype=np.complex64)),
            of(array(1 + 2j, dtype=np.complex64)),
            "output: the value",
        ),
        (
            Raised(types=("ValueError",), message="no"),
            Raised(types=("TypeError",), message="not so"),
            "ValueError (no) → TypeError (not so)",
        ),
        (of(ONE), TimedOut(limit=1), "returned → timed-out"),
    ],
)
def test_by_how_much(before: Outcome, after: Outcome, told: str) -> None:
    assert told in values(before, after)


def test_the_part_that_differs_most_is_told() -> None:
    before = of(ONE, gradients={"x": ONE})
    after = of(UP, gradients={"x": ONE * 2})
    assert values(before, after).startswith("gradient of x: 3 of 3 elements")


def test_errors_before_and_after() -> None:
    old, new = record(gradient_ratio=None), record(ratio=2.25, gradient_ratio=3.0)
    told = describe(old, new, of(ONE), of(UP))
    assert told.endswith("error 0.5 → 2.25 roundoffs; gradient's error none → 3 roundoffs")
    assert describe(old, new).startswith("error 0.5 → 2.25 roundoffs")
    assert "error in roundoffs is the same" in describe(old, old)
