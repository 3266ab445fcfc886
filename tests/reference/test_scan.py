"""Cumulative sums against plain loops and exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.dtypes import output_dtypes
from conformance.reference.scan import cumsum

X = np.random.RandomState(0).randn(3, 4, 5)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -3])
def test_every_line_is_the_running_sum(dim: int, dtype: type) -> None:
    found = np.moveaxis(cumsum(X.astype(dtype), dim), dim, -1)
    for at in np.ndindex(found.shape[:-1]):
        exact = accumulate(Fraction(float(v)) for v in np.moveaxis(X, dim, -1)[at])
        assert found[at].tolist() == pytest.approx([float(v) for v in exact], rel=1e-14, abs=1e-15)


def test_published_example() -> None:
    x = np.array([[3, 4, 6, 10], [1, 6, 7, 9], [4, 3, 8, 7], [1, 3, 7, 9]], np.float32)
    assert cumsum(x, -1)[0].tolist() == [3, 7, 13, 23]
    assert cumsum(x, 0, "int8")[-1].tolist() == [9, 16, 28, 35]


def test_integers_and_truth_values_are_summed_as_int64() -> None:
    assert cumsum(np.array([100, 27, 3], np.int8), 0).tolist() == [100, 127, 130]
    assert cumsum(np.array([True, False, True]), 0).tolist() == [1, 1, 2]
    most = np.iinfo(np.int64).max
    assert cumsum(np.array([most, 1]), 0).tolist() == [most, -most - 1]


def test_input_is_converted_before_the_sum() -> None:
    assert cumsum(np.array([1.7, 1.7, -1.7]), 0, "int32").tolist() == [1, 2, 1]
    narrow = cumsum(np.array([0.1, 0.2]), 0, "float16")
    assert narrow.dtype == np.float64
    assert narrow.tolist() == [
        float(np.float16(0.1)),
        float(np.float16(0.1)) + float(np.float16(0.2)),
    ]
    assert cumsum(np.array([1, 2]), 0, "float32").dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.complex64])
def test_other_dtypes(dtype: Any) -> None:
    assert cumsum(np.array([1, 3, -2], dtype), 0).tolist() == [1, 4, 2]


def test_zero_dimensional_and_empty() -> None:
    assert cumsum(np.array(2.5), -1).tolist() == 2.5
    assert cumsum(np.zeros((0, 3)), 0).shape == (0, 3)


@pytest.mark.parametrize(
    ("dtype", "given", "name"),
    [(np.int8, None, "int64"), (bool, None, "int64"), (np.float16, None, "float16"),
     (np.float32, "int8", "int8")],
)  # fmt: skip
def test_output_dtype(dtype: Any, given: str | None, name: str) -> None:
    entry = registry.get("scan.cumsum")
    values = {"input": np.zeros(2, dtype), "dim": 0, "dtype": given}
    assert output_dtypes(entry, values, 1) == [name]


def test_gradient_counts_each_input_in_every_later_sum() -> None:
    entry = registry.get("scan.cumsum")
    assert entry.gradient is not None
    g = np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    assert entry.gradient(g, 1, cotangents=[g])["input"].tolist() == [[7, 6, 4], [56, 48, 32]]
    assert entry.gradient(g, 0, cotangents=[g])["input"].tolist() == [[9, 18, 36], [8, 16, 32]]
    assert entry.gradient(np.array(1.0), 0, cotangents=[np.array(3.0)])["input"] == 3


def test_invalid_arguments() -> None:
    for dim in (3, -4):
        with pytest.raises(ValueError, match="out of range"):
            cumsum(X, dim)
    for wrong in (1.5, True):
        with pytest.raises(TypeError, match="integer"):
            cumsum(X, wrong)
