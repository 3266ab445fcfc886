"""Lengths and distances in the p-norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def norm(v: Array, p: float) -> Array:
    """``(Σ |v|^p)^(1/p)`` over the last axis: the greatest |v| for ∞, the number of v ≠ 0 for 0.

    Scaled by the greatest |v|, so that no power overflows or vanishes.  Real for complex v; 0 of
    no elements.  Raises ValueError for a negative p.
    """
    if not p >= 0:
        raise ValueError(f"the order of a norm is not negative, as {p} is")
    size = np.abs(v)
    if p == 0:
        return np.asarray(np.sum(np.where(np.isnan(size), size, size != 0), -1, dtype=size.dtype))
    greatest = np.max(size, axis=-1, initial=0)
    if p == np.inf:
        return np.asarray(greatest)
    scale = np.where((greatest > 0) & (greatest < np.inf), greatest, np.ones_like(greatest))
    order = size.dtype.type(p)
    powers = np.power(size / scale[..., None], order)
    root = np.power(np.sum(powers, axis=-1, dtype=size.dtype), size.dtype.type(1) / order)
    return np.asarray(scale * root)


def norm_slope(v: Array, p: float) -> Array:
    """Return the derivative of `norm` by each v: ``sgn(v) (|v| / norm)^(p-1)``, v / |v| the sign.

    0 for a vector of zeros, and for an element of 0 where p < 1, where it is not defined; ±1 for
    each of the greatest where p = ∞; 0 for p = 0.
    """
    size, length = np.abs(v), norm(v, p)[..., None]
    if p == 0:
        return np.zeros_like(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        sign = np.where(size == 0, 0, v / size)
        share = (size == length) if p == np.inf else np.power(size / length, p - 1)
        return np.asarray(np.where((length == 0) | (size == 0), 0, sign * share))


def _cdist_gradient(
    x1: Array, x2: Array, p: float = 2.0, *, cotangents: list[Array]
) -> dict[str, Array]:
    apart = x1[..., :, None, :] - x2[..., None, :, :]
    slope = cotangents[0][..., None] * norm_slope(apart, p)
    return {
        "x1": _summed(slope.sum(axis=-2), x1.shape),
        "x2": _summed(-slope.sum(axis=-3), x2.shape),
    }


def _summed(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the batches along which `shape` was broadcast."""
    summed = array.sum(axis=tuple(range(array.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape[:-2]) if n == 1)
    return np.asarray(summed.sum(axis=repeated, keepdims=True))


@reference(gradient=_cdist_gradient)
def cdist(x1: Array, x2: Array, p: float = 2.0) -> Array:
    """``out[..., i, j] = ‖x1[..., i, :] - x2[..., j, :]‖_p``, batches broadcast.

    (…, P, M) and (…, R, M) give (…, P, R).  The distance of equal points has the gradient 0.
    Raises ValueError for a negative p, fewer than two dimensions and different M, TypeError for
    what is not floating.  Source: PyTorch documentation of torch.cdist.
    """
    for name, x in {"x1": x1, "x2": x2}.items():
        if x.dtype.kind in "biuc":
            raise TypeError(f"{name} is {x.dtype}, but should be floating")
        if x.ndim < 2:
            raise ValueError(f"{name} {x.shape} needs at least two dimensions")
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"points of {x1.shape[-1]} and {x2.shape[-1]} coordinates")
    return norm(x1[..., :, None, :] - x2[..., None, :, :], p)


def _renorm_gradient(
    input: Array, p: float, dim: int, maxnorm: float, *, cotangents: list[Array]
) -> dict[str, Array]:
    """``k (g - (Σ g x) / n ∂n/∂x)`` for a slice x of norm n > maxnorm, k = maxnorm / n; else g."""
    x, g = _slices(input, dim), _slices(cotangents[0], dim)
    length = norm(x, p)[:, None]
    factor = np.where(length > maxnorm, maxnorm / length, 1)
    along = np.sum(np.real(g * np.conj(x)), axis=-1, keepdims=True) / length
    shrunk = factor * (g - along * norm_slope(x, p))
    by_slice = np.where(length > maxnorm, shrunk, g)
    return {"input": _unsliced(by_slice, input.shape, dim)}


@reference(dtype="=input", gradient=_renorm_gradient)
def renorm(input: Array, p: float, dim: int, maxnorm: float) -> Array:
    """Scale each slice of index i along `dim` whose p-norm is above `maxnorm` to that norm.

    ``x_i · maxnorm / ‖x_i‖_p``; other slices are unchanged.  `p` is positive, `maxnorm` is not
    negative, `dim` lies in [-n, n), n ≥ 2 the number of dimensions (ValueError); floating or
    complex numbers (TypeError).  Source: PyTorch documentation of torch.renorm.
    """
    if input.dtype.kind in "biu":
        raise TypeError(f"renorm of {input.dtype} is not a number of that dtype")
    if not p > 0 or not maxnorm >= 0:
        raise ValueError(f"p = {p} must be positive and maxnorm = {maxnorm} not negative")
    if input.ndim < 2 or not -input.ndim <= dim < input.ndim:
        raise ValueError(f"dim {dim} is out of range for {input.ndim} dimensions, at least two")
    x = _slices(input, dim)
    length = norm(x, p)[:, None]
    limit = length.dtype.type(maxnorm)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(length > limit, x * (limit / length), x)
    return _unsliced(scaled, input.shape, dim)


def _slices(array: Array, dim: int) -> Array:
    """Return a matrix whose row i is the slice of index i along `dim`."""
    rest = array.size // max(array.shape[dim], 1)
    return np.asarray(np.moveaxis(array, dim, 0).reshape(array.shape[dim], rest))


def _unsliced(rows: Array, shape: tuple[int, ...], dim: int) -> Array:
    axis = dim % len(shape)
    rest = shape[:axis] + shape[axis + 1 :]
    return np.moveaxis(rows.reshape(shape[axis], *rest), 0, axis)
