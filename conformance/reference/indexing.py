"""Reading and writing by index."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from conformance.reference.registry import Identities, Relation, Result, reference

Array = np.ndarray[Any, Any]
Mode = Literal["raise", "wrap", "clip"]


def _take_gradient(
    input: Array,
    index: Array,
    axis: int | None = None,
    mode: Mode = "raise",
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    """Each element of the result hands its cotangent to where it was taken from."""
    origin = take(np.arange(input.size).reshape(input.shape), index, axis, mode)
    gradient = np.zeros(input.size, cotangents[0].dtype)
    np.add.at(gradient, origin, cotangents[0])
    return {"input": gradient.reshape(input.shape)}


@reference(dtype="=input", gradient=_take_gradient)
def take(input: Array, index: Array, axis: int | None = None, mode: Mode = "raise") -> Array:
    """``input.ravel()[index]``, in the shape of `index`; with `axis`, slices along that axis.

    `mode` says what becomes of an index outside [0, n): 'raise' counts from the end down to -n and
    refuses the rest, 'wrap' takes it modulo n, 'clip' takes the nearer end, 0 for all negative
    ones.  With `axis` the result has the shape of `input` with that axis replaced by the shape of
    `index`.  Raises TypeError when `index` is not of integers, ValueError when `axis` or an index
    is out of range.  Source: PyTorch documentation of torch.take; NumPy's of numpy.take.
    """
    if index.dtype.kind not in "iu":
        raise TypeError(f"the index is of {index.dtype}, but should be of integers")
    x = input.ravel() if axis is None else np.moveaxis(input, _axis(axis, input), 0)
    size = len(x)
    if mode == "raise":
        _check_range(index, -size, size)
    elif size == 0 and index.size:
        raise ValueError("nothing can be taken from an empty array")
    place = np.clip(index, 0, size - 1) if mode == "clip" else index % max(size, 1)
    taken = x[place]
    if axis is None:
        return np.asarray(taken)
    at = _axis(axis, input)
    return np.moveaxis(taken, range(index.ndim), range(at, at + index.ndim))


@reference(dtype="=input")
def scatter(
    input: Array, dim: int, index: Array, src: Any, reduce: Literal["add", "multiply"] | None = None
) -> Array:
    """A copy of `input` with the elements of `src` written along `dim` where `index` says.

    For three dimensions and dim = 0 ``output[index[i, j, k], j, k] = src[i, j, k]``, or ``+=`` or
    ``*=`` with `reduce`.  `index` may be smaller than `src`, whose other elements are not used, and
    smaller than `input` in all dimensions but `dim`.  `src` may be a number.  When an element is
    written twice without `reduce`, which of them stays is not defined.  Raises TypeError when
    `index` is not int32 or int64, or `src` of another dtype than `input`; ValueError when ranks or
    sizes do not fit, or `dim`, `reduce` or an index is out of range.
    Source: PyTorch documentation of torch.Tensor.scatter_.
    """
    if index.dtype.name not in ("int32", "int64"):
        raise TypeError(f"the index is of {index.dtype}, but should be of int32 or int64")
    if reduce not in (None, "add", "multiply"):
        raise ValueError(f"reduce is {reduce!r}, but should be 'add' or 'multiply'")
    axis = _axis(dim, input)
    if index.size == 0:
        return input.copy()
    updates = _updates(src, index, input)
    if index.ndim != input.ndim:
        raise ValueError(f"index has {index.ndim} dimensions, input {input.ndim}")
    output = np.atleast_1d(input.copy())
    places = np.atleast_1d(index)
    if any(n > m for k, (n, m) in enumerate(zip(places.shape, output.shape, strict=True))
           if k != axis):  # fmt: skip
        raise ValueError(f"index {index.shape} is larger than input {input.shape}")
    _check_range(index, 0, output.shape[axis])
    at = list(np.indices(places.shape))
    at[axis] = places
    _write(output, tuple(at), updates.reshape(places.shape), reduce)
    return output.reshape(input.shape)


@reference(dtype="=input")
def scatter_add(input: Array, dim: int, index: Array, src: Array) -> Array:
    """``scatter`` with reduce='add': elements written twice are both added.

    The sum of truth values is their disjunction; integers wrap around.  Raises what `scatter` does.
    Source: PyTorch documentation of torch.Tensor.scatter_add_.
    """
    return np.asarray(scatter(input, dim, index, src, "add"))


@reference(dtype="=input")
def scatter_(
    input: Array, dim: int, index: Array, src: Any, reduce: Literal["add", "multiply"] | None = None
) -> Result:
    """`scatter`, stored into `input`; also what is returned."""
    output = scatter(input, dim, index, src, reduce)
    return Result(output, mutated={"input": output})


def _unique_dtypes(
    input: Array, return_inverse: bool = False, return_counts: bool = False, **_: Any
) -> tuple[str, ...]:
    return ("=input", *["int64"] * (bool(return_inverse) + bool(return_counts)))


@reference(dtype=_unique_dtypes)
def unique(
    input: Array,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Array | tuple[Array, ...] | Identities:
    """The different elements, or with `dim` the different slices along that axis, ascending.

    With `return_inverse` also where each element is among them, in the shape of `input` (with `dim`
    one number for each slice); with `return_counts` also how often each occurs.  Slices are in
    lexicographic order.  NaN is different from every element, itself included, and comes last.
    With ``sorted=False`` any order is right, the same in all outputs; then no `dim` is taken.
    Raises TypeError for complex numbers, ValueError when `dim` is out of range or there are several
    slices without elements.  Source: PyTorch documentation of torch.unique.
    """
    if input.dtype.kind == "c":
        raise TypeError("complex numbers have no order")
    slices = input.reshape(-1, 1) if dim is None else np.moveaxis(input, _axis(dim, input), 0)
    if dim is not None and len(slices) and not slices.size:
        raise ValueError(f"slices without elements: dim {dim} of shape {input.shape}")
    rows = slices.reshape(len(slices), -1 if slices.size else 1)
    order = np.arange(len(rows))
    for column in rows.T[::-1]:  # the last key decides last, as in np.lexsort
        order = order[np.argsort(column[order], kind="stable")]
    first = np.ones(len(rows), bool)
    first[1:] = np.any(rows[order][1:] != rows[order][:-1], axis=1)
    inverse = np.empty(len(rows), np.int64)
    inverse[order] = np.cumsum(first) - 1
    counts = np.bincount(inverse, minlength=int(first.sum())).astype(np.int64)
    values = slices[order[first]]
    values = values.ravel() if dim is None else np.moveaxis(values, 0, _axis(dim, input))
    if dim is None:
        inverse = inverse.reshape(input.shape)
    output = (values, *([inverse] * return_inverse), *([counts] * return_counts))
    if not sorted and dim is None:
        return _in_any_order(input, values, counts, output, return_inverse)
    return output if len(output) > 1 else values


def _in_any_order(
    input: Array, values: Array, counts: Array, output: tuple[Array, ...], inverted: bool
) -> Identities:
    """Return `output` with what holds of it in any order."""

    def relations(found: list[Any]) -> list[Relation]:
        order = np.argsort(found[0], kind="stable")
        holds = [Relation("the values in order", found[0][order], values, 0.0)]
        if inverted:
            back = np.take(found[0], found[1], mode="clip")
            holds.append(Relation("the values at the inverse indices", back, input, 0.0))
        if len(output) > 1 + inverted:
            holds.append(
                Relation("the counts in order of the values", found[-1][order], counts, 0.0)
            )
        return holds

    return Identities(output if len(output) > 1 else values, relations)


def _axis(dim: int, input: Array) -> int:
    """Return `dim` counted from the front; a 0-d array counts as one of one dimension."""
    rank = max(input.ndim, 1)
    if not -rank <= dim < rank:
        raise ValueError(f"dim {dim} is out of range for {input.ndim} dimensions")
    return dim % rank


def _check_range(index: Array, low: int, high: int) -> None:
    if np.any((index < low) | (index >= high)):
        raise ValueError(f"an index is out of range: {index.tolist()} in [{low}, {high})")


def _updates(src: Any, index: Array, input: Array) -> Array:
    """Return the part of `src` that `index` uses, in the dtype of `input`."""
    src = np.asarray(src)
    if src.ndim == 0 and index.ndim:
        return np.broadcast_to(src.astype(input.dtype), index.shape)
    if src.dtype != input.dtype:
        raise TypeError(f"src is of {src.dtype}, input of {input.dtype}")
    if src.ndim != index.ndim or any(n > m for n, m in zip(index.shape, src.shape, strict=True)):
        raise ValueError(f"src {src.shape} is smaller than index {index.shape}")
    return np.asarray(src[tuple(slice(n) for n in index.shape)])


def _write(output: Array, at: tuple[Array, ...], updates: Array, reduce: str | None) -> None:
    if reduce is None:
        output[at] = updates
    elif output.dtype.name == "bfloat16":  # NumPy's ufunc.at knows no such dtype
        for place, update in zip(zip(*(a.ravel() for a in at), strict=True), updates.ravel(),
                                 strict=True):  # fmt: skip
            output[place] = output[place] + update if reduce == "add" else output[place] * update
    else:
        (np.add if reduce == "add" else np.multiply).at(output, at, updates)
