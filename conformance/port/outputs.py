"""Outputs of the whole models over draws, sizes and modes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conformance.errors import PortFailed
from conformance.port.both import Both
from conformance.port.budget import OUTPUT, Judgement, judge
from conformance.port.config import Mode
from conformance.port.measure import Measured, Unmeasured, centre_of, measure
from conformance.port.model import Array
from conformance.port.phrase import Phrase
from conformance.port.result import ForwardRow, Verdict
from conformance.port.side import Side

RANDOM = 1e-3
"""Two passes over the same inputs that are this far apart, relative, draw random numbers."""


@dataclass(frozen=True)
class _Truth:
    """Outputs of one draw: PyTorch's in float64 and in float32."""

    exact: Sequence[Array]
    single: Sequence[Array]


Key = tuple[str, Mode]


@dataclass
class _Collected:
    """Outputs of all draws by size: PyTorch's, and by size and mode the port's or why none."""

    truths: dict[str, list[_Truth]]
    ported: dict[Key, list[Sequence[Array] | PortFailed]]


def outputs(
    both: Both,
    *,
    training: bool = False,
    sizes: Sequence[str] | None = None,
    modes: Sequence[Mode] | None = None,
    draws: Sequence[int] | None = None,
) -> list[ForwardRow]:
    """Return a row for each size, mode and output, over all draws of values and inputs.

    A mode that fails is told in its rows, unless its worker died with it: that raises PortFailed.
    """
    plan = both.plan
    sizes, modes = sizes or plan.sizes, modes or plan.modes
    found = _Collected(defaultdict(list), defaultdict(list))
    for seed in draws or plan.draws:
        both.give(seed)
        for size in sizes:
            _collect(both, size, seed, modes, training, found)
    return [
        row
        for size in sizes
        for mode in modes
        for row in _rows(size, mode, training, found.truths[size], found.ported[size, mode])
    ]


def _collect(
    both: Both, size: str, seed: int, modes: Sequence[Mode], training: bool, found: _Collected
) -> None:
    inputs = both.draw(size, seed).inputs
    exact = both.torch.run(inputs, training=training, precision="float64")
    single = both.torch.run(inputs, training=training)
    found.truths[size].append(_Truth(exact.outputs, single.outputs))
    for mode in modes:
        told = found.ported[size, mode]
        if told and isinstance(told[-1], PortFailed):
            continue
        try:
            ran = both.port.run(inputs, training=training, graph=mode == "graph")
            told.append(ran.outputs)
        except PortFailed as error:
            if error.fatal or mode == "pynative":
                raise
            told.append(error)


def _rows(
    size: str,
    mode: Mode,
    training: bool,
    truths: Sequence[_Truth],
    ported: Sequence[Sequence[Array] | PortFailed],
) -> list[ForwardRow]:
    failed = [told for told in ported if isinstance(told, PortFailed)]
    if failed:
        problem = str(failed[0])
        return [ForwardRow(size, training, mode, 0, (), Verdict.NOT_COMPARED, problem)]
    given = [told for told in ported if not isinstance(told, PortFailed)]
    judged = _judged(truths, given)
    return [
        ForwardRow(size, training, mode, n, found.measures, found.verdict, found.reason)
        for n, found in enumerate(judged)
    ]


def _judged(truths: Sequence[_Truth], ported: Sequence[Sequence[Array]]) -> list[Judgement]:
    counts = {len(truth.exact) for truth in truths}, {len(given) for given in ported}
    if counts[0] != counts[1]:
        words = Phrase(
            "it returns {port} tensors, PyTorch {torch}",
            port=", ".join(map(str, sorted(counts[1]))),
            torch=", ".join(map(str, sorted(counts[0]))),
        )
        return [judge([Unmeasured(Verdict.DIFFERS, words)], OUTPUT)]
    return [
        judge(list(_measured(truths, ported, number)), OUTPUT)
        for number in range(len(truths[0].exact))
    ]


def _measured(
    truths: Sequence[_Truth], ported: Sequence[Sequence[Array]], number: int
) -> list[Measured]:
    exact = [truth.exact[number] for truth in truths]
    alone = exact[0].ndim > 0 and len(exact[0]) == 1
    same = len({array.shape for array in exact}) == 1
    centre = centre_of(exact) if alone and same and len(exact) > 1 else None
    return [
        measure(y, truth.single[number], given[number], centre=centre)
        for y, truth, given in zip(exact, truths, ported, strict=True)
    ]


def random_still(both: Both) -> str:
    """Return which side still draws random numbers in training, or ""."""
    for side in (both.torch, both.port):
        if draws_random(both, side, training=True):
            return Phrase("{side} draws random numbers in training", side=side.framework)
    return ""


def draws_random(both: Both, side: Side, *, training: bool) -> bool:
    """Whether two passes of a side over the same inputs are apart."""
    inputs = both.draw(both.plan.sizes[0], both.plan.draws[0]).inputs
    one, two = (side.run(inputs, training=training).outputs for _ in range(2))
    return any(_apart(a, b) > RANDOM for a, b in zip(one, two, strict=True))


def _apart(one: Array, two: Array) -> float:
    if one.dtype.kind != "f" or not one.size:
        return float(not np.array_equal(one, two))
    scale = float(np.abs(one).max()) or 1.0
    return float(np.abs(one.astype(np.float64) - two).max()) / scale
