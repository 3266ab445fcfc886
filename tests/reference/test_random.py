"""The laws of random operations: where they are certain, and the draws made of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from conformance.reference.random import bernoulli, dropout, laplace, normal

N = 20_000


def test_a_normal_draw_of_no_deviation_is_its_mean() -> None:
    law = normal(1.5, 0.0, [4])
    assert law.sample(np.random.RandomState(1)).tolist() == [1.5] * 4
    assert law.rv.var() == 0
    assert law.support(np.array([1.5, 1.5 + 2**-40, 0.0, np.nan])).tolist() == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(("p", "training"), [(0.5, False), (0.0, True)])
def test_dropout_that_does_not_drop_is_the_exact_identity(p: float, training: bool) -> None:
    given = np.array([1.0, -np.inf, 0.0, 3.0])
    law = dropout(given, p, training)
    np.testing.assert_array_equal(law.sample(np.random.RandomState(1)), given)
    changed = given + np.array([0.0, 0.0, 0.0, 2**-40])
    assert law.support(changed).tolist() == [True, True, True, False]


def test_a_dropout_sample_keeps_a_scaled_share() -> None:
    given = np.linspace(1, 2, N)
    draw = dropout(given, 0.25).sample(np.random.RandomState(2))
    kept = draw != 0
    np.testing.assert_array_equal(draw[kept], given[kept] / 0.75)
    # Four standard deviations of a binomial share.
    assert abs(kept.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / N)


@pytest.mark.parametrize("bad", [-0.5, 1.5, np.nan])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(RuntimeError):
        bernoulli(np.array([0.5, bad]))


def test_a_bernoulli_sample_follows_the_probability_of_each_element() -> None:
    draw = bernoulli(np.array([0.0, 1.0] * 50)).sample(np.random.RandomState(3))
    assert draw.tolist() == [0, 1] * 50


def test_laplace_draws_are_differences_of_exponential_ones() -> None:
    law = laplace(-2.0, 0.5, [N])
    draw = law.sample(np.random.RandomState(4))
    assert draw.shape == law.shape == (N,)
    random = np.random.RandomState(5)
    made = -2.0 + 0.5 * (random.exponential(size=N) - random.exponential(size=N))
    assert stats.ks_2samp(draw, made).pvalue > 1e-6
    x = np.array([-3.0, -2.0, 0.0])
    np.testing.assert_allclose(law.rv.pdf(x), np.exp(-np.abs(x + 2) / 0.5), rtol=1e-15)


def test_laplace_puts_the_shape_of_the_sample_before_that_of_the_parameters() -> None:
    assert laplace(np.zeros(3), np.ones((2, 1)), [4, 5]).shape == (4, 5, 2, 3)
    assert laplace().shape == ()


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
def test_a_laplace_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        laplace(0.0, scale, [2])
