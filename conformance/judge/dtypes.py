"""What a dtype admits, and which dtype an output must have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array
from conformance.reference.registry import Reference
from conformance.taxonomy import INEXACT

ROUNDOFF = {
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
    "float32": 2.0**-24,
    "float64": 2.0**-53,
    "complex64": 2.0**-24,
    "complex128": 2.0**-53,
}
"""Unit roundoff: half the distance from 1 to the next number."""

SUBNORMAL = {
    "float16": 2.0**-24,
    "bfloat16": 2.0**-133,
    "float32": 2.0**-149,
    "float64": 2.0**-1074,
    "complex64": 2.0**-149,
    "complex128": 2.0**-1074,
}
"""The smallest positive number."""

OVERFLOW = {
    "float16": np.longdouble(65520),
    "bfloat16": (2 - np.longdouble(2) ** -8) * np.longdouble(2) ** 127,
    "float32": (2 - np.longdouble(2) ** -24) * np.longdouble(2) ** 127,
    "float64": (2 - np.longdouble(2) ** -53) * np.longdouble(2) ** 1023,
    "complex64": (2 - np.longdouble(2) ** -24) * np.longdouble(2) ** 127,
    "complex128": (2 - np.longdouble(2) ** -53) * np.longdouble(2) ** 1023,
}
"""The least magnitude that rounds to infinity."""

_DEFAULT = ("bool", "int64", "float32", "complex64")


def inexact(array: Array) -> bool:
    """Tell whether `array` is of a floating or complex dtype, bfloat16 included."""
    return array.dtype.kind in "fc" or array.dtype.name == "bfloat16"


def category(name: str) -> int:
    """Return 0 for bool, 1 for integers, 2 for floating and 3 for complex dtypes."""
    if name == "bool":
        return 0
    return 3 if name.startswith("complex") else 2 if name in INEXACT else 1


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


def output_dtypes(reference: Reference, case: ExpandedCase, count: int) -> list[str]:
    """Return the dtype by name that each of `count` outputs must have, by the reference's rule."""
    taken = {k: v for k, v in case.values.items() if k in reference.parameters}
    rule: Any = reference.dtype
    if callable(rule):
        rule = rule(**taken)
    rules = list(rule) if isinstance(rule, tuple | list) else [rule] * count
    if len(rules) != count:
        raise ValueError(f"{reference.name}: {len(rules)} dtypes for {count} outputs")
    return [_resolve(item, case, taken) for item in rules]


def _resolve(rule: Any, case: ExpandedCase, taken: Mapping[str, Any]) -> str:
    if not isinstance(rule, str):
        return np.dtype(rule).name
    if rule.startswith("="):
        value = taken[rule[1:]]
        return value.dtype.name if isinstance(value, np.ndarray) else str(value)
    if rule != "promote":
        return rule
    ranks: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name, value in taken.items():
        if isinstance(value, np.ndarray):
            if case.specs[name].as_ == "scalar":
                ranks[2].append(_DEFAULT[category(value.dtype.name)])
            else:
                ranks[0 if value.ndim else 1].append(value.dtype.name)
    return promote(*ranks)
