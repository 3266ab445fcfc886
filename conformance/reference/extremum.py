"""Greatest and least elements, and where they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from conformance.reference.dtypes import promote
from conformance.reference.reduction import Dim, axes_of
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


class Extremum(NamedTuple):
    """The extreme values and their places along the axis."""

    values: Array
    indices: Array


def _amax_gradient(
    input: Array, dim: Dim = (), keepdim: bool = False, *, cotangents: list[Array]
) -> dict[str, Array]:
    axes = axes_of(dim, input.ndim)
    (g,) = cotangents
    return {"input": _shared(input, axes, g if keepdim else np.expand_dims(g, axes))}


def _shared(input: Array, axes: tuple[int, ...], cotangent: Array) -> Array:
    """Return the cotangent, split evenly among the equal greatest elements along `axes`."""
    greatest = input == np.max(input, axis=axes, keepdims=True)
    return np.asarray(greatest * cotangent / np.sum(greatest, axis=axes, keepdims=True))


@reference(dtype="=input", gradient=_amax_gradient)
def amax(input: Array, dim: Dim = (), keepdim: bool = False) -> Array:
    """The greatest element along the axes `dim`; along all axes for none.

    NaN counts as greater than every number.  The gradient is split evenly among equal greatest
    elements.  Raises ValueError when an axis is out of range, named twice or has no elements,
    TypeError for complex numbers.  Source: PyTorch documentation of torch.amax.
    """
    _ordered(input)
    axes = axes_of(dim, input.ndim)
    _not_empty(input, axes)
    return np.asarray(np.max(input, axis=axes, keepdims=keepdim))


def _max_dtype(
    input: Array, other: Array | None = None, dim: int | None = None, **_: Any
) -> str | tuple[str, str]:
    if other is None:
        return "=input" if dim is None else ("=input", "int64")
    if bool(input.ndim) == bool(other.ndim):
        return promote([input.dtype.name, other.dtype.name])
    wide, narrow = (input, other) if input.ndim else (other, input)
    return promote([wide.dtype.name], [narrow.dtype.name])


def _max_gradient(
    input: Array,
    other: Array | None = None,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    g = cotangents[0]
    if other is not None:
        share = np.where(input == other, 0.5, np.where(input > other, 1.0, 0.0))
        ours, theirs = g * share, g * (1 - share)
        return {"input": _summed_to(input, ours), "other": _summed_to(other, theirs)}
    if dim is None:
        return {"input": _shared(input, tuple(range(input.ndim)), g)}
    if not input.ndim:
        return {"input": g.copy()}
    found, spread = max(input, dim=dim, keepdim=True), np.zeros(input.shape)
    np.put_along_axis(spread, found.indices, g if keepdim else np.expand_dims(g, dim), dim)
    return {"input": spread}


def _summed_to(like: Array, gradient: Array) -> Array:
    """Sum a gradient over the axes along which `like` was broadcast."""
    extra = gradient.ndim - like.ndim
    widened = [i for i, n in enumerate((1,) * extra + like.shape) if n == 1]
    return np.asarray(gradient.sum(axis=tuple(widened), keepdims=True).reshape(like.shape))


@reference(dtype=_max_dtype, gradient=_max_gradient)
def max(
    input: Array, other: Array | None = None, dim: int | None = None, keepdim: bool = False
) -> Any:
    """Three operations of one name, as in PyTorch.

    With `other` the greater of two elements, broadcast; with `dim` the greatest elements along
    that axis and the index of the first of them; else the greatest element of all.  NaN counts as
    greater than every number.  The gradient goes to the element at the index; without one it is
    split evenly among equals, also between `input` and `other`.
    Raises ValueError when `dim` is out of range, what is searched is empty or shapes do not
    broadcast, TypeError for complex numbers and a `dim` that is no integer.
    Source: PyTorch documentation of torch.max and torch.maximum.
    """
    _ordered(input)
    if other is not None:
        _ordered(other)
        return np.asarray(np.maximum(input, other))
    if dim is None:
        return amax(input)
    axis = _axis(input, dim)
    if not input.ndim:
        return Extremum(input.copy(), np.zeros((), np.int64))
    indices = np.expand_dims(np.argmax(input, axis=axis), axis).astype(np.int64)
    values = np.take_along_axis(input, indices, axis=axis)
    if not keepdim:
        values, indices = np.squeeze(values, axis), np.squeeze(indices, axis)
    return Extremum(values, indices)


@reference(dtype="int64")
def argmin(input: Array, dim: int | None = None, keepdim: bool = False) -> Array:
    """The index of the first least element along `dim`; without one, in the flattened input.

    NaN counts as less than every number.  With `keepdim` and no `dim` every axis is kept with
    length 1.  Raises ValueError when `dim` is out of range or what is searched is empty, TypeError
    for truth values, complex numbers and a `dim` that is no integer.
    Source: PyTorch documentation of torch.argmin.
    """
    _ordered(input)
    if input.dtype.kind == "b":
        raise TypeError("truth values have no least element")
    if dim is None:
        _not_empty(input, tuple(range(input.ndim)))
        found = np.argmin(input.reshape(-1))
        return np.asarray(found, np.int64).reshape((1,) * input.ndim if keepdim else ())
    axis = _axis(input, dim)
    if not input.ndim:
        return np.zeros((), np.int64)
    return np.asarray(np.argmin(input, axis=axis, keepdims=keepdim), np.int64)


def _ordered(input: Array) -> None:
    if input.dtype.kind == "c":
        raise TypeError("complex numbers have no order")


def _axis(input: Array, dim: Any) -> int:
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(f"dim is {dim!r}, but should be an integer")
    axes = axes_of(dim, input.ndim)
    _not_empty(input, axes)
    return dim


def _not_empty(input: Array, axes: tuple[int, ...]) -> None:
    if any(input.shape[axis] == 0 for axis in axes):
        raise ValueError(f"shape {input.shape} has no elements along axes {axes}")
