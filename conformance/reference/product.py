"""Inner products and contractions."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def _dot_gradient(input: Array, tensor: Array, *, cotangents: list[Array]) -> dict[str, Array]:
    (g,) = cotangents
    return {"input": np.asarray(g * np.conj(tensor)), "tensor": np.asarray(g * np.conj(input))}


@reference(dtype="=input", gradient=_dot_gradient)
def dot(input: Array, tensor: Array) -> Array:
    """``Σ_i input[i] tensor[i]`` of two vectors of one length; nothing is conjugated.

    Integers wrap around.  Raises ValueError when an argument is not 1-d or the lengths differ,
    TypeError for truth values and for arguments of different dtypes.
    Source: PyTorch documentation of torch.dot.
    """
    if input.dtype.kind == "b":
        raise TypeError("the product of truth values is not defined")
    if input.dtype != tensor.dtype:
        raise TypeError(f"{input.dtype} and {tensor.dtype} must be one dtype")
    if input.ndim != 1 or tensor.ndim != 1:
        raise ValueError(f"two vectors are expected, not {input.ndim} and {tensor.ndim} dimensions")
    if input.shape != tensor.shape:
        raise ValueError(f"vectors of {input.size} and {tensor.size} elements have no product")
    if input.dtype.name == "bfloat16":  # ml_dtypes has no kernel: accumulate in float32
        return np.asarray(np.dot(input.astype(np.float32), tensor.astype(np.float32)))
    return np.asarray(np.dot(input, tensor), input.dtype)


def _prod_dtype(input: Array, **_: Any) -> str:
    return "int64" if input.dtype.kind in "biu" else "=input"


@reference(dtype=_prod_dtype)
def prod(input: Array, dim: int | None = None) -> Array:
    """``x_1 · x_2 · … · x_n`` along `dim`, along all axes for None; 1 of no factors.

    Integers and truth values are multiplied as int64, which wraps around.
    Source: the array API standard, prod.
    """
    factors = input.astype(np.int64) if input.dtype.kind in "biu" else input
    if factors.dtype.name == "bfloat16":  # ml_dtypes has no kernel: accumulate in float32
        factors = factors.astype(np.float32)
    return np.asarray(np.multiply.reduce(factors, axis=dim))
