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


@reference(dtype="=input")
def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Affine map of the last axis: ``y = x Wᵀ + b``.

    Shapes: input (…, n), weight (m, n), bias (m,) give (…, m); a weight (n,) gives (…), its bias
    is 0-d.  The bias may also be of one element, or of any shape that broadcasts to the result
    without enlarging it.  Raises ValueError for other shapes, TypeError for truth values and for
    arguments of different dtypes.
    Source: PyTorch documentation of torch.nn.Linear and torch.nn.functional.linear.
    """
    if weight.ndim not in (1, 2):
        raise ValueError(f"weight {weight.shape} must have one or two dimensions")
    product: Array = matmul(input, weight.T)
    if bias is None:
        return product
    if bias.dtype != input.dtype:
        raise TypeError(f"bias of {bias.dtype} must be {input.dtype}")
    if np.broadcast_shapes(product.shape, bias.shape) != product.shape:
        raise ValueError(f"bias {bias.shape} does not fit the product {product.shape}")
    return np.asarray(product + bias)
