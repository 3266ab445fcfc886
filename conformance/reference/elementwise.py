"""Operations on each element by itself, after broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import Result, reference

Array = np.ndarray[Any, Any]


def _modulus_dtype(input: Array, **_: Any) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(input.dtype.name, "=input")


def _floating_dtype(input: Array, **_: Any) -> str:
    return "float32" if input.dtype.kind in "biu" else "=input"


@reference(dtype=_modulus_dtype)
def abs(input: Array) -> Array:
    """Absolute value; of a complex number the modulus ``sqrt(re² + im²)``, which is real.

    The least integer of a signed dtype has no positive counterpart and wraps around to itself.
    Source: PyTorch documentation of torch.abs; two's complement for the last.
    """
    if input.dtype.kind == "b":
        raise TypeError("the absolute value of a truth value is not defined")
    return np.asarray(np.abs(input))


def _add_gradient(
    input: Array, other: Array, alpha: float = 1, *, cotangents: list[Array]
) -> dict[str, Array]:
    (cotangent,) = cotangents
    return {
        "input": _unbroadcast(cotangent, np.shape(input)),
        "other": _unbroadcast(alpha * cotangent, np.shape(other)),
    }


@reference(gradient=_add_gradient)
def add(input: Array, other: Array, alpha: complex = 1) -> Array:
    """``input + alpha * other``, broadcast; the sum of truth values is their disjunction.

    Integers wrap around.  Source: PyTorch documentation of torch.add.
    """
    _check_alpha(alpha, np.asarray(input), np.asarray(other))
    if alpha == 1:
        return np.asarray(np.add(input, other))
    return np.asarray(np.add(input, np.multiply(_like(alpha, other), other)))


@reference(dtype="=input")
def add_(input: Array, other: Array, alpha: complex = 1) -> Result:
    """`add`, stored into `input`, which keeps its shape and dtype; also what is returned.

    Raises TypeError when the sum is of a higher category of dtype than `input`, ValueError when it
    has another shape.  Source: PyTorch documentation, "In-place semantics" and "Type promotion".
    """
    if _category(np.asarray(other)) > _category(input):
        raise TypeError(f"a sum with {np.asarray(other).dtype} cannot be stored as {input.dtype}")
    total = add(input, other, alpha)
    if total.shape != input.shape:
        raise ValueError(f"a sum of shape {total.shape} cannot be stored in {input.shape}")
    total = total.astype(input.dtype)
    return Result(total, mutated={"input": total})


@reference(dtype="=input")
def round(input: Array, decimals: int = 0) -> Array:
    """The nearest multiple of ``10^-decimals``, of two equally near ones the even multiple.

    Source: IEEE 754-2019, roundTiesToEven; the array API standard, round.
    """
    if input.dtype.kind in "iu" and decimals >= 0:
        return input.copy()
    scale = input.dtype.type(10) ** (decimals if decimals > 0 else -decimals)
    if decimals < 0:
        return np.asarray(np.rint(input / scale) * scale)
    return np.asarray(np.rint(input * scale) / scale)


@reference(dtype="=input")
def clip(input: Array, min: Array, max: Array) -> Array:
    """``min(max(x, low), high)``: the nearest number of the interval; NaN stays NaN.

    Source: the array API standard, clip.
    """
    return np.asarray(np.minimum(np.maximum(input, min), max))


@reference(dtype=_floating_dtype)
def tanh(input: Array) -> Array:
    """Hyperbolic tangent, ``(e^x - e^-x) / (e^x + e^-x)``; integers give float32.

    Source: PyTorch documentation of torch.tanh; Abramowitz & Stegun 4.5.3.
    """
    return np.asarray(np.tanh(_real(input)))


def _where_gradient(
    condition: Array, input: Array, other: Array, *, cotangents: list[Array]
) -> dict[str, Array]:
    (cotangent,) = cotangents
    return {
        "input": _unbroadcast(np.where(condition, cotangent, 0), np.shape(input)),
        "other": _unbroadcast(np.where(condition, 0, cotangent), np.shape(other)),
    }


@reference(gradient=_where_gradient)
def where(condition: Array, input: Array, other: Array) -> Array:
    """`input` where `condition` holds, else `other`, all three broadcast.

    Raises TypeError unless `condition` is boolean.  Source: PyTorch documentation of torch.where.
    """
    if np.asarray(condition).dtype.kind != "b":
        raise TypeError(f"condition must be boolean, not {np.asarray(condition).dtype}")
    return np.where(condition, input, other)


def _entr_gradient(input: Array, *, cotangents: list[Array]) -> dict[str, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = -1 - np.log(input)
    return {"input": np.asarray(cotangents[0] * slope)}


@reference(dtype=_floating_dtype, gradient=_entr_gradient)
def entr(input: Array) -> Array:
    """Elementwise entropy: ``-x log x`` for x > 0, 0 at 0, ``-inf`` below, NaN at NaN.

    Source: PyTorch documentation of torch.special.entr; SciPy documentation of scipy.special.entr.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        x = _real(input)
        inside = -x * np.log(x)
    edge = np.where(x == 0, 0.0, -np.inf).astype(inside.dtype)
    return np.where(x <= 0, edge, inside)


@reference()
def xdivy(x: Array, y: Array) -> Array:
    """``x / y``, but 0 wherever x is 0, whatever y is; broadcast.

    Source: MindSpore documentation of mindspore.ops.Xdivy.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.asarray(np.divide(x, y))
    return np.where(np.equal(x, 0), np.zeros_like(quotient), quotient)


def _real(input: Array) -> Array:
    """Return integers and truth values as float64, of which NumPy would make float16 or float64."""
    return input.astype(np.float64) if input.dtype.kind in "biu" else input


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum `gradient` over the axes along which an argument of `shape` was repeated."""
    axes = tuple(range(gradient.ndim - len(shape)))
    kept = gradient.sum(axis=axes)
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 != kept.shape[i])
    return np.asarray(kept.sum(axis=repeated, keepdims=True).reshape(shape))


def _category(array: Array) -> int:
    """Return 0 for bool, 1 for integers, 2 for real and 3 for complex numbers."""
    return {"b": 0, "i": 1, "u": 1, "c": 3}.get(array.dtype.kind, 2)


def _check_alpha(alpha: complex, *arrays: Array) -> None:
    category = max(1, *(_category(array) for array in arrays))
    if _category(np.asarray(alpha)) > category:
        raise TypeError(f"alpha {alpha!r} does not fit the dtypes {[a.dtype.name for a in arrays]}")


def _like(alpha: complex, other: Array) -> Any:
    """Return `alpha` in the dtype of `other`, when it holds that: so that float16 stays float16."""
    array = np.asarray(other)
    return array.dtype.type(alpha) if _category(array) >= _category(np.asarray(alpha)) else alpha
