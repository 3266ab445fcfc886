"""Inputs and outputs of aligned calls of both sides, a group at a time within a memory cap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from conformance.port.model import Array, CallKey, Captured, LayerCall, Precision
from conformance.port.side import Side

MEMORY = 2**30
"""Most bytes of captured tensors held at a time, where nothing else is said."""
BYTES = {"float64": 8, "float32": 4, "port": 4}
"""Bytes an element takes: in PyTorch's float64 and float32, and in the port."""


class Pair(Protocol):
    """Calls of both sides that compute one thing, as ``port/aligned.py`` has them.

    () where a side has none.  Where a side has several, one feeding the next, what came in is the
    first one's and what went out the last one's.  `problem` says why nothing can be compared.
    """

    @property
    def torch(self) -> tuple[LayerCall, ...]:
        """PyTorch's calls."""

    @property
    def mindspore(self) -> tuple[LayerCall, ...]:
        """The port's calls."""

    @property
    def kind(self) -> str:
        """Canonical kind of layer, or ""."""

    @property
    def problem(self) -> str:
        """Why outputs cannot be compared, or ""."""


@dataclass(frozen=True)
class Pass:
    """What both models are run on, and how: one draw of inputs at one size."""

    inputs: Sequence[Array]
    training: bool = False
    graph: bool = False
    size: str = ""


@dataclass(frozen=True, eq=False)
class Kept:
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
) -> Iterator[Kept]:
    """Yield what every pair was given and returned, in order; a group costs three forward passes.

    Whoever keeps a yielded value beyond the next one keeps its memory.
    """
    for group in plan(pairs, memory):
        keys = [key for pair in group for key in _ends(pair.torch)]
        others = [key for pair in group for key in _ends(pair.mindspore)]
        exact = _run(torch, keys, on, "float64")
        single = _run(torch, keys, on, "float32")
        ported = _run(port, others, on, "float32")
        while group:
            pair = group.pop(0)
            ours = _take(exact, pair.torch), _take(single, pair.torch)
            yield Kept(pair, *ours, _take(ported, pair.mindspore))


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


def _take(captured: dict[CallKey, Captured], calls: Sequence[LayerCall]) -> Captured | None:
    """Return what came into the first of the calls and went out of the last."""
    ends = [captured.pop(key, None) for key in _ends(calls)]
    if not ends or ends[0] is None or ends[-1] is None:
        return None
    return Captured(ends[0].inputs, ends[-1].outputs)


def _ends(calls: Sequence[LayerCall]) -> list[CallKey]:
    return [call.key for call in (calls[:1] if len(calls) < 2 else (calls[0], calls[-1]))]


def _elements(calls: Sequence[LayerCall]) -> int:
    ends = {call.key: call for call in (*calls[:1], *calls[-1:])}
    return sum(prod(shape) for c in ends.values() for shape in (*c.inputs, *c.outputs))
