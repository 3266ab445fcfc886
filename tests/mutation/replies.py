"""Mutants of a kernel's results: what a wrong kernel returns where the right one returned this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from conformance.run.outcome import Named, Raised, Returned, Unsupported

Array = np.ndarray[Any, Any]
Change = Callable[[Array], Array]
Reply = Callable[[Returned], Returned]

WRONG_DTYPE = {
    "float16": "float32", "bfloat16": "float32", "float32": "float64", "float64": "float32",
    "int64": "int32", "int32": "int64", "bool": "int32", "complex64": "complex128",
    "complex128": "complex64",
}  # fmt: skip
SLIGHT = 1e-3


def _floating(array: Array) -> bool:
    return array.dtype.kind in "fc" or array.dtype.name == "bfloat16"


def transposed(array: Array) -> Array:
    """The last two axes exchanged."""
    return array.swapaxes(-1, -2).copy() if array.ndim >= 2 else array


def shifted(array: Array) -> Array:
    """Every element one place further along the last axis: a window off by one."""
    return np.roll(array, 1, -1) if array.ndim else array


def reversed_(array: Array) -> Array:
    """The last axis read backwards."""
    return array[..., ::-1].copy() if array.ndim else array


def one_element(array: Array) -> Array:
    """One element off by 1e-3, or by one where there are no fractions."""
    if not array.size:
        return array
    changed = array.copy()
    at = np.unravel_index(array.size // 2, array.shape)
    value = changed[at]
    if array.dtype.kind == "b":
        changed[at] = not value
    elif _floating(array):
        moved = value * (1 + SLIGHT) if value else value + SLIGHT
        # Of a dtype that has no number so near, the next one.
        changed[at] = moved if np.asarray(moved, array.dtype) != value else value * 1.01
    else:
        changed[at] = value + 1
    return changed


def half(array: Array) -> Array:
    """Computed by way of float16."""
    if array.dtype.name not in ("float32", "float64"):
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(array.dtype)


def conjugate(array: Array) -> Array:
    """The sign of the imaginary part lost."""
    return array.conj() if array.dtype.kind == "c" else array


def no_nan(array: Array) -> Array:
    """Zero in the place of NaN."""
    return np.where(np.isnan(array), array.dtype.type(0), array) if _floating(array) else array


def saturating(array: Array) -> Array:
    """The largest finite number in the place of infinity."""
    if array.dtype.kind != "f":
        return array
    largest = np.finfo(array.dtype).max
    return np.where(np.isinf(array), np.copysign(largest, array), array)


def wrong_dtype(array: Array) -> Array:
    """Another dtype."""
    name = WRONG_DTYPE.get(array.dtype.name)
    return array if name is None else array.astype(name)


CHANGES: dict[str, Change] = {
    "transposed result": transposed,
    "result shifted by one": shifted,
    "result reversed": reversed_,
    "one element off by 1e-3": one_element,
    "float16 result": half,
    "missing conjugate": conjugate,
    "NaN lost": no_nan,
    "infinity lost": saturating,
    "wrong dtype": wrong_dtype,
}


def of_results() -> Iterator[tuple[str, Reply]]:
    """Yield the mutants of what a call returns."""
    for name, change in CHANGES.items():
        yield name, partial(_with_output, change=change)


def _with_output(reply: Returned, change: Change) -> Returned:
    return replace(reply, output=mapped(reply.output, change))


def _scaled(gradient: Array) -> Array:
    """Off by as little as the dtype can tell."""
    return np.asarray(gradient * gradient.dtype.type(1 + SLIGHT * (32 if _narrow(gradient) else 1)))


def _narrow(array: Array) -> bool:
    return array.dtype.name in ("float16", "bfloat16")


GRADIENTS: dict[str, Change] = {
    "dropped": np.zeros_like,
    "scaled": _scaled,
    "shifted by one": shifted,
}


def of_gradients(names: list[str]) -> Iterator[tuple[str, Reply]]:
    """Yield the mutants of the gradient of each of `names`."""
    for name in names:
        for what, change in GRADIENTS.items():
            yield f"gradient of {name} {what}", partial(_with_gradient, name=name, change=change)


def _with_gradient(reply: Returned, name: str, change: Change) -> Returned:
    found = {
        n: change(g) if g is not None and n.partition(".")[0] == name else g
        for n, g in reply.gradients.items()
    }
    return replace(reply, gradients=found)


def not_updated(reply: Returned, name: str, before: Array) -> Returned:
    """Return `reply` with the state or input `name` left as it was before the call."""
    return replace(
        reply,
        state={n: before if n == name else s for n, s in reply.state.items()},
        mutated={n: m for n, m in reply.mutated.items() if n != name},
    )


def mapped(value: Any, change: Change) -> Any:
    """Return `value` with every array in it changed."""
    if isinstance(value, np.ndarray):
        return np.asarray(change(value))
    if isinstance(value, Named):
        return Named(value.type, {k: mapped(v, change) for k, v in value.fields.items()})
    if isinstance(value, tuple | list):
        return type(value)(mapped(item, change) for item in value)
    return value


def unchecked(outcome: Raised) -> Returned | Raised:
    """A kernel that does not check its arguments returns something."""
    if isinstance(outcome, Unsupported) or outcome.stage in ("resolve", "assign"):
        return outcome
    return Returned(output=np.zeros(1, np.float32))
