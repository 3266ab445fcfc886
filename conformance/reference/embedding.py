"""Embeddings: rows of a table, looked up by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import Result, reference

Array = np.ndarray[Any, Any]


def _embedding_gradient(
    input: Array,
    weight: Array,
    *,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    cotangents: Sequence[Array],
    **_: Any,
) -> dict[str, Array]:
    """Sum the cotangent rows of each index; none reach `padding_idx`.

    With `scale_grad_by_freq` a sum is divided by how often its index occurs.
    Source: PyTorch documentation of torch.nn.Embedding.
    """
    gradient = np.zeros_like(weight)
    np.add.at(gradient, input.ravel(), cotangents[0].reshape(input.size, weight.shape[1]))
    if scale_grad_by_freq:
        counts = np.bincount(input.ravel(), minlength=len(weight))
        gradient /= np.maximum(counts, 1)[:, None]
    if padding_idx is not None:
        gradient[padding_idx] = 0
    return {"weight": gradient}


@reference(dtype="=weight", gradient=_embedding_gradient)
def embedding(
    input: Array,
    weight: Array,
    *,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Array | Result:
    """Rows of `weight` (number, dimension) at the integer indices `input`, of any shape.

    `max_norm` first scales each used row with a greater p-norm, p being `norm_type`, by
    ``max_norm / (norm + 1e-7)``, in the weight itself.  `padding_idx` and `scale_grad_by_freq`
    matter to the gradient only.
    Raises TypeError for an index that is no integer, IndexError for one that is no row,
    ValueError for a `padding_idx` that is no row.
    Source: PyTorch documentation of torch.nn.Embedding and torch.nn.functional.embedding.
    """
    rows = len(weight)
    if input.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, not {input.dtype.name}")
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx {padding_idx} is no row of {rows}")
    if np.any((input < 0) | (input >= rows)):
        raise IndexError(f"an index is not in [0, {rows})")
    if max_norm is None:
        return np.asarray(weight[input])
    norms = np.sum(np.abs(weight) ** norm_type, axis=1, keepdims=True) ** (1 / norm_type)
    used = np.isin(np.arange(rows), input)[:, None]
    scaled = np.where(used & (norms > max_norm), weight * (max_norm / (norms + 1e-7)), weight)
    return Result(scaled[input], state={"weight": scaled})


@reference(dtype="=weight", gradient=_embedding_gradient)
def functional_embedding(
    input: Array,
    weight: Array,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Array | Result:
    """`embedding` of a weight that is an input, which `max_norm` changes in place.

    Raises ValueError for a weight that is no matrix, else what `embedding` does.
    Source: PyTorch documentation of torch.nn.functional.embedding.
    """
    if weight.ndim != 2:
        raise ValueError(f"the weight has {weight.ndim} dimensions, not two")
    found = embedding(
        input, weight, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
        scale_grad_by_freq=scale_grad_by_freq,
    )  # fmt: skip
    return Result(found.output, mutated=found.state) if isinstance(found, Result) else found
