"""Analytic gradients of references against central differences taken element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import get

Array = np.ndarray[Any, Any]


def check_gradient(name: str, by: list[str], rtol: float = 1e-7, **values: Any) -> None:
    """Compare the gradients of oracle `name` by each of `by`, along one random cotangent."""
    oracle = get(name)
    assert oracle.gradient is not None
    output = np.asarray(oracle.function(**values))
    cotangent = np.asarray(np.random.RandomState(3).randn(*output.shape))
    found = oracle.gradient(**values, cotangents=[cotangent])
    for argument in by:
        should = np.zeros_like(values[argument])
        for place in np.ndindex(should.shape):
            right, left = (_moved(values, argument, place, step) for step in (1e-6, -1e-6))
            change = oracle.function(**right) - oracle.function(**left)
            should[place] = np.sum(cotangent * change) / 2e-6
        np.testing.assert_allclose(
            np.asarray(found[argument], float), should, rtol=rtol * 10, atol=1e-7, err_msg=argument
        )


def _moved(
    values: dict[str, Any], argument: str, place: tuple[int, ...], step: float
) -> dict[str, Any]:
    moved = values[argument].copy()
    moved[place] += step
    return {**values, argument: moved}
