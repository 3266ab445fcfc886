"""Linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="=input")
def matmul(input: Array, other: Array) -> Array:
    """Matrix product over the last two axes, the axes before them broadcast.

    ``out[…, i, j] = Σ_k input[…, i, k] other[…, k, j]``.  A 1-d `input` counts as a row, a 1-d
    `other` as a column, and the axis this adds is dropped again: two vectors give a 0-d result.
    Raises ValueError for a 0-d argument or unequal inner sizes, TypeError for truth values and
    for arguments of different dtypes.  Source: PyTorch documentation of torch.matmul.
    """
    if input.dtype.kind == "b" or other.dtype.kind == "b":
        raise TypeError("the product of truth values is not defined")
    if input.dtype != other.dtype:
        raise TypeError(f"{input.dtype} and {other.dtype} must be one dtype")
    if not input.ndim or not other.ndim:
        raise ValueError("both arguments must have at least one dimension")
    if input.dtype.name == "bfloat16":  # ml_dtypes has no kernel: accumulate in float32
        return np.asarray(np.matmul(input.astype(np.float32), other.astype(np.float32)))
    return np.asarray(np.matmul(input, other))
