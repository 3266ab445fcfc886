"""Distances and norms: against scipy, published digits and central differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist as scipy_cdist

from conformance.reference.distance import cdist, norm, norm_slope, renorm
from tests.reference.gradients import check_gradient

RANDOM = np.random.RandomState(0)
X, Y = RANDOM.randn(3, 4), RANDOM.randn(2, 4)


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 3.0, np.inf])
def test_distances_are_those_of_scipy(p: float) -> None:
    metric = {"metric": "chebyshev"} if p == np.inf else {"metric": "minkowski", "p": p}
    np.testing.assert_allclose(cdist(X, Y, p), scipy_cdist(X, Y, **metric), rtol=1e-14)
    check_gradient("distance.cdist", ["x1", "x2"], x1=X, x2=Y, p=p)


def test_of_order_zero_unequal_coordinates_are_counted() -> None:
    assert cdist(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 0.0, 3.5]]), 0).tolist() == [[2.0]]


def test_batches_broadcast() -> None:
    batch = RANDOM.randn(2, 1, 3, 4)
    found = cdist(batch, np.stack([Y, -Y, 2 * Y]))
    assert found.shape == (2, 3, 3, 2)
    np.testing.assert_allclose(found[1, 2], cdist(batch[1, 0], 2 * Y))
    check_gradient("distance.cdist", ["x1", "x2"], x1=batch, x2=np.stack([Y, -Y]), p=2.0)


def test_equal_points_have_no_slope_and_large_ones_no_overflow() -> None:
    assert norm_slope(np.zeros(3), 2.0).tolist() == [0, 0, 0]
    assert norm(np.array([3e300, 4e300]), 2.0) == pytest.approx(5e300)
    assert norm(np.array([3 + 4j, 0]), 1.0) == 5
    assert norm(np.zeros((2, 0)), 2.0).tolist() == [0, 0]


def test_the_published_slices() -> None:
    x = np.arange(12.0).reshape(3, 4)
    found = renorm(x, 2, 0, 5.0)
    should = [[0.0, 1.0, 2.0, 3.0], [1.7817416, 2.2271771, 2.6726124, 3.1180477]]
    should.append([2.0908334, 2.3521876, 2.6135418, 2.874896])
    np.testing.assert_allclose(found, should, rtol=1e-7)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, np.inf])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_no_slice_is_longer_than_the_bound_and_short_ones_are_kept(p: float, dim: int) -> None:
    x = RANDOM.randn(3, 4, 2)
    lengths = norm(np.moveaxis(x, dim, 0).reshape(x.shape[dim], -1), p)
    bound = float(np.median(lengths)) * 0.999
    found = renorm(x, p, dim, bound)
    for before, after, length in zip(
        np.moveaxis(x, dim, 0), np.moveaxis(found, dim, 0), lengths, strict=True
    ):
        assert norm(after.ravel(), p) == pytest.approx(min(length, bound))
        np.testing.assert_allclose(after, before * min(1, bound / length))
    check_gradient("distance.renorm", ["input"], input=x, p=p, dim=dim, maxnorm=bound)


def test_invalid_arguments() -> None:
    for a, b, p in ((X, Y[:, :3], 2.0), (X[0], Y, 2.0), (X, Y, -1.0)):
        with pytest.raises(ValueError, match=r"coordinates|dimensions|norm"):
            cdist(a, b, p)
    for p, dim, bound in ((0, 0, 1.0), (2, 2, 1.0), (2, 0, -1.0)):
        with pytest.raises(ValueError, match=r"positive|range"):
            renorm(X, p, dim, bound)
    with pytest.raises(ValueError, match="range"):
        renorm(X[0], 2, 0, 1.0)
    with pytest.raises(TypeError):
        cdist(X.astype(int), Y.astype(int))
    with pytest.raises(TypeError):
        renorm(X.astype(int), 2, 0, 1.0)
