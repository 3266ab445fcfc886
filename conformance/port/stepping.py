"""One step of the optimizers, given equal gradients: the update of every parameter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from conformance.phrase import Phrase
from conformance.port.budget import STEP, Judgement, judge, judge_one
from conformance.port.measure import ROUNDOFF, Measured, Unmeasured, measure, rms
from conformance.port.model import Array
from conformance.port.result import Measure, TensorRow, Verdict
from conformance.port.side import Side
from conformance.port.training import Batch, Differentiated, Tensors
from conformance.port.updates import Fit, fit, read

DRAWS = 2
"""Draws that a step is made with: those in which most gradients agree."""


@dataclass(frozen=True)
class Stepped:
    """Updates of all parameters after one step, with fits of those that differ; rates by group.

    `unmoved` are those that the port does not move, `alone` those that it alone moves.
    """

    rows: tuple[TensorRow, ...]
    fits: Mapping[str, Fit] = field(default_factory=dict)
    unmoved: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    torch_rates: tuple[float, ...] = ()
    port_rates: tuple[float, ...] = ()


def step(
    torch: Side,
    port: Side,
    tensors: Tensors,
    batches: Sequence[Batch],
    gradients: Differentiated,
) -> Stepped:
    """Compare the first update.  Values of both sides are what they were afterwards.

    `batches` are those that `gradients` come from; a draw tells of the parameters whose gradient
    agrees in it, since an update shows a ReLU's kink as its gradient does.  Not compared are
    parameters whose gradient differs already, and those without a gradient where the optimizer
    makes noise of noise.  Those that no gradient reaches on either side are to stay as they are in
    both: PyTorch's optimizers skip them.
    """
    start, ported = torch.read(), port.read()
    sloped = [row.torch for row in gradients.gradients]
    mapped = [i.name for i in torch.tensors() if i.trainable and i.name in tensors.names]
    names = list(dict.fromkeys([*sloped, *mapped]))
    found: dict[str, list[Measured]] = defaultdict(list)
    fits: dict[str, list[Fit]] = defaultdict(list)
    unmoved: set[str] = set()
    alone: set[str] = set()
    rates: tuple[tuple[float, ...], tuple[float, ...]] = (), ()
    for batch, agreed in _clearest(batches, gradients.agreed):
        slopes = torch.differentiate(batch.inputs, batch.targets, precision="float64").gradients
        torch.begin("float64")
        torch.begin()
        port.begin()
        first = torch.step(batch.inputs, batch.targets, "float64")
        torch.step(batch.inputs, batch.targets)
        rates = first.rates, port.step(batch.inputs, batch.targets).rates
        exact, single = torch.read(names, "float64"), torch.read(names)
        own = tensors.back(port.read())
        for name in names:
            if name not in own or (
                name in sloped and not (name in agreed or name in gradients.wrong)
            ):
                continue
            before = start[name].astype(np.float64)
            y, noisy, mine = (after[name] - before for after in (exact, single, own))
            found[name].append(measured := _update(y, noisy, mine, before))
            if name in gradients.without:
                continue
            if not y.any() and mine.any():
                alone.add(name)
            elif y.any() and not mine.any():
                unmoved.add(name)
            elif judge_one(measured, STEP).verdict is Verdict.DIFFERS:
                fits[name].append(_fit(mine, y, before, slopes.get(name), rates))
        torch.write(start)
        port.write(ported)
    rows = [_row(name, tensors, found[name], gradients) for name in names]
    wrong = {row.torch for row in rows if row.verdict is Verdict.DIFFERS}
    return Stepped(
        tuple(_said(row, unmoved) for row in rows),
        {name: _middle(draws) for name, draws in fits.items() if name in wrong},
        frozenset(unmoved & wrong),
        frozenset(alone & wrong),
        *rates,
    )


def _clearest(
    batches: Sequence[Batch], agreed: Sequence[frozenset[str]]
) -> list[tuple[Batch, frozenset[str]]]:
    """Return the draws in which most gradients agree, with which these are."""
    draws = sorted(zip(batches, agreed, strict=False), key=lambda draw: -len(draw[1]))
    return draws[:DRAWS]


def _fit(
    port: Array,
    torch: Array,
    before: Array,
    gradient: Array | None,
    rates: Sequence[Sequence[float]],
) -> Fit:
    """Return the fit of an update that differs, and what each side's tells of its optimizer."""
    made = fit(port, torch, before)
    if gradient is None:
        return made
    # A parameter's group is not known, so neither is its rate where there are several.
    ours, theirs = (group[0] if len(set(group)) == 1 else 0.0 for group in rates)
    return replace(
        made,
        torch=read(torch, gradient, before, ours),
        port=read(port, gradient, before, theirs),
    )


def _update(exact: Array, single: Array, port: Array, before: Array) -> Measured:
    if not exact.any() and not single.any():
        if not port.any():
            return Measure(0.0, 0.0, ROUNDOFF, signal=1.0)
        return Unmeasured(Verdict.DIFFERS, Phrase("updated in the port only"))
    return measure(exact, single, port, varies="values", size=rms(before))


def _row(
    name: str, tensors: Tensors, found: Sequence[Measured], gradients: Differentiated
) -> TensorRow:
    judged = judge(found, STEP)
    if name in gradients.wrong:
        words = Phrase("its gradient differs already")
        judged = Judgement(Verdict.NOT_COMPARED, judged.measures, words)
    elif not found:
        words = Phrase("its gradient differs in the draws that a step was made with")
        judged = Judgement(Verdict.NOT_COMPARED, (), words)
    elif name in gradients.without and any(_noisy(item) for item in found):
        words = Phrase("it has no gradient: the optimizer makes noise of noise")
        judged = Judgement(Verdict.NOT_COMPARED, judged.measures, words)
    return TensorRow(
        name, tensors.names[name], "step", judged.measures, judged.verdict, judged.reason
    )


def _noisy(item: Measured) -> bool:
    return isinstance(item, Unmeasured) or item.torch > STEP.noise


def _said(row: TensorRow, unmoved: Collection[str]) -> TensorRow:
    if row.verdict is Verdict.DIFFERS and row.torch in unmoved:
        words = Phrase("not updated in the port: frozen, or not given to the optimizer")
        return TensorRow(row.torch, row.mindspore, "step", row.measures, row.verdict, words)
    return row


def _middle(fits: Sequence[Fit]) -> Fit:
    """Return the fit of the draw with the median scale."""
    return sorted(fits, key=lambda item: item.scale)[len(fits) // 2]
