"""Losses of binary classification, and what all losses share: how they are reduced."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def reduced(
    loss: Array, reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> Array:
    """Return `loss` itself, its arithmetic mean over all elements, or its sum.

    Weights have been multiplied in before: the mean divides by the number of elements, not by the
    sum of the weights; of no elements it is NaN.  Two-byte numbers are added up in float32.  When
    `size_average` or `reduce` is given, `reduction` is not looked at: without `reduce` nothing is
    reduced, else `size_average` chooses between mean and sum, and the one that is not given counts
    as True.
    Raises ValueError for an unknown `reduction`.
    Source: PyTorch documentation of torch.nn.BCELoss and torch.nn.BCEWithLogitsLoss.
    """
    reduction = mode_of(reduction, size_average, reduce)
    if reduction == "none":
        return loss
    wide = np.dtype(np.float32) if loss.dtype.itemsize == 2 else loss.dtype
    total = np.asarray(np.sum(loss, dtype=wide))
    total = total if reduction == "sum" else np.asarray(total / wide.type(loss.size))
    return total.astype(loss.dtype)


def spread(
    cotangent: Array,
    shape: tuple[int, ...],
    reduction: str,
    size_average: bool | None = None,
    reduce: bool | None = None,
) -> Array:
    """Return the cotangents of the elements of a loss of `shape`, given that of `reduced`."""
    mean = mode_of(reduction, size_average, reduce) == "mean"
    share = cotangent / np.longdouble(prod(shape)) if mean else cotangent
    return np.broadcast_to(share, shape)


def unbroadcast(array: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which `shape` was broadcast: the adjoint of broadcasting."""
    summed = array.sum(axis=tuple(range(array.ndim - len(shape))))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.asarray(summed.sum(axis=repeated, keepdims=True))


def mode_of(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """Return the reduction that is meant: the deprecated arguments win, see `reduced`."""
    if size_average is not None or reduce is not None:
        averaged = "sum" if size_average is False else "mean"
        return "none" if reduce is False else averaged
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _bce_with_logits_gradient(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
    cotangents: list[Array],
) -> dict[str, Array]:
    """With σ' = σ (1 - σ): by x ``w [(1 - y) σ(x) - p y σ(-x)]``, by y ``w [p s(-x) - s(x)]``."""
    x, y = input, target
    w = np.ones(()) if weight is None else weight
    p = np.ones(()) if pos_weight is None else pos_weight
    g = spread(cotangents[0], x.shape, reduction, size_average, reduce)
    right, wrong = softplus(-x), softplus(x)
    sigma, complement = np.exp(-right), np.exp(-wrong)
    return {
        "input": g * w * ((1 - y) * sigma - p * y * complement),
        "target": g * w * (p * right - wrong),
        "weight": unbroadcast(g * (p * y * right + (1 - y) * wrong), np.shape(w)),
        "pos_weight": unbroadcast(g * w * y * right, np.shape(p)),
    }


def _bce_gradient(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    cotangents: list[Array],
) -> dict[str, Array]:
    """By x ``w [(1 - y) / (1 - x) - y / x]``, by y ``w [log(1 - x) - log x]``.

    Where a logarithm is held at its bound it is constant, so its derivative is left out.
    """
    x, y = input, target
    w = np.ones(()) if weight is None else weight
    g = spread(cotangents[0], x.shape, reduction, size_average, reduce)
    log_x, log_not_x = _bounded_logarithms(x)
    with np.errstate(divide="ignore"):
        slope = np.where(log_x > _BOUND, 1 / x, 0 * x)
        slope_not = np.where(log_not_x > _BOUND, 1 / (1 - x), 0 * x)
    return {
        "input": g * w * ((1 - y) * slope_not - y * slope),
        "target": g * w * (log_not_x - log_x),
        "weight": unbroadcast(g * ((y - 1) * log_not_x - y * log_x), np.shape(w)),
    }


@reference(dtype="=target", gradient=_bce_with_logits_gradient)
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """Binary cross-entropy of σ(x) against y, elementwise, then reduced.

    ``-w [p y log σ(x) + (1 - y) log(1 - σ(x))] = w [p y s(-x) + (1 - y) s(x)]`` with
    ``s(x) = log(1 + e^x)``, see `softplus`.  For y in [0, 1] no term is negative, so nothing
    cancels.  `input` and `target` are floating and of one shape, to which `weight` and `pos_weight`
    broadcast; the result has the dtype of `target`.  Raises ValueError and TypeError otherwise.
    Source: PyTorch documentation of torch.nn.BCEWithLogitsLoss; log σ(x) = -s(-x).
    """
    _check(input, target, weight=weight, pos_weight=pos_weight)
    positive = target if pos_weight is None else pos_weight * target
    loss = positive * softplus(-input) + (np.ones_like(target) - target) * softplus(input)
    loss = loss if weight is None else weight * loss
    return reduced(loss, reduction, size_average, reduce)


@reference(dtype="=input", gradient=_bce_gradient)
def binary_cross_entropy(
    input: Array,
    target: Array,
    *,
    weight: Array | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Array:
    """Binary cross-entropy of probabilities x against y, elementwise, then reduced.

    ``-w [y log x + (1 - y) log(1 - x)]``, each logarithm no less than -100.  `input` and `target`
    are floating and of one shape, to which `weight` broadcasts; `input` is NaN or in [0, 1].
    Raises ValueError and TypeError otherwise.
    Source: PyTorch documentation of torch.nn.BCELoss, formula and clamping.
    """
    _check(input, target, weight=weight)
    if np.any((input < 0) | (input > 1)):
        raise ValueError("all elements of input should be between 0 and 1")
    log_x, log_not_x = _bounded_logarithms(input)
    loss: Array = (target - np.ones_like(target)) * log_not_x - target * log_x
    loss = loss if weight is None else weight * loss
    return reduced(loss, reduction, size_average, reduce)


_BOUND = -100
"""What the logarithms of probabilities are held above."""


def _bounded_logarithms(x: Array) -> tuple[Array, Array]:
    bound = x.dtype.type(_BOUND)
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), bound), np.maximum(np.log1p(-x), bound)


def softplus(x: Array) -> Array:
    """``log(1 + e^x) = max(x, 0) + log1p(e^-|x|)``, of x's shape and dtype: never overflows."""
    return np.asarray(np.maximum(x, np.zeros_like(x)) + np.log1p(np.exp(-np.abs(x))))


def _check(input: Array, target: Array, **weights: Array | None) -> None:
    for name, array in {"input": input, "target": target}.items():
        if array.dtype.kind in "biuc":
            raise TypeError(f"{name} is {array.dtype}, but should be floating")
    if target.shape != input.shape:
        raise ValueError(f"target {target.shape} and input {input.shape} must have one shape")
    for name, weight in weights.items():
        if weight is not None:
            _check_broadcast(name, weight.shape, input.shape)


def _check_broadcast(name: str, shape: tuple[int, ...], to: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(shape, to) == to
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} {shape} does not broadcast to {to}")
