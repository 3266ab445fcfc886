"""Learning-rate schedules, against mpmath, fractions and recurrences of their own."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np
import pytest

from conformance.reference.schedule import cosine_annealing_lr, exponential_lr


@pytest.mark.parametrize(("half", "eta_min"), [(1, 0.0), (4, 0.0), (5, 0.01), (7, 0.5), (100, 0.0)])
def test_cosine_annealing_agrees_with_mpmath(half: int, eta_min: float) -> None:
    got = cosine_annealing_lr(0.1, 3 * half + 2, half, eta_min)
    with mpmath.workdps(40):
        high, low = mpmath.mpf(0.1), mpmath.mpf(eta_min)
        for t, rate in enumerate(got):
            should = low + (high - low) * (1 + mpmath.cos(mpmath.pi * t / half)) / 2
            assert float(rate) == pytest.approx(float(should), rel=1e-15, abs=1e-30)


def test_cosine_annealing_reaches_both_ends_exactly_and_repeats() -> None:
    got = cosine_annealing_lr(0.75, 17, 4, 0.25)
    assert got[::4].tolist() == [0.75, 0.25, 0.75, 0.25, 0.75]
    np.testing.assert_array_equal(got[8:], got[:9])
    np.testing.assert_array_equal(got[:9], got[8::-1])


def test_cosine_annealing_of_the_sgdr_paper_half_way_is_the_mean() -> None:
    assert float(cosine_annealing_lr(0.05, 51, 100)[50]) == pytest.approx(0.025, rel=1e-16)


def test_exponential_decay_multiplies() -> None:
    gamma = Fraction(0.9)
    got = exponential_lr(0.1, 6, 0.9)
    should = [Fraction(0.1) * gamma**t for t in range(6)]
    np.testing.assert_allclose(got.astype(float), [float(v) for v in should], rtol=1e-15, atol=0)
    assert exponential_lr(0.5, 3, 0.0).tolist() == [0.5, 0.0, 0.0]
    assert all(b == -2 * a for a, b in pairwise(exponential_lr(0.5, 5, -2.0)))


def test_schedules_refuse_what_they_cannot_do() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        cosine_annealing_lr(0.5, 3, 2, last_epoch=4)
    with pytest.raises(KeyError, match="initial_lr"):
        exponential_lr(0.5, 3, 0.5, last_epoch=4)
    with pytest.raises(ZeroDivisionError):
        cosine_annealing_lr(0.5, 3, 0)
