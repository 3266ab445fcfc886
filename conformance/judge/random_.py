"""Random draws: reproducible under a seed, fresh without one, and of the law they should follow."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from conformance.corpus.inputs import Array
from conformance.judge.returned import Examined
from conformance.judge.structure import OUTPUT
from conformance.judge.verdict import Finding
from conformance.judge.words import said
from conformance.reference.distribution import Distribution
from conformance.run.outcome import Returned
from conformance.taxonomy import Kind

SIGNIFICANCE = 1e-6
"""Probability with which a test accuses a correct generator."""

ENOUGH = 100
"""Draws below which no test of the law is worth its name."""


def examine(outcome: Returned, law: Distribution, dtype: str) -> Examined:
    """Judge the three draws of a random call: first, again under the same seed, and next.

    The law is tested on the first and the next draw together.
    """
    draws = outcome.output
    if (
        not isinstance(draws, tuple | list)
        or len(draws) != 3
        or not all(isinstance(d, np.ndarray) for d in draws)
    ):
        return Examined(why=said("the target gave no draws"))
    seen = Examined(compared=True)
    first, again, following = draws
    if other := {d.dtype.name for d in draws} - {dtype}:
        detail = said("dtype is {got}, but should be {should}", got=other.pop(), should=dtype)
        seen.findings.append(Finding(Kind.RETURN_DTYPE, OUTPUT, detail))
    if wrong := {d.shape for d in draws} - {law.shape}:
        detail = said("shape is {got}, but should be {should}", got=wrong.pop(), should=law.shape)
        seen.findings.append(Finding(Kind.RETURN_SHAPE, OUTPUT, detail))
        return seen
    if changed := int(np.sum((first != again) & ~(np.isnan(first) & np.isnan(again)))):
        detail = said(
            "{count} of {size} elements differ under the same seed", count=changed, size=first.size
        )
        _accuse(seen, Kind.RANDOMNESS, detail)
    _test(seen, first, following, law)
    return seen


def _accuse(seen: Examined, kind: Kind, detail: str) -> None:
    seen.findings.append(Finding(kind, OUTPUT, detail))


def _test(seen: Examined, first: Array, following: Array, law: Distribution) -> None:
    for draw in (first, following):
        if outside := int(np.sum(~_within(draw, law))):
            detail = said(
                "{count} of {size} elements lie outside the support", count=outside, size=draw.size
            )
            _accuse(seen, Kind.DISTRIBUTION, detail)
            return
    both = [np.asarray(law.transform(d), dtype=float) for d in (first, following)]
    if both[0].size < ENOUGH:
        seen.compared = False
        seen.why = said(
            "{count} draws are too few to test a distribution; take {enough} or more",
            count=both[0].size,
            enough=ENOUGH,
        )
        return
    if np.array_equal(first, following) and _varies(law.rv):
        detail = said("the next draw repeats the first: the generator does not advance")
        _accuse(seen, Kind.RANDOMNESS, detail)
        return
    if callable(law.rv) and not hasattr(law.rv, "cdf"):
        if why := law.rv(np.concatenate([b.ravel() for b in both])):
            _accuse(seen, Kind.DISTRIBUTION, str(why))
        return
    for test, probability in _probabilities(law.rv, both):
        if not probability >= SIGNIFICANCE:
            detail = said(
                "{test}: p = {probability:.2g}, but should be at least {least:g}",
                test=test,
                probability=probability,
                least=SIGNIFICANCE,
            )
            _accuse(seen, Kind.DISTRIBUTION, detail)


def _within(draw: Array, law: Distribution) -> Array:
    if callable(law.support):
        return np.asarray(law.support(draw), dtype=bool)
    low, high = law.support
    values = law.transform(draw).astype(float)
    return np.asarray((values >= low) & (values <= high))


def _varies(rv: Any) -> bool:
    return not hasattr(rv, "var") or bool(np.any(np.asarray(rv.var()) > 0))


def _probabilities(rv: Any, draws: list[Array]) -> list[tuple[str, float]]:
    """Return tests by name with their p-values.

    Each draw goes through its own distribution function (for a discrete one, spread evenly over
    the step), so that all are uniform and one Kolmogorov-Smirnov test serves every law, also one
    whose parameters vary by element.  Mean and variance are tested by their normal limit.
    """
    x = np.stack(draws)
    uniform = _distribution_function(rv, x)
    mean, variance, _, kurtosis = (np.broadcast_to(m, x.shape) for m in rv.stats(moments="mvsk"))
    fit = float(stats.kstest(uniform.ravel(), "uniform").pvalue)
    tests: list[tuple[str, float]] = [("Kolmogorov-Smirnov", fit)]
    varies = variance > 0
    if not varies.any():
        return [(said("constant"), float(np.all(x == mean)))]
    centred = (x - mean)[varies]
    var = variance[varies]
    tests.append((said("mean"), _two_sided(centred.sum() / np.sqrt(var.sum()))))
    spread = (kurtosis[varies] + 2) * var**2
    if spread.sum() > 0:
        excess = (centred**2 - var).sum() / np.sqrt(spread.sum())
        tests.append((said("variance"), _two_sided(excess)))
    return tests


def _distribution_function(rv: Any, x: Array) -> Array:
    if not hasattr(rv, "pmf"):
        return np.asarray(rv.cdf(x))
    steps = np.random.RandomState(65_557).uniform(size=x.shape)
    return np.asarray(rv.cdf(x - 1) + steps * rv.pmf(x))


def _two_sided(z: Any) -> float:
    return float(2 * stats.norm.sf(abs(z)))
