"""Sorting and selection by rank."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from conformance.reference.registry import Identities, Relation, reference

Array = np.ndarray[Any, Any]


class TopK(NamedTuple):
    """The selected values and their places along the axis."""

    values: Array
    indices: Array


@reference(dtype=("=input", "int64"))
def topk(
    input: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> TopK | Identities:
    """The k greatest (or least) elements along `dim`, best first, and their indices.

    NaN counts as greater than every number.  Among equal elements the first comes first here, an
    order that PyTorch leaves open.  Unless `sorted`, the k elements may come in any order.
    Raises ValueError when k or `dim` is out of range, TypeError for truth values and complex
    numbers.  Source: PyTorch documentation of torch.topk.
    """
    if input.dtype.kind in "bc":
        raise TypeError(f"the order of {input.dtype} is not defined")
    if not -max(input.ndim, 1) <= dim < max(input.ndim, 1):
        raise ValueError(f"dim {dim} is out of range for {input.ndim} dimensions")
    if not 0 <= k <= (input.shape[dim] if input.ndim else 1):
        raise ValueError(f"k={k} is out of range along dim {dim} of {input.shape}")
    if input.ndim == 0:
        return TopK(input.reshape(()), np.zeros((), np.int64))
    if largest:  # reversed twice, so that a stable sort still puts the first of equals first
        backwards = np.flip(np.argsort(np.flip(input, dim), axis=dim, kind="stable"), dim)
        order = input.shape[dim] - 1 - backwards
    else:
        order = np.argsort(input, axis=dim, kind="stable")
    indices = np.take(order, np.arange(k), axis=dim)
    best = TopK(np.take_along_axis(input, indices, axis=dim), indices)
    if sorted or k < 2:
        return best
    return Identities(best, lambda found: _relations(input, best.values, dim, *found))


def _relations(
    input: Array, best: Array, dim: int, values: Array, indices: Array
) -> list[Relation]:
    there = np.clip(indices, 0, input.shape[dim] - 1)
    return [
        Relation("values in order", np.sort(values, axis=dim), np.sort(best, axis=dim), 0.0),
        Relation("indices in range", there, indices, 0.0),
        Relation("elements there", np.take_along_axis(input, there, axis=dim), values, 0.0),
    ]
