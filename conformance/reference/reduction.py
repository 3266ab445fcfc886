"""Reductions along axes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]
Dim = int | list[int] | tuple[int, ...] | None


def _var_mean_dtypes(input: Array, **_: Any) -> tuple[str, str]:
    real = {"complex64": "float32", "complex128": "float64"}.get(input.dtype.name, "=input")
    return real, "=input"


@reference(dtype=_var_mean_dtypes)
def var_mean(
    input: Array,
    dim: Dim = None,
    correction: float = 1,
    keepdim: bool = False,
) -> tuple[Array, Array]:
    """Variance and mean along `dim`; along all axes for None or an empty list.

    ``Σ |x - μ|² / max(0, N - c)`` with N elements of mean μ and c the `correction`: 1 is Bessel's
    (unbiased), 0 gives the population's variance.  The variance of complex numbers is real.
    Raises TypeError for integers and truth values, ValueError when an axis is out of range or
    named twice.
    Source: PyTorch documentation of torch.var_mean.
    """
    if input.dtype.kind in "biu":
        raise TypeError(f"variance of {input.dtype} is not a number of that dtype")
    axes = _axes(dim, input.ndim)
    count = prod(input.shape[axis] for axis in axes)
    with np.errstate(all="ignore"):
        mean = _sum(input, axes) / _count(count, input)
        deviation = input - mean
        square = np.square(deviation.real)
        if np.iscomplexobj(deviation):
            square = square + np.square(deviation.imag)
        variance = _sum(square, axes) / _count(max(0, count - correction), square)
    if not keepdim:
        mean, variance = np.squeeze(mean, axes), np.squeeze(variance, axes)
    return np.asarray(variance), np.asarray(mean)


def _axes(dim: Dim, ndim: int) -> tuple[int, ...]:
    if dim is None or (not isinstance(dim, int) and not dim):
        return tuple(range(ndim))
    names = (dim,) if isinstance(dim, int) else tuple(dim)
    if not all(-max(ndim, 1) <= axis < max(ndim, 1) for axis in names):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    axes = tuple(axis % ndim for axis in names) if ndim else ()
    if len(set(names)) != len(names) or len(set(axes)) != len(axes):
        raise ValueError(f"dim {dim} names an axis twice")
    return axes


def _sum(array: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.sum(array, axis=axes, keepdims=True, dtype=array.dtype))


def _count(count: float, like: Array) -> Any:
    """Return `count` in the real dtype of `like`, lest Python's float widen a float16."""
    return like.real.dtype.type(count)
