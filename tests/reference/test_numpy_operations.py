"""Oracles of what only NumPy names: products, truth, rounding, clipping, conversion."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import prod as product_of
from operator import mul
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import creation, elementwise, product, registry, scan, truth
from conformance.reference.dtypes import output_dtypes

X = np.random.RandomState(0).randn(3, 4)
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_products_are_exact_products(dim: int) -> None:
    rows = np.moveaxis(X, dim, -1)
    for at in np.ndindex(rows.shape[:-1]):
        exact = [Fraction(float(v)) for v in rows[at]]
        running = [float(v) for v in accumulate(exact, mul)]
        found = np.moveaxis(scan.cumprod(X, dim), dim, -1)[at]
        assert found.tolist() == pytest.approx(running, rel=1e-14)
        assert float(product.prod(X, dim)[at]) == pytest.approx(float(product_of(exact)), rel=1e-14)


def test_products_of_integers_are_int64() -> None:
    x = np.array([100, 3, 2], np.int8)
    assert scan.cumprod(x, 0).tolist() == [100, 300, 600]
    assert product.prod(x).tolist() == 600
    for name in ("bool", "uint8"):
        assert product.prod(x.astype(name)).dtype == scan.cumprod(x.astype(name), 0).dtype == int
    assert product.prod(np.zeros((0, 2))).tolist() == 1
    assert scan.cumprod(np.array(3.0), 0).tolist() == 3.0


def test_truth_is_not_being_zero() -> None:
    x = np.array([[0.0, np.nan], [-0.0, 0.0], [1.0, -2.0]])
    assert truth.all(x, 1).tolist() == [False, False, True]
    assert truth.any(x, 1).tolist() == [True, False, True]
    assert (bool(truth.all(x)), bool(truth.any(x))) == (False, True)
    assert (bool(truth.all(x[:0])), bool(truth.any(x[:0]))) == (True, False)


def test_ties_go_to_the_even_multiple() -> None:
    x = np.array([0.5, 1.5, -2.5, 2.4, np.nan])
    np.testing.assert_array_equal(elementwise.round(x), [0, 2, -2, 2, np.nan])
    assert elementwise.round(np.array([0.125, 0.375]), 2).tolist() == [0.12, 0.38]
    assert elementwise.round(np.array([150.0, 250.0]), -2).tolist() == [200, 200]
    assert elementwise.round(np.array([150, 7], np.uint8)).tolist() == [150, 7]


def test_clipping_keeps_nan() -> None:
    low, high = np.array(-1.0), np.array(2.0)
    found = elementwise.clip(np.array([-3.0, 0.5, np.inf, np.nan]), low, high)
    np.testing.assert_array_equal(found, [-1, 0.5, 2, np.nan])


def test_conversion_wraps_integers_and_leaves_rounding_to_the_judge() -> None:
    assert creation.array(np.array([1, 300]), "uint8").tolist() == [1, 44]
    assert creation.array(np.array([1.7]), "int64").tolist() == [1]
    assert creation.array(np.array([0.1]), "float16").dtype == np.float64
    x = np.array([1.0])
    assert creation.array(x) is not x


@pytest.mark.parametrize("dtype", DTYPES)
def test_they_compute_in_any_real_dtype(dtype: Any) -> None:
    x = np.array([0.5, 2.0, -1.5]).astype(dtype)
    assert scan.cumprod(x, 0).astype(float).tolist() == [0.5, 1.0, -1.5]
    assert float(product.prod(x)) == -1.5
    assert elementwise.round(x, 1).astype(float).tolist() == [0.5, 2.0, -1.5]
    low, high = np.array(0).astype(dtype), np.array(1).astype(dtype)
    assert elementwise.clip(x, low, high).astype(float).tolist() == [0.5, 1.0, 0.0]
    assert truth.all(x)


def test_dtypes() -> None:
    small, half = np.array([1], np.int8), np.array([1], np.float16)
    for name, of_int, of_float in [
        ("scan.cumprod", "int64", "float16"),
        ("product.prod", "int64", "float16"),
        ("truth.all", "bool", "bool"),
        ("truth.any", "bool", "bool"),
        ("elementwise.round", "int8", "float16"),
        ("creation.array", "int8", "float16"),
    ]:
        entry = registry.get(name)
        assert output_dtypes(entry, {"input": small, "dim": 0}, 1) == [of_int]
        assert output_dtypes(entry, {"input": half, "dim": 0}, 1) == [of_float]
    given = {"input": small, "dtype": "float64"}
    assert output_dtypes(registry.get("creation.array"), given, 1) == ["float64"]
