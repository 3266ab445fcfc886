"""What a dtype admits, and which an output must have."""

from __future__ import annotations

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array
from conformance.reference import dtypes
from conformance.reference.registry import Reference

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


def inexact(array: Array) -> bool:
    """Tell whether `array` is of a floating or complex dtype, bfloat16 included."""
    return array.dtype.kind in "fc" or array.dtype.name == "bfloat16"


def output_dtypes(reference: Reference, case: ExpandedCase, count: int) -> list[str]:
    """Return the dtype by name that each of `count` outputs must have, by the reference's rule."""
    scalars = [name for name, spec in case.specs.items() if spec.as_ == "scalar"]
    return dtypes.output_dtypes(reference, case.values, count, scalars)
