"""Arrays made from a shape, a dtype and at most one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.dtypes import cast, category
from conformance.reference.registry import Identities, reference
from conformance.reference.shape import Array, as_shape

Size = int | Sequence[int]


def _given_or_float32(size: Size, dtype: str | None = None) -> str:
    return dtype if isinstance(dtype, str) else "float32"


def _given_or_inferred(size: Size, fill_value: Array, dtype: str | None = None) -> str:
    return dtype if isinstance(dtype, str) else "promote"


def _shape(size: Any) -> tuple[int, ...]:
    """Return a shape; ValueError for a negative length, TypeError for what is no shape."""
    shape = as_shape(size)
    if any(n < 0 for n in shape):
        raise ValueError(f"negative length in {shape}")
    return shape


@reference(dtype=_given_or_float32)
def zeros(size: Size, dtype: str | None = None) -> Array:
    """An array of zeros of shape `size`, of float32 unless told otherwise.

    Raises ValueError for a negative length, TypeError for what is no shape.
    Source: PyTorch documentation of torch.zeros.
    """
    return np.zeros(_shape(size), np.longdouble)


@reference(dtype=_given_or_float32)
def ones(size: Size, dtype: str | None = None) -> Array:
    """An array of ones; everything else as `zeros`.

    Source: PyTorch documentation of torch.ones.
    """
    return np.ones(_shape(size), np.longdouble)


@reference(dtype=_given_or_inferred)
def full(size: Sequence[int], fill_value: Array, dtype: str | None = None) -> Array:
    """An array of shape `size`, every element the number `fill_value`.

    The dtype is that of a Python number when none is given: bool, int64, float32 or complex64.
    Integer dtypes drop the fraction, bool asks whether the number is 0.  Raises ValueError for a
    negative length and for a number beyond the dtype's range, of which unsigned integers take the
    negative half as well (modulo); TypeError for what is no shape, a bare integer included.
    Source: PyTorch documentation of torch.full; the range is c10's check of scalar conversions.
    """
    if not isinstance(size, list | tuple):
        raise TypeError(f"{size!r} is not a tuple of integers")
    return np.full(_shape(size), _as_taken(np.asarray(fill_value), dtype))


def _same_or_given(input: Array, fill_value: Array, dtype: str | None = None) -> str:
    return dtype if isinstance(dtype, str) else "=input"


@reference(dtype=_same_or_given)
def full_like(input: Array, fill_value: Array, dtype: str | None = None) -> Array:
    """An array of the shape of `input`, and of its dtype unless told otherwise, as `full`.

    Raises ValueError for a number beyond the dtype's range.
    Source: PyTorch documentation of torch.full_like.
    """
    kept = dtype or (input.dtype.name if input.dtype.kind in "iub" else None)
    return np.full(input.shape, _as_taken(np.asarray(fill_value), kept))


def _as_taken(number: Array, dtype: str | None) -> Array:
    """Return `number` as `dtype` (or any, when it is not known) takes it, or raise ValueError."""
    if dtype is None:
        return number
    if dtype == "bool":
        return number.astype(bool)
    if category(dtype) == 1:
        number = np.asarray(int(number.real))
    _check_range(number, dtype)
    return number


def _check_range(number: Array, dtype: str) -> None:
    """Raise ValueError for a number beyond the range of `dtype`."""
    if category(dtype) == 1:
        limits = np.iinfo(dtype)
        fits = min(int(limits.min), -int(limits.max)) <= int(number) <= int(limits.max)
    else:
        largest = np.finfo("float32" if dtype == "bfloat16" else dtype).max
        fits = not np.isfinite(number) or bool(np.abs(number) <= largest)
    if not fits:
        raise ValueError(f"{number} is out of range for {dtype}")


def _converted_dtype(input: Array, dtype: str | None = None) -> str:
    return dtype or "=input"


@reference(dtype=_converted_dtype)
def array(input: Array, dtype: str | None = None) -> Array:
    """The numbers of `input` as an array, in `dtype` if one is given; integers wrap around.

    Whether the memory is shared is no part of the value.
    Source: the array API standard, asarray; two's complement.
    """
    return input.copy() if dtype is None or category(dtype) > 1 else cast(input, dtype)


@reference(dtype=_given_or_float32)
def empty(size: Size, dtype: str | None = None) -> Identities:
    """An array of shape `size` whose elements are not defined: any values are right.

    Shape and dtype are compared all the same.  Errors as `zeros`.
    Source: PyTorch documentation of torch.empty.
    """
    return Identities(np.zeros(_shape(size), np.longdouble), lambda _: [])
