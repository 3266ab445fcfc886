"""Automatic differentiation itself, of a function small enough to differentiate by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype=("=x", "=y"))
def vector_jacobian_product(
    x: Array, y: Array, grad_outputs: Array | None = None
) -> tuple[Array, Array]:
    """Vector-Jacobian products of ``x x y`` by x and by y, all of one shape.

    ``(2 x y v, x x v)`` for v = `grad_outputs`; v is 1 where it is left out, which PyTorch allows
    for a single output only: ValueError for more, and for a v of another shape.  Source: the
    product rule; PyTorch documentation of torch.autograd.grad.
    """
    if grad_outputs is None:
        if x.size != 1:
            raise ValueError("without grad_outputs there must be a single output")
        grad_outputs = np.ones_like(x)
    if grad_outputs.shape != x.shape:
        raise ValueError(f"grad_outputs {grad_outputs.shape} must have the shape {x.shape}")
    # In the order of backpropagation: what overflows on the way is infinite in the end.
    product = y * grad_outputs
    return product * x + x * product, x * x * grad_outputs


@reference(dtype="=x")
def gradient_of_square(x: Array, grad_outputs: Array) -> tuple[Array]:
    """Vector-Jacobian product of ``x x`` by x: ``(2 x v,)`` for v = `grad_outputs`.

    Source: the product rule; torch.autograd.grad returns a tuple, one for each input.
    """
    return (2 * x * grad_outputs,)
