"""Some steps of training: is the port farther from float64 than float32's own chaos drives it?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, sqrt

import numpy as np

from conformance.phrase import Phrase, number
from conformance.port.budget import TRAJECTORY, Judgement
from conformance.port.measure import ROUNDOFF, rms
from conformance.port.model import Array, Precision
from conformance.port.result import TrajectoryRow, Verdict
from conformance.port.side import Side
from conformance.port.training import Batch, Tensors

CHAOS = 0.1
"""Where float32 itself has lost this much of the way that float64 went, nothing more is said."""
PERTURBED = 6
"""Runs of float32 on perturbed inputs, at most: none is needed after one that explains the port.
In mobilenet_v2 one draw in three to six meets a kink."""
RATE = 1e-5
"""Rates are equal up to this, relative: frameworks hold them in float32, or compute them so."""


@dataclass(frozen=True)
class Trajectory:
    """Every step, the verdict on the whole, and what is wrong with the rates ("" for nothing).

    `floors` are, by step, one rounding of all parameters relative to the way float64 has gone.
    """

    rows: tuple[TrajectoryRow, ...]
    judgement: Judgement
    schedule: str = ""
    floors: tuple[float, ...] = ()


def trajectory(
    torch: Side,
    port: Side,
    tensors: Tensors,
    batches: Sequence[Batch],
    *,
    leave: Collection[str] = (),
    seed: int = 0,
    most: int = PERTURBED,
) -> Trajectory:
    """Train both for a step per batch.  Values of both sides are what they were afterwards.

    Of `most` runs of float32 on perturbed inputs the farthest counts, step by step: a ReLU's kink
    is met in some of them only.
    `leave` are parameters to leave out of distances: those without a true gradient, of which an
    optimizer such as Adam makes random walks as long as its steps.
    """
    start, ported = torch.read(), port.read()
    trained = [i.name for i in torch.tensors() if i.trainable and i.name in tensors.names]
    names = [name for name in trained if name not in leave]
    rows, floors = _together(torch, port, tensors, batches, names)
    torch.write(start)
    port.write(ported)
    for draw in range(most):
        rng = np.random.RandomState(seed * PERTURBED + draw)
        away = _perturbed(torch, batches, names, start, rng)
        torch.write(start)
        rows = [_farthest(row, own) for row, own in zip(rows, away, strict=True)]
        if judge_rows(rows, floors).verdict is Verdict.SAME:
            break
    rates = schedule([row.torch_rate for row in rows], [row.port_rate for row in rows])
    return Trajectory(tuple(rows), judge_rows(rows, floors), rates, tuple(floors))


def _together(
    torch: Side, port: Side, tensors: Tensors, batches: Sequence[Batch], names: Sequence[str]
) -> tuple[list[TrajectoryRow], list[float]]:
    start = torch.read(names, "float64")
    size = _norm(start)
    for precision in _PRECISIONS:
        torch.begin(precision)
    port.begin()
    rows, floors = [], []
    for number_, batch in enumerate(batches, 1):
        first = torch.step(batch.inputs, batch.targets, "float64")
        torch.step(batch.inputs, batch.targets, "float32")
        other = port.step(batch.inputs, batch.targets)
        exact = torch.read(names, "float64")
        way = _distance(exact, start) or 1.0
        own = tensors.back(port.read())
        rows.append(
            TrajectoryRow(
                step=number_,
                torch_loss=first.loss,
                port_loss=other.loss,
                torch_rate=first.rates[0] if first.rates else float("nan"),
                port_rate=other.rates[0] if other.rates else float("nan"),
                port=_distance(own, exact) / way,
                torch=_distance(torch.read(names), exact) / way,
                perturbed=0.0,
            )
        )
        floors.append(ROUNDOFF * size / way)
    return rows, floors


_PRECISIONS: tuple[Precision, ...] = ("float64", "float32")


def _farthest(row: TrajectoryRow, away: float | None) -> TrajectoryRow:
    return replace(row, perturbed=max(row.perturbed, row.torch if away is None else away))


def _perturbed(
    torch: Side,
    batches: Sequence[Batch],
    names: Sequence[str],
    start: Mapping[str, Array],
    rng: np.random.RandomState,
) -> list[float | None]:
    """Return how far float32 on perturbed inputs is from float64; None where no input can be."""
    for precision in _PRECISIONS:
        torch.begin(precision)
    away: list[float | None] = []
    for batch in batches:
        if not any(array.dtype.kind == "f" for array in batch.inputs):
            return [None] * len(batches)
        torch.step(batch.inputs, batch.targets, "float64")
        torch.step([_nudged(array, rng) for array in batch.inputs], batch.targets, "float32")
        exact = torch.read(names, "float64")
        way = _distance(exact, start) or 1.0
        away.append(_distance(torch.read(names), exact) / way)
    return away


def _nudged(array: Array, rng: np.random.RandomState) -> Array:
    """Move every float by one unit in its last place, up or down."""
    if array.dtype.kind != "f":
        return array
    single = array.astype(np.float32)
    up = np.where(rng.rand(*array.shape) < 0.5, np.float32(np.inf), np.float32(-np.inf))
    return np.asarray(np.nextafter(single, up))


def judge_rows(rows: Sequence[TrajectoryRow], floors: Sequence[float]) -> Judgement:
    """Return the verdict: by how much the port is farther than float32, and until which step.

    A difference counts where it stays: at the last step that can be judged, or at most of them.
    Agreement needs two: an optimizer's state shows from the second step on.
    """
    if not rows:
        return Judgement(Verdict.NOT_COMPARED, (), Phrase("no step was made"))
    ratios = []
    for row, floor in zip(rows, floors, strict=True):
        noise = max(row.torch, row.perturbed, floor)
        if not np.isfinite([row.port_loss, row.port]).all():
            finite = np.isfinite([row.torch_loss, row.torch]).all()
            if finite:
                words = Phrase("NaN or Inf in the port at step {step}", step=row.step)
                return Judgement(Verdict.DIFFERS, (), words)
            words = Phrase(
                "training ends in NaN or Inf at step {step} on both sides", step=row.step
            )
            return Judgement(Verdict.UNRESOLVED, (), words)
        if noise > CHAOS:
            break
        ratios.append(row.port / noise)
    if not ratios:
        words = Phrase("float32 itself loses the way in the first step: nothing can be told")
        return Judgement(Verdict.UNRESOLVED, (), words)
    far = [ratio >= TRAJECTORY.differs for ratio in ratios]
    words = Phrase(
        "after {steps} steps the port is {ratio} times farther from float64 than float32 alone "
        "drives it",
        steps=len(ratios),
        ratio=number(ratios[-1]),
    )
    if far[-1] or 2 * sum(far) > len(far):
        return Judgement(Verdict.DIFFERS, (), words)
    if max(ratios) > TRAJECTORY.same:
        return Judgement(Verdict.UNRESOLVED, (), words)
    if len(ratios) == 1 < len(rows):
        words = Phrase("float32 itself loses the way in the second step: smaller steps tell more")
        return Judgement(Verdict.UNRESOLVED, (), words)
    return Judgement(Verdict.SAME)


def schedule(torch: Sequence[float], port: Sequence[float]) -> str:
    """Return in words how the port's rates differ from PyTorch's; "" where they do not.

    NaN stands for a rate that a side does not tell.
    """
    one, other = np.array(torch), np.array(port)
    if np.isnan([*one, *other]).any() or _equal(one, other):
        return ""
    varies = not _equal(one, np.full_like(one, one[0])) and len(one) > 1
    if varies and _equal(one[1:], other[:-1]):
        return Phrase("the port's rates are PyTorch's of the step after: off by one, ahead")
    if varies and _equal(one[:-1], other[1:]):
        return Phrase("the port's rates are PyTorch's of the step before: off by one, behind")
    if one.all() and _equal(other / one, np.full_like(one, other[0] / one[0])):
        factor = number(other[0] / one[0])
        return Phrase("the port's rates are {factor} times PyTorch's", factor=factor)
    at = int(np.flatnonzero(~np.isclose(one, other, rtol=RATE, atol=0))[0])
    return Phrase(
        "from step {step} on the port's rates differ: {port}, PyTorch's {torch}",
        step=at + 1,
        port=f"{other[at]:.6g}",
        torch=f"{one[at]:.6g}",
    )


def _equal(one: Array, other: Array) -> bool:
    return bool(np.allclose(one, other, rtol=RATE, atol=0))


def _norm(values: Mapping[str, Array]) -> float:
    return hypot(*(sqrt(value.size) * rms(value) for value in values.values()))


def _distance(one: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    return _norm({n: one[n].astype(np.float64) - other[n] for n in other if n in one})
