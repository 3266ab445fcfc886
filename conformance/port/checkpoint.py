"""A converted checkpoint written out, and proven by loading it back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.port.model import Array
from conformance.port.side import Side


def write(side: Side, values: Mapping[str, Array], path: str) -> list[str]:
    """Give `side` the `values`, save it at `path` and load that file back.

    Before loading, every tensor given is overwritten, so that a file that lacks it cannot pass.
    Returns the names of tensors that did not come back bit for bit, in order; none is success.
    The side then holds what the file holds.
    """
    side.write(values)
    before = side.read()
    side.save(path)
    side.write({name: _other(before[name]) for name in values})
    side.load(path)
    after = side.read()
    return [name for name, array in before.items() if not _identical(array, after.get(name))]


def _other(array: Array) -> Array:
    """Return values that differ from `array` everywhere."""
    if array.dtype.kind == "b":
        return ~array
    return np.where(array == 1, 2, 1).astype(array.dtype)


def _identical(a: Array, b: Array | None) -> bool:
    return (
        b is not None and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    )
