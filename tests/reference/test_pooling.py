"""Pools against plain loops and published digits."""

from __future__ import annotations

from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy import ndimage

from conformance.reference import pooling, registry
from conformance.reference.pooling import (
    adaptive_max_pool1d,
    avg_pool1d,
    avg_pool3d,
    local_response_norm,
    max_pool1d,
)

X = np.random.RandomState(0).randn(2, 3, 11)
BOX = np.random.RandomState(1).randn(2, 2, 4, 5, 6)


def windows(length: int, k: int, s: int, p: int, up: bool, dilation: int = 1) -> list[list[int]]:
    """Places of each window, of the array padded by p and infinitely to the right."""
    found = []
    start = 0
    while True:
        last = start + dilation * (k - 1)
        if last >= length + 2 * p and not up:
            break
        if last >= length + 2 * p + s or start >= length + p:
            break
        if last - s >= length + 2 * p - 1 and start:  # the one before has reached the end
            break
        found.append([start + dilation * j - p for j in range(k)])
        start += s
    return found


@pytest.mark.parametrize(("k", "s", "p"), [(3, 2, 0), (3, 2, 1), (4, 3, 2), (2, 5, 1), (1, 1, 0)])
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("include", [False, True])
def test_means_and_their_derivatives_are_those_of_a_loop(
    k: int, s: int, p: int, up: bool, include: bool
) -> None:
    rows = []
    for places in windows(11, k, s, p, up):
        inside = [i for i in places if 0 <= i < 11]
        count = len([i for i in places if i < 11 + p]) if include else len(inside)
        row = np.zeros(11)
        row[inside] = 1 / count
        rows.append(row)
    found = avg_pool1d(X, k, s, p, up, include)
    np.testing.assert_allclose(found, X @ np.array(rows).T, atol=1e-15)
    options = {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": up}
    cotangent = np.random.RandomState(2).randn(*found.shape)
    slope = registry.get("pooling.avg_pool1d").gradient
    assert slope is not None
    got = slope(X, count_include_pad=include, **options, cotangents=[cotangent])["input"]
    np.testing.assert_allclose(got, cotangent @ np.array(rows), atol=1e-15)


@pytest.mark.parametrize(
    ("k", "s", "p", "d"), [(3, 2, 0, 1), (3, 1, 1, 2), (4, 3, 2, 1), (2, 2, 1, 4)]
)
@pytest.mark.parametrize("up", [False, True])
def test_maxima_their_places_and_derivatives_are_those_of_a_loop(
    k: int, s: int, p: int, d: int, up: bool
) -> None:
    inside = [[i for i in w if 0 <= i < 11] for w in windows(11, k, s, p, up, d)]
    values, indices = max_pool1d(X, k, s, p, d, True, up)
    cotangent = np.random.RandomState(2).randn(*values.shape)
    expected = np.zeros_like(X)
    for n, c in product(range(2), range(3)):
        line = X[n, c]
        best = [w[int(np.argmax(line[w]))] for w in inside]
        assert indices[n, c].tolist() == best
        assert values[n, c].tolist() == X[n, c, best].tolist()
        for o, i in enumerate(best):
            expected[n, c, i] += cotangent[n, c, o]
    options = {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": up}
    slope = registry.get("pooling.max_pool1d").gradient
    assert slope is not None
    found = slope(X, **options, cotangents=[cotangent])["input"]
    np.testing.assert_allclose(found, expected, atol=1e-15)


def test_without_a_stride_windows_do_not_overlap() -> None:
    assert avg_pool1d(np.arange(6.0).reshape(1, 1, 6), 2).tolist() == [[[0.5, 2.5, 4.5]]]
    assert max_pool1d(np.arange(6.0).reshape(1, 1, 6), 2).tolist() == [[[1, 3, 5]]]


def test_boxes_are_those_of_scipy() -> None:
    found = avg_pool3d(BOX, (3, 1, 3), 1, (1, 0, 1))
    expected = ndimage.uniform_filter(BOX, (1, 1, 3, 1, 3), mode="constant")
    np.testing.assert_allclose(found, expected, atol=1e-14)
    np.testing.assert_allclose(avg_pool3d(BOX, 2, 2, divisor_override=-4), -2 * avg_pool3d(BOX, 2))


def test_boxes_count_what_lies_inside() -> None:
    ones = np.ones((1, 1, 2, 3, 4))
    assert np.all(avg_pool3d(ones, 2, 2, 1, True, False) == 1)
    assert avg_pool3d(ones, 2, 2, 1, True, True)[0, 0, 0, 0, 0] == 1 / 8


def test_the_gradient_of_boxes_is_the_transpose() -> None:
    options = {"kernel_size": (2, 3, 2), "stride": (1, 2, 2), "padding": 1, "ceil_mode": True}
    y = avg_pool3d(BOX, **options)
    cotangent = np.random.RandomState(3).randn(*y.shape)
    slope = registry.get("pooling.avg_pool3d").gradient
    assert slope is not None
    got = slope(BOX, **options, cotangents=[cotangent])["input"]
    np.testing.assert_allclose(np.sum(got * BOX), np.sum(cotangent * y))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 7, 11, 15])
def test_adaptive_windows_cover_what_their_definition_says(m: int) -> None:
    values, indices = adaptive_max_pool1d(X, m, True)
    for o in range(m):
        part = X[..., int(np.floor(o * 11 / m)) : int(np.ceil((o + 1) * 11 / m))]
        assert values[..., o].tolist() == part.max(axis=-1).tolist()
    assert np.take_along_axis(X, indices, -1).tolist() == values.tolist()
    slope = registry.get("pooling.adaptive_max_pool1d").gradient
    assert slope is not None
    taken = slope(X, m, cotangents=[np.ones(values.shape)])["input"]
    assert taken.sum() == values.size
    assert np.sum(taken * X) == pytest.approx(values.sum())


def test_of_equals_the_first_and_of_nan_the_last_is_taken() -> None:
    x = np.array([[2.0, 2.0, 1.0, np.nan, 5.0, np.nan, -np.inf, -np.inf]])
    _, indices = max_pool1d(x, 2, return_indices=True)
    assert indices.tolist() == [[0, 3, 5, 6]]
    values, indices = adaptive_max_pool1d(x.astype(ml_dtypes.bfloat16), 2, True)
    assert indices.tolist() == [[3, 5]]
    assert np.isnan(values.astype(float)).all()
    assert adaptive_max_pool1d(x, 0).shape == (1, 0)


def test_integers_are_averaged_towards_zero() -> None:
    assert avg_pool1d(np.array([[-3, 2, 5, 6]]), 2).tolist() == [[0, 5]]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_response_normalization_is_that_of_a_loop(n: int) -> None:
    x = BOX[0]
    expected = np.empty_like(x)
    for i, c in product(range(x.shape[0]), range(x.shape[1])):
        total = sum(x[i, j] ** 2 for j in range(4) if c - n // 2 <= j <= c + (n - 1) // 2)
        expected[i, c] = x[i, c] / (1.5 + 0.7 / n * total) ** 0.6
    np.testing.assert_allclose(local_response_norm(x, n, 0.7, 0.6, 1.5), expected, rtol=1e-14)


def test_response_normalization_has_the_digits_of_the_published_page() -> None:
    x = np.array([[[[2.4], [3.51]], [[1.3], [-4.4]]]])
    expected = [2.3994818, 3.5083795, 1.2996368, -4.39478]
    np.testing.assert_allclose(local_response_norm(x, 2).ravel(), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble])
def test_every_pool_keeps_its_dtype(dtype: Any) -> None:
    x, box = X.astype(dtype), BOX.astype(dtype)
    pools = (avg_pool1d(x, 3), max_pool1d(x, 3), adaptive_max_pool1d(x, 4), avg_pool3d(box, 2))
    assert {p.dtype for p in pools} | {local_response_norm(x, 3).dtype} == {np.dtype(dtype)}


def test_halves_neither_overflow_nor_lose_what_is_summed() -> None:
    large = np.array([[[60000.0, 50000.0, 40000.0]]], np.float16)
    assert avg_pool1d(large, 3) == np.float16(50000)
    assert 0 < local_response_norm(np.full((1, 1, 1), 300, np.float16), 1, 1.0) < 1


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 0},
        {"kernel_size": 12},
        {"kernel_size": 3, "stride": 0},
        {"kernel_size": 3, "padding": 2},
        {"kernel_size": 3, "padding": -1},
        {"kernel_size": [2, 2]},
    ],
)
def test_sizes_out_of_range(options: dict[str, object]) -> None:
    for pool in (avg_pool1d, max_pool1d):
        with pytest.raises(ValueError, match=r"kernel|number"):
            pool(X, **options)


def test_other_refusals() -> None:
    for pool in (avg_pool1d, max_pool1d, adaptive_max_pool1d):
        with pytest.raises(TypeError):
            pool(X, 2.5)
        with pytest.raises(TypeError):
            pool(X > 0, 2)
        with pytest.raises(ValueError, match="is not"):
            pool(X[0, 0], 2)
    with pytest.raises(ValueError, match="divisor"):
        avg_pool3d(BOX, 2, divisor_override=0)
    with pytest.raises(ValueError, match="outputs"):
        adaptive_max_pool1d(X, -1)
    for bad in ((X[0], 3), (X, 0)):
        with pytest.raises(ValueError, match="no normalization"):
            local_response_norm(*bad)
    with pytest.raises(TypeError):
        local_response_norm(X, 2.5)
    assert pooling.max_pool1d(np.array([[1, 3]]), 2).tolist() == [[3]]
