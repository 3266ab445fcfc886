"""Random operations: the laws that draws must follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from ml_dtypes import finfo
from scipy import stats

from conformance.reference.distribution import Distribution
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference()
def normal(
    mean: Array | float = 0.0, std: Array | float = 1.0, size: list[int] | None = None
) -> Distribution:
    """Independent draws of N(mean, std²), of the shape `size` or that of `mean` and `std`.

    Where all of `std` is 0 the draw is `mean` itself.  Source: PyTorch documentation of
    torch.normal.
    """
    if np.any(np.asarray(std) < 0):
        raise RuntimeError("std must not be negative")
    shape = tuple(size) if size is not None else np.broadcast_shapes(np.shape(mean), np.shape(std))
    if not np.any(std):
        return _certain(np.broadcast_to(mean, shape))
    return Distribution(stats.norm(np.asarray(mean, float), np.asarray(std, float)), shape)


@reference(dtype="=input")
def bernoulli(input: Array, p: float | None = None) -> Distribution:
    """Independent draws of 0 and 1; each is 1 with the probability in `input`, or `p` if given.

    Source: PyTorch documentation of torch.bernoulli and torch.Tensor.bernoulli.
    """
    probability = np.asarray(input if p is None else np.full(input.shape, p), dtype=float)
    if not np.all((probability >= 0) & (probability <= 1)):
        raise RuntimeError("probabilities must lie in [0, 1]")
    return Distribution(
        stats.binom(1, probability), input.shape, support=lambda x: (x == 0) | (x == 1)
    )


@reference(dtype="=input")
def dropout(input: Array, p: float = 0.5, training: bool = True) -> Distribution:
    """Inverted dropout: each element is 0 with probability `p`, else ``input / (1 - p)``.

    Without `training` the input itself.  Where the input is 0 the draw says nothing, so those
    elements are left out of the test.  Source: PyTorch documentation of torch.nn.Dropout; Hinton
    et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    rate = p if training else 0.0
    if rate == 0:
        return _certain(input)
    kept = np.zeros_like(input) if rate == 1 else input / (1 - rate)
    told = input != 0

    def support(draw: Array) -> Array:
        roundoffs = 4 * float(finfo(draw.dtype).eps)
        return np.asarray((draw == 0) | (np.abs(draw - kept) <= roundoffs * np.abs(kept)))

    return Distribution(
        stats.binom(1, 1 - rate),
        input.shape,
        support=support,
        transform=lambda draw: np.asarray(draw != 0, dtype=float)[told],
        restore=lambda keeps: np.where(keeps, kept, 0),
    )


def _certain(value: Array) -> Distribution:
    """Return the law of a draw that is always `value`, exactly: every element hits it."""
    return Distribution(
        stats.binom(1, 1.0),
        value.shape,
        support=lambda draw: draw == value,
        transform=lambda draw: np.asarray(draw == value, dtype=float),
        restore=lambda _: value,
    )
