"""Oracles of differentiation: against mpmath, which differentiates numerically."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from conformance.reference import autograd


def test_products_are_the_derivatives_that_mpmath_finds() -> None:
    x, y, v = np.array([2.0, -0.5]), np.array([3.0, 4.0]), np.array([1.0, -2.0])
    by_x, by_y = autograd.vector_jacobian_product(x, y, v)
    for i in range(2):
        a, b = float(x[i]), float(y[i])
        dx = mpmath.diff(lambda t, b=b: t * t * b, a) * v[i]
        dy = mpmath.diff(lambda t, a=a: a * a * t, b) * v[i]
        assert by_x[i] == pytest.approx(float(dx), rel=1e-9)
        assert by_y[i] == pytest.approx(float(dy), rel=1e-9)


def test_published_gradients_of_one_output() -> None:
    by_x, by_y = autograd.vector_jacobian_product(np.array(2.0), np.array(3.0))
    assert (float(by_x), float(by_y)) == (12.0, 4.0)


@pytest.mark.parametrize("weights", [None, np.ones(1)])
def test_weights_must_fit_the_outputs(weights: np.ndarray | None) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="grad_outputs"):
        autograd.vector_jacobian_product(np.ones(2), np.ones(2), weights)


def test_square() -> None:
    (found,) = autograd.gradient_of_square(np.array([3.0]), np.array([0.5]))
    assert found[0] == pytest.approx(float(mpmath.diff(lambda t: t * t, 3)) * 0.5, rel=1e-9)
