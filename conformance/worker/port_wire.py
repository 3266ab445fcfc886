"""Values on their way between a session and the parent: arrays, and settings.

Runs inside a framework's interpreter: standard library and NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conformance.worker import wire
from conformance.worker.port_abstract import Message
from conformance.worker.port_calls import Array
from conformance.worker.port_errors import SessionError


def arrays(result: Any) -> dict[str, Array]:
    """Return what a converter returned as arrays; a framework's own tensors are taken too."""
    if not isinstance(result, Mapping):
        what = type(result).__name__
        raise SessionError("Convert", f"the converter returned {what}; return a dict by name")
    found = {}
    for name, value in result.items():
        if not isinstance(name, str):
            raise SessionError("Convert", f"the converter returned the name {name!r}, no text")
        held = value.asnumpy() if hasattr(value, "asnumpy") else value
        array = np.asarray(held.detach().cpu().numpy() if hasattr(held, "detach") else held)
        if array.dtype.kind not in "biuf":
            kind = type(value).__name__
            raise SessionError("Convert", f"the converter's {name} is {kind}, not an array")
        found[name] = array
    return found


def packed(array: Array) -> Message:
    """Return the wire form of an array."""
    return wire.pack(array.dtype.name, array)


def unpacked(value: Message) -> Array:
    """Return the array in wire form `value`; bfloat16 as the float32 numbers that equal it."""
    array = wire.unpack(value)
    return wire.bfloat16_values(array) if value[wire.ARRAY][0] == "bfloat16" else array


def plain(value: Any) -> Any:
    """Return a setting as what execnet carries: what is no builtin type becomes its text."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return None if value is None else str(value)


def unpacked_all(values: Sequence[Message]) -> list[Array]:
    """Return several arrays in wire form."""
    return [unpacked(value) for value in values]
