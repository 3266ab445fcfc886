"""Oracles of activations: against mpmath and identities."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference.activation import sigmoid, softmax
from conformance.reference.registry import get

Array = np.ndarray[Any, Any]
POINTS = [-700.0, -37.0, -2.5, -1e-12, 0.0, 1e-12, 0.5, 3.0, 20.0]


def exact(value: complex) -> complex:
    with mpmath.workdps(60):
        return complex(1 / (1 + mpmath.exp(-mpmath.mpmathify(value))))


def test_sigmoid_follows_the_definition_to_the_last_digits() -> None:
    should = [exact(x).real for x in POINTS]
    np.testing.assert_allclose(sigmoid(np.array(POINTS)), should, rtol=4e-16)


def test_sigmoid_of_complex_numbers() -> None:
    points = [1 + 2j, -3 + 0.5j, 2j, -700 - 1j, 0.25]
    np.testing.assert_allclose(sigmoid(np.array(points)), [exact(z) for z in points], rtol=1e-14)


def test_sigmoid_of_x_and_of_minus_x_add_to_one() -> None:
    x = np.array(POINTS)
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=3e-16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_sigmoid_saturates_without_overflow(dtype: type) -> None:
    with np.errstate(over="raise", invalid="raise"):
        y = sigmoid(np.array([-np.inf, -6e4, 6e4, np.inf], dtype))
    assert y.tolist() == pytest.approx([0, 0, 1, 1], abs=1e-300)
    assert y.dtype == dtype


@pytest.mark.parametrize("shape", [(), (3,), (2, 0)])
def test_sigmoid_keeps_dtype_and_shape(shape: tuple[int, ...]) -> None:
    y = sigmoid(np.zeros(shape, np.float32))
    assert (y.dtype, y.shape) == (np.dtype(np.float32), shape)
    assert (y == 0.5).all()


def test_sigmoid_of_nan_is_nan() -> None:
    assert np.isnan(sigmoid(np.array([np.nan]))).all()


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_sigmoid_reads_integers_and_truth_values_as_real_numbers(dtype: type) -> None:
    x: Array = np.array([0, 1], dtype)
    np.testing.assert_allclose(sigmoid(x), [0.5, exact(1).real], rtol=4e-16)
    rule: Any = get("activation.sigmoid").dtype
    assert rule(input=x) == "float32"


def test_softmax_of_two_is_a_sigmoid_of_their_difference() -> None:
    x = np.array([[0.25, -1.5], [3.0, 40.0]])
    np.testing.assert_allclose(softmax(x, dim=1)[:, 0], sigmoid(x[:, 0] - x[:, 1]), rtol=1e-14)
