"""Pooling over windows, fixed and adaptive, and normalization over a window of channels."""

from __future__ import annotations

from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]
Size = int | list[int] | tuple[int, ...]


class Window(NamedTuple):
    """One window along an axis: the places it covers, and its length with the padding counted."""

    places: Array
    padded: int


def _windows(
    length: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceiling: bool = False
) -> list[Window]:
    """Return the windows of a pool along an axis of `length` elements.

    Window o covers o·s - p + d·j, j < k.  With `ceiling` a last one may stick out, provided it
    begins before the right padding does; what lies beyond that padding is never counted.
    """
    if kernel < 1 or stride < 1 or dilation < 1 or not 0 <= padding <= kernel // 2:
        raise ValueError(f"no pool: kernel {kernel}, {stride=}, {padding=}, {dilation=}")
    room = length + 2 * padding - dilation * (kernel - 1) - 1
    count = (ceil(room / stride) if ceiling else room // stride) + 1
    if ceiling and (count - 1) * stride >= length + padding:
        count -= 1
    if count < 1 or length < 1:
        raise ValueError(f"a kernel of {kernel} does not fit into {length} elements")
    found = []
    for start in range(-padding, count * stride - padding, stride):
        places = start + dilation * np.arange(kernel)
        inside = places[(places >= 0) & (places < length)]
        found.append(Window(inside, int(np.sum(places < length + padding))))
    return found


def _each(value: Size, axes: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if not all(isinstance(v, int) for v in values):
        raise TypeError(f"sizes must be integers, got {value}")
    if len(values) not in (1, axes):
        raise ValueError(f"{value} does not give one number for each of {axes} axes")
    return values * axes if len(values) == 1 else values


def _check(input: Array, axes: int) -> None:
    if input.ndim not in (axes + 1, axes + 2) or 0 in input.shape[-axes - 1 :]:
        raise ValueError(f"{input.shape} is not (channels, {axes} axes), with or without a batch")
    if input.dtype.kind not in "fVi":
        raise TypeError(f"no pool of {input.dtype}")


def _sums(x: Array, axis: int, windows: list[Window]) -> Array:
    moved = np.moveaxis(x, axis, -1)
    sums = [moved[..., places].sum(axis=-1, dtype=x.dtype) for places, _ in windows]
    return np.moveaxis(np.stack(sums, axis=-1), -1, axis)


def _scatter(g: Array, axis: int, windows: list[Window], length: int) -> Array:
    """Return the transpose of `_sums` applied to `g`."""
    moved = np.moveaxis(g, axis, -1)
    result = np.zeros((*moved.shape[:-1], length), g.dtype)
    for o, (places, _) in enumerate(windows):
        result[..., places] += moved[..., o, None]
    return np.moveaxis(result, -1, axis)


class Averaging(NamedTuple):
    """The windows of each axis, and what their sums are divided by."""

    windows: list[list[Window]]
    divisor: Array


def _averaging(
    input: Array,
    axes: int,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Averaging:
    _check(input, axes)
    if divisor_override == 0:
        raise ValueError("the divisor is 0")
    sizes = zip(
        *(
            _each(v, axes)
            for v in (kernel_size, kernel_size if stride is None else stride, padding)
        ),
        strict=True,
    )
    lengths = input.shape[-axes:]
    windows = [
        _windows(n, k, s, p, 1, ceil_mode) for n, (k, s, p) in zip(lengths, sizes, strict=True)
    ]
    if divisor_override is not None:
        return Averaging(windows, np.array(divisor_override))
    counts = [[w.padded if count_include_pad else len(w.places) for w in axis] for axis in windows]
    return Averaging(windows, np.asarray(prod(np.ix_(*map(np.array, counts)))))


def _average(input: Array, how: Averaging) -> Array:
    # Halves are summed in float32: their sums overflow where means do not.
    total = input if input.dtype.kind == "i" else input.astype(np.result_type(input, np.float32))
    for axis, windows in zip(range(-len(how.windows), 0), how.windows, strict=True):
        total = _sums(total, axis, windows)
    if input.dtype.kind == "i":
        return np.asarray(np.trunc(total / how.divisor)).astype(input.dtype)
    return np.asarray(total / how.divisor.astype(total.dtype)).astype(input.dtype)


def _average_gradient(input: Array, how: Averaging, cotangents: list[Array]) -> dict[str, Array]:
    found = cotangents[0].astype(input.dtype) / how.divisor
    for axis, windows in zip(range(-len(how.windows), 0), how.windows, strict=True):
        found = _scatter(found, axis, windows, input.shape[axis])
    return {"input": found}


def _avg_pool1d_gradient(
    input: Array, *, cotangents: list[Array], **options: Any
) -> dict[str, Array]:
    return _average_gradient(input, _averaging(input, 1, **options), cotangents)


@reference(dtype="=input", gradient=_avg_pool1d_gradient)
def avg_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Means of windows along the last axis of (N, C, L) or (C, L).

    ``y[o] = Σ_j x[o·s - p + j] / n`` over the k places of a window; s is k where not given.  n
    counts the padding, of zeros, unless `count_include_pad` is False.  A window that `ceil_mode`
    lets stick out beyond the padding counts only what lies within.  Quotients of integers are
    truncated.  Raises ValueError for k, s < 1, p > k/2, ranks and lengths that do not fit;
    TypeError for truth values and complex numbers.
    Source: PyTorch documentation of torch.nn.AvgPool1d and AvgPool2d.
    """
    how = _averaging(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)
    return _average(input, how)


def _avg_pool3d_gradient(
    input: Array, *, cotangents: list[Array], **options: Any
) -> dict[str, Array]:
    return _average_gradient(input, _averaging(input, 3, **options), cotangents)


@reference(dtype="=input", gradient=_avg_pool3d_gradient)
def avg_pool3d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Means of boxes over the last three axes of (N, C, D, H, W) or (C, D, H, W).

    As avg_pool1d along each axis; `divisor_override`, not 0, replaces the number of elements.
    Source: PyTorch documentation of torch.nn.AvgPool3d.
    """
    sizes = (kernel_size, stride, padding)
    how = _averaging(input, 3, *sizes, ceil_mode, count_include_pad, divisor_override)
    return _average(input, how)


def _with_indices(return_indices: bool = False, **_: Any) -> Any:
    return ("=input", "int64") if return_indices else "=input"


def _greatest(input: Array, windows: list[Window]) -> Array:
    """Return the place of the greatest element of each window: its first one, or its last NaN."""
    found = []
    for places, _ in windows:
        part = input[..., places]
        where = np.argmax(part, axis=-1)
        missing = np.isnan(part)
        last = missing.shape[-1] - 1 - np.argmax(missing[..., ::-1], axis=-1)
        found.append(places[np.where(missing.any(axis=-1), last, where)])
    return np.stack(found, axis=-1) if found else np.zeros((*input.shape[:-1], 0), np.int64)


def _pick(input: Array, indices: Array, return_indices: bool) -> Array | tuple[Array, Array]:
    values = np.take_along_axis(input, indices, axis=-1)
    return (values, indices) if return_indices else values


def _return(input: Array, indices: Array, cotangents: list[Array]) -> dict[str, Array]:
    """Add each cotangent at the place its output came from."""
    found = np.zeros(input.shape, input.dtype)
    lines = np.ogrid[tuple(slice(n) for n in indices.shape)][:-1]
    np.add.at(found, (*lines, indices), cotangents[0])
    return {"input": found}


def _max_windows(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> list[Window]:
    _check(input, 1)
    sizes = (kernel_size, kernel_size if stride is None else stride, padding, dilation)
    k, s, p, d = (_each(size, 1)[0] for size in sizes)
    return _windows(input.shape[-1], k, s, p, d, ceil_mode)


def _max_pool1d_gradient(
    input: Array, *, cotangents: list[Array], return_indices: bool = False, **options: Any
) -> dict[str, Array]:
    return _return(input, _greatest(input, _max_windows(input, **options)), cotangents)


@reference(dtype=_with_indices, gradient=_max_pool1d_gradient)
def max_pool1d(
    input: Array,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    return_indices: bool = False,
    ceil_mode: bool = False,
) -> Array | tuple[Array, Array]:
    """Greatest elements of windows along the last axis of (N, C, L) or (C, L), and their places.

    ``y[o] = max_j x[o·s - p + d·j]``; padding never wins.  The first of equal elements is taken,
    and NaN counts as the greatest.  The derivative goes to the element taken.
    Raises ValueError and TypeError as avg_pool1d.
    Source: PyTorch documentation of torch.nn.MaxPool1d.
    """
    windows = _max_windows(input, kernel_size, stride, padding, dilation, ceil_mode)
    return _pick(input, _greatest(input, windows), return_indices)


def _adaptive_windows(input: Array, output_size: Size) -> list[Window]:
    _check(input, 1)
    (count,) = _each(output_size, 1)
    if count < 0:
        raise ValueError(f"{count} outputs")
    length = input.shape[-1]
    ends = [(o * length // count, -(-(o + 1) * length // count)) for o in range(count)]
    return [Window(np.arange(*end), end[1] - end[0]) for end in ends]


def _adaptive_max_pool1d_gradient(
    input: Array, output_size: Size, return_indices: bool = False, *, cotangents: list[Array]
) -> dict[str, Array]:
    indices = _greatest(input, _adaptive_windows(input, output_size))
    return _return(input, indices, cotangents)


@reference(dtype=_with_indices, gradient=_adaptive_max_pool1d_gradient)
def adaptive_max_pool1d(
    input: Array, output_size: Size, return_indices: bool = False
) -> Array | tuple[Array, Array]:
    """Greatest elements of `output_size` windows along the last axis, and their places.

    Of m outputs the o-th covers ``⌊o·L/m⌋ … ⌈(o+1)·L/m⌉ - 1``, so windows differ in length and
    overlap where m does not divide L.  Ties, NaN and errors as in max_pool1d.
    Source: PyTorch documentation of torch.nn.AdaptiveMaxPool1d; the formula of the ends is that of
    torch.nn.AdaptiveAvgPool1d's implementation.
    """
    indices = _greatest(input, _adaptive_windows(input, output_size))
    return _pick(input, indices, return_indices)


@reference(dtype=lambda input, **_: "float32" if input.dtype.kind in "iu" else "=input")
def local_response_norm(
    input: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """``x_c / (k + α/n · Σ x_j²)^β`` over the n channels c - ⌊n/2⌋ … c + ⌊(n-1)/2⌋ that exist.

    Channels are the second of three or more axes; n is `size`.  Integers are taken as reals.
    Raises ValueError for fewer axes or n < 1, TypeError for a size that is no integer, truth values
    and complex numbers.  Source: PyTorch documentation of torch.nn.LocalResponseNorm; Krizhevsky
    et al., "ImageNet classification with deep convolutional neural networks", 2012, section 3.3
    (there α is not divided by n).
    """
    if not isinstance(size, int) or input.dtype.kind not in "fVi":
        raise TypeError(f"no normalization of {input.dtype} over {size} channels")
    if input.ndim < 3 or size < 1:
        raise ValueError(f"no normalization of {input.shape} over {size} channels")
    real = float if input.dtype.kind == "i" else input.dtype.type
    # Squares of halves overflow where the result does not.
    x = input.astype(np.result_type(real, np.float32))
    wide = x.dtype.type
    square, total = x * x, np.zeros_like(x)
    channels = x.shape[1]
    for c in range(channels):
        first, last = max(0, c - size // 2), min(channels, c + (size - 1) // 2 + 1)
        total[:, c] = square[:, first:last].sum(axis=1)
    scale = (wide(k) + wide(alpha) / wide(size) * total) ** wide(beta)
    return np.asarray(x / scale).astype(real)
