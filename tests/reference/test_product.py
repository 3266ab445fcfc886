"""Inner products against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.product import dot

X, Y = np.random.RandomState(0).randn(2, 50)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_sum_of_products(dtype: type) -> None:
    exact = sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(X, Y, strict=True))
    assert float(dot(X.astype(dtype), Y.astype(dtype))) == pytest.approx(float(exact), rel=1e-13)


def test_published_example() -> None:
    found = dot(np.array([2, 3, 4], np.int32), np.array([2, 1, 3], np.int32))
    assert (found.tolist(), found.dtype, found.shape) == (19, np.int32, ())


def test_integers_wrap_around_and_nothing_is_conjugated() -> None:
    most = np.iinfo(np.int32).max
    assert dot(np.array([most, 1], np.int32), np.array([1, 1], np.int32)) == -most - 1
    z = np.array([1 + 2j, -1j])
    assert dot(z, z) == (1 + 2j) ** 2 + (-1j) ** 2


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_dtypes(dtype: Any) -> None:
    assert float(dot(np.array([1, 2], dtype), np.array([3, -4], dtype))) == -5


def test_empty_vectors() -> None:
    assert dot(np.zeros(0), np.zeros(0)) == 0


def test_gradient_is_the_other_vector() -> None:
    gradient = registry.get("product.dot").gradient
    assert gradient is not None
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    found = gradient(x, y, cotangents=[np.array(2.0)])
    assert found["input"].tolist() == [6, 10]
    assert found["tensor"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones(2), np.ones(3), ValueError, "no product"),
        (np.ones((2, 2)), np.ones((2, 2)), ValueError, "vectors"),
        (np.array(1.0), np.array(1.0), ValueError, "vectors"),
        (np.array([True]), np.array([True]), TypeError, "truth"),
        (np.ones(2), np.ones(2, np.float32), TypeError, "one dtype"),
    ],
)
def test_invalid_arguments(x: Any, y: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        dot(x, y)
