"""Variance and mean against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from statistics import pvariance, variance

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.dtypes import output_dtypes
from conformance.reference.reduction import var_mean

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
