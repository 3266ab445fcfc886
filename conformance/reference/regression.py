"""Losses of regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.dtypes import category, promote
from conformance.reference.loss import mode_of, reduced, spread, unbroadcast
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


def _promoted(input: Array, target: Array) -> str:
    arrays = (input, target)
    return promote(
        [a.dtype.name for a in arrays if a.ndim], [a.dtype.name for a in arrays if not a.ndim]
    )


def _l1_dtype(
    input: Array, target: Array, *, reduction: str = "mean", weight: Array | None = None, **_: Any
) -> str:
    dtype = _promoted(input, target)
    if category(dtype) == 1 and weight is None:
        return "int64" if reduction == "sum" else dtype
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def _weighted(
    loss: Array,
    weight: Array | None,
    reduction: str,
    size_average: bool | None,
    reduce: bool | None,
) -> Array:
    """Return the `loss` of each element times its weight, reduced; a mean is over the weights."""
    if weight is None:
        return reduced(loss, reduction, size_average, reduce)
    if weight.shape != loss.shape:
        raise ValueError(f"weight {weight.shape} and loss {loss.shape} must have one shape")
    mode = mode_of(reduction, size_average, reduce)
    if mode != "mean":
        return reduced(weight * loss, mode)
    return np.asarray(np.sum(weight * loss) / np.sum(weight))


def _regression_gradient(
    input: Array,
    target: Array,
    loss: Array,
    slope: Array,
    weight: Array | None,
    cotangent: Array,
    modes: tuple[str, bool | None, bool | None],
) -> dict[str, Array]:
    """Return the gradients of `_weighted` for the `slope` of `loss` by input, -slope by target."""
    if weight is None:
        by_loss = spread(cotangent, loss.shape, *modes) * slope
        by_weight = {}
    else:
        averaged = mode_of(*modes) == "mean"
        g = cotangent / np.sum(weight) if averaged else cotangent
        mean = np.sum(weight * loss) / np.sum(weight) if averaged else 0
        by_loss, by_weight = g * weight * slope, {"weight": np.asarray(g * (loss - mean))}
    return {
        "input": unbroadcast(by_loss, input.shape),
        "target": unbroadcast(-by_loss, target.shape),
        **by_weight,
    }


def _l1_gradient(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
    cotangents: list[Array],
) -> dict[str, Array]:
    """``sgn(x - y)``, that is d / |d| for d = x - y and 0 for d = 0, by x."""
    apart = input - target
    size = np.abs(apart)
    with np.errstate(invalid="ignore"):
        slope = np.where(size == 0, 0, apart / size) if apart.dtype.kind == "c" else np.sign(apart)
    modes = (reduction, size_average, reduce)
    return _regression_gradient(input, target, size, slope, weight, cotangents[0], modes)


@reference(dtype=_l1_dtype, gradient=_l1_gradient)
def l1_loss(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """``|x - y|``, broadcast, then reduced; with a `weight`, of one shape with it, weighted.

    The weighted mean is over the weights, ``Σ w |x - y| / Σ w``.  Real for complex numbers; the
    mean of integers is refused (TypeError), as are truth values.  Where x = y the gradient is 0.
    Raises ValueError for an unknown reduction and for shapes that do not fit.
    Source: PyTorch documentation of torch.nn.L1Loss and torch.nn.functional.l1_loss.
    """
    kind = category(_promoted(input, target))
    if kind == 0:
        raise TypeError("truth values have no difference")
    loss = np.abs(np.subtract(input, target))
    if kind == 1 and weight is None:
        if mode_of(reduction, size_average, reduce) == "mean":
            raise TypeError("the mean of integers is not an integer")
        loss = loss.astype(np.int64) if reduction == "sum" else loss
    return _weighted(np.asarray(loss), weight, reduction, size_average, reduce)


def _mse_dtype(input: Array, target: Array, **_: Any) -> str:
    return _promoted(input, target)


def _mse_gradient(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
    cotangents: list[Array],
) -> dict[str, Array]:
    """``2 (x - y)`` by x."""
    apart, modes = input - target, (reduction, size_average, reduce)
    return _regression_gradient(
        input, target, np.square(apart), 2 * apart, weight, cotangents[0], modes
    )


@reference(dtype=_mse_dtype, gradient=_mse_gradient)
def mse_loss(
    input: Array,
    target: Array,
    *,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Array | None = None,
) -> Array:
    """``(x - y)²``, broadcast, then reduced; with a `weight`, of one shape with it, weighted.

    The weighted mean is over the weights, ``Σ w (x - y)² / Σ w``.  At least one of x and y is
    floating and neither complex (TypeError).  Raises ValueError for an unknown reduction and for
    shapes that do not fit.
    Source: PyTorch documentation of torch.nn.MSELoss and torch.nn.functional.mse_loss.
    """
    dtype = _promoted(input, target)
    if category(dtype) != 2:
        raise TypeError(f"mean squared error of {dtype} is not defined")
    loss = np.asarray(np.square(np.subtract(input, target)))
    return _weighted(loss, weight, reduction, size_average, reduce)
