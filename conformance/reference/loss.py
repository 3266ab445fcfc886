"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def reduced(
    loss: Array, reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> Array:
    """Return `loss` itself, its arithmetic mean over all elements, or its sum.

    Weights have been multiplied in before: the mean divides by the number of elements, not by the
    sum of the weights; of no elements it is NaN.  When `size_average` or `reduce` is given,
    `reduction` is not looked at: without `reduce` nothing is reduced, else `size_average` chooses
    between mean and sum, and the one that is not given counts as True.
    Raises ValueError for an unknown `reduction`.
    Source: PyTorch documentation of torch.nn.BCELoss and torch.nn.BCEWithLogitsLoss.
    """
    if size_average is not None or reduce is not None:
        averaged = "sum" if size_average is False else "mean"
        reduction = "none" if reduce is False else averaged
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    total = np.asarray(np.sum(loss, dtype=loss.dtype))
    return total if reduction == "sum" else np.asarray(total / loss.dtype.type(loss.size))


@reference(dtype="=target")
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


@reference(dtype="=input")
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
    bound = input.dtype.type(-100)
    with np.errstate(divide="ignore"):
        log_x = np.maximum(np.log(input), bound)
        log_not_x = np.maximum(np.log1p(-input), bound)
    loss = (target - np.ones_like(target)) * log_not_x - target * log_x
    loss = loss if weight is None else weight * loss
    return reduced(loss, reduction, size_average, reduce)


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
