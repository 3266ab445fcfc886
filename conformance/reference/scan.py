"""Scans: results that keep the axis they accumulate along."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.dtypes import cast
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def _cumsum_dtype(input: Array, dtype: str | None = None, **_: Any) -> str:
    return dtype or ("int64" if input.dtype.kind in "biu" else "=input")


def _cumsum_gradient(
    input: Array, dim: int, dtype: str | None = None, *, cotangents: list[Array]
) -> dict[str, Array]:
    """``Σ_{j ≥ i} g_j``: each input counts in its own sum and in all that follow."""
    (g,) = cotangents
    axis = _axis(dim, input.ndim)
    if not input.ndim:
        return {"input": g.copy()}
    return {"input": np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)}


@reference(dtype=_cumsum_dtype, gradient=_cumsum_gradient)
def cumsum(input: Array, dim: int, dtype: str | None = None) -> Array:
    """``y_i = x_1 + x_2 + … + x_i`` along `dim`; the shape stays.

    `input` is first converted to `dtype`, if one is given; integers and truth values are else
    summed as int64.  Integer sums wrap around.  A 0-d input is its own sum.
    Raises ValueError when `dim` is out of range, TypeError when it is no integer.
    Source: PyTorch documentation of torch.cumsum.
    """
    axis = _axis(dim, input.ndim)
    terms = _terms(input, dtype)
    if not input.ndim:
        return terms.copy()
    if terms.dtype.name == "bfloat16":  # ml_dtypes has no scan: accumulate in float32
        return np.asarray(np.cumsum(terms.astype(np.float32), axis=axis))
    return np.asarray(np.cumsum(terms, axis=axis, dtype=terms.dtype))


@reference(dtype=_cumsum_dtype)
def cumprod(input: Array, dim: int, dtype: str | None = None) -> Array:
    """``y_i = x_1 · x_2 · … · x_i`` along `dim`; everything else as `cumsum`.

    Source: the array API standard, cumulative_prod.
    """
    axis = _axis(dim, input.ndim)
    factors = _terms(input, dtype)
    if not input.ndim:
        return factors.copy()
    if factors.dtype.name == "bfloat16":  # ml_dtypes has no scan: accumulate in float32
        return np.asarray(np.multiply.accumulate(factors.astype(np.float32), axis=axis))
    return np.asarray(np.multiply.accumulate(factors, axis=axis))


def _terms(input: Array, dtype: str | None) -> Array:
    """Round `input` to `dtype`, then go on in what holds the sums: int64, or the wider float."""
    rounded = cast(input, dtype) if dtype else input
    if rounded.dtype.kind in "biu":
        return rounded.astype(np.int64)
    if input.dtype.kind in "biu" or rounded.dtype.itemsize >= input.dtype.itemsize:
        return rounded
    return rounded.astype(input.dtype)


def _axis(dim: int, ndim: int) -> int:
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(f"dim is {dim!r}, but should be an integer")
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    return dim
