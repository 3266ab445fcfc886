"""Normalisation of channels: by groups, by instance, and by batch in functional form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import Result, reference

Array = np.ndarray[Any, Any]
Moments = tuple[Array, Array]


@reference(dtype="=input")
def group_norm(
    input: Array,
    *,
    num_groups: int,
    num_channels: int | None = None,
    eps: float = 1e-5,
    weight: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Normalisation of (N, C, ...) over each of `num_groups` groups of neighbouring channels.

    ``γ[c] (x - μ) / sqrt(σ² + ε) + β[c]`` with mean and biased variance (divided by n) of the
    C / G channels of a group and all places behind them, for each of the N alone.
    Raises ValueError for fewer than 2 dimensions, for a number of channels other than
    `num_channels`, or that G does not divide, and for a single value in all.
    Source: PyTorch documentation of torch.nn.GroupNorm; Wu and He 2018, equations 1 to 3.
    """
    if input.ndim < 2:
        raise ValueError(f"input must have 2 or more dimensions, not {input.ndim}")
    count, channels = input.shape[:2]
    if num_channels not in (None, channels):
        raise ValueError(f"input {input.shape} must have {num_channels} channels")
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"{channels} channels cannot be divided into {num_groups} groups")
    if input.size == num_groups:
        raise ValueError("there must be more than one value for each group")
    if not input.size:
        return input.copy()
    groups = input.reshape(count, num_groups, -1)
    y = _normalised(groups, _moments(groups, (2,)), eps).reshape(input.shape)
    return _affine(y, weight, bias)


@reference(dtype="=input")
def instance_norm1d(
    input: Array,
    *,
    num_features: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = False,
    track_running_stats: bool = False,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    training: bool = False,
) -> Result:
    """Normalisation of each channel of each instance of (N, C, L) or (C, L) over L.

    ``γ (x - μ) / sqrt(σ² + ε) + β``, the variance divided by n = L.  With `track_running_stats`
    μ and σ² are the running ones in eval mode, and training turns these, r, into
    ``(1 - m) r + m b``, b being the average over the N instances of μ and of the unbiased variance
    (divided by n - 1).
    Raises ValueError for another rank, for another number of channels if `affine`, and for n = 1
    where the statistics are those of the input.
    Source: PyTorch documentation of torch.nn.InstanceNorm1d; Ulyanov, Vedaldi and Lempitsky 2016,
    equation 6.
    """
    tracked = _tracked(track_running_stats, num_features, input, running_mean, running_var)
    _check_instances(input, 1, num_features if affine else None)
    return _instance_norm(input, 1, eps, (weight, bias), tracked, momentum, training)


@reference(dtype="=input")
def instance_norm2d(
    input: Array,
    *,
    num_features: int,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = False,
    track_running_stats: bool = False,
    weight: Array | None = None,
    bias: Array | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    training: bool = False,
) -> Result:
    """Normalisation of each channel of each instance of (N, C, H, W) or (C, H, W) over H and W.

    Formula, statistics and errors as in `instance_norm1d`, with n = H W.
    Source: PyTorch documentation of torch.nn.InstanceNorm2d.
    """
    tracked = _tracked(track_running_stats, num_features, input, running_mean, running_var)
    _check_instances(input, 2, num_features if affine else None)
    return _instance_norm(input, 2, eps, (weight, bias), tracked, momentum, training)


@reference(dtype="=input")
def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Result:
    """Normalisation of each channel of (N, C, ...) over all other axes.

    ``γ (x - μ) / sqrt(σ² + ε) + β``.  With `training` μ and σ² (divided by n) are those of the
    batch, and the given running statistics r become ``(1 - m) r + m b`` in place, b being μ and the
    unbiased variance (divided by n - 1); without it they are r.
    Raises ValueError for statistics of another length than C, for a negative `eps`, for n = 1 with
    `training`, and for no statistics without it.
    Source: PyTorch documentation of torch.nn.functional.batch_norm and torch.nn.BatchNorm2d; Ioffe
    and Szegedy 2015, algorithm 1.
    """
    if input.ndim < 2:
        raise ValueError(f"input must have 2 or more dimensions, not {input.ndim}")
    channels = input.shape[1]
    given = (running_mean, running_var, weight, bias)
    if any(array is not None and array.shape != (channels,) for array in given):
        raise ValueError(f"statistics, weight and bias must have {channels} elements")
    if eps < 0:
        raise ValueError(f"eps must not be negative, not {eps}")
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("without training the running statistics are needed")
        running = (_by_channel(running_mean, input), _by_channel(running_var, input))
        return Result(_affine(_normalised(input, running, eps), weight, bias))
    if input.size == channels:
        raise ValueError("training needs more than one value for each channel")
    if not input.size:
        return Result(input.copy())
    axes = (0, *range(2, input.ndim))
    moments = _moments(input, axes)
    output = _affine(_normalised(input, moments, eps), weight, bias)
    if running_mean is None or running_var is None:
        return Result(output)
    batch = (moments[0].ravel(), _unbiased(moments[1], input.size // channels).ravel())
    return Result(output, mutated=_moved((running_mean, running_var), batch, momentum))


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
    tracked = _tracked(track_running_stats, num_features, input, running_mean, running_var)
    if not training and tracked:
        running = (_by_channel(tracked[0], input), _by_channel(tracked[1], input))
        return Result(_affine(_normalised(input, running, eps), weight, bias))
    count = input.size // num_features
    if training and count == 1:
        raise ValueError("training needs more than one value for each channel")
    if not input.size:
        return Result(input.copy())
    moments = _moments(input, (0, 2, 3))
    output = _affine(_normalised(input, moments, eps), weight, bias)
    if tracked is None:
        return Result(output)
    batch = (moments[0].ravel(), _unbiased(moments[1], count).ravel())
    return Result(output, state=_moved(tracked, batch, 1.0 if momentum is None else momentum))


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
    y = _normalised(input, _moments(input, tuple(range(-len(shape), 0))), eps)
    y = y if weight is None else y * weight
    return np.asarray(y if bias is None else y + bias)


def _instance_norm(
    input: Array,
    places: int,
    eps: float,
    affine: tuple[Array | None, Array | None],
    tracked: Moments | None,
    momentum: float,
    training: bool,
) -> Result:
    """Normalise over the last `places` axes, or by `tracked` statistics in eval mode."""
    x = input if input.ndim == places + 2 else input[None]
    if tracked and not training:
        running = (_by_channel(tracked[0], x), _by_channel(tracked[1], x))
        return Result(_affine(_normalised(x, running, eps), *affine).reshape(input.shape))
    if not input.size:
        return Result(input.copy())
    count = int(np.prod(x.shape[2:]))
    if count == 1:
        raise ValueError("there must be more than one value for each channel")
    moments = _moments(x, tuple(range(2, x.ndim)))
    output = _affine(_normalised(x, moments, eps), *affine).reshape(input.shape)
    if tracked is None:
        return Result(output)
    instances = x.dtype.type(len(x))
    mean, variance = (
        np.sum(moment.reshape(x.shape[:2]), axis=0) / instances
        for moment in (moments[0], _unbiased(moments[1], count))
    )
    return Result(output, state=_moved(tracked, (mean, variance), momentum))


def _check_instances(input: Array, places: int, channels: int | None) -> None:
    if input.ndim not in (places + 1, places + 2):
        raise ValueError(f"input {input.shape} must have {places + 1} or {places + 2} dimensions")
    if channels not in (None, input.shape[-places - 1]):
        raise ValueError(f"input {input.shape} must have {channels} channels")


def _tracked(
    track: bool, channels: int, input: Array, mean: Array | None, variance: Array | None
) -> Moments | None:
    """Return the running statistics, which start as zeros and ones."""
    if not track:
        return None
    return (
        np.zeros(channels, input.dtype) if mean is None else mean,
        np.ones(channels, input.dtype) if variance is None else variance,
    )


def _moments(x: Array, axes: tuple[int, ...]) -> Moments:
    """Return mean and biased variance over `axes`, which are kept with extent 1."""
    count = x.dtype.type(np.prod([x.shape[a] for a in axes]))
    mean = np.sum(x, axis=axes, keepdims=True) / count
    return mean, np.sum((x - mean) ** 2, axis=axes, keepdims=True) / count


def _unbiased(variance: Array, count: int) -> Array:
    real = variance.dtype.type
    return np.asarray(variance * real(count) / real(count - 1))


def _moved(old: Moments, new: Moments, momentum: float) -> dict[str, Array]:
    """Return the running statistics after a batch: ``(1 - m) old + m new``."""
    share = new[0].dtype.type(momentum)
    mean, variance = ((1 - share) * r + share * b for r, b in zip(old, new, strict=True))
    return {"running_mean": np.asarray(mean), "running_var": np.asarray(variance)}


def _normalised(x: Array, moments: Moments, eps: float) -> Array:
    mean, variance = moments
    return np.asarray((x - mean) / np.sqrt(variance + x.dtype.type(eps)))


def _affine(y: Array, weight: Array | None, bias: Array | None) -> Array:
    """Return ``γ y + β`` by channel, axis 1, where γ and β may be left out."""
    y = y if weight is None else y * _by_channel(weight, y)
    return np.asarray(y if bias is None else y + _by_channel(bias, y))


def _by_channel(values: Array, like: Array) -> Array:
    return values.reshape(-1, *[1] * (like.ndim - 2))
