"""Operations that move elements without changing them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]
Oracle = Callable[..., Any]


def moves(name: str = "input", dtype: Any = None) -> Callable[[Oracle], Oracle]:
    """Register an oracle whose outputs hold elements of `name`, or zeros, and nothing else.

    Such a map is linear, and its transpose adds up the cotangents of all places an element went
    to: run on the elements' numbers 1, 2, …, the oracle itself tells those places (0: a zero that
    the operation put in).  That is exact where differences of NaN and infinity would be nothing.
    """

    def register(function: Oracle) -> Oracle:
        @functools.wraps(function)
        def gradient(cotangents: Sequence[Array], **values: Any) -> dict[str, Any]:
            given = values.pop(name)
            arrays = given if isinstance(given, list | tuple) else [given]
            ends = np.cumsum([a.size for a in arrays])
            numbers = [
                np.arange(end - a.size + 1, end + 1).reshape(a.shape)
                for a, end in zip(arrays, ends, strict=True)
            ]
            out = function(**values, **{name: numbers if given is not arrays[0] else numbers[0]})
            total = np.zeros(ends[-1] + 1, cotangents[0].dtype)
            for places, weights in zip(
                out if isinstance(out, tuple) else (out,), cotangents, strict=True
            ):
                np.add.at(total, places.ravel(), weights.ravel())
            parts = [
                total[n.ravel()].reshape(a.shape) for n, a in zip(numbers, arrays, strict=True)
            ]
            return {name: parts if given is not arrays[0] else parts[0]}

        return reference(dtype=dtype or f"={name}", gradient=gradient)(function)

    return register


def _axis(dim: Any, ndim: int) -> int:
    """Return the axis `dim` counts from either end; 0 dimensions count as one.

    Raises TypeError for what is no integer, ValueError for what is out of range.
    """
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(f"{dim!r} is not an axis")
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    return dim % max(ndim, 1)


def as_shape(size: Any) -> tuple[int, ...]:
    """Return a shape given as one integer or a sequence of them; TypeError for anything else."""
    sizes = tuple(size) if isinstance(size, list | tuple) else (size,)
    if any(isinstance(n, bool) or not isinstance(n, int) for n in sizes):
        raise TypeError(f"{size!r} is not a shape")
    return sizes


@reference(dtype="=input")
def transpose_t(input: Array) -> Array:
    """All axes in reverse order: ``out[i_n, …, i_1] = input[i_1, …, i_n]``.

    Source: PyTorch documentation of torch.Tensor.T.
    """
    return np.asarray(np.transpose(input))


@moves()
def flatten(input: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Axes `start_dim` to `end_dim` become one, the last of them running fastest.

    ``(d_0, …, d_s, …, d_e, …)`` becomes ``(d_0, …, d_s ⋯ d_e, …)``; a 0-d array becomes 1-d.
    Raises ValueError for an axis out of range and when `start_dim` comes after `end_dim`, TypeError
    for an axis that is no integer.  Source: PyTorch documentation of torch.flatten.
    """
    start, end = _axis(start_dim, input.ndim), _axis(end_dim, input.ndim)
    if start > end:
        raise ValueError(f"start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape or (1,)
    merged = int(np.prod(shape[start : end + 1]))
    return input.reshape(*shape[:start], merged, *shape[end + 1 :])


@moves()
def flatten_module(input: Array, start_dim: int = 1, end_dim: int = -1) -> Array:
    """`flatten` from the second axis on unless told otherwise: the first is the batch.

    Errors as there.  Source: PyTorch documentation of torch.nn.Flatten.
    """
    return np.asarray(flatten(input, start_dim, end_dim))


@moves()
def broadcast_to(input: Array, shape: Sequence[int]) -> Array:
    """Repeat axes of length 1, and new leading ones, to `shape`; -1 keeps a length.

    ``out[…, i_1, …, i_n] = input[j_1, …, j_n]`` with j_k = 0 where input has length 1, else i_k.
    Raises ValueError where a length is neither 1 nor the one asked for, where -1 stands for a new
    axis, for other negative lengths and for fewer axes than `input` has; TypeError for what is no
    shape.  Source: PyTorch documentation of torch.broadcast_to and torch.Tensor.expand.
    """
    sizes = as_shape(shape)
    new = len(sizes) - input.ndim
    if new < 0 or any(n == -1 for n in sizes[:new]) or any(n < -1 for n in sizes):
        raise ValueError(f"{input.shape} cannot be broadcast to {sizes}")
    kept = zip(sizes, (1,) * new + input.shape, strict=True)
    return np.broadcast_to(input, tuple(old if n == -1 else n for n, old in kept))


@moves("tensors", dtype="promote")
def cat(tensors: Sequence[Array], dim: int = 0) -> Array:
    """Join arrays along axis `dim`, in the dtype they promote to.

    ``out[…, o_k + i, …] = tensors[k][…, i, …]`` with o_k the sum of the earlier lengths.  Arrays of
    shape ``(0,)`` are skipped whatever the shape of the others.  Raises ValueError for no array,
    0-d arrays, other shapes outside `dim` and an axis out of range; TypeError for an axis that is
    no integer.  Source: PyTorch documentation of torch.cat.
    """
    if not tensors or any(t.ndim == 0 for t in tensors):
        raise ValueError("cat needs arrays of at least one dimension")
    joined = [t for t in tensors if t.shape != (0,)]
    if not joined:
        _axis(dim, 1)
        return np.asarray(tensors[0])
    return np.concatenate(joined, axis=_axis(dim, joined[0].ndim))


@moves()
def flip(input: Array, dims: Sequence[int]) -> Array:
    """Reverse the axes `dims`: ``out[…, i, …] = input[…, d - 1 - i, …]`` for each of them.

    Raises ValueError for an axis out of range or named twice, TypeError for what is no axis.
    Source: PyTorch documentation of torch.flip.
    """
    axes = [_axis(dim, input.ndim) for dim in as_shape(dims)]
    if len(set(axes)) < len(axes):
        raise ValueError(f"an axis is named twice in {dims}")
    return input if input.ndim == 0 else np.flip(input, axes)


@moves()
def tile(input: Array, dims: Sequence[int]) -> Array:
    """Copies of `input` side by side, ``dims[k]`` of them along axis k.

    ``out[i_1, …, i_n] = input[i_1 mod d_1, …, i_n mod d_n]``; the shorter of shape and `dims` gets
    ones in front.  Raises ValueError for a negative count, TypeError for what is no integer.
    Source: PyTorch documentation of torch.tile and torch.Tensor.repeat.
    """
    counts = as_shape(dims)
    if any(n < 0 for n in counts):
        raise ValueError(f"negative number of copies in {dims}")
    ndim = max(input.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    x = input.reshape((1,) * (ndim - input.ndim) + input.shape)
    index = [np.arange(n * count) % max(n, 1) for n, count in zip(x.shape, counts, strict=True)]
    return x[np.ix_(*index)] if ndim else x


@moves()
def diag(input: Array, diagonal: int = 0) -> Array:
    """A matrix with `input` on a diagonal, or the diagonal of a matrix.

    Vector of n: ``out[i + max(-k, 0), i + max(k, 0)] = input[i]``, other elements 0, of shape
    ``(n + |k|, n + |k|)`` with k = `diagonal`.  Matrix: ``out[i] = input[i + max(-k, 0), i + max(k,
    0)]`` as far as both indices exist.  Raises ValueError for other numbers of dimensions,
    TypeError for a diagonal that is no integer.  Source: PyTorch documentation of torch.diag.
    """
    if isinstance(diagonal, bool) or not isinstance(diagonal, int):
        raise TypeError(f"{diagonal!r} is not the number of a diagonal")
    if input.ndim not in (1, 2):
        raise ValueError(f"neither vector nor matrix: {input.ndim} dimensions")
    down, right = max(-diagonal, 0), max(diagonal, 0)
    if input.ndim == 2:
        count = max(min(input.shape[0] - down, input.shape[1] - right), 0)
        place = np.arange(count)
        return np.asarray(input[place + down, place + right])
    out = np.zeros((input.size + abs(diagonal),) * 2, input.dtype)
    place = np.arange(input.size)
    out[place + down, place + right] = input
    return out


def _grid_dtype(tensors: Sequence[Array], **_: Any) -> tuple[str, ...]:
    return ("promote",) * len(tensors)


@moves("tensors", dtype=_grid_dtype)
def meshgrid(tensors: Sequence[Array], indexing: str = "ij") -> tuple[Array, ...]:
    """Grids of coordinates: ``out_k[i_1, …, i_n] = tensors[k][i_k]``, one for each vector.

    A 0-d array counts as a vector of one.  ``indexing="xy"`` swaps the first two axes of every
    grid.  Raises ValueError for no vector, more dimensions than one and another `indexing`.
    Source: PyTorch documentation of torch.meshgrid.
    """
    if not tensors or any(t.ndim > 1 for t in tensors):
        raise ValueError("meshgrid needs vectors")
    if indexing not in ("ij", "xy"):
        raise ValueError(f"indexing is 'ij' or 'xy', not {indexing!r}")
    shape = tuple(t.size for t in tensors)
    grids = []
    for k, vector in enumerate(tensors):
        along = vector.reshape((1,) * k + (-1,) + (1,) * (len(tensors) - k - 1))
        grid = np.broadcast_to(along, shape)
        swap = indexing == "xy" and len(tensors) > 1
        grids.append(grid.swapaxes(0, 1) if swap else grid)
    return tuple(grids)
