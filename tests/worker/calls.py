"""Call messages written by hand, and replies read back."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from conformance.worker import wire

Message = dict[str, Any]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def arr(value: Any, dtype: str = "float32", **how: str) -> Message:
    """Return `value` in wire form; `how` is ``as_`` and ``layout``."""
    array = np.asarray(value, dtype=BFLOAT16 if dtype == "bfloat16" else dtype)
    return {**wire.pack(dtype, array), **{key.rstrip("_"): text for key, text in how.items()}}


def step(api: str, *args: str | int, form: str = "function", **names: Any) -> Message:
    """Return a step; `names` are its kwargs, constructor, state and fixed."""
    empty: Message = {"kwargs": {}, "constructor": {}, "state": {}, "fixed": {}}
    return {"form": form, "api": api, "args": list(args), **empty, **names}


def message(*steps: Message, kind: str = "function", **given: Any) -> Message:
    """Return a call; what is not a field of the message is one of its values."""
    fields: Message = {"returns": None, "gradients": [], "training": False, "seed": 0}
    known = {key: given.pop(key, default) for key, default in fields.items()}
    return {"kind": kind, "steps": list(steps), **known, "values": given}


def read(value: Any) -> Any:
    """Return a wire value with its arrays as arrays; bfloat16 as the ml_dtypes type."""
    if isinstance(value, dict) and wire.ARRAY in value:
        array = wire.unpack(value)
        return array.view(BFLOAT16) if value[wire.ARRAY][0] == "bfloat16" else array
    if isinstance(value, tuple | list):
        return type(value)(read(item) for item in value)
    return value


def equal(value: Any, expected: Any, dtype: str) -> None:
    """Assert that a wire array holds exactly `expected`, in that shape and dtype."""
    assert value[wire.ARRAY][0] == dtype
    found, wanted = read(value), np.asarray(expected)
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found if found.dtype.kind == "c" else found.astype(float), wanted)


def near(value: Any, expected: Any, rtol: float = 1e-6) -> None:
    """Assert that a wire array holds `expected` to a few float32 roundoffs, in that shape."""
    found, wanted = read(value), np.asarray(expected)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=1e-7)
