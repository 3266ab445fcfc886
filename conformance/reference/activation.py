"""Activations that look along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.corpus.inputs import cast
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def _softmax_dtype(dtype: str | None = None, **_: Any) -> str:
    return dtype or "=input"


def _softmax_gradient(
    input: Array,
    dim: int | None = None,
    dtype: str | None = None,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    """``y (g - Σ_j g_j y_j)`` for the cotangent g of y = softmax(x)."""
    y = softmax(input, dim, dtype)
    (g,) = cotangents
    axis = _axis(dim, input.ndim)
    total = np.sum(g * y, axis=axis, keepdims=True) if input.ndim else g * y
    return {"input": np.asarray(y * (g - total))}


@reference(dtype=_softmax_dtype, gradient=_softmax_gradient)
def softmax(input: Array, dim: int | None = None, dtype: str | None = None) -> Array:
    """``e^(x_i - m) / Σ_j e^(x_j - m)`` along `dim`, with m the greatest x, so nothing overflows.

    `input` is first converted to `dtype`, if one is given; else it must be floating (TypeError).
    Without `dim`: axis 0 for 0, 1 and 3 dimensions, else axis 1.  `dim` must lie in [-n, n)
    (ValueError), where n is the number of dimensions, at least 1.
    Source: PyTorch documentation of torch.nn.functional.softmax and its implicit dimension.
    """
    if dtype is None and input.dtype.kind in "biu":
        raise TypeError(f"softmax of {input.dtype} needs a floating dtype")
    if dtype is not None:
        input = _converted(input, dtype)
    axis = _axis(dim, input.ndim)
    if input.ndim == 0:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.exp(input - input))
    greatest = np.max(input, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        power = np.exp(input - greatest)
    return np.asarray(power / np.sum(power, axis=axis, keepdims=True, dtype=power.dtype))


def _axis(dim: int | None, ndim: int) -> int:
    if dim is None:
        return 0 if ndim in (0, 1, 3) else 1
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    return dim


def _converted(input: Array, dtype: str) -> Array:
    """Round `input` to `dtype`, but go on in the wider of the two: an oracle stays an oracle."""
    rounded = cast(input, dtype)
    if input.dtype.kind in "biu" or rounded.dtype.itemsize >= input.dtype.itemsize:
        return rounded
    return np.asarray(rounded.astype(input.dtype))


def _sigmoid_dtype(input: Array, **_: Any) -> str:
    return "float32" if input.dtype.kind in "biu" else "=input"


@reference(dtype=_sigmoid_dtype)
def sigmoid(input: Array) -> Array:
    """``σ(x) = 1 / (1 + e^-x)``, written as ``e^x / (1 + e^x)`` where x has a negative real part.

    So the exponential never overflows and small results keep their digits.  Integers and truth
    values are read as real numbers and give float32.
    Source: PyTorch documentation of torch.sigmoid.
    """
    x = input.astype(np.float64) if input.dtype.kind in "biu" else input
    power = np.exp(np.where(x.real < 0, x, -x))
    one = np.ones_like(power)
    return np.asarray(np.where(x.real < 0, power, one) / (one + power))
