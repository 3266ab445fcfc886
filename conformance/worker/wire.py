"""How values cross between the harness and a worker, and the cotangent both must agree on.

Only types that ``execnet`` serialises natively are used: ``None``, ``bool``, ``int``, ``float``,
``complex``, ``str``, ``bytes``, ``list``, ``tuple`` and ``dict``.  Everything else is a dict with
one key that starts with ``$``:

========================  =====================================================================
``{"$array": (dtype, shape, bytes)}``  an array; optional ``"as"`` (``tensor``, ``parameter``,
                          ``ndarray``, ``list``, ``scalar``) and ``"layout"`` (``transposed``)
``{"$dtype": name}``      a dtype as an option value
``{"$named": (type, {field: value})}``  a named tuple; plain tuples and lists go as themselves
``{"$object": repr}``     anything else a framework returned
``{"$api": name}``        a function of the framework, as an argument
========================  =====================================================================

bfloat16 travels as its 16 bits, so neither side needs a NumPy extension type.

What a call is given is written as *terms*: the name of a value, the number of an earlier step for
its result, ``{"api": name}`` for a function of the framework, or ``{"list": terms}`` and
``{"tuple": terms}`` for a sequence of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

ARRAY, DTYPE, NAMED, OBJECT = "$array", "$dtype", "$named", "$object"
API = "$api"
SEQUENCES: dict[str, type[list[Any]] | type[tuple[Any, ...]]] = {"list": list, "tuple": tuple}
Term = str | int | dict[str, Any]


def pack(dtype: str, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the wire form of `array`, whose bytes hold elements of the dtype named `dtype`."""
    return {ARRAY: (dtype, tuple(int(n) for n in array.shape), array.tobytes())}


def parts(term: Term) -> Iterator[str | int]:
    """Yield the names and step numbers in `term`."""
    if isinstance(term, dict):
        if "api" in term:
            return
        for members in term.values():
            for member in members:
                yield from parts(member)
    else:
        yield term


def unpack(value: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return the array in wire form `value`; bfloat16 comes back as its bits in uint16."""
    dtype, shape, data = value[ARRAY]
    storage = np.uint16 if dtype == "bfloat16" else np.dtype(dtype)
    return np.frombuffer(data, dtype=storage).reshape(shape).copy()


def bfloat16_values(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the float32 values of bfloat16 `bits` (uint16), exactly."""
    wide = bits.reshape(-1).astype(np.uint32) << np.uint32(16)
    return wide.view(np.float32).reshape(bits.shape)


def cotangent(shape: tuple[int, ...], index: int) -> np.ndarray[Any, Any]:
    """Return the fixed seeded cotangent for output number `index`, float64 of `shape`.

    Its values are multiples of 1/8 in [-2, 2] without zero, so every floating dtype down to
    bfloat16 holds them exactly and a vector-Jacobian product loses nothing by the cast.
    """
    draw = np.random.RandomState(20_000 + index).randint(1, 17, size=shape)
    sign = np.random.RandomState(30_000 + index).choice([-1.0, 1.0], size=shape)
    return np.asarray(draw / 8.0 * sign, dtype=np.float64).reshape(shape)
