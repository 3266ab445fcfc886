"""Gradients of every parameter, running statistics and the loss of one pass in training mode."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from conformance.phrase import Phrase, number
from conformance.port.budget import GRADIENT, LOSS, STATE, Budget, Judgement, judge
from conformance.port.measure import ROUNDOFF, TINY, Measured, Unmeasured, measure, rms
from conformance.port.model import Array, Backward
from conformance.port.result import Measure, TensorRow, Verdict
from conformance.port.side import Side

MOVED = 2.0**-16
"""A statistic that moves by less, relative to itself, is as good as still: its batch was the one
that it stems from."""
FITS = 1e-3
"""What one factor leaves of a change, relative to it, where the factor explains the change."""


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one draw."""

    inputs: Sequence[Array]
    targets: Sequence[Array] = ()


@dataclass(frozen=True)
class Tensors:
    """The map of tensors: the port's names by PyTorch's, and the port's arrays in PyTorch's layout.

    `back` takes arrays by the port's names and returns them by PyTorch's, without those of which
    the port has None.
    """

    names: Mapping[str, str]
    back: Callable[[Mapping[str, Array | None]], Mapping[str, Array]]


@dataclass(frozen=True)
class Differentiated:
    """What one pass forward and back shows.

    `wrong` are parameters whose gradient differs, `without` those without a true gradient, such as
    a bias before a normalisation: float32 has nothing but noise there.  `agreed` are, by draw, the
    parameters whose gradient is the same in it.
    """

    loss: Judgement
    gradients: tuple[TensorRow, ...]
    state: tuple[TensorRow, ...]
    wrong: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    agreed: tuple[frozenset[str], ...] = ()


def differentiate(
    torch: Side, port: Side, tensors: Tensors, batches: Sequence[Batch], *, graph: bool = False
) -> Differentiated:
    """Compare losses, gradients and state over draws.  Values of both sides stay what they were."""
    before = torch.read()
    losses: list[tuple[float, float, float]] = []
    gradients: dict[str, list[_Item]] = defaultdict(list)
    state: dict[str, list[_Item]] = defaultdict(list)
    agreed: list[frozenset[str]] = []
    for batch in batches:
        exact = torch.differentiate(batch.inputs, batch.targets, precision="float64")
        single = torch.differentiate(batch.inputs, batch.targets)
        ported = port.differentiate(batch.inputs, batch.targets, graph=graph)
        losses.append((exact.loss, single.loss, ported.loss))
        slopes = dict(_gradients(exact, single, tensors.back(ported.gradients), tensors))
        agreed.append(frozenset(name for name, item in slopes.items() if _agrees(item)))
        for name, item in slopes.items():
            gradients[name].append(item)
        for name, item in _states(exact, single, tensors.back(ported.state), before, tensors):
            state[name].append(item)
    rows = [_row(n, tensors, "gradient", found, GRADIENT) for n, found in gradients.items()]
    without = [n for n, found in gradients.items() if _most(item.empty for item in found)]
    return Differentiated(
        _loss(losses),
        tuple(rows),
        tuple(_row(n, tensors, "state", found, STATE) for n, found in state.items()),
        frozenset(row.torch for row in rows if row.verdict is Verdict.DIFFERS),
        frozenset(without),
        tuple(agreed),
    )


def _agrees(item: _Item) -> bool:
    return isinstance(item.measured, Measure) and item.measured.ratio <= GRADIENT.same


@dataclass(frozen=True)
class _Item:
    """One tensor in one draw: its measure, a remark, and whether it holds nothing but noise."""

    measured: Measured
    remark: str = ""
    empty: bool = False


SMALL = "next to no gradient: PyTorch's own float32 is off by {share} of it"
FROZEN_HERE = "the port gives it no gradient: it is frozen, or no parameter"
FROZEN_THERE = "PyTorch gives it no gradient: it is frozen there"
ZERO = "the port's gradient is zero"
NOISE_ONLY = "no gradient on either side: PyTorch's own float32 shows noise alone"


def _gradients(
    exact: Backward, single: Backward, ported: Mapping[str, Array], tensors: Tensors
) -> Iterator[tuple[str, _Item]]:
    known = [g for g in exact.gradients.values() if g is not None]
    sizes = sum(g.size for g in known)
    scale = float(np.sqrt(sum(g.size * rms(g) ** 2 for g in known) / sizes)) if sizes else 0.0
    for name in tensors.names:
        y, torch = exact.gradients.get(name), single.gradients.get(name)
        port = ported.get(name)
        if y is None or torch is None:
            if port is not None and port.any():
                yield name, _Item(Unmeasured(Verdict.DIFFERS, Phrase(FROZEN_THERE)))
        elif port is None:
            yield name, _Item(Unmeasured(Verdict.DIFFERS, Phrase(FROZEN_HERE)))
        else:
            yield name, _gradient(y, torch, port, scale)


def _gradient(y: Array, torch: Array, port: Array, scale: float) -> _Item:
    found = measure(y, torch, port, varies="values")
    if isinstance(found, Unmeasured):
        return _Item(found)
    unit = scale or 1.0
    if found.torch * rms(y) >= rms(y):
        absolute = _absolute(found, rms(torch), rms(port), unit)
        return _Item(absolute, Phrase(NOISE_ONLY), empty=True)
    if found.torch > GRADIENT.noise and rms(y) < unit:
        words = Phrase(SMALL, share=f"{found.torch:.1%}")
        absolute = _absolute(found, found.torch * rms(y), found.port * rms(y), unit)
        return _Item(absolute, words if port.any() else Phrase(ZERO))
    return _Item(found, "" if port.any() else Phrase(ZERO))


def _absolute(found: Measure, torch: float, port: float, unit: float) -> Measure:
    """Return the measure of a gradient that all but cancels, next to the model's whole gradient."""
    return Measure(port / unit, torch / unit, floor=ROUNDOFF, signal=unit, largest=found.largest)


def _states(
    exact: Backward,
    single: Backward,
    ported: Mapping[str, Array],
    before: Mapping[str, Array],
    tensors: Tensors,
) -> Iterator[tuple[str, _Item]]:
    for name in tensors.names:
        if name in exact.state and exact.state[name].dtype.kind == "f":
            y, torch = exact.state[name], single.state[name]
            port = ported.get(name)
            if port is None:
                words = Phrase("the port has no such state")
                yield name, _Item(Unmeasured(Verdict.NOT_COMPARED, words))
            else:
                yield name, _state(y, torch, port, before[name])


def _state(y: Array, torch: Array, port: Array, before: Array) -> _Item:
    moved = _moves(y, before)
    if not moved and not _moves(port, before):
        still = Measure(0.0, 0.0, ROUNDOFF, signal=1.0)
        return _Item(still, Phrase("moves on neither side"))
    if moved and not _moves(port, before, MOVED / 16):
        words = "does not move in the port: the layer runs as in evaluation, or its momentum is off"
        return _Item(Unmeasured(Verdict.DIFFERS, Phrase(words)))
    if not np.any(y != before):
        return _Item(Unmeasured(Verdict.DIFFERS, Phrase("moves in the port only")))
    found = measure(y, torch, port, centre=before)
    factor = times(port - before, y - before)
    if factor is None or abs(factor - 1) < FITS:
        return _Item(found)
    words = "moves {factor} times as far as PyTorch's"
    return _Item(found, Phrase(words, factor=number(factor)))


def _moves(after: Array, before: Array, least: float = MOVED) -> bool:
    """Whether a statistic has moved by more than `least` of itself."""
    return rms(np.asarray(after, np.float64) - before) > least * max(rms(before), TINY)


def times(port: Array, y: Array) -> float | None:
    """Return the factor by which `port` is `y`; None where no factor explains it."""
    a, b = np.ravel(port).astype(np.float64), np.ravel(y).astype(np.float64)
    square = float(b @ b)
    if square == 0 or a.shape != b.shape:
        return None
    factor = float(a @ b) / square
    return factor if rms(a - factor * b) <= FITS * max(rms(a), rms(b)) else None


def _row(
    name: str,
    tensors: Tensors,
    what: Literal["gradient", "state", "step"],
    found: Sequence[_Item],
    budget: Budget,
) -> TensorRow:
    judged = judge([item.measured for item in found], budget)
    remarks = [item.remark for item in found if item.remark]
    said = len(remarks) > len(found) / 2
    if said and judged.verdict is Verdict.DIFFERS and judged.reason:
        words = Phrase("{remark}; {reason}", remark=remarks[0], reason=judged.reason)
        problem: str = words if remarks[0] != NOISE_ONLY else judged.reason
    else:
        problem = judged.reason or (remarks[0] if said else "")
    return TensorRow(name, tensors.names[name], what, judged.measures, judged.verdict, problem)


def _most(flags: Iterator[bool]) -> bool:
    told = list(flags)
    return sum(told) > len(told) / 2


def _loss(losses: Sequence[tuple[float, float, float]]) -> Judgement:
    """Judge the losses of all draws as one tensor, since one alone may be right by luck."""
    if not losses:
        return judge([], LOSS)
    exact, single, ported = (np.array(column) for column in zip(*losses, strict=True))
    return judge([measure(exact, single, ported, varies="values")], LOSS)
