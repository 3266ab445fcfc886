"""A MindSpore model's layers and tensors by name, its calls told by hooks, and its values."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mindspore as ms
import numpy as np

from conformance.worker.port_calls import Array, Recorder
from conformance.worker.port_errors import SessionError


@dataclass(frozen=True)
class Slot:
    """A parameter or buffer.  `saved` is its name in checkpoints, "" when they leave it out.

    `saved` parts from `name` where a prefix is missing or a parameter was given a name by hand: a
    BatchNorm that is the model itself saves ``moving_mean`` as ``mean``.  `first` is the first
    name of the same tensor.
    """

    name: str
    tensor: Any
    layer: str
    saved: str
    first: str

    @property
    def trainable(self) -> bool:
        """Whether training would update it."""
        return bool(self.saved and self.tensor.requires_grad)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(int(n) for n in self.tensor.shape)

    @property
    def dtype(self) -> str:
        """The name of its dtype."""
        return str(self.tensor.dtype).rpartition(".")[2].lower().rstrip("_")


def named_cells(model: Any) -> dict[str, Any]:
    """Return all cells by attribute path, parents first; one that is held twice by its first."""
    return dict(model.cells_and_names())


def slots(model: Any) -> dict[str, Slot]:
    """Return parameters, then buffers, of each cell in turn, by every attribute path they have."""
    found: dict[str, Slot] = {}
    names: dict[int, str] = {}
    layers: dict[int, str] = {}
    for path, cell in _paths(model, ""):
        layer = layers.setdefault(id(cell), path)
        own = [(name, p, p.name) for name, p in cell.parameters_and_names(expand=False)]
        own += [(name, b, "") for name, b in cell.named_buffers(recurse=False)]
        for own_name, tensor, saved in own:
            name = f"{path}.{own_name}" if path else own_name
            first = names.setdefault(id(tensor), name)
            found[name] = Slot(name, tensor, layer, saved, first)
    return found


def _paths(cell: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, cell
    for name, inner in cell._cells.items():
        if inner is not None:
            yield from _paths(inner, f"{path}.{name}" if path else name)


def copied(model: Any) -> Any:
    """Return a deep copy.  Primitives that MindSpore cannot copy, such as Dropout2D, are shared."""
    memo: dict[int, Any] = {}
    for _, cell in model.cells_and_names():
        for primitive in cell._primitives.values():
            try:
                copy.deepcopy(primitive)
            except Exception:
                memo[id(primitive)] = primitive
    return copy.deepcopy(model, memo)


def is_tensor(value: Any) -> bool:
    """Tell whether `value` is a tensor or a parameter."""
    return isinstance(value, ms.Tensor)


def dtype(value: Any) -> str | None:
    """Return the name of a tensor's dtype, as NumPy spells it; None for what is no tensor."""
    return str(value.dtype).lower() if is_tensor(value) else None


def array(tensor: Any) -> Array:
    """Return a copy of a tensor's values: its own memory may be written to again.

    bfloat16 and float16 come as float32.
    """
    if tensor.dtype in (ms.bfloat16, ms.float16):
        tensor = tensor.astype(ms.float32)
    copied: Array = np.array(tensor.asnumpy(), copy=True, order="C")
    return copied


def tensor(values: Array) -> Any:
    """Return a tensor with memory of its own."""
    return ms.Tensor(np.array(values, copy=True, order="C"))


def assign(slot: Slot, values: Array) -> None:
    """Write values where the tensor is.

    ``Parameter.set_data`` would give it other memory, and a graph that is compiled already would
    go on to read the old: seen with ``mindspore.jit`` of MindSpore 2.10.
    """
    if values.shape != slot.shape:
        words = f"{slot.name} has shape {slot.shape}, not {tuple(values.shape)}"
        raise SessionError("Write", words, slot.layer)
    given = ms.Tensor(np.array(values, copy=True, order="C")).astype(slot.tensor.dtype)
    if slot.saved:
        ms.ops.assign(slot.tensor, given)
    else:
        slot.tensor.copy_(given)


class Tensors:
    """What `Recorder` wants to know of MindSpore's tensors."""

    is_tensor = staticmethod(is_tensor)
    array = staticmethod(array)


@contextlib.contextmanager
def hooked(cells: Mapping[str, Any], recorder: Recorder) -> Iterator[None]:
    """Tell `recorder` of every call of a cell.

    A ``construct`` that its author compiles by ``mindspore.jit`` runs uncompiled meanwhile:
    compiled it tells of no calls inside, and MindSpore would try to compile the hooks too.
    """
    handles: list[Any] = []

    def add(name: str, cell: Any) -> None:
        def enter(_: Any, args: Any, kwargs: Any) -> None:
            recorder.enter(name, args, kwargs)

        def leave(_: Any, __: Any, ___: Any, output: Any) -> None:
            recorder.leave(name, output)

        handles.append(cell.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(cell.register_forward_hook(leave, with_kwargs=True))

    before = os.environ.get("MS_JIT")
    os.environ["MS_JIT"] = "0"
    try:
        for name, cell in cells.items():
            add(name, cell)
        yield
    finally:
        for handle in handles:
            handle.remove()
        del os.environ["MS_JIT"]
        if before is not None:
            os.environ["MS_JIT"] = before


class Whole(ms.nn.Cell):  # type: ignore[misc]
    """Calls a model.  A cell of its own, since a graph is kept for the cell it was compiled for."""

    def __init__(self, model: Any) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the model returns."""
        return self.model(*args, **kwargs)


class WithLoss(ms.nn.Cell):  # type: ignore[misc]
    """The loss of a model that is given its `count` inputs, then the targets."""

    def __init__(self, model: Any, loss: Any, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.loss, self.count = model, loss, count

    def construct(self, *given: Any) -> Any:
        """Return ``loss(output, *targets)``."""
        return self.loss(self.model(*given[: self.count]), *given[self.count :])


class WithCotangent(ms.nn.Cell):  # type: ignore[misc]
    """The sum of a model's first output times a cotangent, which is the last that it is given.

    `path` are the indices and keys that lead to that output.
    """

    def __init__(self, model: Any, path: Sequence[Any]) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.path = model, tuple(path)

    def construct(self, *given: Any) -> Any:
        """Return the sum."""
        output = self.model(*given[:-1])
        for step in self.path:
            output = output[step]
        return (output * given[-1]).sum()
