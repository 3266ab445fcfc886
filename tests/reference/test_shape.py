"""Data movement, element by element."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.shape import (
    broadcast_to,
    cat,
    diag,
    flatten,
    flatten_module,
    flip,
    meshgrid,
    tile,
    transpose_t,
)

X = np.arange(24).reshape(2, 3, 4)
DTYPES = [np.float16, ml_dtypes.bfloat16, np.longdouble, np.bool_, np.complex64, np.int64]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0, 3)])
def test_every_element_goes_to_its_reversed_index(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    turned = transpose_t(x)
    assert turned.shape == shape[::-1]
    assert all(turned[index[::-1]] == x[index] for index in np.ndindex(*shape))


@pytest.mark.parametrize(
    ("start", "end", "shape"),
    [(0, -1, (24,)), (1, -1, (2, 12)), (0, 1, (6, 4)), (-2, 2, (2, 12)), (1, 1, (2, 3, 4))],
)
def test_flatten_keeps_the_order_of_elements(start: int, end: int, shape: tuple[int, ...]) -> None:
    out = flatten(X, start, end)
    assert out.shape == shape
    assert out.ravel().tolist() == list(range(24))


def test_flatten_of_the_published_matrix_of_a_number_and_of_nothing() -> None:
    assert flatten(np.array([[1, 2], [3, 4]])).tolist() == [1, 2, 3, 4]
    assert flatten(np.array(2.5)).tolist() == [2.5]
    assert flatten(np.zeros((2, 0, 3))).shape == (0,)
    assert flatten_module(X).shape == (2, 12)


def test_flatten_refuses_axes_that_do_not_fit() -> None:
    for start, end in ((3, -1), (0, -4), (2, 1)):
        with pytest.raises(ValueError, match=r"out of range|comes after"):
            flatten(X, start, end)
    with pytest.raises(ValueError, match="out of range"):
        flatten_module(np.ones(3))
    for axis in (1.5, True):
        with pytest.raises(TypeError):
            flatten(X, axis)


@pytest.mark.parametrize("dtype", DTYPES)
def test_broadcast_repeats_the_element_of_an_axis_of_one(dtype: Any) -> None:
    x = np.array([[3], [0]]).astype(dtype)
    out = broadcast_to(x, (4, -1, 3))
    assert out.shape == (4, 2, 3)
    assert out.dtype == x.dtype
    assert all(out[i, j, k] == x[j, 0] for i, j, k in np.ndindex(4, 2, 3))


def test_broadcast_to_nothing_and_of_a_number() -> None:
    assert broadcast_to(np.ones((2, 1)), (2, 0)).shape == (2, 0)
    assert broadcast_to(np.array(2.5), (2, 2)).tolist() == [[2.5, 2.5], [2.5, 2.5]]
    assert broadcast_to(np.array(2.5), ()).shape == ()


def test_broadcast_refuses_shapes_that_do_not_fit() -> None:
    for shape in ((3, 3), (2,), (-1, 2, 3), (2, -2)):
        with pytest.raises(ValueError, match="broadcast"):
            broadcast_to(np.ones((2, 1)), shape)
    with pytest.raises(TypeError):
        broadcast_to(np.ones((2, 1)), (2, 1.5))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cat_puts_each_array_after_the_one_before(dim: int) -> None:
    parts = [X + 100 * k for k in range(3)]
    out = cat(parts, dim)
    for k, part in enumerate(parts):
        for index in np.ndindex(2, 3, 4):
            place = list(index)
            place[dim] += k * X.shape[dim]
            assert out[tuple(place)] == part[index]


def test_cat_skips_empty_vectors_and_promotes() -> None:
    assert cat([np.zeros(0), np.array([[1.0, 2.0]])], 1).tolist() == [[1.0, 2.0]]
    assert cat([np.zeros(0), np.zeros(0)]).shape == (0,)
    entry = registry.get("shape.cat")
    assert entry.dtype == "promote"


def test_cat_refuses_shapes_that_do_not_fit() -> None:
    for parts in ([], [np.ones(())], [np.ones((2, 2)), np.ones((3, 3))], [np.ones(2), X]):
        with pytest.raises(ValueError, match="dimension"):
            cat(parts)
    with pytest.raises(ValueError, match="out of range"):
        cat([X, X], 3)
    with pytest.raises(TypeError):
        cat([X, X], 1.0)


@pytest.mark.parametrize("dims", [(0,), (2,), (0, -1), (-2, 0, 2), ()])
def test_flip_counts_from_the_end(dims: tuple[int, ...]) -> None:
    out = flip(X, dims)
    axes = {d % 3 for d in dims}
    for index in np.ndindex(2, 3, 4):
        place = tuple(X.shape[k] - 1 - i if k in axes else i for k, i in enumerate(index))
        assert out[index] == X[place]


def test_flip_of_the_published_cube_and_of_a_number() -> None:
    cube = np.arange(1, 9).reshape(2, 2, 2)
    assert flip(cube, (1,)).tolist() == [[[3, 4], [1, 2]], [[7, 8], [5, 6]]]
    assert flip(np.array(2.5), (0,)).tolist() == 2.5


def test_flip_refuses_axes_out_of_range_and_twice() -> None:
    for dims in ((3,), (1, -2)):
        with pytest.raises(ValueError, match=r"out of range|named twice"):
            flip(X, dims)
    with pytest.raises(TypeError):
        flip(X, (1.0,))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dims", [(2, 1, 3), (2,), (2, 1, 1, 2), (), (0, 1, 1)])
def test_tile_agrees_with_numpy(dtype: Any, dims: tuple[int, ...]) -> None:
    x = X.astype(dtype)
    assert np.array_equal(tile(x, dims), np.tile(x, dims))
    assert tile(x, dims).dtype == x.dtype


def test_tile_of_numbers_and_its_errors() -> None:
    assert tile(np.array(2.5), ()).shape == ()
    assert tile(np.array(2.5), (2,)).tolist() == [2.5, 2.5]
    with pytest.raises(ValueError, match="negative"):
        tile(X, (-1, 1, 1))
    with pytest.raises(TypeError):
        tile(X, (1.5, 1, 1))


@pytest.mark.parametrize("k", [0, 1, -1, 3, -2, 9])
def test_diag_agrees_with_numpy(k: int) -> None:
    vector, matrix = np.array([1.0, np.nan, np.inf]), np.arange(12).reshape(3, 4)
    assert np.array_equal(diag(vector, k), np.diag(vector, k), equal_nan=True)
    beyond = not -3 < k < 4  # where NumPy would read past the edge of the matrix
    assert diag(matrix, k).tolist() == ([] if beyond else np.diag(matrix, k).tolist())


def test_diag_refuses_other_ranks() -> None:
    for shape in ((), (2, 2, 2)):
        with pytest.raises(ValueError, match="neither vector nor matrix"):
            diag(np.ones(shape))
    with pytest.raises(TypeError):
        diag(np.ones(2), 1.5)


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_meshgrid_agrees_with_numpy(indexing: Any) -> None:
    for lengths in ((2, 3, 4), (3,), (0, 3), (2, 3)):
        vectors = [np.arange(n) + 10 * k for k, n in enumerate(lengths)]
        for mine, numpys in zip(
            meshgrid(vectors, indexing), np.meshgrid(*vectors, indexing=indexing), strict=True
        ):
            assert np.array_equal(mine, numpys)


def test_meshgrid_refuses_matrices_and_other_orders() -> None:
    for tensors, indexing in (([], "ij"), ([np.ones((2, 2))], "ij"), ([np.ones(2)], "zz")):
        with pytest.raises(ValueError, match=r"vectors|indexing"):
            meshgrid(tensors, indexing)


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("flatten", (2, 3, 4), {"start_dim": 1}),
        ("broadcast_to", (2, 1, 4), {"shape": (3, 2, 3, 4)}),
        ("flip", (2, 3, 4), {"dims": (0, 2)}),
        ("tile", (2, 3), {"dims": (2, 1, 3)}),
        ("diag", (3,), {"diagonal": -1}),
        ("diag", (3, 4), {"diagonal": 1}),
    ],
)
def test_gradients_are_the_transposed_map(
    name: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    entry = registry.get(f"shape.{name}")
    assert entry.gradient is not None
    x = np.zeros(shape)
    cotangent = np.random.RandomState(0).randn(*entry.function(x, **options).shape)
    product = entry.gradient(input=x, **options, cotangents=[cotangent])["input"]
    for index in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[index] = 1
        assert np.isclose(product[index], np.sum(entry.function(unit, **options) * cotangent))


def test_gradients_of_lists_come_back_one_for_each_array() -> None:
    a, b = np.ones((2, 1)), np.ones((2, 2))
    entry = registry.get("shape.cat")
    assert entry.gradient is not None
    got = entry.gradient(tensors=[a, b], dim=1, cotangents=[np.arange(6.0).reshape(2, 3)])
    assert [g.tolist() for g in got["tensors"]] == [[[0], [3]], [[1, 2], [4, 5]]]
    entry = registry.get("shape.meshgrid")
    assert entry.gradient is not None
    weights = np.arange(6.0).reshape(2, 3)
    got = entry.gradient(tensors=[np.ones(2), np.ones(3)], cotangents=[weights, 10 * weights])
    assert [g.tolist() for g in got["tensors"]] == [[3, 12], [30, 50, 70]]
