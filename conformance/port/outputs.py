"""Outputs of the whole models over draws, sizes and modes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from conformance.errors import PortFailed
from conformance.phrase import Phrase
from conformance.port.both import Both
from conformance.port.budget import LOSS, OUTPUT, Judgement, judge
from conformance.port.config import Mode
from conformance.port.forms import Node, node, paired, unlike
from conformance.port.measure import Unmeasured, centre_of, measure
from conformance.port.model import Array, Forward
from conformance.port.result import FORM, ForwardRow, Verdict
from conformance.port.side import Side

RANDOM = 1e-3
"""Two passes over the same inputs that are this far apart, relative, draw random numbers."""


@dataclass(frozen=True)
class _Truth:
    """Outputs of one draw: PyTorch's in float64 and in float32."""

    exact: Forward
    single: Forward


Key = tuple[str, Mode]
MOST = 8
"""Of so many outputs that differ it is looked whether they are exchanged."""
_Three = tuple[Array, Array, Array]
"""One output in PyTorch's float64, in its float32, and the port's."""


@dataclass
class _Collected:
    """Outputs of all draws by size: PyTorch's, and by size and mode the port's or why none."""

    truths: dict[str, list[_Truth]]
    ported: dict[Key, list[Forward | PortFailed]]


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
    found.truths[size].append(_Truth(exact, single))
    for mode in modes:
        told = found.ported[size, mode]
        if told and isinstance(told[-1], PortFailed):
            continue
        try:
            ran = both.port.run(inputs, training=training, graph=mode == "graph")
            told.append(ran)
        except PortFailed as error:
            if error.fatal or mode == "pynative":
                raise
            told.append(error)


def _rows(
    size: str,
    mode: Mode,
    training: bool,
    truths: Sequence[_Truth],
    ported: Sequence[Forward | PortFailed],
) -> list[ForwardRow]:
    failed = [told for told in ported if isinstance(told, PortFailed)]
    if failed:
        problem = str(failed[0])
        return [ForwardRow(size, training, mode, 0, (), Verdict.NOT_COMPARED, problem)]
    given = [told for told in ported if not isinstance(told, PortFailed)]
    rows = [
        ForwardRow(size, training, mode, FORM, (), verdict, words, place)
        for place, (verdict, words) in _told_of_form(truths, given).items()
    ]
    tensors = _tensors(truths, given)
    judged = {place: _judge(threes) for place, threes in tensors.items()}
    for one, other in _exchanged(tensors, judged):
        words = Phrase("its outputs {one} and {other} are exchanged", one=one, other=other)
        rows.append(ForwardRow(size, training, mode, FORM, (), Verdict.DIFFERS, words))
    for n, (place, found) in enumerate(judged.items()):
        row = ForwardRow(
            size, training, mode, n, found.measures, found.verdict, found.reason, place
        )
        rows.append(row)
    if not rows:
        words = Phrase("it returns no tensor")
        rows = [ForwardRow(size, training, mode, 0, (), Verdict.NOT_COMPARED, words)]
    return rows


def _told_of_form(
    truths: Sequence[_Truth], ported: Sequence[Forward]
) -> dict[str, tuple[Verdict, str]]:
    """Return by place what the outputs of any draw are made otherwise in, plain numbers too."""
    told: dict[str, tuple[Verdict, str]] = {}
    numbers: dict[str, list[_Three]] = defaultdict(list)
    for truth, given in zip(truths, ported, strict=True):
        single, exact = (paired(node(own), node(given)) for own in (truth.single, truth.exact))
        for place, words in single.problems.items():
            told.setdefault(place, (Verdict.DIFFERS, words))
        for place, (torch, port) in single.numbers.items():
            wide = exact.numbers.get(place, (torch, port))[0]
            numbers[place].append((np.asarray(wide), np.asarray(torch), np.asarray(port)))
    for place, threes in numbers.items():
        unequal = [three[1:] for three in threes if not _equal(*three[1:])]
        found = judge([measure(*three, varies="values") for three in threes], LOSS)
        if unequal and found.verdict is not Verdict.SAME:
            sides = [Node("number", value.item()) for value in unequal[0]]
            told.setdefault(place, (found.verdict, unlike(sides[0], sides[1], place)))
    return told


def _equal(one: Array, other: Array) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124  # NaN


def _tensors(truths: Sequence[_Truth], ported: Sequence[Forward]) -> dict[str, list[_Three | None]]:
    """Return by place the tensors of all draws; None where PyTorch's depends on the precision."""
    tensors: dict[str, list[_Three | None]] = defaultdict(list)
    for truth, given in zip(truths, ported, strict=True):
        single, exact = (paired(node(own), node(given)) for own in (truth.single, truth.exact))
        for place, (theirs, mine) in single.tensors.items():
            three = None
            if place in exact.tensors:
                y = truth.exact.outputs[exact.tensors[place][0]]
                three = y, truth.single.outputs[theirs], given.outputs[mine]
            tensors[place].append(three)
    return tensors


def _exchanged(
    tensors: Mapping[str, Sequence[_Three | None]], judged: Mapping[str, Judgement]
) -> Iterator[tuple[str, str]]:
    """Yield outputs that differ, and agree when each is taken for the other."""
    wrong = [place for place, found in judged.items() if found.verdict is Verdict.DIFFERS]
    for one, other in combinations(wrong[:MOST], 2):
        threes = list(zip(tensors[one], tensors[other], strict=False))
        crossed = [(a and b and (*a[:2], b[2]), a and b and (*b[:2], a[2])) for a, b in threes]
        if all(_judge(found).verdict is Verdict.SAME for found in zip(*crossed, strict=True)):
            yield one, other


def _judge(found: Sequence[_Three | None]) -> Judgement:
    """Return what is said of one output over all draws.

    Where a draw holds one input, or one number, what varies is seen between draws.
    """
    threes = [three for three in found if three is not None]
    if len(threes) < len(found):
        words = Phrase("PyTorch's own outputs depend on the precision")
        return judge([Unmeasured(Verdict.UNRESOLVED, words)], OUTPUT)
    scalar = all(y.ndim == 0 for y, _, _ in threes)
    if scalar and len(threes) == 1:
        words = Phrase("one number: what varies between inputs cannot be told; draw several")
        return judge([Unmeasured(Verdict.UNRESOLVED, words)], OUTPUT)
    if scalar:
        threes = [(y[None], torch[None], port[None]) for y, torch, port in threes]
    exact = [y for y, _, _ in threes]
    alone = exact[0].ndim > 0 and len(exact[0]) == 1
    same = len({array.shape for array in exact}) == 1
    centre = centre_of(exact) if alone and same and len(exact) > 1 else None
    measured = [measure(*three, centre=centre) for three in threes]
    return judge(measured, LOSS if scalar else OUTPUT)


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
