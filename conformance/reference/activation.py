"""Activations: along an axis, and of each element by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.dtypes import cast
from conformance.reference.registry import Result, reference

Array = np.ndarray[Any, Any]


def _softmax_dtype(dtype: str | None = None, **_: Any) -> str:
    return dtype or "=input"


def _softmax_gradient(
    input: Array,
    dim: int | None = None,
    dtype: str | None = None,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    """``y (g - Σ_j g_j y_j)`` for the cotangent g of y = softmax(x)."""
    y = softmax(input, dim, dtype)
    (g,) = cotangents
    axis = _axis(dim, input.ndim)
    total = np.sum(g * y, axis=axis, keepdims=True) if input.ndim else g * y
    return {"input": np.asarray(y * (g - total))}


@reference(dtype=_softmax_dtype, gradient=_softmax_gradient)
def softmax(input: Array, dim: int | None = None, dtype: str | None = None) -> Array:
    """``e^(x_i - m) / Σ_j e^(x_j - m)`` along `dim`, with m the greatest x, so nothing overflows.

    `input` is first converted to `dtype`, if one is given; else it must be floating (TypeError).
    Without `dim`: axis 0 for 0, 1 and 3 dimensions, else axis 1.  `dim` must lie in [-n, n)
    (ValueError), where n is the number of dimensions, at least 1.
    Source: PyTorch documentation of torch.nn.functional.softmax and its implicit dimension.
    """
    if dtype is None and input.dtype.kind in "biu":
        raise TypeError(f"softmax of {input.dtype} needs a floating dtype")
    if dtype is not None:
        input = _converted(input, dtype)
    axis = _axis(dim, input.ndim)
    if input.ndim == 0:
        with np.errstate(invalid="ignore"):
            return np.asarray(np.exp(input - input))
    greatest = np.max(input, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        power = np.exp(input - greatest)
    return np.asarray(power / np.sum(power, axis=axis, keepdims=True, dtype=power.dtype))


def _axis(dim: int | None, ndim: int) -> int:
    if dim is None:
        return 0 if ndim in (0, 1, 3) else 1
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise ValueError(f"dim {dim} is out of range for {ndim} dimensions")
    return dim


def _converted(input: Array, dtype: str) -> Array:
    """Round `input` to `dtype`, but go on in the wider of the two: an oracle stays an oracle."""
    rounded = cast(input, dtype)
    if input.dtype.kind in "biu" or rounded.dtype.itemsize >= input.dtype.itemsize:
        return rounded
    return np.asarray(rounded.astype(input.dtype))


def _sigmoid_dtype(input: Array, **_: Any) -> str:
    return "float32" if input.dtype.kind in "biu" else "=input"


@reference(dtype=_sigmoid_dtype)
def sigmoid(input: Array) -> Array:
    """``σ(x) = 1 / (1 + e^-x)``, written as ``e^x / (1 + e^x)`` where x has a negative real part.

    So the exponential never overflows and small results keep their digits.  Integers and truth
    values are read as real numbers and give float32.
    Source: PyTorch documentation of torch.sigmoid.
    """
    x = input.astype(np.float64) if input.dtype.kind in "biu" else input
    power = np.exp(np.where(x.real < 0, x, -x))
    one = np.ones_like(power)
    return np.asarray(np.where(x.real < 0, power, one) / (one + power))


def _relu_gradient(
    input: Array, inplace: bool = False, *, cotangents: list[Array]
) -> dict[str, Array]:
    """1 for x > 0, else 0: at 0 PyTorch takes the derivative of the left."""
    return {"input": np.where(input > 0, cotangents[0], 0)}


@reference(dtype="=input", gradient=_relu_gradient)
def relu(input: Array, inplace: bool = False) -> Array | Result:
    """``max(0, x)``: x itself unless it is negative, so NaN stays NaN and -0.0 stays -0.0.

    With `inplace` the result is also what `input` holds afterwards.  Raises TypeError for truth
    values and complex numbers.  Source: PyTorch documentation of torch.nn.functional.relu.
    """
    if input.dtype.kind in "bc":
        raise TypeError(f"relu of {input.dtype} is not defined")
    output: Array = np.where(input < 0, np.zeros_like(input), input)
    return _in_place(output) if inplace else output


@reference(dtype="=input", gradient=_relu_gradient)
def relu_(input: Array) -> Array | Result:
    """Overwrite `input` with its `relu`.  Source: PyTorch documentation of F.relu_."""
    overwritten: Array | Result = relu(input, inplace=True)
    return overwritten


def _leaky_relu_gradient(
    input: Array,
    negative_slope: float = 0.01,
    inplace: bool = False,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    return {"input": cotangents[0] * np.where(input > 0, 1, negative_slope)}


@reference(dtype="=input", gradient=_leaky_relu_gradient)
def leaky_relu(input: Array, negative_slope: float = 0.01, inplace: bool = False) -> Array | Result:
    """``x`` for x > 0, else ``negative_slope * x``, whatever the slope; at 0 the left derivative.

    With `inplace` the result is also what `input` holds afterwards.  Only floating dtypes
    (TypeError).  Source: PyTorch documentation of torch.nn.functional.leaky_relu; Maas et al.,
    "Rectifier nonlinearities improve neural network acoustic models", 2013.
    """
    _check_floating("leaky_relu", input)
    slope = input.dtype.type(negative_slope)
    output: Array = np.where(input > 0, input, slope * input)
    return _in_place(output) if inplace else output


def _elu_gradient(
    input: Array, alpha: float = 1.0, inplace: bool = False, *, cotangents: list[Array]
) -> dict[str, Array]:
    left = alpha * np.exp(np.minimum(input, 0))
    return {"input": cotangents[0] * np.where(input > 0, 1, left)}


@reference(dtype="=input", gradient=_elu_gradient)
def elu(input: Array, alpha: float = 1.0, inplace: bool = False) -> Array | Result:
    """``x`` for x > 0, else ``alpha * (e^x - 1)``; at 0 the left derivative.

    With `inplace` the result is also what `input` holds afterwards.  Only floating dtypes
    (TypeError).  Source: PyTorch documentation of torch.nn.functional.elu; Clevert et al., "Fast
    and accurate deep network learning by exponential linear units", 2016.
    """
    _check_floating("elu", input)
    left = input.dtype.type(alpha) * np.expm1(np.where(input > 0, np.zeros_like(input), input))
    output: Array = np.where(input > 0, input, left)
    return _in_place(output) if inplace else output


def _shrink_gradient(
    input: Array, lambd: float = 0.5, *, cotangents: list[Array]
) -> dict[str, Array]:
    return {"input": np.where((input > lambd) | (input < -lambd), cotangents[0], 0)}


@reference(dtype="=input", gradient=_shrink_gradient)
def hardshrink(input: Array, lambd: float = 0.5) -> Array:
    """0 where ``-lambd <= x <= lambd``, else x: so NaN stays NaN, and a negative `lambd` keeps all.

    Only floating dtypes (TypeError).  Source: PyTorch documentation of
    torch.nn.functional.hardshrink.
    """
    _check_floating("hardshrink", input)
    return np.where((input >= -lambd) & (input <= lambd), np.zeros_like(input), input)


@reference(dtype="=input", gradient=_shrink_gradient)
def softshrink(input: Array, lambd: float = 0.5) -> Array:
    """``x - lambd`` for x > lambd, ``x + lambd`` for x < -lambd, else 0, but NaN at NaN.

    `lambd` must not be negative (ValueError); only floating dtypes (TypeError).
    Source: PyTorch documentation of torch.nn.Softshrink.
    """
    _check_floating("softshrink", input)
    if lambd < 0:
        raise ValueError(f"lambd must not be negative, but is {lambd}")
    step = input.dtype.type(lambd)
    middle = np.where(np.isnan(input), input, np.zeros_like(input))
    return np.where(input > lambd, input - step, np.where(input < -lambd, input + step, middle))


def _prelu_gradient(
    input: Array,
    weight: Array | None = None,
    num_parameters: int = 1,
    init: float = 0.25,
    *,
    cotangents: list[Array],
) -> dict[str, Array]:
    (g,) = cotangents
    weight = _weight(input, weight, num_parameters, init)
    kept = input > 0
    left = np.where(kept, 0, g * np.where(kept, 0, input))
    others = tuple(axis for axis in range(input.ndim) if weight.size == 1 or axis != 1)
    return {
        "input": g * np.where(kept, 1, _of_channels(weight, input)),
        "weight": left.sum(axis=others).reshape(weight.shape),
    }


@reference(dtype="=input", gradient=_prelu_gradient)
def prelu(
    input: Array, weight: Array | None = None, num_parameters: int = 1, init: float = 0.25
) -> Array:
    """``x`` for x > 0, else ``weight * x``, with one weight for all or one for each channel.

    The channel is axis 1; with fewer than two dimensions there is one channel.  Without `weight`:
    `num_parameters` weights of `init`, as a new layer has.  Raises ValueError when the number of
    weights is neither 1 nor that of the channels or `weight` has more than one dimension,
    TypeError unless both arrays have one floating dtype.  At 0 the left derivative.
    Source: PyTorch documentation of torch.nn.functional.prelu and torch.nn.PReLU; He et al.,
    "Delving deep into rectifiers", 2015.
    """
    _check_floating("prelu", input)
    weight = _weight(input, weight, num_parameters, init)
    if weight.dtype != input.dtype:
        raise TypeError(f"weight is {weight.dtype}, input {input.dtype}")
    return np.where(input > 0, input, _of_channels(weight, input) * input)


def _weight(input: Array, weight: Array | None, number: int, init: float) -> Array:
    return np.full(number, init, input.dtype) if weight is None else weight


def _of_channels(weight: Array, input: Array) -> Array:
    """Return `weight` so that it broadcasts along axis 1 of `input`."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ValueError(f"{weight.shape} weights do not fit {channels} channels")
    if weight.size == 1:
        return weight.reshape(())
    return weight.reshape((-1,) + (1,) * (input.ndim - 2))


def _in_place(output: Array) -> Result:
    return Result(output, mutated={"input": output})


def _check_floating(name: str, input: Array) -> None:
    if input.dtype.kind in "biuc":
        raise TypeError(f"{name} of {input.dtype} is not defined")
