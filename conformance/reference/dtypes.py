"""Dtypes by name: casts, type promotion, and which dtype an output must have by its rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import reduce
from typing import Any

import ml_dtypes
import numpy as np

from conformance.reference.registry import Reference, scattered

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_DEFAULT = ("bool", "int64", "float32", "complex64")


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype named `name`; bfloat16 is the ml_dtypes extension type."""
    return BFLOAT16 if name == "bfloat16" else np.dtype(name)


def cast(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """Return `array` in the dtype named `dtype`; overflow to infinity is silent, as in a kernel."""
    with np.errstate(over="ignore", invalid="ignore"):
        if array.dtype.kind == "c" and not dtype.startswith("complex"):
            array = array.real
        return np.asarray(array.astype(numpy_dtype(dtype)))


def category(name: str) -> int:
    """Return 0 for bool, 1 for integers, 2 for floating and 3 for complex dtypes."""
    if name == "bool":
        return 0
    return 3 if name.startswith("complex") else 2 if "float" in name else 1


def promote(*groups: Iterable[str]) -> str:
    """Return the dtype that PyTorch's type promotion gives.

    `groups` are the dtypes of arrays with dimensions, of 0-d arrays, and of Python scalars: a later
    group counts only when it is of a higher category than those before it.  float32 when all are
    empty.  Source: PyTorch documentation, torch.Tensor attributes, "Type promotion".
    """
    result = ""
    for group in groups:
        if not (names := list(group)):
            continue
        joined = reduce(_join, names)
        if not result:
            result = joined
        elif category(joined) > category(result):
            result = _join(result, joined)
    return result or "float32"


def _join(a: str, b: str) -> str:
    if a == b:
        return a
    low, high = sorted((a, b), key=category)
    if category(low) < min(category(high), 2):
        return high
    if category(high) == 2:
        return "float64" if "float64" in (a, b) else "float32"
    plain = [np.dtype("float32" if name == "bfloat16" else name) for name in (a, b)]
    return np.result_type(*plain).name


def output_dtypes(
    reference: Reference, values: Mapping[str, Any], count: int, scalars: Collection[str] = ()
) -> list[str]:
    """Return the dtype by name that each of `count` outputs must have, by the reference's rule.

    `values` are its arguments, arrays in the case's own dtypes; those named in `scalars` are given
    to the frameworks as Python scalars.  Raises ValueError when the rule is for another count.
    """
    taken = reference.taken(values)
    rule: Any = reference.dtype
    if callable(rule):
        rule = rule(**taken)
    rules = list(rule) if isinstance(rule, tuple | list) else [rule] * count
    if len(rules) != count:
        raise ValueError(f"{reference.name}: {len(rules)} dtypes for {count} outputs")
    return [_resolve(item, taken, scalars) for item in rules]


def _resolve(rule: Any, taken: Mapping[str, Any], scalars: Collection[str]) -> str:
    if not isinstance(rule, str):
        return np.dtype(rule).name
    if rule.startswith("="):
        value = taken[rule[1:]]
        return value.dtype.name if isinstance(value, np.ndarray) else str(value)
    if rule != "promote":
        return rule
    groups: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name, value in scattered(taken).items():
        if not isinstance(value, np.ndarray):
            continue
        if name in scalars:
            groups[2].append(_DEFAULT[category(value.dtype.name)])
        else:
            groups[0 if value.ndim else 1].append(value.dtype.name)
    return promote(*groups)
