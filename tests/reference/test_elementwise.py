"""Elementwise oracles against mpmath, exact integers and identities."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

from conformance.reference import elementwise, registry
from conformance.reference.dtypes import output_dtypes

Array = np.ndarray[Any, Any]
POINTS = [0.0, 1e-300, 1e-8, 0.25, 1.0, 5.0, 19.5, 700.0]


def dtypes(name: str, **values: object) -> list[str]:
    return output_dtypes(registry.get(f"elementwise.{name}"), values, 1)


@pytest.mark.parametrize("real", [np.float64, np.longdouble])
def test_tanh_is_right_to_two_roundoffs(real: type) -> None:
    x: Array = np.array(POINTS + [-p for p in POINTS], real)
    with mpmath.workdps(40):
        exact = [mpmath.tanh(mpmath.mpf(str(v))) for v in x]
        error = [
            abs(mpmath.mpf(str(a)) - b) for a, b in zip(elementwise.tanh(x), exact, strict=True)
        ]
    bound = 2 * np.finfo(real).eps
    assert all(e <= bound * abs(b) for e, b in zip(error, exact, strict=True))


def test_tanh_of_integers_and_truth_values_is_not_rounded_to_float16() -> None:
    expected = float(mpmath.tanh(1))
    for x in (np.array([1]), np.array([1], np.int8), np.array([True])):
        assert abs(float(elementwise.tanh(x)[0]) - expected) < 1e-15
        assert dtypes("tanh", input=x) == ["float32"]


def test_abs_of_a_complex_number_is_the_hypotenuse_and_real() -> None:
    z = np.array([3 + 4j, -5 - 12j, -8j], np.complex64)
    assert elementwise.abs(z).tolist() == pytest.approx([5, 13, 8], rel=2**-23)
    assert dtypes("abs", input=z) == ["float32"]


def test_the_least_integer_is_its_own_absolute_value() -> None:
    least = np.array([np.iinfo(np.int32).min, -1], np.int32)
    assert elementwise.abs(least).tolist() == [-(2**31), 1]


def test_abs_clears_the_sign_of_zero_and_refuses_truth_values() -> None:
    assert not np.signbit(elementwise.abs(np.array([-0.0]))).any()
    with pytest.raises(TypeError):
        elementwise.abs(np.array([True]))


def test_sums_of_integers_wrap_around() -> None:
    x, y = np.array([2**31 - 1], np.int32), np.array([3], np.int32)
    wrapped = (2**31 - 1 + 2 * 3 + 2**31) % 2**32 - 2**31
    assert elementwise.add(x, y, 2).tolist() == [wrapped]


def test_add_broadcasts_scales_and_joins_truth_values() -> None:
    x, y = np.arange(6.0).reshape(3, 1, 2), np.arange(2.0).reshape(2, 1)
    total = elementwise.add(x, y, -0.5)
    assert total.shape == (3, 2, 2)
    assert all(total[i, j, k] == x[i, 0, k] - 0.5 * y[j, 0] for i, j, k in np.ndindex(*total.shape))
    truth = np.array([True, True, False])
    assert elementwise.add(truth, np.array([True, False, False])).tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, ml_dtypes.bfloat16])
def test_alpha_does_not_change_the_dtype(dtype: type) -> None:
    x: Array = np.array([1, 2], dtype)
    assert elementwise.add(x, x, 0.5).dtype == x.dtype
    assert elementwise.add(x, x, 0.5).astype(float).tolist() == [1.5, 3]


def test_add_refuses_an_alpha_its_integers_cannot_hold() -> None:
    with pytest.raises(TypeError):
        elementwise.add(np.array([1]), np.array([2]), 0.5)
    with pytest.raises(ValueError, match="broadcast"):
        elementwise.add(np.ones(2), np.ones(3))


def test_a_zero_dimensional_operand_does_not_widen_its_category() -> None:
    x = np.ones(2, np.float32)
    assert dtypes("add", input=x, other=np.array(1.0)) == ["float32"]
    assert dtypes("add", input=np.ones(2, int), other=np.array(1.0, np.float64)) == ["float64"]


def test_the_gradient_of_add_sums_what_was_broadcast() -> None:
    gradient = registry.get("elementwise.add").gradient
    assert gradient is not None
    cotangent = np.arange(24.0).reshape(2, 3, 4)
    found = gradient(np.ones((3, 1)), np.ones((2, 1, 4)), -2.0, cotangents=[cotangent])
    assert found["input"].tolist() == cotangent.sum(axis=(0, 2)).reshape(3, 1).tolist()
    assert found["other"].tolist() == (-2 * cotangent.sum(axis=1, keepdims=True)).tolist()


def test_add_in_place_changes_its_input_in_the_dtype_of_that() -> None:
    x = np.array([1.5, 2.5], np.float16)
    result = elementwise.add_(x, np.array([1.0, 2.0], np.float32))
    assert result.mutated["input"].dtype == np.float16
    assert result.mutated["input"].tolist() == result.output.tolist() == [2.5, 4.5]


def test_add_in_place_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="shape"):
        elementwise.add_(np.ones(3), np.ones((2, 3)))
    with pytest.raises(TypeError):
        elementwise.add_(np.array([1]), np.array([0.5]))


def test_where_keeps_bits_and_refuses_a_numeric_condition() -> None:
    chosen = elementwise.where(np.array([True, False]), np.array([-0.0, 1]), np.array([np.nan, 0]))
    assert np.signbit(chosen).tolist() == [True, False]
    assert chosen.tolist() == [0, 0]
    with pytest.raises(TypeError):
        elementwise.where(np.array([1, 0]), np.ones(2), np.ones(2))


def test_no_gradient_leaks_through_the_branch_not_taken() -> None:
    gradient = registry.get("elementwise.where").gradient
    assert gradient is not None
    condition = np.array([True, False])
    found = gradient(condition, np.ones(2), np.ones(2), cotangents=[np.array([3.0, 5.0])])
    assert found["input"].tolist() == [3, 0]
    assert found["other"].tolist() == [0, 5]


def test_entr_matches_mpmath_and_its_edges() -> None:
    for x in (1e-300, 0.25, 1.0, 3.0):
        exact = float(-mpmath.mpf(x) * mpmath.log(x))
        assert elementwise.entr(np.array([x]))[0] == pytest.approx(exact, rel=1e-15, abs=0)
    edges = elementwise.entr(np.array([0.0, -1.0, -np.inf, np.inf, np.nan]))
    assert edges[:4].tolist() == [0, -np.inf, -np.inf, -np.inf]
    assert np.isnan(edges[4])


def test_the_gradient_of_entr_is_minus_one_minus_the_logarithm() -> None:
    gradient = registry.get("elementwise.entr").gradient
    assert gradient is not None
    slope = float(mpmath.diff(lambda t: -t * mpmath.log(t), mpmath.mpf("0.3")))
    found = gradient(np.array([0.3]), cotangents=[np.array([2.0])])
    assert found["input"][0] == pytest.approx(2 * slope, rel=1e-12)


def test_xdivy_is_zero_where_the_dividend_is() -> None:
    x = np.array([0.0, -0.0, 0.0, 1.0, 6.0])
    y = np.array([0.0, np.nan, np.inf, 0.0, 4.0])
    assert elementwise.xdivy(x, y).tolist() == [0, 0, 0, np.inf, 1.5]
