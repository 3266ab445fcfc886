"""Grid sampling against scipy, Keys' kernel and published digits."""

from __future__ import annotations

from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy import ndimage

from conformance.reference.sampling import grid_sample

Array = np.ndarray[Any, Any]
IMAGE = np.random.RandomState(0).randn(2, 3, 4, 5)
VOLUME = np.random.RandomState(1).randn(1, 2, 3, 4, 5)
SCIPY: dict[str, Any] = {"zeros": "constant", "border": "nearest", "reflection": "mirror"}


def places(random: np.random.RandomState, batch: int, axes: int) -> Array:
    return random.uniform(-1.8, 1.8, (batch, *(2, 3, 4)[:axes], axes))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("x", [IMAGE, VOLUME])
def test_linear_sampling_between_the_centres_is_scipys(padding: str, x: Array) -> None:
    axes = x.ndim - 2
    grid = places(np.random.RandomState(2), len(x), axes)
    found = grid_sample(x, grid, "bilinear", padding, True)
    sizes = np.array(x.shape[2:])
    for n, c in product(range(len(x)), range(x.shape[1])):
        at = np.moveaxis((grid[n][..., ::-1] + 1) / 2 * (sizes - 1), -1, 0)
        mode, wide, shift = SCIPY[padding], x[n, c], 0
        if padding == "zeros":  # scipy's constant does not blend, so blend with zeros ourselves
            wide, shift = np.pad(x[n, c], 3), 3
        expected = ndimage.map_coordinates(wide, at + shift, order=1, mode=mode)
        np.testing.assert_allclose(found[n, c], expected, atol=1e-14)


def test_reflection_at_the_edges_is_scipys() -> None:
    grid = places(np.random.RandomState(3), 2, 2)
    found = grid_sample(IMAGE, grid, "bilinear", "reflection", False)
    at = np.moveaxis(((grid[0][..., ::-1] + 1) * np.array([4, 5]) - 1) / 2, -1, 0)
    expected = ndimage.map_coordinates(IMAGE[0, 1], at, order=1, mode="reflect")
    np.testing.assert_allclose(found[0, 1], expected, atol=1e-14)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_bicubic_is_the_sum_over_all_pixels_of_keys_kernel(padding: str) -> None:
    def kernel(x: float) -> float:
        a, x = -0.75, abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0

    mode = {"zeros": "constant", "border": "edge", "reflection": "symmetric"}[padding]
    wide = np.pad(IMAGE[0, 0], 6, mode=mode)  # type: ignore[call-overload]
    grid = np.array([[[[0.1, -0.3], [-1.1, 0.9], [1.2, -1.3]]]])
    found = grid_sample(IMAGE[:1], grid, "bicubic", padding, False)[0, 0, 0]
    for got, (x, y) in zip(found, grid[0, 0], strict=True):
        row, column = ((y + 1) * 4 - 1) / 2 + 6, ((x + 1) * 5 - 1) / 2 + 6
        expected = sum(
            wide[i, j] * kernel(row - i) * kernel(column - j)
            for i, j in product(*map(range, wide.shape))
        )
        assert got == pytest.approx(expected, abs=1e-14)


def test_nearest_takes_the_pixel_at_hand_and_the_even_one_between_two() -> None:
    x = np.arange(5.0).reshape(1, 1, 1, 5)
    grid = np.array([[[[-1.0, 0], [-0.6, 0], [-0.75, 0], [-0.25, 0], [0.9, 0], [1.6, 0]]]])
    found = grid_sample(x, grid, "nearest", "zeros", True)
    assert found.ravel().tolist() == [0, 1, 0, 2, 4, 0]


def test_the_published_digits() -> None:
    x = np.arange(16.0).reshape(2, 2, 2, 2)
    grid = np.arange(0.2, 1, 0.1).reshape(2, 2, 1, 2)
    expected = [2.3, 2.9, 6.3, 6.9, 7.92, 4.62, 10.8, 6.3]
    np.testing.assert_allclose(grid_sample(x, grid).ravel(), expected, atol=1e-12)


def test_nan_counts_as_the_first_edge_and_what_is_outside_does_not_count() -> None:
    grid = np.array([[[[np.nan, 0.2]]]])
    same = grid_sample(IMAGE[:1], np.array([[[[-1.0, 0.2]]]]))
    np.testing.assert_array_equal(grid_sample(IMAGE[:1], grid), same)
    spoiled = IMAGE[:1].copy()
    spoiled[..., 0, 0] = np.nan
    assert np.isfinite(grid_sample(spoiled, np.array([[[[5.0, 5.0]]]]))).all()
    assert grid_sample(IMAGE[:1], np.array([[[[np.inf, 0.0]]]])).ravel().tolist() == [0, 0, 0]


def test_one_pixel_is_reflected_onto_itself() -> None:
    x = np.full((1, 1, 1, 1), 3.0)
    for corners in (True, False):
        grid = np.array([[[[0.7, -2.3]]]])
        assert grid_sample(x, grid, "bilinear", "reflection", corners) == 3


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble])
def test_every_mode_keeps_the_dtype(dtype: Any) -> None:
    grid = places(np.random.RandomState(4), 2, 2).astype(dtype)
    for mode, padding in product(("bilinear", "nearest", "bicubic"), SCIPY):
        found = grid_sample(IMAGE.astype(dtype), grid, mode, padding)
        assert found.dtype == dtype
        assert found.shape == (2, 3, 2, 3)


def test_refusals() -> None:
    grid = np.zeros((2, 1, 1, 2))
    for mode, padding in (("linear", "zeros"), ("nearest", "circular")):
        with pytest.raises(ValueError, match="mode"):
            grid_sample(IMAGE, grid, mode, padding)
    with pytest.raises(ValueError, match="bicubic"):
        grid_sample(VOLUME, np.zeros((1, 1, 1, 1, 3)), "bicubic")
    for bad in (grid[:1], grid[..., :1], grid[0]):
        with pytest.raises(ValueError, match="cannot sample"):
            grid_sample(IMAGE, bad)
    for x, g in ((IMAGE.astype(int), grid.astype(int)), (IMAGE, grid.astype(np.float32))):
        with pytest.raises(TypeError):
            grid_sample(x, g)
    with pytest.raises(TypeError):
        grid_sample(IMAGE, grid, 1)
