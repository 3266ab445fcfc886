"""Variance and mean against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from statistics import pstdev, pvariance, stdev, variance
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.dtypes import output_dtypes
from conformance.reference.reduction import axes_of, std, std_mean, var, var_mean

X = np.random.RandomState(0).randn(3, 4, 5)


@pytest.mark.parametrize("real", [np.float64, np.longdouble])
@pytest.mark.parametrize(("correction", "exact"), [(1, variance), (0, pvariance)])
def test_var_and_mean_are_exact_to_roundoff(real, correction, exact) -> None:  # type: ignore[no-untyped-def]
    found, mean = var_mean(X.astype(real), correction=correction)
    values = [Fraction(float(v)) for v in X.ravel()]
    assert float(found) == pytest.approx(float(exact(values)), rel=1e-14)
    assert float(mean) == pytest.approx(float(sum(values) / len(values)), rel=1e-13)


def test_a_large_mean_costs_no_digits_of_the_variance() -> None:
    x = np.array([1e8 + 1, 1e8 + 2, 1e8 + 3])
    assert float(var_mean(x)[0]) == 1


@pytest.mark.parametrize(
    ("dim", "axes"), [(0, (0,)), (-1, (2,)), ([0, 2], (0, 2)), (None, (0, 1, 2)), ([], (0, 1, 2))]
)
def test_dims(dim, axes) -> None:  # type: ignore[no-untyped-def]
    found, mean = var_mean(X, dim, keepdim=True)
    assert found.shape == mean.shape == tuple(1 if i in axes else n for i, n in enumerate(X.shape))
    assert np.allclose(mean.squeeze(), X.mean(axis=axes), rtol=1e-13)
    assert var_mean(X, dim)[0].shape == tuple(n for i, n in enumerate(X.shape) if i not in axes)


def test_too_few_elements_for_the_correction() -> None:
    found, mean = var_mean(np.array([[1.0], [2.0]]), 1, correction=2)
    assert np.isnan(found).all()
    assert mean.tolist() == [1, 2]
    assert float(var_mean(np.array([0.0, 2.0]), correction=3)[0]) == np.inf
    assert np.isnan(var_mean(np.zeros(0))[1])


def test_complex_variance_is_real() -> None:
    z = np.array([1 + 1j, -1 - 1j], np.complex64)
    found, mean = var_mean(z, correction=0)
    assert (float(found), complex(mean)) == (2, 0)
    entry = registry.get("reduction.var_mean")
    assert output_dtypes(entry, {"input": z}, 2) == ["float32", "complex64"]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_dtypes_stay_narrow(dtype: type) -> None:
    found, mean = var_mean(np.array([1, 3], dtype))
    assert found.dtype == mean.dtype == dtype
    assert (float(found), float(mean)) == (2, 2)


def test_invalid_arguments() -> None:
    with pytest.raises(TypeError):
        var_mean(np.array([1, 2]))
    for dim in (3, -4, [0, 0], [0, -3]):
        with pytest.raises(ValueError, match="dim"):
            var_mean(X, dim)


@pytest.mark.parametrize(("correction", "exact"), [(1, stdev), (0, pstdev)])
def test_std_is_the_root_of_var_and_mean_stands_beside(correction: int, exact: Any) -> None:
    values = [Fraction(float(v)) for v in X.ravel()]
    assert float(std(X, correction=correction)) == pytest.approx(float(exact(values)), rel=1e-14)
    for both, first in ((std_mean, std), (var_mean, var)):
        for dim, keepdim in ((None, False), ([0, -1], True), (1, False)):
            spread, mean = both(X, dim, correction, keepdim)
            alone = first(X, dim, correction, keepdim)
            assert spread.tolist() == alone.tolist()
            assert spread.shape == mean.shape
            axes = dim if dim is None or isinstance(dim, int) else tuple(dim)
            assert np.allclose(mean, X.mean(axis=axes, keepdims=keepdim), rtol=1e-13)


def test_published_example() -> None:
    x = np.array([[[9, 7, 4, -10], [-9, -2, 1, -2]]], float)
    assert np.round(std(x, 2, 1, True), 4).tolist() == [[[8.5829], [4.2426]]]
    assert np.round(var(x, 2, 1, True), 4).tolist() == [[[73.6667], [18.0]]]
    assert std_mean(x, 2, 1, True)[1].tolist() == [[[2.5], [-3.0]]]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("dim", "correction"), [(None, 1), (1, 0), ([0, 2], 2.5)])
def test_gradient_of_std_mean_by_differences(dim: Any, correction: float, keepdim: bool) -> None:
    gradient = registry.get("reduction.std_mean").gradient
    assert gradient is not None
    random = np.random.RandomState(1)
    cotangents = [random.randn(*y.shape) for y in std_mean(X, dim, correction, keepdim)]
    found = gradient(X, dim, correction, keepdim, cotangents=cotangents)["input"]
    for at in ((0, 0, 0), (2, 1, 3), (1, 3, 4)):
        step = np.zeros_like(X)
        step[at] = 1e-5
        ends = [std_mean(X + t * step, dim, correction, keepdim) for t in (1, -1)]
        slopes = [(a - b) / 2e-5 for a, b in zip(*ends, strict=True)]
        expected = sum(float(np.sum(g * s)) for g, s in zip(cotangents, slopes, strict=True))
        assert found[at] == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_gradient_of_equal_elements_is_the_least_subgradient() -> None:
    gradient = registry.get("reduction.std").gradient
    assert gradient is not None
    x = np.array([[2.5, 2.5], [1.0, 3.0]])
    found = gradient(x, 1, 0, cotangents=[np.array([1.0, 1.0])])["input"]
    assert found.tolist() == [[0, 0], [-0.5, 0.5]]
    zero = gradient(np.array(2.5), correction=0, cotangents=[np.array(1.0)])["input"]
    assert zero == 0


def test_axes() -> None:
    assert axes_of(None, 3) == axes_of([], 3) == (0, 1, 2)
    assert (axes_of(-1, 3), axes_of((0, -1), 3), axes_of(-1, 0)) == ((2,), (0, 2), ())
