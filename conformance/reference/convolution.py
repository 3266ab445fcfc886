"""Convolutions over one axis and two, and transposed convolutions over one, two and three."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]
Extent = int | Sequence[int]

_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@reference(dtype="=input")
def conv1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Extent = 1,
    padding: Extent | str = 0,
    dilation: Extent = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Cross-correlation of (N, C, L) or (C, L) with kernels (O, C / groups, k).

    ``y[n, o, l] = b[o] + Σ_{c,i} w[o, c, i] x[n, g C/G + c, s l + d i - p]`` where g is the group
    of output channel o.  Padding ``same`` adds ``d (k - 1)`` in all, the odd one at the end.
    Raises ValueError for shapes that do not fit each other, a step below 1, a negative padding.
    Source: PyTorch documentation of torch.nn.Conv1d and torch.nn.functional.conv1d.
    """
    if input.ndim not in (2, 3) or weight.ndim != 3:
        raise ValueError(f"{input.shape} must have 2 or 3 dimensions, weight {weight.shape} 3")
    x = input[None] if input.ndim == 2 else input
    (out_channels, per_group, taps), channels = weight.shape, x.shape[1]
    if groups < 1 or channels != per_group * groups or out_channels % groups:
        raise ValueError(f"weight {weight.shape} in {groups} groups takes no {channels} channels")
    _check_bias(bias, out_channels)
    (step,), (hole,) = _each(stride, 1, at_least=1), _each(dilation, 1, at_least=1)
    if padding == "same" and step != 1:
        raise ValueError("padding 'same' is defined for stride 1 only")
    sides = padding if isinstance(padding, str) else (0, *_each(padding, 1))
    x = _padded(x[..., None, :], sides, (1, taps), (1, hole), padding_mode)
    places = (x.shape[-1] - hole * (taps - 1) - 1) // step + 1
    if places < 1:
        raise ValueError(f"{taps} taps {hole} apart do not fit into {x.shape[-1]} elements")
    x = x.reshape(len(x), groups, per_group, x.shape[-1])
    kernels = weight.reshape(groups, out_channels // groups, per_group, taps)
    y = np.zeros((len(x), groups, out_channels // groups, places), x.dtype)
    for i in range(taps):
        at = slice(hole * i, hole * i + step * (places - 1) + 1, step)
        y = y + _product(kernels[..., i], x[..., at])
    y = y.reshape(len(x), out_channels, places)
    if bias is not None:
        y = y + bias[:, None]
    return np.asarray(y[0] if input.ndim == 2 else y)


@reference(dtype="=input")
def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Extent = 1,
    padding: Extent | str = 0,
    dilation: Extent = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> Array:
    """Cross-correlation of (N, C, H, W) or (C, H, W) with kernels (O, C / groups, kH, kW).

    ``y[n, o, h, w] = b[o] + Σ_{c,i,j} k[o, c, i, j] x[n, g C/G + c, s h + d i - p, s w + d j - p]``
    where g is the group of output channel o.  Padding ``same`` adds ``d (k - 1)`` in all, the odd
    one at the end.  Raises ValueError for shapes that do not fit each other.
    Source: PyTorch documentation of torch.nn.Conv2d and torch.nn.functional.conv2d.
    """
    if input.ndim not in (3, 4):
        raise ValueError(f"input must have 3 or 4 dimensions, not {input.ndim}")
    x = input[None] if input.ndim == 3 else input
    (out_channels, per_group, *kernel), channels = weight.shape, x.shape[1]
    if groups < 1 or channels != per_group * groups or out_channels % groups:
        raise ValueError(f"weight {weight.shape} in {groups} groups takes no {channels} channels")
    steps, holes = _each(stride, 2), _each(dilation, 2)
    x = _padded(x, padding, kernel, holes, padding_mode)
    spans = [d * (k - 1) + 1 for d, k in zip(holes, kernel, strict=True)]
    height, width = (
        (n - span) // step + 1 for n, span, step in zip(x.shape[2:], spans, steps, strict=True)
    )
    if height < 1 or width < 1:
        raise ValueError(f"the kernel spans {spans}, the padded input only {x.shape[2:]}")
    x = x.reshape(len(x), groups, 1, per_group, *x.shape[2:])
    kernels = weight.reshape(groups, out_channels // groups, per_group, *kernel)
    y = np.zeros((len(x), groups, out_channels // groups, height, width), x.dtype)
    for i, j in np.ndindex(*kernel):
        rows = slice(i * holes[0], i * holes[0] + (height - 1) * steps[0] + 1, steps[0])
        columns = slice(j * holes[1], j * holes[1] + (width - 1) * steps[1] + 1, steps[1])
        y = y + np.sum(x[..., rows, columns] * kernels[..., i, j, None, None], axis=3)
    y = y.reshape(len(x), out_channels, height, width)
    if bias is not None:
        y = y + bias[:, None, None]
    return np.asarray(y[0] if input.ndim == 3 else y)


@reference(dtype="=input")
def conv_transpose1d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Extent = 1,
    padding: Extent = 0,
    output_padding: Extent = 0,
    groups: int = 1,
    dilation: Extent = 1,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Transposed convolution of (N, C, L) or (C, L); see `_transposed`.

    Source: PyTorch documentation of torch.nn.ConvTranspose1d.
    """
    steps = _Steps(1, stride, padding, dilation, output_padding, output_size)
    return _transposed(input, weight, bias, groups, steps)


@reference(dtype="=input")
def conv_transpose2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Extent = 1,
    padding: Extent = 0,
    output_padding: Extent = 0,
    groups: int = 1,
    dilation: Extent = 1,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Transposed convolution of (N, C, H, W) or (C, H, W); see `_transposed`.

    Source: PyTorch documentation of torch.nn.ConvTranspose2d and
    torch.nn.functional.conv_transpose2d.
    """
    steps = _Steps(2, stride, padding, dilation, output_padding, output_size)
    return _transposed(input, weight, bias, groups, steps)


@reference(dtype="=input")
def conv_transpose3d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Extent = 1,
    padding: Extent = 0,
    output_padding: Extent = 0,
    groups: int = 1,
    dilation: Extent = 1,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Transposed convolution of (N, C, D, H, W) or (C, D, H, W); see `_transposed`.

    Source: PyTorch documentation of torch.nn.ConvTranspose3d.
    """
    steps = _Steps(3, stride, padding, dilation, output_padding, output_size)
    return _transposed(input, weight, bias, groups, steps)


def _padded(
    x: Array,
    padding: Extent | str,
    kernel: Sequence[int],
    holes: Sequence[int],
    mode: str,
) -> Array:
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"padding is {padding!r}, but must be a number, a pair, same or valid")
        keep = int(padding == "same")
        totals = [keep * d * (k - 1) for d, k in zip(holes, kernel, strict=True)]
        sides = [(total // 2, total - total // 2) for total in totals]
    else:
        sides = [(p, p) for p in _each(padding, 2)]
    if mode not in _PAD_MODES:
        raise ValueError(f"padding_mode {mode!r} is none of {', '.join(_PAD_MODES)}")
    return np.pad(x, [(0, 0), (0, 0), *sides], mode=_PAD_MODES[mode])  # type: ignore[call-overload, no-any-return]


class _Steps:
    """The numbers of a transposed convolution, one of each for each of its `axes`."""

    def __init__(
        self,
        axes: int,
        stride: Extent,
        padding: Extent,
        dilation: Extent,
        output_padding: Extent,
        output_size: Sequence[int] | None,
    ) -> None:
        self.axes = axes
        self.stride = _each(stride, axes, at_least=1)
        self.padding = _each(padding, axes)
        self.dilation = _each(dilation, axes, at_least=1)
        self.extra = _each(output_padding, axes)
        self.size = output_size

    def extents(self, size: Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
        """Return the extents of the output; ValueError for one that cannot be."""
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                size, self.stride, self.padding, self.dilation, kernel, strict=True
            )
        ]
        extra = self.extra
        if self.size is not None:
            extra = tuple(o - n for o, n in zip(self.size[-self.axes :], least, strict=True))
        for e, s, d in zip(extra, self.stride, self.dilation, strict=True):
            if not 0 <= e < (s if self.size is not None else max(s, d)):
                raise ValueError(f"output padding {e} must be below the stride or the dilation")
        out = tuple(n + e for n, e in zip(least, extra, strict=True))
        if min(out) < 0:
            raise ValueError(f"the output would be of size {out}")
        return out


def _transposed(
    input: Array, weight: Array, bias: Array | None, groups: int, steps: _Steps
) -> Array:
    """The linear map that is adjoint to a convolution, with kernels (C, O / groups, k…).

    ``y[n, o, s l + d i - p] = b[o] + Σ w[c, o, i] x[n, c, l]`` over all channels c of the group of
    o, all places l and taps i that meet there.  The output has ``(L - 1) s - 2 p + d (k - 1) + 1``
    elements, and ``output_padding`` more at the end; these lie outside what is cut off by the
    padding, so they are not zeros.  Raises ValueError for shapes that do not fit each other, a
    step below 1, and an output padding that is not below the stride or the dilation.
    """
    if input.ndim - steps.axes not in (1, 2) or weight.ndim != steps.axes + 2:
        raise ValueError(f"no {steps.axes}-d convolution of {input.shape} with {weight.shape}")
    x = input[None] if input.ndim == steps.axes + 1 else input
    (channels, per_group, *kernel), size = weight.shape, x.shape[2:]
    if groups < 1 or x.shape[1] != channels or channels % groups:
        raise ValueError(f"weight {weight.shape} in {groups} groups takes no {x.shape[1]} channels")
    out_channels = per_group * groups
    _check_bias(bias, out_channels)
    out = steps.extents(size, kernel)
    x = x.reshape(len(x), groups, channels // groups, math.prod(size))
    kernels = weight.reshape(groups, channels // groups, per_group, *kernel)
    whole = [
        max(p + n, (m - 1) * s + d * (k - 1) + 1)
        for p, n, m, s, d, k in zip(
            steps.padding, out, size, steps.stride, steps.dilation, kernel, strict=True
        )
    ]
    y = np.zeros((len(x), groups, per_group, *whole), x.dtype)
    for tap in np.ndindex(*kernel):
        terms = _product(kernels[_last(tap)].swapaxes(1, 2), x)
        y[_last(_places(tap, size, steps))] += terms.reshape(*y.shape[:3], *size)
    kept = [slice(p, p + n) for p, n in zip(steps.padding, out, strict=True)]
    y = y[_last(kept)].reshape(len(x), out_channels, *out)
    if bias is not None:
        y = y + bias.reshape(-1, *[1] * steps.axes)
    return np.asarray(y[0] if input.ndim == steps.axes + 1 else y)


def _places(tap: Sequence[int], size: Sequence[int], steps: _Steps) -> list[slice]:
    """Return where the terms of one tap of the kernel go."""
    return [
        slice(d * i, d * i + s * (n - 1) + 1, s)
        for i, n, s, d in zip(tap, size, steps.stride, steps.dilation, strict=True)
    ]


def _last(index: Sequence[Any]) -> Any:
    """Return `index` as one of the last axes."""
    return (..., *index)


def _product(a: Array, b: Array) -> Array:
    """Matrix product in the dtype of `a`; ml_dtypes has none of bfloat16."""
    if a.dtype.name == "bfloat16":
        return np.asarray(np.matmul(a.astype(np.float32), b.astype(np.float32)).astype(a.dtype))
    return np.asarray(np.matmul(a, b))


def _each(value: Extent, axes: int, at_least: int = 0) -> tuple[int, ...]:
    """Return one number for each axis, of one for all or of a sequence; ValueError otherwise."""
    numbers = (value,) * axes if isinstance(value, int) else tuple(value)
    numbers = numbers * axes if len(numbers) == 1 else numbers
    if len(numbers) != axes or min(numbers) < at_least:
        raise ValueError(f"{value} must be {axes} numbers of at least {at_least}")
    return numbers


def _check_bias(bias: Array | None, channels: int) -> None:
    if bias is not None and bias.shape != (channels,):
        raise ValueError(f"bias {bias.shape} must be of shape ({channels},)")
