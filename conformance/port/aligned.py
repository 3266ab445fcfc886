"""What aligning starts from and ends in: the calls of each side, and which belong together."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from conformance.port.model import LayerCall, LayerInfo

_PASSES = ("identity", "dropout", "drop_path", "alpha_dropout", "feature_alpha_dropout")
_ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "fast_gelu",
    "silu", "mish", "sigmoid", "logsigmoid", "tanh", "tanhshrink", "hardswish", "hardsigmoid",
    "hardtanh", "hardshrink", "softshrink", "softplus", "softsign", "threshold",
)  # fmt: skip


@dataclass(frozen=True)
class Aligned:
    """Calls of both sides that compute one thing; () where a side has none.

    Where a side has several, what came in is the first one's and what went out the last one's.
    `why` says why they belong together, or stand alone; `problem` why outputs cannot be compared
    although they do, "" when they can.
    """

    torch: tuple[LayerCall, ...]
    mindspore: tuple[LayerCall, ...]
    kind: str
    why: str
    problem: str = ""

    @property
    def both(self) -> bool:
        """Whether there are calls on both sides."""
        return bool(self.torch and self.mindspore)


@dataclass(frozen=True)
class Calls:
    """One side: all its layers, and the calls that no other atomic layer's call encloses."""

    layers: Sequence[LayerInfo]
    calls: Sequence[LayerCall]

    @cached_property
    def info(self) -> dict[str, LayerInfo]:
        """Layers by name."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def by_layer(self) -> dict[str, list[int]]:
        """Positions of each layer's calls."""
        found: dict[str, list[int]] = {}
        for position, call in enumerate(self.calls):
            found.setdefault(call.key.layer, []).append(position)
        return found

    @cached_property
    def owners(self) -> dict[str, str]:
        """By tensor, the layer that was called with it: the outermost one that was called."""
        found: dict[str, str] = {}
        for layer in self.layers:
            called = [
                name for name in (*ancestors(layer.name), layer.name) if name in self.by_layer
            ]
            found |= dict.fromkeys(layer.tensors, called[0]) if called else {}
        return found

    def kind(self, position: int) -> str:
        """Return the kind of the layer that is called."""
        layer = self.info.get(self.calls[position].key.layer)
        return layer.kind if layer is not None else ""

    def family(self, position: int) -> str:
        """Return what the call is aligned by: its kind's family, or an unknown class's name."""
        layer = self.info.get(self.calls[position].key.layer)
        if layer is None or not layer.kind:
            return "class " + (layer.type.rpartition(".")[2] if layer else "").lower()
        return family(layer.kind)


def calls_of(layers: Sequence[LayerInfo], calls: Iterable[LayerCall]) -> Calls:
    """Return one side of a trace."""
    return Calls(layers, [call for call in calls if call.depth == 0])


def family(kind: str) -> str:
    """Return what kinds have in common that stand for one another in a port.

    What is fused into a layer does not count; convolutions and such keep their kind.
    """
    kind = kind.partition("+")[0]
    if kind in _ACTIVATIONS:
        return "activation"
    if kind.startswith(_PASSES):
        return "pass"
    return "pool" if re.fullmatch(r"(adaptive_)?\w+_pool[123]d", kind) else kind


def ancestors(name: str) -> list[str]:
    """Return the names of the layers around a layer, outermost first; that of the model is ""."""
    parts = name.split(".")
    return ["", *(".".join(parts[:i]) for i in range(1, len(parts)))] if name else []


def parent(name: str) -> str:
    """Return the name of the layer a layer lies in."""
    return name.rpartition(".")[0]


def ordered(found: Iterable[Aligned], torch: Calls, mindspore: Calls) -> list[Aligned]:
    """Return alignments as PyTorch ran them; what only the port has follows what ran before it."""
    place = {call.key: i for i, call in enumerate(torch.calls)}
    order = {call.key: i for i, call in enumerate(mindspore.calls)}
    items = sorted((a for a in found if a.torch), key=lambda a: place[a.torch[0].key])
    alone = sorted((a for a in found if not a.torch), key=lambda a: order[a.mindspore[0].key])
    after = {call.key: a for a in items for call in a.mindspore}
    behind: dict[int, list[Aligned]] = {}
    for item in alone:
        position = order[item.mindspore[0].key]
        before = mindspore.calls[position - 1].key if position else None
        anchor = after.get(before) if before is not None else None
        behind.setdefault(id(anchor), []).append(item)
        after |= {call.key: anchor for call in item.mindspore if anchor is not None}
    return [*behind.get(id(None), []), *(x for a in items for x in (a, *behind.get(id(a), [])))]


def rising(values: list[int]) -> list[int]:
    """Return the positions of a longest rising subsequence of `values`."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for i, value in enumerate(values):
        place = bisect_left(tails, value)
        before.append(ends[place - 1] if place else None)
        tails[place:] = [value, *tails[place + 1 :]] if place < len(tails) else [value]
        ends[place:] = [i, *ends[place + 1 :]] if place < len(ends) else [i]
    found: list[int] = []
    last = ends[-1] if ends else None
    while last is not None:
        found.append(last)
        last = before[last]
    return found[::-1]
