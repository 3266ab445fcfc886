"""Oracles of losses: against mpmath, hand-derived values and identities."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    reduced,
    softplus,
)
from conformance.reference.registry import get
from tests.reference.gradients import check_gradient

Array = np.ndarray[Any, Any]
LOG2 = math.log(2)
LOGITS = np.array([-30.0, -3.5, -1e-9, 0.0, 0.25, 2.0, 40.0])
LABELS = np.array([0.0, 1.0, 0.5, 0.25, 1.0, 0.125, 1.0])


def entropy(logit: float, label: float, positive: float = 1.0) -> float:
    """-[p y log σ(x) + (1 - y) log(1 - σ(x))] as the definition has it, in 60 digits."""
    with mpmath.workdps(60):
        sigma = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        y, p = mpmath.mpf(label), mpmath.mpf(positive)
        return float(-(p * y * mpmath.log(sigma) + (1 - y) * mpmath.log(1 - sigma)))


def test_logits_follow_the_definition_to_the_last_digits() -> None:
    should = [entropy(x, y) for x, y in zip(LOGITS, LABELS, strict=True)]
    loss = binary_cross_entropy_with_logits(LOGITS, LABELS, reduction="none")
    np.testing.assert_allclose(loss, should, rtol=4e-16)


def test_confident_and_right_logits_keep_their_digits() -> None:
    loss = binary_cross_entropy_with_logits(
        np.array([-20.0, 20.0]), np.array([0.0, 1.0]), reduction="none"
    )
    np.testing.assert_allclose(loss, entropy(20.0, 1.0), rtol=4e-16)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_extreme_logits_neither_overflow_nor_vanish(dtype: type) -> None:
    logits: Array = np.array([1e4, -1e4, 1e4, -1e4], dtype)
    labels: Array = np.array([0, 1, 1, 0], dtype)
    with np.errstate(over="raise", invalid="raise"):
        loss = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    np.testing.assert_allclose(loss, [1e4, 1e4, 0, 0], atol=1e-30)


def test_an_infinite_logit_is_infinitely_wrong() -> None:
    with np.errstate(invalid="ignore"):
        loss = binary_cross_entropy_with_logits(
            np.array([-np.inf, np.inf]), np.array([1.0, 0.0]), reduction="none"
        )
    assert loss.tolist() == [np.inf, np.inf]


def test_pos_weight_multiplies_the_positive_term_only() -> None:
    positive = np.array([3.0, 0.5, 2.0, 7.0, 1.0, 0.0, 4.0])
    should = [entropy(*each) for each in zip(LOGITS, LABELS, positive, strict=True)]
    loss = binary_cross_entropy_with_logits(LOGITS, LABELS, reduction="none", pos_weight=positive)
    np.testing.assert_allclose(loss, should, rtol=4e-16)


def test_pos_weight_of_minus_one_leaves_half_the_logit() -> None:
    half = np.full_like(LOGITS, 0.5)
    loss = binary_cross_entropy_with_logits(
        LOGITS, half, reduction="none", pos_weight=np.array(-1.0)
    )
    np.testing.assert_allclose(loss, LOGITS / 2, rtol=1e-15, atol=1e-16)


def test_the_mean_divides_by_the_number_of_elements_not_by_the_weights() -> None:
    zero, weight = np.zeros(3), np.array([1.0, 2.0, 3.0])
    loss = binary_cross_entropy_with_logits(zero, np.array([0.0, 1.0, 0.5]), weight=weight)
    assert loss == pytest.approx(2 * LOG2, rel=1e-15)
    loss = binary_cross_entropy(zero + 0.5, np.array([0.0, 1.0, 0.5]), weight=weight)
    assert loss == pytest.approx(2 * LOG2, rel=1e-15)


def test_weights_broadcast_to_the_input_and_never_widen_it() -> None:
    logits, labels = np.zeros((2, 3)), np.ones((2, 3))
    loss = binary_cross_entropy_with_logits(
        logits, labels, weight=np.array([[1.0], [2.0]]), reduction="none"
    )
    np.testing.assert_allclose(loss, [[LOG2] * 3, [2 * LOG2] * 3])
    for shape in ((2,), (1, 2, 3)):
        with pytest.raises(ValueError, match="weight"):
            binary_cross_entropy_with_logits(logits, labels, weight=np.ones(shape))
        with pytest.raises(ValueError, match="pos_weight"):
            binary_cross_entropy_with_logits(logits, labels, pos_weight=np.ones(shape))
        with pytest.raises(ValueError, match="weight"):
            binary_cross_entropy(labels, labels, weight=np.ones(shape))


def test_the_two_forms_agree_through_the_sigmoid() -> None:
    logits, labels = LOGITS[1:6], LABELS[1:6]
    through = binary_cross_entropy(1 / (1 + np.exp(-logits)), labels, reduction="none")
    direct = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    np.testing.assert_allclose(through, direct, rtol=1e-14)


def test_probabilities_follow_the_definition_and_its_bound() -> None:
    x = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 1e-30])
    y = np.array([1.0, 0.0, 0.0, 1.0, 0.25, 1.0])
    loss = binary_cross_entropy(x, y, reduction="none")
    np.testing.assert_allclose(loss, [100, 100, 0, 0, LOG2, 30 * math.log(10)], rtol=1e-15)


@pytest.mark.parametrize("value", [-1e-9, 1 + 1e-9, 1.5, -np.inf])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        binary_cross_entropy(np.array([0.5, value]), np.array([1.0, 0.0]))


def test_a_probability_of_nan_gives_nan() -> None:
    loss = binary_cross_entropy(np.array([np.nan, 0.5]), np.zeros(2), reduction="none")
    assert np.isnan(loss).tolist() == [True, False]


@pytest.mark.parametrize("oracle", [binary_cross_entropy, binary_cross_entropy_with_logits])
def test_arguments_without_meaning_are_refused(oracle: Any) -> None:
    half = np.full(3, 0.5)
    with pytest.raises(TypeError, match="input is int64"):
        oracle(np.zeros(3, np.int64), half)
    with pytest.raises(TypeError, match="target is bool"):
        oracle(half, np.zeros(3, bool))
    with pytest.raises(ValueError, match="one shape"):
        oracle(half, np.full((1, 3), 0.5))
    with pytest.raises(ValueError, match="bad is not a valid value"):
        oracle(half, half, reduction="bad")


@pytest.mark.parametrize(
    ("size_average", "reduce", "should"),
    [
        (None, None, "sum"),
        (True, None, "mean"),
        (False, None, "sum"),
        (None, True, "mean"),
        (None, False, "none"),
        (True, False, "none"),
        (False, False, "none"),
        (False, True, "sum"),
    ],
)
def test_deprecated_reductions_win_over_reduction(
    size_average: bool | None, reduce: bool | None, should: str
) -> None:
    loss = np.array([1.0, 2.0, 6.0])
    value = reduced(loss, "sum", size_average, reduce)
    assert value.tolist() == {"mean": 3.0, "sum": 9.0, "none": [1.0, 2.0, 6.0]}[should]


def test_of_nothing_the_sum_is_zero_and_the_mean_is_nan() -> None:
    nothing = np.zeros((0, 3))
    with np.errstate(invalid="ignore"):
        assert np.isnan(reduced(nothing, "mean"))
    assert reduced(nothing, "sum") == 0
    assert reduced(nothing, "none").shape == (0, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_dtype_and_shape_are_kept(dtype: type, shape: tuple[int, ...]) -> None:
    half: Array = np.full(shape, 0.5, dtype)
    for oracle in (binary_cross_entropy, binary_cross_entropy_with_logits):
        loss = np.asarray(oracle(half, half, reduction="none"))
        assert (loss.dtype, loss.shape) == (np.dtype(dtype), shape)


def test_softplus_is_the_logarithm_of_one_plus_the_exponential() -> None:
    with mpmath.workdps(60):
        should = [float(mpmath.log1p(mpmath.exp(mpmath.mpf(x)))) for x in LOGITS]
    np.testing.assert_allclose(softplus(LOGITS), should, rtol=4e-16)
    assert softplus(np.array(1e4)) == 1e4


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradients(reduction: str) -> None:
    random = np.random.RandomState(1)
    x, y, w, p = random.rand(4, 3, 4) * 0.8 + 0.1
    check_gradient(
        "loss.binary_cross_entropy",
        ["input", "target", "weight"],
        input=x,
        target=y,
        weight=w[0],
        reduction=reduction,
    )
    check_gradient(
        "loss.binary_cross_entropy_with_logits",
        ["input", "target", "weight", "pos_weight"],
        input=8 * x - 4,
        target=y,
        weight=w[:, :1],
        pos_weight=p[0],
        reduction=reduction,
    )


def test_a_bounded_logarithm_has_no_slope() -> None:
    gradient = get("loss.binary_cross_entropy").gradient
    assert gradient is not None
    x, ones = np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)
    found = gradient(x, np.array([0.0, 1.0, 0.0, 1.0]), reduction="none", cotangents=[ones])
    assert found["input"].tolist() == [1, 0, 0, -1]
    assert found["target"].tolist() == [100, 100, -100, -100]
