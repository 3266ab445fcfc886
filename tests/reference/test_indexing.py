"""Reading and writing by index, against plain loops."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from conformance.reference.indexing import scatter, scatter_, scatter_add, take, unique

X = np.arange(24.0).reshape(2, 3, 4)
DTYPES = [np.int64, np.float16, ml_dtypes.bfloat16, np.longdouble, np.complex64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_take_reads_the_flat_array(dtype) -> None:  # type: ignore[no-untyped-def]
    index = np.array([[0, -1, 23], [-24, 5, 5]])
    taken = take(X.astype(dtype), index)
    assert taken.dtype == dtype
    flat = list(range(24))
    assert taken.real.astype(int).tolist() == [[flat[i] for i in row] for row in index.tolist()]


@pytest.mark.parametrize("mode", ["wrap", "clip"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take_outside_the_range_is_that_of_numpy(mode, axis) -> None:  # type: ignore[no-untyped-def]
    index = np.array([[1, -1, 30], [-50, 2, 0]])
    assert np.array_equal(take(X, index, axis, mode), np.take(X, index, axis, mode=mode))


def test_take_from_a_number_and_of_nothing() -> None:
    assert take(np.array(2.5), np.array([0, -1])).tolist() == [2.5, 2.5]
    assert take(X, np.array(7)).tolist() == 7
    assert take(np.zeros(0), np.zeros((0, 2), np.int64)).shape == (0, 2)


def test_take_refuses() -> None:
    for index in (24, -25):
        with pytest.raises(ValueError, match="out of range"):
            take(X, np.array([index]))
    with pytest.raises(ValueError, match="out of range"):
        take(X, np.array([0]), 3)
    with pytest.raises(ValueError, match="empty"):
        take(np.zeros(0), np.array([0]), mode="clip")
    with pytest.raises(TypeError):
        take(X, np.array([0.0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduce", [None, "add", "multiply"])
@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_scatter_is_its_loop(dtype, reduce, dim) -> None:  # type: ignore[no-untyped-def]
    random = np.random.RandomState(0)
    size = X.shape[dim]
    index = np.stack([random.permutation(size) for _ in range(4)]).reshape(2, 2, size)
    index = np.moveaxis(index, -1, dim)[:2, :2, :2]
    src = random.randint(1, 5, (2, 3, 4)).astype(dtype)
    should = X.astype(dtype)
    for place in itertools.product(*map(range, index.shape)):
        at = list(place)
        at[dim] = index[place]
        old, new = should[tuple(at)], src[place]
        should[tuple(at)] = {None: new, "add": old + new, "multiply": old * new}[reduce]
    result = scatter(X.astype(dtype), dim, index, src, reduce)
    assert result.dtype == dtype
    assert np.array_equal(result, should)


def test_what_is_added_twice_counts_twice_and_integers_wrap() -> None:
    x, index = np.array([100, 1], np.int8), np.array([0, 0, 1])
    assert scatter_add(x, 0, index, np.array([20, 30, 5], np.int8)).tolist() == [-106, 6]
    truth = scatter_add(np.array([False, True]), 0, index, np.array([True, True, False]))
    assert truth.tolist() == [True, True]
    narrow = np.zeros(2, ml_dtypes.bfloat16)
    assert scatter_add(narrow, 0, index, np.ones(3, narrow.dtype)).tolist() == [2, 1]


def test_a_number_a_scalar_and_nothing_are_scattered() -> None:
    assert scatter(np.array([1, 2]), 0, np.array([1]), np.asarray(7.5)).tolist() == [1, 7]
    assert scatter(np.array(2.5), 0, np.array(0), np.array(3.0)).tolist() == 3
    assert np.array_equal(scatter(X, 0, np.zeros((0, 3, 4), np.int64), X[:0]), X)


def test_in_place_the_input_is_what_is_returned() -> None:
    x = np.array([1.0, 2.0])
    result = scatter_(x, 0, np.array([1]), np.array([5.0]))
    assert result.mutated["input"].tolist() == result.output.tolist() == [1, 5]
    assert x.tolist() == [1, 2]


def test_scatter_refuses() -> None:
    one, x = np.array([[0]]), np.ones((2, 3))
    for dim, index, src in (
        (2, one, x),
        (0, np.array([[2]]), x),
        (0, np.array([[-1]]), x),
        (0, np.array([0]), np.ones(1)),
        (0, np.zeros((1, 4), int), np.ones((1, 4))),
        (0, np.zeros((1, 3), int), np.ones((1, 2))),
    ):
        with pytest.raises(ValueError, match=r"range|dimensions|larger|smaller"):
            scatter(x, dim, index, src)
    with pytest.raises(ValueError, match="reduce"):
        scatter(x, 0, one, x, "mean")
    with pytest.raises(TypeError):
        scatter(x, 0, one.astype(float), x)
    with pytest.raises(TypeError):
        scatter(x, 0, one, x.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.float16, ml_dtypes.bfloat16, np.longdouble, bool])
def test_unique_of_elements(dtype) -> None:  # type: ignore[no-untyped-def]
    x = np.array([[3, 1, 2], [1, 0, 3]]).astype(dtype)
    values, inverse, counts = unique(x, return_inverse=True, return_counts=True)
    listed = sorted(set(x.astype(float).ravel().tolist()))
    assert values.dtype == dtype
    assert values.astype(float).tolist() == listed
    assert [[listed[i] for i in row] for row in inverse] == x.astype(float).tolist()
    assert counts.tolist() == [int(np.sum(x.astype(float) == v)) for v in listed]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_unique_of_slices_is_that_of_numpy(dim) -> None:  # type: ignore[no-untyped-def]
    x = np.random.RandomState(0).randint(0, 2, (6, 2, 3))
    x = np.moveaxis(x, 0, dim)
    values, inverse, counts = unique(x, return_inverse=True, return_counts=True, dim=dim)
    should = np.unique(x, axis=dim, return_inverse=True, return_counts=True)
    assert np.array_equal(values, should[0])
    assert np.array_equal(inverse, should[1].ravel())
    assert np.array_equal(counts, should[2])


def test_each_nan_is_unique_and_last_and_zeros_are_equal() -> None:
    x = np.array([np.nan, 1, np.inf, np.nan, -0.0, 0.0])
    values, inverse = unique(x, return_inverse=True)
    assert str(values.tolist()) == "[-0.0, 1.0, inf, nan, nan]"
    assert inverse.tolist() == [3, 1, 2, 4, 0, 0]


def test_unique_of_a_number_and_of_nothing() -> None:
    assert unique(np.array(2.5)).tolist() == [2.5]
    assert unique(np.zeros((0, 3))).shape == (0,)
    assert unique(np.zeros((0, 3)), dim=0).shape == (0, 3)
    with pytest.raises(ValueError, match="without elements"):
        unique(np.zeros((0, 3)), dim=1)
    with pytest.raises(ValueError, match="out of range"):
        unique(np.zeros(3), dim=1)
    with pytest.raises(TypeError):
        unique(np.zeros(3, complex))


def test_unsorted_any_order_is_right_and_others_are_not() -> None:
    x = np.array([[3.0, 1.0], [2.0, 3.0]])
    found = unique(x, sorted=False, return_inverse=True, return_counts=True)

    def holds(values: list[float], inverse: list[list[int]], counts: list[int]) -> bool:
        given = [np.array(a) for a in (values, inverse, counts)]
        return all(np.array_equal(r.got, r.should) for r in found.relations(given))

    assert holds([1, 2, 3], [[2, 0], [1, 2]], [1, 1, 2])
    assert holds([3, 1, 2], [[0, 1], [2, 0]], [2, 1, 1])
    assert not holds([3, 1, 2], [[0, 1], [2, 1]], [2, 1, 1])
    assert not holds([3, 1, 2], [[0, 1], [2, 0]], [1, 1, 2])
    assert not holds([3, 1, 4], [[0, 1], [2, 0]], [2, 1, 1])
