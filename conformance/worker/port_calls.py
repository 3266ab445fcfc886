"""Calls of layers as hooks see them: order, shapes, what was captured, how to call again.

Runs inside a framework's interpreter: standard library only.  A tensor is whatever `Tensors` says.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from conformance.worker.port_form import leaves
from conformance.worker.values import named_fields

Array = np.ndarray[Any, Any]
Key = tuple[str, int]
"""Layer and number of the call, from 0."""
Shape = tuple[int, ...]


class Tensors(Protocol):
    """What a framework knows of its tensors."""

    def is_tensor(self, value: Any) -> bool:
        """Tell whether `value` is one of the framework's tensors."""
        ...

    def array(self, tensor: Any) -> Array:
        """Return a copy of its values; bfloat16 and float16 as float32."""
        ...


class Slot:
    """Stands for a tensor in a remembered call."""


SLOT = Slot()


def members(value: Any) -> list[Any] | None:
    """Return what `value` is made of, left to right; None when it is no container.

    Containers are tuples, lists, named tuples, mappings, dataclasses, and namespaces.
    """
    if isinstance(value, tuple | list):
        return list(value)
    if isinstance(value, Mapping):
        return list(value.values())
    names = _fields(value)
    return None if names is None else [getattr(value, name) for name in names]


def _fields(value: Any) -> list[str] | None:
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return [f.name for f in dataclasses.fields(value)]
    return list(vars(value)) if isinstance(value, types.SimpleNamespace) else None


def flatten(value: Any, is_tensor: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the tensors in a nested value, left to right."""
    if is_tensor(value):
        yield value
        return
    for member in members(value) or ():
        yield from flatten(member, is_tensor)


def rebuild(value: Any, is_leaf: Callable[[Any], bool], items: Iterator[Any]) -> Any:
    """Return `value` with the next of `items` in place of each leaf, left to right."""
    if is_leaf(value):
        return next(items)
    parts = members(value)
    if not parts:
        return value
    made = [rebuild(part, is_leaf, items) for part in parts]
    if all(new is old for new, old in zip(made, parts, strict=True)):
        return value
    if isinstance(value, tuple | list):
        return type(value)(*made) if named_fields(value) else type(value)(made)
    twin = copy.copy(value)
    if isinstance(value, Mapping):
        for name, part in zip(value, made, strict=True):
            twin[name] = part
    else:
        for name, part in zip(_fields(value) or (), made, strict=True):
            object.__setattr__(twin, name, part)
    return twin


class Trail:
    """A file that says which layer is being called, for whoever finds the process dead."""

    FILE = "layer"

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / self.FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def mark(self, running: list[str]) -> None:
        """Write down the innermost layer of `running`; what an older line leaves may follow."""
        os.pwrite(self._file, f"+{running[-1]}\n".encode() if running else b"-\n", 0)

    @classmethod
    def end(cls, folder: Path) -> str | None:
        """Return the layer that a process which left its trail in `folder` was calling, if any."""
        try:
            line = (folder / cls.FILE).read_bytes().partition(b"\n")[0].decode(errors="replace")
        except OSError:
            return None
        return line[1:] if line.startswith("+") else None


@dataclass
class Call:
    """One call of an atomic layer; see ``port/model.LayerCall``."""

    key: Key
    depth: int
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()

    def message(self) -> dict[str, Any]:
        """Return the call in wire form."""
        return dataclasses.asdict(self)


@dataclass
class Recorder:
    """Told by hooks of every call that begins and ends, it writes down those of `atomic` layers.

    `capture` are the calls whose tensors are kept.  `watch`, where the first NaN is
    looked for, tells whether a tensor holds one.
    """

    tensors: Tensors
    atomic: Collection[str]
    capture: Collection[Key] = ()
    watch: Callable[[Any], bool] | None = None
    calls: list[Call] = field(default_factory=list)
    captured: dict[Key, tuple[list[Array], list[Array]]] = field(default_factory=dict)
    templates: dict[str, list[Any]] = field(default_factory=dict)
    """By layer: the (args, kwargs) of its calls with SLOT for tensors, one of each count."""
    trail: ClassVar[Trail | None] = None
    """Of the process, where there is one who would look for it."""
    running: list[str] = field(default_factory=list)
    """Layers that are being called, the innermost last; what an exception leaves here is guilty."""
    nan: str = ""
    """In words, where the first NaN appeared; `nan_layer` is the layer."""
    nan_layer: str = ""
    _counts: Counter[str] = field(default_factory=Counter)
    _open: list[Call] = field(default_factory=list)

    def enter(self, layer: str, args: Any, kwargs: Any) -> None:
        """A layer is about to be called."""
        self.running.append(layer)
        self._mark()
        if layer not in self.atomic:
            return
        given = list(flatten((args, kwargs), self.tensors.is_tensor))
        call = Call((layer, self._counts[layer]), len(self._open), _shapes(given))
        self._counts[layer] += 1
        self.calls.append(call)
        self._open.append(call)
        self._remember(layer, (args, kwargs), len(given))
        if call.key in self.capture:
            self.captured[call.key] = ([self.tensors.array(t) for t in given], [])
        self._look(given, layer, "before")

    def leave(self, layer: str, output: Any) -> None:
        """A layer has returned `output`."""
        while self.running and self.running.pop() != layer:
            pass  # a layer that raised, in code that went on regardless
        self._mark()
        if layer not in self.atomic:
            return
        while (call := self._open.pop()).key[0] != layer:
            pass
        returned = list(leaves(output, self.tensors.is_tensor))
        call.outputs = _shapes(returned)
        if call.key in self.captured:
            self.captured[call.key][1].extend(self.tensors.array(t) for t in returned)
        self._look(returned, layer, "in the output of")

    def _mark(self) -> None:
        if self.trail is not None:
            self.trail.mark(self.running)

    def _remember(self, layer: str, call: Any, count: int) -> None:
        known = self.templates.setdefault(layer, [])
        if all(slots(template) != count for template in known):
            empty = iter([SLOT] * count)
            known.append(rebuild(call, self.tensors.is_tensor, empty))

    def _look(self, values: list[Any], layer: str, where: str) -> None:
        if self.watch is not None and not self.nan and any(map(self.watch, values)):
            self.nan, self.nan_layer = f"{where} layer {layer or 'model'!r}", layer


def is_slot(value: Any) -> bool:
    """Tell whether `value` stands for a tensor."""
    return value is SLOT


def slots(template: Any) -> int:
    """Return how many tensors a remembered call takes."""
    return sum(1 for _ in flatten(template, is_slot))


def _shapes(values: list[Any]) -> tuple[Shape, ...]:
    return tuple(tuple(int(n) for n in value.shape) for value in values)
