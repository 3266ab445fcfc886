"""Losses of classification by scores, and of metric learning by distances."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from conformance.reference.distance import norm, norm_slope
from conformance.reference.dtypes import category, promote
from conformance.reference.loss import mode_of, reduced, softplus, spread, unbroadcast
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]
IGNORE = -100


class _Shares(NamedTuple):
    """What cross-entropy sums: ``Σ_c w_c q_c (-log softmax(x)_c)`` at each place.

    All with the classes on the last axis: `logarithms` the log-softmax, `q` the probabilities that
    the labels mean, `weight` the weights w, `hot` 1 for the class whose weight counts in a mean
    over weights (None for labels that are probabilities, whose mean is over the places).
    """

    logarithms: Array
    q: Array
    weight: Array
    hot: Array | None


def _shares(
    input: Array, target: Array, weight: Array | None, ignore_index: int, label_smoothing: float
) -> _Shares:
    x = np.moveaxis(input, min(1, input.ndim - 1), -1)
    count = x.shape[-1]
    number = x.dtype.type
    kept, even = number(1) - number(label_smoothing), number(label_smoothing) / number(count)
    w = np.ones(count, x.dtype) if weight is None else weight
    if target.dtype.kind in "iu":
        counts = (target != ignore_index)[..., None]
        hot = ((target[..., None] == np.arange(count)) & counts).astype(x.dtype)
        q = kept * hot + even * counts.astype(x.dtype)
        return _Shares(log_softmax(x), q, w, hot)
    y = np.moveaxis(target, min(1, target.ndim - 1), -1)
    return _Shares(log_softmax(x), kept * y + even, w, None)


def log_softmax(x: Array) -> Array:
    """``x - m - log(1 + Σ' e^(x - m))`` over the last axis, m the greatest x, Σ' without that one.

    So the greatest keeps its digits where it is almost certain.
    """
    greatest = np.max(x, axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        below = x - greatest
    rest = np.exp(below)
    first = np.argmax(x, axis=-1, keepdims=True) if x.shape[-1] else np.zeros_like(x, int)
    lacking = np.take_along_axis(rest, first, -1) - np.ones((), x.dtype)  # 0, or NaN
    np.put_along_axis(rest, first, lacking, -1)
    return np.asarray(below - np.log1p(np.sum(rest, axis=-1, keepdims=True, dtype=x.dtype)))


def _cross_entropy_gradient(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = IGNORE,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    cotangents: list[Array],
) -> dict[str, Array]:
    """With a = w q: ``softmax(x) Σ a - a`` by x, ``-(1 - ε) w log softmax(x)`` by probabilities."""
    parts = _shares(input, target, weight, ignore_index, label_smoothing)
    mode = mode_of(reduction, size_average, reduce)
    axis = min(1, input.ndim - 1)
    a = parts.weight * parts.q
    divisor = _divisor(parts, a.dtype) if mode == "mean" else np.ones((), a.dtype)
    g = (np.asarray(cotangents[0])[..., None] if mode == "none" else cotangents[0]) / divisor
    total = np.sum(a, axis=-1, keepdims=True)
    by_input = g * (np.exp(parts.logarithms) * total - a)
    if parts.hot is not None:  # what is ignored has no gradient, though a mean of nothing is NaN
        by_input = np.where(target[..., None] == ignore_index, 0, by_input)
    terms = -_times(parts.q, parts.logarithms, parts.hot is not None)
    if mode == "mean" and parts.hot is not None:
        terms = terms - parts.hot * (np.sum(parts.weight * terms) / divisor)
    found = {
        "input": np.moveaxis(by_input, -1, axis),
        "weight": (g * terms).reshape(-1, a.shape[-1]).sum(axis=0),
    }
    if parts.hot is None:
        by_target = -g * (1 - label_smoothing) * parts.weight * parts.logarithms
        found["target"] = np.moveaxis(by_target, -1, axis)
    return found


@reference(dtype="=input", gradient=_cross_entropy_gradient)
def cross_entropy(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = IGNORE,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """``-Σ_c w_c q_c log softmax(x)_c`` at each place, then reduced; the classes are on axis 1.

    `input` is (C), (N, C) or (N, C, d…); `target` either holds the class y at each place, and q is
    1 at c = y, else 0, or is floating, of input's shape, and is q itself.  Smoothing by ε makes
    ``(1 - ε) q + ε / C`` of it.  Places where y = `ignore_index` count 0.  The mean over classes is
    divided by the sum of the weights w_y of what is not ignored, that over probabilities by the
    number of places.  Raises TypeError for an input that is not floating, ValueError for shapes
    that do not fit, a class out of range, and ε outside [0, 1].
    Source: PyTorch documentation of torch.nn.CrossEntropyLoss; with ε also the implementation of
    the mean over weights described there.
    """
    _check(input, target, weight, ignore_index, label_smoothing)
    parts = _shares(input, target, weight, ignore_index, label_smoothing)
    terms = _times(parts.weight * parts.q, parts.logarithms, parts.hot is not None)
    loss = -np.sum(terms, axis=-1, dtype=input.dtype)
    mode = mode_of(reduction, size_average, reduce)
    if mode != "mean":
        return np.asarray(reduced(np.asarray(loss), mode))
    return np.asarray(np.sum(loss, dtype=loss.dtype) / _divisor(parts, loss.dtype))


def _divisor(parts: _Shares, dtype: np.dtype[Any]) -> Array:
    if parts.hot is None:
        return np.asarray(np.prod(parts.q.shape[:-1]), dtype)
    return np.asarray(np.sum(parts.weight * parts.hot), dtype)


def _times(share: Array, logarithms: Array, by_class: bool) -> Array:
    """Return the product; a class that has no share adds nothing, however improbable it is."""
    with np.errstate(invalid="ignore"):
        product = share * logarithms
    return np.where(share == 0, np.zeros_like(product), product) if by_class else product


def _check(
    input: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    if input.dtype.kind in "biuc":
        raise TypeError(f"input is {input.dtype}, but should be floating")
    if input.ndim == 0:
        raise ValueError("input needs an axis of classes")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing {label_smoothing} is outside [0, 1]")
    axis = min(1, input.ndim - 1)
    count = input.shape[axis]
    if weight is not None and weight.shape != (count,):
        raise ValueError(f"weight {weight.shape} must hold one number for each of {count} classes")
    if target.dtype.kind not in "iu":
        if target.shape != input.shape:
            raise ValueError(f"probabilities {target.shape} must have the shape {input.shape}")
    elif target.shape != input.shape[:axis] + input.shape[axis + 1 :]:
        raise ValueError(f"classes {target.shape} do not fit the input {input.shape}")
    elif np.any((target != ignore_index) & ((target < 0) | (target >= count))):
        raise ValueError(f"a class is out of range for {count} classes")


def _soft_margin_gradient(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    cotangents: list[Array],
) -> dict[str, Array]:
    """``-y σ(-xy)`` by x, ``-x σ(-xy)`` by y."""
    score = input * target
    g = -spread(cotangents[0], score.shape, reduction, size_average, reduce)
    slope = g * np.exp(-softplus(score))
    return {
        "input": unbroadcast(slope * target, input.shape),
        "target": unbroadcast(slope * input, target.shape),
    }


@reference(dtype="=input", gradient=_soft_margin_gradient)
def soft_margin_loss(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``log(1 + e^(-xy))`` for scores x and labels y of ±1, then reduced.

    Written as `softplus`, so nothing overflows.  Raises TypeError for an input that is not
    floating, ValueError for shapes that do not broadcast and an unknown reduction.
    Source: PyTorch documentation of torch.nn.SoftMarginLoss.
    """
    if input.dtype.kind in "biuc":
        raise TypeError(f"input is {input.dtype}, but should be floating")
    return reduced(softplus(-(input * target)), reduction, size_average, reduce)


def _triplet_gradient(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    cotangents: list[Array],
) -> dict[str, Array]:
    """Where the loss is positive: the slopes of d(a, p) less those of the smaller of the others."""
    near, far, swapped = anchor - positive + eps, anchor - negative + eps, positive - negative + eps
    other = norm(far, p)
    nearer = swap & (norm(swapped, p) < other)
    loss = margin + norm(near, p) - np.where(nearer, norm(swapped, p), other)
    g = spread(cotangents[0], loss.shape, reduction, size_average, reduce) * (loss > 0)
    by_near = g[..., None] * norm_slope(near, p)
    by_far = (g * ~nearer)[..., None] * norm_slope(far, p)
    by_swapped = (g * nearer)[..., None] * norm_slope(swapped, p)
    return {
        "anchor": unbroadcast(by_near - by_far, anchor.shape),
        "positive": unbroadcast(-by_near - by_swapped, positive.shape),
        "negative": unbroadcast(by_far + by_swapped, negative.shape),
    }


def _triplet_dtype(anchor: Array, positive: Array, negative: Array, **_: Any) -> str:
    dtype = promote([x.dtype.name for x in (anchor, positive, negative)])
    return "float32" if category(dtype) == 1 else dtype


@reference(dtype=_triplet_dtype, gradient=_triplet_gradient)
def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """``max(d(a, p) - d(a, n) + margin, 0)``, then reduced, with ``d(x, y) = ‖x - y + eps‖_p``.

    The norm is over the last axis.  With `swap`, d(p, n) takes the place of d(a, n) where it is
    smaller.  The inputs have one number of dimensions, at least 1, and broadcast; `margin` is
    positive (ValueError).  Integers are read as real numbers and give float32; truth values and
    complex numbers are refused (TypeError).
    Source: PyTorch documentation of torch.nn.TripletMarginLoss and torch.nn.PairwiseDistance;
    V. Balntas et al., Learning shallow convolutional feature descriptors with triplet losses, 2016.
    """
    inputs = (anchor, positive, negative)
    if any(x.dtype.kind in "bc" for x in inputs):
        raise TypeError("anchor, positive and negative should be real numbers")
    if all(x.dtype.kind in "iu" for x in inputs):
        anchor = anchor.astype(np.float64)
    if len({x.ndim for x in inputs}) > 1 or anchor.ndim == 0 or not margin > 0:
        raise ValueError("the inputs need one number of dimensions and a positive margin")
    tiny, room = anchor.dtype.type(eps), anchor.dtype.type(margin)
    far = norm(anchor - negative + tiny, p)
    if swap:
        far = np.minimum(far, norm(positive - negative + tiny, p))
    loss = norm(anchor - positive + tiny, p) - far + room
    return reduced(np.maximum(loss, np.zeros_like(loss)), reduction, size_average, reduce)
