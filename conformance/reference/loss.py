"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def reduce(loss: Array, reduction: str = "mean") -> Array:
    """Return `loss` itself, its arithmetic mean over all elements, or its sum.

    Weights have been multiplied in before: the mean divides by the number of elements, not by the
    sum of the weights (torch.nn.BCELoss and torch.nn.BCEWithLogitsLoss, "reduction").
    """
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    total = np.asarray(np.sum(loss, dtype=loss.dtype))
    return total if reduction == "sum" else np.asarray(total / loss.dtype.type(loss.size))


@reference()
def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """Binary cross-entropy of sigmoid(x) against y, elementwise, then reduced.

    ``-w [p y log σ(x) + (1 - y) log(1 - σ(x))]``, with ``log σ(x) = -log(1 + e^-x)`` and
    ``log(1 - σ(x)) = -x - log(1 + e^-x)``, so ``w [(1 - y) x + (1 + (p - 1) y) log(1 + e^-x)]``;
    ``log(1 + e^-x) = max(-x, 0) + log1p(e^-|x|)`` does not overflow.
    Source: PyTorch documentation of torch.nn.BCEWithLogitsLoss; log-sum-exp identity.
    """
    if target.shape != input.shape:
        raise ValueError(f"target {target.shape} and input {input.shape} must have one shape")
    softplus = np.maximum(-input, 0) + np.log1p(np.exp(-np.abs(input)))
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * input + positive * softplus
    return reduce(loss if weight is None else weight * loss, reduction)


@reference()
def binary_cross_entropy(
    input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """Binary cross-entropy of probabilities x against y, elementwise, then reduced.

    ``-w [y log x + (1 - y) log(1 - x)]``, each logarithm no less than -100.
    Source: PyTorch documentation of torch.nn.BCELoss, formula and clamping.
    """
    if target.shape != input.shape:
        raise ValueError(f"target {target.shape} and input {input.shape} must have one shape")
    if np.any((input < 0) | (input > 1)):
        raise ValueError("all elements of input must lie in [0, 1]")
    with np.errstate(divide="ignore"):
        log_x = np.maximum(np.log(input), -100)
        log_not_x = np.maximum(np.log1p(-input), -100)
    loss = (target - 1) * log_not_x - target * log_x
    return reduce(loss if weight is None else weight * loss, reduction)
