"""Losses of regression: against plain loops, published digits and central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.reference.regression import l1_loss, mse_loss
from tests.reference.gradients import check_gradient

RANDOM = np.random.RandomState(0)
X, Y, W = RANDOM.randn(3, 4), RANDOM.randn(3, 4), RANDOM.rand(3, 4)


def test_the_published_examples() -> None:
    assert l1_loss(np.array([2.0, 2, 3]), np.array([1.0, 2, 2])) == pytest.approx(0.6666667)
    ones, target = np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]])
    assert mse_loss(ones, target) == 0.5
    assert mse_loss(ones, target, reduction="sum") == 2.0


@pytest.mark.parametrize(("oracle", "power"), [(l1_loss, 1), (mse_loss, 2)])
def test_every_reduction_follows_a_plain_loop(oracle: Any, power: int) -> None:
    terms = [abs(x - y) ** power for x, y in zip(X.ravel(), Y.ravel(), strict=True)]
    weights = W.ravel().tolist()
    weighted = [w * t for w, t in zip(weights, terms, strict=True)]
    np.testing.assert_allclose(oracle(X, Y, reduction="none").ravel(), terms)
    assert oracle(X, Y, reduction="sum") == pytest.approx(sum(terms))
    assert oracle(X, Y) == pytest.approx(sum(terms) / 12)
    assert oracle(X, Y, weight=W) == pytest.approx(sum(weighted) / sum(weights))
    assert oracle(X, Y, weight=W, reduction="sum") == pytest.approx(sum(weighted))
    assert oracle(X, Y, reduce=False).shape == (3, 4)
    assert oracle(X, Y, size_average=False) == pytest.approx(sum(terms))


@pytest.mark.parametrize("name", ["regression.l1_loss", "regression.mse_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradients(name: str, reduction: str) -> None:
    check_gradient(name, ["input", "target"], input=X, target=Y[0], reduction=reduction)
    check_gradient(
        name, ["input", "target", "weight"], input=X, target=Y, weight=W, reduction=reduction
    )


def test_broadcasting_and_dtypes() -> None:
    assert l1_loss(X, Y[:, :1], reduction="none").shape == (3, 4)
    assert l1_loss(np.array([3 + 4j]), np.array([0j])) == 5
    assert l1_loss(np.array([5], np.int32), np.array([8], np.int32), reduction="none") == 3
    assert l1_loss(np.array([5], np.int32), np.array([8], np.int32), reduction="sum") == 3
    many = np.full(300, 300, np.float16)
    assert l1_loss(many, np.zeros_like(many)) == 300


def test_what_has_no_loss() -> None:
    for oracle in (l1_loss, mse_loss):
        with pytest.raises(TypeError):
            oracle(np.array([True]), np.array([False]))
        with pytest.raises(TypeError):
            oracle(np.array([1]), np.array([2]))
        with pytest.raises(ValueError, match="Mean"):
            oracle(X, Y, reduction="Mean")
        with pytest.raises(ValueError, match="broadcast"):
            oracle(X, np.ones(2))
        with pytest.raises(ValueError, match="one shape"):
            oracle(X, Y, weight=np.ones(4))
    with pytest.raises(TypeError):
        mse_loss(np.array([1j]), np.array([2j]))
