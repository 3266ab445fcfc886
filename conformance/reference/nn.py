"""Layers with state: convolution, normalisation, embedding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import Result, reference

Array = np.ndarray[Any, Any]

_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@reference(dtype="=input")
def conv2d(
    input: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
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
    steps, holes = _twice(stride), _twice(dilation)
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


def _twice(value: int | Sequence[int]) -> tuple[int, int]:
    """Return (vertical, horizontal) of a number for both, or of a pair."""
    first, second = (value, value) if isinstance(value, int) else value
    return first, second


def _padded(
    x: Array,
    padding: int | str | Sequence[int],
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
        sides = [(p, p) for p in _twice(padding)]
    if mode not in _PAD_MODES:
        raise ValueError(f"padding_mode {mode!r} is none of {', '.join(_PAD_MODES)}")
    return np.pad(x, [(0, 0), (0, 0), *sides], mode=_PAD_MODES[mode])  # type: ignore[call-overload, no-any-return]


@reference(dtype="=input")
def batch_norm2d(
    input: Array,
    *,
    num_features: int,
    eps: float = 1e-5,
    momentum: float | None = 0.1,
    track_running_stats: bool = True,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    training: bool = False,
) -> Result:
    """Normalisation of each channel of (N, C, H, W) over N, H and W.

    ``γ (x - μ) / sqrt(σ² + ε) + β``.  In training μ and σ² (divided by n) are those of the batch,
    and the running statistics r become ``(1 - m) r + m b``, b being μ and the unbiased variance
    (divided by n - 1); `momentum` None averages over all batches, of which this is the first.
    An empty batch has no statistics and leaves r as it is.
    Raises ValueError for another rank or number of channels, and for n = 1 in training.
    Source: PyTorch documentation of torch.nn.BatchNorm2d; Ioffe and Szegedy 2015, algorithm 1.
    """
    if input.ndim != 4 or input.shape[1] != num_features:
        raise ValueError(f"input {input.shape} must be (N, {num_features}, H, W)")
    affine = tuple(None if a is None else a[:, None, None] for a in (weight, bias))
    if track_running_stats:
        running_mean = np.zeros(num_features, input.dtype) if running_mean is None else running_mean
        running_var = np.ones(num_features, input.dtype) if running_var is None else running_var
    if not training and running_mean is not None and running_var is not None:
        running = (running_mean[:, None, None], running_var[:, None, None])
        return Result(_normalised(input, running, eps, affine))
    count = input.size // num_features
    if training and count == 1:
        raise ValueError("training needs more than one value for each channel")
    if not input.size:
        return Result(input.copy())
    moments = _moments(input, (0, 2, 3))
    output = _normalised(input, moments, eps, affine)
    if running_mean is None or running_var is None:
        return Result(output)
    mean, variance = (moment.reshape(num_features) for moment in moments)
    real = input.dtype.type
    new = real(1 if momentum is None else momentum)
    unbiased = variance * real(count) / real(count - 1)
    state = {
        "running_mean": (real(1) - new) * running_mean + new * mean,
        "running_var": (real(1) - new) * running_var + new * unbiased,
    }
    return Result(output, state=state)


@reference(dtype="=input")
def layer_norm(
    input: Array,
    *,
    normalized_shape: int | Sequence[int],
    eps: float = 1e-5,
    weight: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Normalisation over the last axes, whose extents are `normalized_shape`.

    ``γ (x - μ) / sqrt(σ² + ε) + β``, σ² divided by the number of elements; γ and β are of
    `normalized_shape`.  Raises ValueError when the input does not end in that shape.
    Source: PyTorch documentation of torch.nn.LayerNorm; Ba, Kiros and Hinton 2016, equation 3.
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(f"input {input.shape} must end in {shape}")
    moments = _moments(input, tuple(range(-len(shape), 0)))
    return _normalised(input, moments, eps, (weight, bias))


def _moments(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Return mean and biased variance over `axes`, which are kept with extent 1."""
    count = x.dtype.type(np.prod([x.shape[a] for a in axes]))
    mean = np.sum(x, axis=axes, keepdims=True) / count
    return mean, np.sum((x - mean) ** 2, axis=axes, keepdims=True) / count


def _normalised(
    x: Array, moments: tuple[Array, Array], eps: float, affine: tuple[Array | None, ...]
) -> Array:
    """Return ``γ (x - μ) / sqrt(σ² + ε) + β``, where γ and β may be left out."""
    (mean, variance), (weight, bias) = moments, affine
    y = (x - mean) / np.sqrt(variance + x.dtype.type(eps))
    y = y if weight is None else y * weight
    return np.asarray(y if bias is None else y + bias)


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
