"""From measures over several draws to a verdict: the budgets, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from conformance.phrase import Phrase, number
from conformance.port.measure import Measured, Unmeasured
from conformance.port.result import Measure, Verdict

DEAD = 2.0**-12
"""No signal: what varies between inputs is less than 4,096 roundoffs of the values themselves."""
NOISE = 1e-2
"""Float32 itself is this far from float64, relative to the signal: it proves nothing."""

FARTHER = "the port is {ratio} times farther from float64 than PyTorch's float32 is"
"""What most verdicts rest on.  A table that shows the ratio need not say it again."""


@dataclass(frozen=True)
class Budget:
    """How many times farther from float64 than PyTorch's float32 a port may be.

    Up to `same` it is the same function, from `differs` on another; between, it cannot be told.
    `peak_same` and `peak_differs` say so of the worst part alone (`Measure.peak`).  One draw of
    many from `outlier` on is enough for not being the same.  `dead` and `noise` say when agreement
    shows nothing: see DEAD and NOISE.  `kinks` says that chance, too, makes draws differ: the draw
    at the lower quartile speaks for all, in place of the median.
    """

    same: float
    differs: float
    peak_same: float
    peak_differs: float
    outlier: float = inf
    dead: float = DEAD
    noise: float = NOISE
    kinks: bool = False


OUTPUT = Budget(same=4, differs=8, peak_same=8, peak_differs=32, outlier=32)
"""Outputs of the whole model, and what flows between layers.  Matching models were measured at 0.8
to 2.0 over five draws, the smallest defect (a LayerNorm eps of 1e-7) at 9.7."""
LAYER = Budget(same=4, differs=16, peak_same=8, peak_differs=32, outlier=64)
"""A layer alone on PyTorch's own input.  Nothing hides there, but the frameworks' kernels are seen
naked.  Right ones of MindSpore 2.10 on CPU were measured at 0.3 to 5 (a convolution of 4,608
terms), those that rest on its exp at 3 to 11; a LayerNorm eps of 1e-7 for 1e-6 at 7 on inputs of
variance 1, 79 on 0.1, GELU's tanh for erf above 1,400.  Between the budgets a setting that is known
to differ is put right and the layer is measured again."""
GRADIENT = Budget(
    same=8,
    differs=32,
    peak_same=inf,
    peak_differs=inf,
    outlier=2.0**22,
    noise=2.0**-4,
    kinks=True,
)
"""Gradients: where float32 falls on the other side of a ReLU's kink, a draw shows a difference of
1e-4 and more between two right implementations.  A defect shows in every draw, a kink in one of
three to six of those of a ReLU network; in mobilenet_v2 PyTorch's own float32 is off by 1.1% so.
Of 1,168 gradients of real ports that match none was above 2.04 by the draw that speaks for all, and
9 to 26% of single draws above 32, up to 10,500; the least of a BatchNorm eps of 1e-3 was 50.  Twice
the margin of other budgets is for kernels that rest on MindSpore's exp.  A draw that is
off by a quarter of the gradient and more, such as one in which the port stops it (10^7), is enough
for not being the same."""
LOSS = Budget(same=64, differs=1024, peak_same=inf, peak_differs=inf)
"""The losses of all draws, one number each: how far float32 is off is luck then.  Of 105 right
ports of one small model, one draw to five, two were between 8 and 20, the others below.  Another
loss, or another reduction, is off by a percent at least, which is 10^5 roundoffs."""
STATE = Budget(same=4, differs=16, peak_same=inf, peak_differs=inf, dead=2.0**-4, noise=2.0**-4)
"""Running statistics after one pass in training mode: sums over a batch.  They share the rounding
of what they were before, and move little where momentum is small: MnasNet's is 0.0003.  Measured
on real ports: 386 that match at most 1.72 (single draws 1.77), those a wrong eps or momentum
reaches from 1,000 on."""
STEP = Budget(same=8, differs=32, peak_same=inf, peak_differs=inf, dead=2.0**-4, noise=2.0**-4)
"""The update one optimizer step makes.  Adam's first step divides a gradient by itself, so where
the gradient is noise the update is, too: hence no look at single parts.  An update is small next
to its parameter, whose rounding it shares: below 16 roundoffs of that nothing is said of it.
Measured on real ports: 569 that match at most 4.4, single draws 7.7 (densenet121)."""
TRAJECTORY = Budget(same=8, differs=32, peak_same=inf, peak_differs=inf)
"""All parameters after some steps, against the greater of float32's own distance and that of
float32 on inputs perturbed by one roundoff.  Real ports that match were measured at 0.9 to 1.02;
a series of batches that met a kink, at 9.3 or far beyond: hence several (`verify.SERIES`)."""


@dataclass(frozen=True)
class Judgement:
    """A verdict and its reason ("" for same); the measures there are."""

    verdict: Verdict
    measures: tuple[Measure, ...] = ()
    reason: str = ""


def judge(found: Sequence[Measured], budget: Budget) -> Judgement:
    """Return the verdict of the same tensor's measures over draws."""
    measures = tuple(item for item in found if isinstance(item, Measure))
    missing = [item for item in found if isinstance(item, Unmeasured)]
    if not found:
        return Judgement(Verdict.NOT_COMPARED, (), Phrase("nothing was compared"))
    for verdict in (Verdict.DIFFERS, Verdict.UNRESOLVED, Verdict.NOT_COMPARED):
        told = [item for item in missing if item.verdict is verdict]
        if told and (verdict is Verdict.DIFFERS or not _far(measures, budget)):
            return Judgement(verdict, measures, told[0].reason)
    verdict, reason = _verdict(measures, budget)
    return Judgement(verdict, measures, reason)


def judge_one(found: Measured, budget: Budget) -> Judgement:
    """Return the verdict of a single measure."""
    return judge([found], budget)


def worst(measures: Sequence[Measured]) -> int:
    """Return the number of the draw that shows most: one that has no measure, or the farthest."""
    order = [inf if isinstance(item, Unmeasured) else item.ratio for item in measures]
    return order.index(max(order))


def _far(measures: Sequence[Measure], budget: Budget) -> bool:
    return bool(measures) and (
        _middle([item.ratio for item in measures], budget) >= budget.differs
        or _middle([item.peak for item in measures], budget) >= budget.peak_differs
    )


def _middle(values: Sequence[float], budget: Budget) -> float:
    """Return what speaks for all draws: the median, or the draw at the lower quartile."""
    return sorted(values)[len(values) // 4] if budget.kinks else median(values)


def _verdict(measures: Sequence[Measure], budget: Budget) -> tuple[Verdict, str]:
    ratio = _middle([item.ratio for item in measures], budget)
    peak = _middle([item.peak for item in measures], budget)
    if ratio >= budget.differs:
        return Verdict.DIFFERS, _farther(ratio)
    top = max(measures, key=lambda item: item.peak)
    if peak >= budget.peak_differs:
        return Verdict.DIFFERS, _part(peak, top.place)
    wild = [item.ratio for item in measures if item.ratio >= budget.outlier]
    if wild:
        words = Phrase(
            "in {count} of {all} draws the port is {ratio} times farther from float64 than "
            "PyTorch's float32 is",
            count=len(wild),
            all=len(measures),
            ratio=number(max(wild)),
        )
        return Verdict.UNRESOLVED, words
    if ratio > budget.same:
        return Verdict.UNRESOLVED, _farther(ratio)
    if peak > budget.peak_same:
        return Verdict.UNRESOLVED, _part(peak, top.place)
    return _shown(measures, budget)


def _shown(measures: Sequence[Measure], budget: Budget) -> tuple[Verdict, str]:
    """Return whether agreement within the budget shows anything."""
    if (
        any(item.signal == 0 for item in measures)
        or median(m.floor for m in measures) > budget.dead
    ):
        return Verdict.UNRESOLVED, Phrase("no signal: next to nothing of it varies between inputs")
    noise = _middle([item.torch for item in measures], budget)
    if noise > budget.noise:
        words = "PyTorch's own float32 is off by {share} of the signal: nothing finer can be told"
        return Verdict.UNRESOLVED, Phrase(words, share=f"{noise:.1%}")
    return Verdict.SAME, ""


def _farther(ratio: float) -> Phrase:
    return Phrase(FARTHER, ratio=number(ratio))


def _part(peak: float, place: str) -> Phrase:
    words = "one part ({place}) is {peak} times farther from float64 than float32 explains"
    return Phrase(words, place=place, peak=number(peak))
