"""One step of the optimizers, given equal gradients: the update of every parameter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from conformance.port.budget import STEP, Judgement, judge, judge_one
from conformance.port.measure import ROUNDOFF, Measured, Unmeasured, measure, rms
from conformance.port.model import Array
from conformance.port.phrase import Phrase
from conformance.port.result import Measure, TensorRow, Verdict
from conformance.port.side import Side
from conformance.port.training import Batch, Differentiated, Tensors

UPHILL = 8
"""Fewer elements than this whose update follows their gradient show no decay."""
STRAY = 0.05
"""How many of those may be where the decay does not put them."""
DRAWS = 2
"""Draws that a step is made with: those in which most gradients agree."""
EXPLAINED = 0.05
"""What a fit may leave of the difference of two updates, relative to it, to count as its reason."""


@dataclass(frozen=True)
class Fit:
    """The port's update as `scale` times PyTorch's plus `decay` times the parameter.

    `left` is what this leaves, relative to the difference of both updates.  `torch_coupled` and
    `port_coupled` estimate the weight decay that a side adds to the gradient, from the signs of
    its update; None where they show none.
    """

    scale: float
    decay: float
    left: float
    torch_coupled: float | None = None
    port_coupled: float | None = None

    @property
    def explains(self) -> bool:
        """Whether scale and decay are the reason of the difference."""
        return self.left <= EXPLAINED


@dataclass(frozen=True)
class Stepped:
    """Updates of all parameters after one step, with fits of those that differ; rates by group."""

    rows: tuple[TensorRow, ...]
    fits: Mapping[str, Fit] = field(default_factory=dict)
    unmoved: frozenset[str] = frozenset()
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
    makes noise of noise.
    """
    start, ported = torch.read(), port.read()
    names = [row.torch for row in gradients.gradients]
    found: dict[str, list[Measured]] = defaultdict(list)
    fits: dict[str, list[Fit]] = defaultdict(list)
    unmoved: set[str] = set()
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
            if name not in own or not (name in agreed or name in gradients.wrong):
                continue
            before = start[name].astype(np.float64)
            y, noisy, mine = (after[name] - before for after in (exact, single, own))
            found[name].append(measured := _update(y, noisy, mine, before))
            empty = name in gradients.without
            if not empty and judge_one(measured, STEP).verdict is Verdict.DIFFERS:
                fits[name].append(fit(mine, y, before, slopes.get(name)))
            if y.any() and not mine.any():
                unmoved.add(name)
        torch.write(start)
        port.write(ported)
    rows = [_row(name, tensors, found[name], gradients) for name in names]
    wrong = {row.torch for row in rows if row.verdict is Verdict.DIFFERS}
    return Stepped(
        tuple(_said(row, unmoved) for row in rows),
        {name: _middle(draws) for name, draws in fits.items() if name in wrong},
        frozenset(unmoved & wrong),
        *rates,
    )


def _clearest(
    batches: Sequence[Batch], agreed: Sequence[frozenset[str]]
) -> list[tuple[Batch, frozenset[str]]]:
    """Return the draws in which most gradients agree, with which these are."""
    draws = sorted(zip(batches, agreed, strict=False), key=lambda draw: -len(draw[1]))
    return draws[:DRAWS]


def fit(port: Array, torch: Array, parameter: Array, gradient: Array | None = None) -> Fit:
    """Return the least-squares fit of one update by another and the parameter itself.

    Elements that the two move in opposite directions are left to `coupled`.
    """
    y, a, p = (np.ravel(array).astype(np.float64) for array in (port, torch, parameter))
    signs = (None, None) if gradient is None else [coupled(u, gradient, p) for u in (a, y)]
    along = (y * a > 0) if 2 * (y * a > 0).sum() > y.size else np.ones(y.shape, bool)
    y, a, p = y[along], a[along], p[along]
    gap = rms(y - a)
    if not gap:
        return Fit(1.0, 0.0, 0.0, *signs)
    units = [rms(a) or 1.0, rms(p) or 1.0]
    columns = np.stack([a / units[0], p / units[1]], axis=1)
    scale, decay = np.linalg.lstsq(columns, y, rcond=1e-6)[0] / units
    return Fit(float(scale), float(decay), rms(y - scale * a - decay * p) / gap, *signs)


def coupled(update: Array, gradient: Array, parameter: Array) -> float | None:
    """Return the weight decay that was added to the gradient before the optimizer used it.

    Adam's first update has the sign of -(gradient + decay * parameter), so it runs uphill just
    where the parameter is larger than the gradient / decay and of the other sign.  None where no
    decay tells those elements from the others; a lower bound where all run uphill that can.
    """
    u, g, p = (np.ravel(array).astype(np.float64) for array in (update, gradient, parameter))
    live = (u != 0) & (g != 0) & (p != 0)
    uphill, against = (u * g > 0)[live], (g * p < 0)[live]
    if uphill.sum() < UPHILL or (uphill & ~against).sum() > STRAY * uphill.sum():
        return None
    size = np.abs(p[live][against] / g[live][against])
    order = np.argsort(size)
    size, up = size[order], uphill[against][order]
    # Errors of the rule "uphill from this element on", for every element and for none.
    errors = np.append(0, np.cumsum(up)) + np.append(np.cumsum(~up[::-1])[::-1], 0)
    at = int(errors.argmin())
    if errors[at] > STRAY * min(len(up), 2 * up.sum()):
        return None
    edges = [size[max(at - 1, 0)], size[min(at, len(size) - 1)]]
    return float(1 / np.sqrt(edges[0] * edges[1]))


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
