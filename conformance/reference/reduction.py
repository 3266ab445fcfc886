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


def _std_gradient(
    input: Array,
    dim: Dim = None,
    correction: float = 1,
    keepdim: bool = False,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    """``g (x - μ) / (σ max(0, N - c))``, plus ``g' / N`` for the cotangent g' of a mean.

    Where σ = 0 the subgradient of least norm, 0, as PyTorch's autograd notes have it.
    """
    axes = axes_of(dim, input.ndim)
    deviation, count = _deviations(input, axes)
    spread = std(input, dim, correction, keepdim=True)
    wide = [g if keepdim else np.expand_dims(g, axes) for g in cotangents]
    with np.errstate(all="ignore"):
        slope = deviation / (spread * _count(max(0, count - correction), spread))
        product = wide[0] * np.where(spread == 0, 0, slope)
        if len(wide) > 1:
            product = product + wide[1] / _count(count, spread)
    return {"input": np.asarray(product)}


def _real_dtype(input: Array, **_: Any) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(input.dtype.name, "=input")


@reference(dtype=_real_dtype)
def var(input: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """Variance along `dim`; along all axes for None or an empty list.

    ``Σ |x - μ|² / max(0, N - c)`` with N elements of mean μ and c the `correction`: 1 is Bessel's
    (unbiased), 0 gives the population's variance.  The variance of complex numbers is real.
    Raises TypeError for integers and truth values, ValueError when an axis is out of range or
    named twice.
    Source: PyTorch documentation of torch.var.
    """
    if input.dtype.kind in "biu":
        raise TypeError(f"variance of {input.dtype} is not a number of that dtype")
    axes = axes_of(dim, input.ndim)
    deviation, count = _deviations(input, axes)
    with np.errstate(all="ignore"):
        square = np.square(deviation.real)
        if np.iscomplexobj(deviation):
            square = square + np.square(deviation.imag)
        variance = _sum(square, axes) / _count(max(0, count - correction), square)
    return variance if keepdim else np.asarray(np.squeeze(variance, axes))


@reference(dtype=_real_dtype, gradient=_std_gradient)
def std(input: Array, dim: Dim = None, correction: float = 1, keepdim: bool = False) -> Array:
    """Standard deviation: the square root of the variance, with the arguments of `var`.

    Source: PyTorch documentation of torch.std.
    """
    return np.asarray(np.sqrt(var(input, dim, correction, keepdim)))


@reference(dtype=_var_mean_dtypes)
def var_mean(
    input: Array,
    dim: Dim = None,
    correction: float = 1,
    keepdim: bool = False,
) -> tuple[Array, Array]:
    """Variance, as in `var`, and mean along `dim`.

    Source: PyTorch documentation of torch.var_mean.
    """
    return var(input, dim, correction, keepdim), _mean(input, dim, keepdim)


@reference(dtype=_var_mean_dtypes, gradient=_std_gradient)
def std_mean(
    input: Array,
    dim: Dim = None,
    correction: float = 1,
    keepdim: bool = False,
) -> tuple[Array, Array]:
    """Standard deviation, as in `std`, and mean along `dim`.

    Source: PyTorch documentation of torch.std_mean.
    """
    return std(input, dim, correction, keepdim), _mean(input, dim, keepdim)


def _mean(input: Array, dim: Dim, keepdim: bool) -> Array:
    axes = axes_of(dim, input.ndim)
    with np.errstate(all="ignore"):
        mean = _sum(input, axes) / _count(_number(input, axes), input)
    return np.asarray(mean if keepdim else np.squeeze(mean, axes))


def _deviations(input: Array, axes: tuple[int, ...]) -> tuple[Array, int]:
    """Return the deviations from the mean, and of how many elements each mean is."""
    with np.errstate(all="ignore"):
        return np.asarray(input - _mean(input, axes or None, True)), _number(input, axes)


def _number(input: Array, axes: tuple[int, ...]) -> int:
    return prod(input.shape[axis] for axis in axes)


def axes_of(dim: Dim, ndim: int) -> tuple[int, ...]:
    """Return the axes that `dim` names, from 0 on; all for None or an empty list.

    Raises ValueError when one is out of range or named twice.
    """
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
