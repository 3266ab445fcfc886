"""The k best, against their definition."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from conformance.reference.registry import Identities
from conformance.reference.sort import topk

X = np.random.RandomState(0).permutation(60).reshape(3, 4, 5)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, ml_dtypes.bfloat16, np.longdouble])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_nothing_left_out_is_better_and_indices_point_at_values(dtype, largest, dim) -> None:  # type: ignore[no-untyped-def]
    x = X.astype(dtype)
    found = topk(x, 2, dim, largest)
    lines = np.moveaxis(X, dim, -1).reshape(-1, X.shape[dim])
    values = np.moveaxis(found.values.astype(int), dim, -1).reshape(-1, 2)
    indices = np.moveaxis(found.indices, dim, -1).reshape(-1, 2)
    for line, best, where in zip(lines, values, indices, strict=True):
        assert best.tolist() == sorted(line.tolist(), reverse=largest)[:2]
        assert line[where].tolist() == best.tolist()


def test_nan_is_the_greatest_and_the_least_integer_the_least() -> None:
    x = np.array([1.0, np.nan, np.inf, -np.inf])
    assert topk(x, 2).indices.tolist() == [1, 2]
    assert topk(x, 2, largest=False).indices.tolist() == [3, 0]
    least = np.array([0, np.iinfo(np.int32).min], np.int32)
    assert topk(least, 1, largest=False).indices.tolist() == [1]


def test_of_equals_the_first_comes_first() -> None:
    assert topk(np.array([1, 2, 2, 1]), 3).indices.tolist() == [1, 2, 0]
    assert topk(np.array([1, 2, 2, 1]), 3, largest=False).indices.tolist() == [0, 3, 1]


def test_unsorted_is_any_order_of_the_same_elements() -> None:
    x = np.array([[3.0, np.nan, 1.0], [2.0, 5.0, 4.0]])
    loose = topk(x, 2, sorted=False)
    assert isinstance(loose, Identities)

    def holds(values: list[list[float]], indices: list[list[int]]) -> bool:
        relations = loose.relations([np.array(values), np.array(indices)])
        return all(np.array_equal(r.got, r.should, equal_nan=True) for r in relations)

    assert holds([[np.nan, 3], [5, 4]], [[1, 0], [1, 2]])
    assert holds([[3, np.nan], [4, 5]], [[0, 1], [2, 1]])
    assert not holds([[3, np.nan], [4, 5]], [[1, 0], [2, 1]])
    assert not holds([[3, 1], [4, 5]], [[0, 2], [2, 1]])
    assert not holds([[3, np.nan], [4, 5]], [[0, 1], [3, 1]])


def test_none_a_scalar_and_an_empty_axis() -> None:
    assert topk(np.ones(3), 0).values.shape == (0,)
    assert topk(np.array(2.5), 1).values.tolist() == 2.5
    assert topk(np.zeros((0, 3)), 2).indices.shape == (0, 2)


def test_invalid_arguments() -> None:
    for k, dim in ((4, 0), (-1, 0), (1, 1)):
        with pytest.raises(ValueError, match="out of range"):
            topk(np.ones(3), k, dim)
    with pytest.raises(TypeError):
        topk(np.array([True]), 1)
