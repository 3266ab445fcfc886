"""Softmax against mpmath and its identities."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.activation import softmax

Array = np.ndarray[Any, Any]
X = np.array([0.5, -3.0, 12.25, 12.0, -40.0])


def exact(x: Array) -> list[mpmath.mpf]:
    power = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
    return [p / mpmath.fsum(power) for p in power]


@pytest.mark.parametrize("real", [np.float64, np.longdouble])
def test_softmax_matches_mpmath(real: type) -> None:
    with mpmath.workdps(40):
        for got, should in zip(softmax(X.astype(real), 0), exact(X), strict=True):
            error = abs(mpmath.mpf(np.format_float_scientific(got, 25)) - should)
            assert error <= 16 * float(np.finfo(real).eps) * should


def test_a_shift_changes_nothing_and_nothing_overflows() -> None:
    shifted = softmax(X + 1024.0, 0)
    assert np.allclose(shifted, softmax(X, 0), rtol=1e-13, atol=0)
    assert np.isfinite(shifted).all()


def test_the_implicit_dim() -> None:
    for shape, dim in (((4,), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 2, 2), 1)):
        total = softmax(np.random.RandomState(1).randn(*shape)).sum(axis=dim)
        assert np.allclose(total, 1, rtol=1e-14, atol=0)
    assert softmax(np.array(3.0)).tolist() == 1


def test_infinities_and_nan() -> None:
    assert softmax(np.array([-np.inf, 0.0, 0.0]), 0).tolist() == [0, 0.5, 0.5]
    for x in ([-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]):
        assert np.isnan(softmax(np.array(x), 0)).all()
    assert np.isnan(softmax(np.array(np.inf), 0))


def test_the_input_is_rounded_to_dtype_first() -> None:
    x = np.array([1.0, 1.0 + 2.0**-14])
    assert softmax(x, 0, "float16").tolist() == [0.5, 0.5]
    assert softmax(np.array([1, 1]), 0, "float32").tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_it_runs_in_the_dtype_of_the_case(dtype: type) -> None:
    assert softmax(np.zeros((2, 4), dtype), 1).astype(float).tolist() == [[0.25] * 4] * 2


def test_empty_axes() -> None:
    assert softmax(np.zeros((2, 0)), 1).shape == (2, 0)
    assert softmax(np.zeros((0, 3)), 1).shape == (0, 3)


def test_invalid_arguments() -> None:
    with pytest.raises(ValueError, match="range"):
        softmax(np.ones((2, 3)), 2)
    with pytest.raises(TypeError):
        softmax(np.array([1, 2]), 0)


def test_the_gradient_is_the_derivative_of_the_weighted_sum() -> None:
    gradient = registry.get("activation.softmax").gradient
    assert gradient is not None
    g = np.array([0.5, -1.0, 2.0, 0.25, 3.0])
    found = gradient(X, 0, cotangents=[g])["input"]
    with mpmath.workdps(40):
        for i, slope in enumerate(found):

            def weighted(t: mpmath.mpf, i: int = i) -> mpmath.mpf:
                power = [mpmath.exp(t if j == i else mpmath.mpf(v)) for j, v in enumerate(X)]
                return mpmath.fdot(power, [mpmath.mpf(v) for v in g]) / mpmath.fsum(power)

            should = float(mpmath.diff(weighted, mpmath.mpf(X[i])))
            assert slope == pytest.approx(should, rel=1e-10, abs=0)
