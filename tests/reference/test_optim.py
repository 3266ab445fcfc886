"""The optimizer oracles against closed forms, worked out in exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conformance.reference.optim import adam, sgd, step_lr

Array = np.ndarray[Any, Any]
START = np.array([1.5, -2.0])
GRADS = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 3.0], [1.0, 1.0]])
LR = 0.25  # a power of two: exact in every dtype


def exactly(got: Array, should: list[Any], rtol: float = 1e-14) -> None:
    """Compare with a nested list of fractions."""
    expected = np.vectorize(float, otypes=[float])(np.array(should, dtype=object))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.astype(float), expected, rtol=rtol, atol=0)


def test_plain_sgd_subtracts_the_running_sum_of_gradients() -> None:
    sums = [[sum(map(Fraction, GRADS[: t + 1, i])) for i in range(2)] for t in range(4)]
    should = [
        [Fraction(START[i]) - Fraction(LR) * total for i, total in enumerate(row)] for row in sums
    ]
    exactly(sgd(START, GRADS, lr=LR), should, rtol=0)


@pytest.mark.parametrize("dampening", [0.0, 0.25])
def test_momentum_on_a_constant_gradient_is_a_geometric_sum(dampening: float) -> None:
    """``b_t = μ^(t-1) g + (1 - τ) g (1 - μ^(t-1)) / (1 - μ)``: the first gradient is undamped."""
    mu, tau, g = Fraction(1, 2), Fraction(dampening), Fraction(3)
    theta, should = Fraction(10), []
    for t in range(6):
        kept = mu**t
        theta -= Fraction(LR) * (kept * g + (1 - tau) * g * (1 - kept) / (1 - mu))
        should.append(theta)
    got = sgd(np.array(10.0), np.full(6, 3.0), lr=LR, momentum=0.5, dampening=dampening)
    exactly(got, should, rtol=0)


def test_nesterov_looks_one_momentum_step_ahead() -> None:
    first = Fraction(1) - Fraction(LR) * (1 + Fraction(1, 2)) * 2
    second = first - Fraction(LR) * (Fraction(4) + Fraction(1, 2) * (Fraction(1, 2) * 2 + 4))
    got = sgd(np.array(1.0), np.array([2.0, 4.0]), lr=LR, momentum=0.5, nesterov=True)
    exactly(got, [first, second], rtol=0)


def test_weight_decay_alone_shrinks_geometrically() -> None:
    got = sgd(START, np.zeros((5, 2)), lr=LR, weight_decay=0.5)
    exactly(got, [[Fraction(s) * Fraction(7, 8) ** t for s in START] for t in range(1, 6)], rtol=0)


def test_weight_decay_enters_the_momentum_buffer() -> None:
    g1 = Fraction(1, 4) * 2
    first = 2 - Fraction(LR) * g1
    second = first - Fraction(LR) * (Fraction(1, 2) * g1 + Fraction(1, 4) * first)
    got = sgd(np.array(2.0), np.zeros(2), lr=LR, momentum=0.5, weight_decay=0.25)
    exactly(got, [first, second], rtol=0)


@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_maximizing_negates_gradients_but_not_the_decay(optimizer: Callable[..., Array]) -> None:
    down = optimizer(START, -GRADS, lr=LR, weight_decay=0.5)
    np.testing.assert_array_equal(
        optimizer(START, GRADS, lr=LR, weight_decay=0.5, maximize=True), down
    )
    assert not np.array_equal(down, optimizer(START, GRADS, lr=LR, weight_decay=0.5))


def test_adam_on_a_constant_gradient_takes_equal_steps() -> None:
    """The bias corrections cancel exactly: m̂ = g and v̂ = g² at every step."""
    g, eps = Fraction(-2), Fraction(1, 2)
    should = [Fraction(3) - t * Fraction(LR) * g / (abs(g) + eps) for t in range(1, 9)]
    exactly(adam(np.array(3.0), np.full(8, -2.0), lr=LR, eps=0.5), should, rtol=1e-13)


def test_adam_second_step_with_rational_root() -> None:
    """β = (1/2, 3/4), g = 2 then 5: m̂ = 4 and v̂ = (3·2² + 4·5²) / 7 = 16 at the second step."""
    first = Fraction(1) - Fraction(LR) * 2 / (2 + Fraction(1, 4))
    second = first - Fraction(LR) * 4 / (4 + Fraction(1, 4))
    got = adam(np.array(1.0), np.array([2.0, 5.0]), lr=LR, betas=(0.5, 0.75), eps=0.25)
    exactly(got, [first, second])


def test_amsgrad_divides_by_the_largest_gradient_so_far() -> None:
    """With β = (0, 0) nothing is averaged: m = g, v = g²."""
    gradients, eps = [Fraction(1), Fraction(4), Fraction(-2), Fraction(8)], Fraction(1, 2)

    def steps(amsgrad: bool) -> list[Fraction]:
        theta, largest, found = Fraction(5), Fraction(0), []
        for g in gradients:
            largest = max(largest, abs(g))
            theta -= Fraction(LR) * g / ((largest if amsgrad else abs(g)) + eps)
            found.append(theta)
        return found

    for amsgrad in (False, True):
        given = np.array([float(g) for g in gradients])
        got = adam(np.array(5.0), given, lr=LR, betas=(0.0, 0.0), eps=0.5, amsgrad=amsgrad)
        exactly(got, steps(amsgrad))


def test_adam_weight_decay_is_an_l2_penalty() -> None:
    """A gradient of λθ and no decay gives the same first step; decoupled decay would not."""
    decayed = adam(START, np.zeros((1, 2)), lr=LR, weight_decay=0.5)
    np.testing.assert_array_equal(decayed, adam(START, (0.5 * START)[None], lr=LR))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 1, 2)])
@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_trajectories_keep_dtype_shape_and_arguments(
    optimizer: Callable[..., Array], shape: tuple[int, ...], dtype: str
) -> None:
    params, grads = np.ones(shape, dtype), np.ones((4, *shape), dtype)
    extra = {"momentum": 0.5} if optimizer is sgd else {"eps": 0.5}
    got = optimizer(params, grads, lr=LR, weight_decay=0.25, **extra)
    assert (got.dtype, got.shape) == (np.dtype(dtype), (4, *shape))
    assert np.all(params == 1)
    assert np.all(grads == 1)


def test_longdouble_is_computed_beyond_float64() -> None:
    wide = adam(np.array(1, np.longdouble), np.array([0.3, 0.7], np.longdouble))
    narrow = adam(np.array(1.0), np.array([0.3, 0.7]))
    assert wide[1] != np.longdouble(narrow[1])
    assert abs(wide[1] - narrow[1]) < 1e-15


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (sgd, {"lr": -1.0}),
        (sgd, {"momentum": -0.1}),
        (sgd, {"weight_decay": -0.1}),
        (sgd, {"nesterov": True}),
        (sgd, {"nesterov": True, "momentum": 0.5, "dampening": 0.5}),
        (adam, {"lr": -1.0}),
        (adam, {"eps": -1e-8}),
        (adam, {"weight_decay": -0.1}),
        (adam, {"betas": (1.0, 0.999)}),
        (adam, {"betas": (0.9, -0.1)}),
    ],
)
def test_what_is_no_optimizer_is_refused(
    optimizer: Callable[..., Array], options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"must|requires"):
        optimizer(START, GRADS, **options)


@pytest.mark.parametrize("optimizer", [sgd, adam])
def test_gradients_must_have_the_shape_of_the_parameters(optimizer: Callable[..., Array]) -> None:
    with pytest.raises(ValueError, match="must be"):
        optimizer(START, np.ones((4, 3)))


def test_step_lr_decays_at_every_multiple() -> None:
    tenth = Fraction(0.1)
    got = step_lr(0.5, 7, 3, gamma=0.1)
    exactly(got, [Fraction(1, 2)] * 3 + [tenth / 2] * 3 + [tenth**2 / 2], rtol=1e-15)
    assert step_lr(0.5, 5, 2, gamma=0.0).tolist() == [0.5, 0.5, 0.0, 0.0, 0.0]
    assert step_lr(0.5, 3, 10).tolist() == [0.5, 0.5, 0.5]


def test_step_lr_refuses_what_it_cannot_do() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        step_lr(0.5, 3, 2, last_epoch=4)
    with pytest.raises(ZeroDivisionError):
        step_lr(0.5, 3, 0)
