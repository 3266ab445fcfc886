"""Cross-entropy, soft and triplet margins: against mpmath, plain loops and published digits."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.special import log_softmax as scipy_log_softmax

from conformance.reference.classification import (
    cross_entropy,
    log_softmax,
    soft_margin_loss,
    triplet_margin_loss,
)
from tests.reference.gradients import check_gradient

Array = np.ndarray[Any, Any]
RANDOM = np.random.RandomState(0)
X = RANDOM.randn(5, 4)
CLASSES = np.array([0, 3, 1, 2, 3])
PROBABILITIES = RANDOM.rand(5, 4)
W = RANDOM.rand(4) + 0.25


def loop(ignored: int, smoothing: float, reduction: str) -> Any:
    """Cross-entropy of X with CLASSES weighted by W, as the documentation spells it out."""
    losses, weights = [], []
    for x, y in zip(X, CLASSES, strict=True):
        logs = [v - math.log(sum(math.exp(u) for u in x)) for v in x]
        shares = [(1 - smoothing) * (c == y) + smoothing / 4 for c in range(4)]
        loss = -sum(w * q * v for w, q, v in zip(W, shares, logs, strict=True))
        losses.append(0.0 if y == ignored else loss)
        weights.append(0.0 if y == ignored else W[y])
    return {"none": losses, "sum": sum(losses), "mean": sum(losses) / sum(weights)}[reduction]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ignored", [-100, 3])
def test_classes_follow_a_plain_loop(reduction: str, smoothing: float, ignored: int) -> None:
    loss = cross_entropy(
        X, CLASSES, weight=W, ignore_index=ignored, label_smoothing=smoothing, reduction=reduction
    )
    np.testing.assert_allclose(loss, loop(ignored, smoothing, reduction), rtol=1e-14)


def test_the_published_example() -> None:
    x = [[1.624, -0.611, -0.528, -1.072, 0.865], [-2.301, 1.744, -0.761, 0.319, -0.249]]
    x.append([1.462, -2.060, -0.322, -0.384, 1.133])
    assert round(float(cross_entropy(np.array(x), np.array([1, 0, 4]))), 3) == 2.764


def test_probabilities_of_one_class_are_that_class_but_the_mean_is_over_places() -> None:
    hot = np.eye(4)[CLASSES]
    for smoothing in (0.0, 0.25):
        both = [
            cross_entropy(X, y, weight=W, label_smoothing=smoothing, reduction="none")
            for y in (CLASSES, hot)
        ]
        np.testing.assert_allclose(both[0], both[1])
    mean = cross_entropy(X, hot, weight=W)
    assert mean == pytest.approx(float(cross_entropy(X, CLASSES, weight=W, reduction="sum")) / 5)


def test_classes_are_on_axis_one() -> None:
    image = np.moveaxis(X.reshape(5, 1, 4), -1, 1)
    assert image.shape == (5, 4, 1)
    loss = cross_entropy(image, CLASSES[:, None], weight=W, reduction="none")
    np.testing.assert_allclose(loss[:, 0], cross_entropy(X, CLASSES, weight=W, reduction="none"))
    assert cross_entropy(X[0], CLASSES[0]) == cross_entropy(X[:1], CLASSES[:1])


def test_a_certain_class_keeps_the_digits_of_its_loss() -> None:
    with mpmath.workdps(60):
        should = float(mpmath.log1p(mpmath.exp(-20) + mpmath.exp(-19)))
    loss = cross_entropy(np.array([20.0, 0.0, 1.0]), np.array(0))
    assert float(loss) == pytest.approx(should, rel=1e-15)
    np.testing.assert_allclose(log_softmax(X), scipy_log_softmax(X, axis=-1), rtol=1e-14)


def test_a_masked_class_leaves_the_others_alone() -> None:
    loss = cross_entropy(np.array([[1.0, -np.inf, 2.0]]), np.array([2]), reduction="none")
    assert loss[0] == pytest.approx(math.log1p(math.exp(-1)))
    assert cross_entropy(np.array([[1.0, -np.inf]]), np.array([1])) == np.inf


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradients_of_cross_entropy(reduction: str) -> None:
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": 0.2, "weight": W}
    name = "classification.cross_entropy"
    check_gradient(name, ["input", "weight"], input=X, target=CLASSES, ignore_index=3, **options)
    check_gradient(name, ["input", "target", "weight"], input=X, target=PROBABILITIES, **options)
    wide = np.moveaxis(X.reshape(1, 5, 4), -1, 1)
    check_gradient(name, ["input"], input=wide, target=CLASSES[None], reduction=reduction)


def test_invalid_arguments_of_cross_entropy() -> None:
    for target in (np.array([0, 4, 0, 0, 0]), np.array([0, -1, 0, 0, 0]), CLASSES[:3], X[:, :3]):
        with pytest.raises(ValueError, match=r"range|fit|shape"):
            cross_entropy(X, target)
    with pytest.raises(ValueError, match="weight"):
        cross_entropy(X, CLASSES, weight=W[:3])
    with pytest.raises(ValueError, match="label_smoothing"):
        cross_entropy(X, CLASSES, label_smoothing=1.5)
    with pytest.raises(TypeError):
        cross_entropy(X.astype(int), CLASSES)


def test_soft_margin_follows_its_formula_and_does_not_overflow() -> None:
    x, y = np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([[-1.0, 1.0], [1.0, -1.0]])
    assert round(float(soft_margin_loss(x, y)), 7) == 0.6764238
    should = [math.log(1 + math.exp(-a * b)) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    np.testing.assert_allclose(soft_margin_loss(x, y, reduction="none").ravel(), should)
    assert soft_margin_loss(np.array([-1e4]), np.array([1.0])) == 1e4
    for reduction in ("none", "mean", "sum"):
        check_gradient(
            "classification.soft_margin_loss",
            ["input", "target"],
            input=X,
            target=PROBABILITIES[0],
            reduction=reduction,
        )
    with pytest.raises(TypeError):
        soft_margin_loss(np.array([1]), np.array([1]))


def distance(a: Any, b: Any, p: float, eps: float) -> float:
    return float(sum(abs(x - y + eps) ** p for x, y in zip(a, b, strict=True)) ** (1 / p))


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [1, 2.0, 3])
def test_triplets_follow_a_plain_loop(swap: bool, p: float) -> None:
    a, q, n = RANDOM.randn(3, 6, 3)
    should = []
    for x, y, z in zip(a, q, n, strict=True):
        far = distance(x, z, p, 0.01)
        far = min(far, distance(y, z, p, 0.01)) if swap else far
        should.append(max(distance(x, y, p, 0.01) - far + 0.7, 0))
    options: dict[str, Any] = {"margin": 0.7, "p": p, "eps": 0.01, "swap": swap}
    loss = triplet_margin_loss(a, q, n, reduction="none", **options)
    np.testing.assert_allclose(loss, should, rtol=1e-13, atol=1e-14)
    check_gradient(
        "classification.triplet_margin_loss",
        ["anchor", "positive", "negative"],
        anchor=a,
        positive=q[:1],
        negative=n,
        **options,
    )


def test_the_published_triplets_and_invalid_ones() -> None:
    a, q = np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([[0.4, 0.6], [0.4, 0.6]])
    n = np.array([[0.2, 0.9], [0.3, 0.7]])
    assert round(float(triplet_margin_loss(a, q, n)), 7) == 0.8881968
    with pytest.raises(ValueError, match="dimensions"):
        triplet_margin_loss(a, q[0], n)
    with pytest.raises(ValueError, match="margin"):
        triplet_margin_loss(a, q, n, margin=-1.0)
    with pytest.raises(TypeError):
        triplet_margin_loss(a > 0, q > 0, n > 0)
