"""Inputs and outputs of aligned calls of both sides, a group at a time within a memory cap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from conformance.port.model import Array, CallKey, Captured, LayerCall, Precision
from conformance.port.side import Side

MEMORY = 2**30
"""Most bytes of captured tensors held at a time, where nothing else is said."""
BYTES = {"float64": 8, "float32": 4, "port": 4}
"""Bytes an element takes: in PyTorch's float64 and float32, and in the port."""


@dataclass(frozen=True)
class Pair:
    """One call on both sides, or on one side only; `problem` says why nothing can be compared."""

    torch: LayerCall | None
    mindspore: LayerCall | None
    kind: str = ""
    problem: str = ""

    @property
    def depth(self) -> int:
        """How many atomic layers it runs inside."""
        call = self.torch or self.mindspore
        return call.depth if call else 0


@dataclass(frozen=True)
class Pass:
    """What both models are run on, and how: one draw of inputs at one size."""

    inputs: Sequence[Array]
    training: bool = False
    graph: bool = False
    size: str = ""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A pair with what was captured of it; None where a side has no such call, or kept nothing."""

    pair: Pair
    exact: Captured | None
    torch: Captured | None
    port: Captured | None


def need(pair: Pair) -> int:
    """Return how many bytes a pair takes in both precisions of PyTorch and in the port."""
    torch = _elements(pair.torch) * (BYTES["float64"] + BYTES["float32"])
    return torch + _elements(pair.mindspore) * BYTES["port"]


def plan(pairs: Iterable[Pair], memory: int = MEMORY) -> list[list[Pair]]:
    """Return the pairs in their order, in groups that fit into `memory` bytes.

    One that alone needs more is a group of its own: it is captured all the same.
    """
    groups: list[list[Pair]] = []
    held = 0
    for pair in pairs:
        size = need(pair)
        if not groups or held + size > memory:
            groups.append([])
            held = 0
        groups[-1].append(pair)
        held += size
    return groups


def captures(
    torch: Side, port: Side, pairs: Sequence[Pair], on: Pass, memory: int = MEMORY
) -> Iterator[Aligned]:
    """Yield what every pair was given and returned, in order; a group costs three forward passes.

    Whoever keeps a yielded value beyond the next one keeps its memory.
    """
    for group in plan(pairs, memory):
        keys = [pair.torch.key for pair in group if pair.torch]
        others = [pair.mindspore.key for pair in group if pair.mindspore]
        exact = _run(torch, keys, on, "float64")
        single = _run(torch, keys, on, "float32")
        ported = _run(port, others, on, "float32")
        while group:
            pair = group.pop(0)
            one = pair.torch.key if pair.torch else None
            other = pair.mindspore.key if pair.mindspore else None
            yield Aligned(pair, _take(exact, one), _take(single, one), _take(ported, other))


def _run(
    side: Side, keys: Sequence[CallKey], on: Pass, precision: Precision
) -> dict[CallKey, Captured]:
    if not keys:
        return {}
    graph = on.graph and side.framework == "mindspore"
    forward = side.run(
        on.inputs, training=on.training, precision=precision, capture=keys, graph=graph
    )
    return dict(forward.captured)


def _take(captured: dict[CallKey, Captured], key: CallKey | None) -> Captured | None:
    return captured.pop(key, None) if key is not None else None


def _elements(call: LayerCall | None) -> int:
    return sum(prod(shape) for shape in (*call.inputs, *call.outputs)) if call else 0
