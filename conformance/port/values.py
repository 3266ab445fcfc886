"""Values through the map: PyTorch's to MindSpore's, and those read back in PyTorch's layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from conformance.port.model import Array
from conformance.port.result import WeightRow
from conformance.port.transforms import WHOLE, Part, chain


def usable(row: WeightRow) -> bool:
    """Tell whether `row` says how an array becomes another: both tensors, and shapes that fit."""
    if row.torch_shape is None or row.mindspore_shape is None:
        return False
    return chain(row.transform).between(row.torch_shape, row.mindspore_shape) is not None


def apply(rows: Iterable[WeightRow], torch: Mapping[str, Array]) -> dict[str, Array]:
    """Return MindSpore's values, by its names, of PyTorch's, in PyTorch's dtypes.

    What no usable row sets, or not wholly, is left out; rows tell of it.  Raises ValueError when
    `torch` lacks a tensor that a row names.
    """
    filled = _Filled()
    for row in filter(usable, rows):
        if row.torch not in torch:
            raise ValueError(f"no value is given for PyTorch's {row.torch}")
        assert row.mindspore_shape is not None
        steps = chain(row.transform)
        part = steps.forward(np.asarray(torch[row.torch]), row.mindspore_shape)
        filled.put(row.mindspore, row.mindspore_shape, steps.target, part)
    return filled.whole()


def restore(rows: Iterable[WeightRow], mindspore: Mapping[str, Array | None]) -> dict[str, Array]:
    """Return in PyTorch's names and layout what `mindspore` holds: values, gradients, statistics.

    A tensor of PyTorch's is left out when `mindspore` lacks any part of it, or has None there.
    """
    filled = _Filled()
    for row in filter(usable, rows):
        value = mindspore.get(row.mindspore)
        if value is not None:
            assert row.torch_shape is not None
            steps = chain(row.transform)
            part = steps.inverse(np.asarray(value), row.torch_shape)
            filled.put(row.torch, row.torch_shape, steps.source, part)
    return filled.whole()


class _Filled:
    """Arrays put together of their parts; what is put twice keeps the first."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.parts: dict[str, set[Part]] = {}

    def put(self, name: str, shape: tuple[int, ...], part: Part, values: Array) -> None:
        taken = self.parts.setdefault(name, set())
        if any(part.overlaps(other) for other in taken):
            return
        taken.add(part)
        if part == WHOLE:
            self.arrays[name] = np.array(values, order="C")
            return
        whole = self.arrays.setdefault(name, np.empty(shape, values.dtype))
        whole[part.rows(shape[0])] = values

    def whole(self) -> dict[str, Array]:
        covered = {name: sum(1 / p.count for p in parts) for name, parts in self.parts.items()}
        return {name: array for name, array in self.arrays.items() if covered[name] > 0.999}
