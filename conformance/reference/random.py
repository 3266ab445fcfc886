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


def _laplace_dtype(loc: Array | float = 0.0, scale: Array | float = 1.0, **_: Any) -> str:
    arrays = {"loc": loc, "scale": scale}
    return next((f"={n}" for n, a in arrays.items() if isinstance(a, np.ndarray)), "float32")


@reference(dtype=_laplace_dtype)
def laplace(
    loc: Array | float = 0.0, scale: Array | float = 1.0, size: list[int] | None = None
) -> Distribution:
    """Independent draws of the density ``e^(-|x - loc| / scale) / (2 scale)``.

    The shape is `size` followed by that of `loc` and `scale`.  Raises ValueError unless all of
    `scale` is positive.  Source: PyTorch documentation of torch.distributions.laplace.Laplace and
    of Distribution.sample.
    """
    if not np.all(np.asarray(scale) > 0):
        raise ValueError("scale must be positive")
    batch = np.broadcast_shapes(np.shape(loc), np.shape(scale))
    law = stats.laplace(np.asarray(loc, float), np.asarray(scale, float))
    return Distribution(law, (*(size or ()), *batch))


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
        return np.asarray((draw == 0) | _near(draw, kept))

    return Distribution(
        stats.binom(1, 1 - rate),
        input.shape,
        support=support,
        transform=lambda draw: np.asarray(draw != 0, dtype=float)[told],
        restore=lambda keeps: np.where(keeps, kept, 0),
    )


@reference(dtype="=input")
def dropout2d(input: Array, p: float = 0.5, training: bool = True) -> Distribution:
    """Dropout of whole channels ``input[n, c]``: each is 0 with probability `p`.

    What is kept is divided by ``1 - p``.  Channels are named by the first two axes also where there
    are three axes or five.  Source: PyTorch documentation of torch.nn.functional.dropout2d and its
    warnings; Tompson et al., "Efficient object localization using convolutional networks", 2015.
    """
    if input.ndim < 2:
        raise RuntimeError("dropout of channels needs two or more axes")
    return _channel_dropout(input, 2, p, training)


@reference(dtype="=input")
def dropout3d(input: Array, p: float = 0.5, training: bool = True) -> Distribution:
    """Dropout of whole channels as dropout2d, of (N, C, D, H, W), or of (C, D, H, W).

    Source: PyTorch documentation of torch.nn.Dropout3d.
    """
    return _channel_dropout(input, 2 if input.ndim == 5 else 1, p, training)


def _channel_dropout(input: Array, leading: int, p: float, training: bool) -> Distribution:
    law: Distribution = dropout(input, p, training)
    if not training or p in (0, 1):
        return law
    elements = tuple(range(leading, input.ndim))
    told = np.any(input != 0, axis=elements)
    kept = input / (1 - p)

    def support(draw: Array) -> Array:
        scaled = _near(draw, kept)
        whole = np.all(scaled, axis=elements, keepdims=True)
        return np.asarray(scaled & whole | np.all(draw == 0, axis=elements, keepdims=True))

    def restore(keeps: Array) -> Array:
        first = keeps
        for axis in elements:
            first = first.take([0], axis) if first.size else first
        return np.where(first, kept, 0).astype(input.dtype)

    return Distribution(
        law.rv,
        input.shape,
        support=support,
        transform=lambda draw: np.any(draw != 0, axis=elements).astype(float)[told],
        restore=restore,
    )


def _certain(value: Array) -> Distribution:
    """Return the law of a draw that is always `value`, exactly: every element hits it."""
    return Distribution(
        stats.binom(1, 1.0),
        value.shape,
        support=lambda draw: _same(draw, value),
        transform=lambda draw: np.asarray(_same(draw, value), dtype=float),
        restore=lambda _: value,
    )


def _near(draw: Array, kept: Array) -> Array:
    """Return where `draw` is `kept` to a few roundoffs; an infinity or NaN must be one itself."""
    roundoffs = 0.0 if draw.dtype.kind in "iu" else 4 * float(finfo(draw.dtype).eps)
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(draw - kept) <= roundoffs * np.abs(kept)
    return np.asarray(_same(draw, kept) | (np.isfinite(kept) & close))


def _same(draw: Array, value: Array) -> Array:
    return np.asarray((draw == value) | (np.isnan(draw) & np.isnan(value)))
