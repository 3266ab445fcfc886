"""The closed vocabulary every layer shares: frameworks, kinds of difference, dtypes."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Framework = Literal["torch", "mindspore"]
FRAMEWORKS: tuple[Framework, ...] = ("torch", "mindspore")

Library = Literal["torch", "mindspore", "numpy"]
LIBRARIES: tuple[Library, ...] = (*FRAMEWORKS, "numpy")
"""What has APIs that a pair may name: the frameworks that are compared, and NumPy."""

DTYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
Dtype = Literal[
    "bool", "uint8", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip

INEXACT = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


class Kind(StrEnum):
    """A kind of difference.  The first group comes from signatures, the rest from execution."""

    NAME = "name"
    ORDER = "order"
    DEFAULT = "default"
    MISSING_IN_MINDSPORE = "missing-in-mindspore"
    MISSING_IN_TORCH = "missing-in-torch"
    DEPRECATED = "deprecated"
    CALL_FORM = "call-form"

    INPUT_TYPE = "input-type"
    DTYPE_SUPPORT = "dtype-support"
    RETURN_STRUCTURE = "return-structure"
    RETURN_DTYPE = "return-dtype"
    RETURN_SHAPE = "return-shape"

    VALUE = "value"
    SPECIAL_VALUES = "special-values"
    GRADIENT = "gradient"
    EXCEPTION = "exception"
    MUTATION = "mutation"
    RANDOMNESS = "randomness"
    """Draws that do not repeat under a seed, or do not advance without one."""
    DISTRIBUTION = "distribution"
    """Draws that follow another law, or leave its support."""
    BROADCASTING = "broadcasting"

    UNSUPPORTED = "unsupported-on-device"
    CRASH = "crash"
    HANG = "hang"
    MODE = "mode"

    CLAIM = "claim"
    """A published number, signature or exception that execution does not give."""


NOT_FOUND_YET = frozenset({Kind.INPUT_TYPE, Kind.BROADCASTING, Kind.MODE})
"""Kinds no judge tells apart yet: what they would name shows as value, exception, …"""

SIGNATURE_KINDS = frozenset(
    {
        Kind.NAME,
        Kind.ORDER,
        Kind.DEFAULT,
        Kind.MISSING_IN_MINDSPORE,
        Kind.MISSING_IN_TORCH,
        Kind.DEPRECATED,
        Kind.CALL_FORM,
    }
)
