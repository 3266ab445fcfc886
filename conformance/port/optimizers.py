"""How two optimizers differ, in words: what fits of their first updates tell."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from statistics import median

from conformance.phrase import Phrase, joined, number
from conformance.port.stepping import Stepped
from conformance.port.updates import Fit, Reading

BIAS = 0.001**0.5
"""What Adam's bias correction makes of the root of the second moment first, at the usual betas."""
UNCORRECTED = 0.1 / BIAS
"""How many times larger Adam's first update is without bias correction."""
CLOSE = 0.01
"""Relative; two numbers that are fitted are the same up to this."""
EPS = 0.05
"""Relative; so well is Adam's eps read off an update."""
UNDECAYED = ("gamma", "beta")
"""Ends of the names that MindSpore's optimizers give no weight decay by default."""


def told_apart(fits: Mapping[str, Fit], step: Stepped) -> Phrase | None:
    """Return in words what explains updates that differ, given by parameter; None where nothing."""
    return _linear(fits, step) or _coupled(fits) or _fitted(fits, step) or _eps(fits)


def _linear(fits: Mapping[str, Fit], step: Stepped) -> Phrase | None:
    """Return the words for two weight decays that the updates themselves tell, as SGD's do."""
    ours, theirs = _told(fits, "torch", "decay"), _told(fits, "port", "decay")
    if ours is None or theirs is None or isclose(ours, theirs, rel_tol=CLOSE, abs_tol=1e-9):
        return None
    names = {row.torch: row.mindspore for row in step.rows}
    if theirs == 0 and all(names[name].endswith(UNDECAYED) for name in fits):
        words = (
            "MindSpore's optimizers do not decay parameters whose names hold gamma or beta, unless "
            "a group of their own says so; PyTorch's weight decay of {torch} holds for all"
        )
        return Phrase(words, torch=number(ours))
    words = "the port's weight decay is {port}, PyTorch's {torch}"
    return Phrase(words, port=number(theirs), torch=number(ours))


def _told(fits: Mapping[str, Fit], side: str, what: str) -> float | None:
    """Return the median of what most updates of a side tell; None where most tell nothing."""
    readings: list[Reading] = [getattr(fit, side) for fit in fits.values()]
    told = [value for one in readings if (value := getattr(one, what)) is not None]
    return median(told) if 2 * len(told) > len(fits) else None


def _eps(fits: Mapping[str, Fit]) -> Phrase | None:
    """Return the words for what stands beside the gradient's size in Adam's first update."""
    pairs = [(fit.torch.eps, fit.port.eps) for fit in fits.values()]
    told = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
    if not told:
        return None
    ours, theirs = (median(column) for column in zip(*told, strict=True))
    if isclose(theirs, ours, rel_tol=2 * EPS):
        return None
    port, torch = (number(eps) if eps else Phrase("too little to see") for eps in (theirs, ours))
    words = Phrase(
        "eps weighs {port} in the port's first update, {torch} in PyTorch's", port=port, torch=torch
    )
    if theirs and (not ours or isclose(theirs, ours / BIAS, rel_tol=2 * EPS)):
        why = "MindSpore's Adam adds it before the bias correction, so that 1e-08 weighs 3.2e-07"
        return joined([words, Phrase(why)])
    return words


def _coupled(fits: Mapping[str, Fit]) -> Phrase | None:
    """Return the words for a decay that one side adds to the gradient and the other does not.

    A tensor all of which runs uphill bounds the decay from below, so the greatest estimate counts.
    """
    sides = {
        "port": [f.port.coupled for f in fits.values() if f.port.coupled is not None],
        "torch": [f.torch.coupled for f in fits.values() if f.torch.coupled is not None],
    }
    if bool(sides["port"]) == bool(sides["torch"]):
        return None
    if sides["port"]:
        words = (
            "the port adds its weight decay, about {decay}, to the gradient (coupled), "
            "PyTorch's is decoupled, as AdamW's"
        )
        if _told(fits, "torch", "eps") is not None:  # Adam's own update, and nothing beside it
            words = (
                "the port adds its weight decay, about {decay}, to the gradient (coupled), "
                "PyTorch has none"
            )
        return Phrase(words, decay=number(max(sides["port"])))
    words = (
        "PyTorch adds its weight decay, about {decay}, to the gradient (coupled), the port's is "
        "decoupled, as AdamW's, or missing"
    )
    return Phrase(words, decay=number(max(sides["torch"])))


def _fitted(fits: Mapping[str, Fit], step: Stepped) -> Phrase | None:
    """Return the words for what scale and decay explain; None where they explain nothing."""
    known = [fit for fit in fits.values() if fit.explains]
    if 2 * len(known) <= len(fits):
        return None
    scale, decay = median(f.scale for f in known), median(f.decay for f in known)
    rates = [group[0] if group else 0.0 for group in (step.torch_rates, step.port_rates)]
    if isclose(scale, UNCORRECTED, rel_tol=CLOSE):
        return Phrase(
            "the port's Adam has no bias correction: its first update is 3.16 times PyTorch's"
        )
    if not isclose(scale, 1, rel_tol=CLOSE):
        if all(rates) and isclose(scale, rates[1] / rates[0], rel_tol=CLOSE):
            return Phrase(
                "the port's rate is {port}, PyTorch's {torch}",
                port=number(rates[1]),
                torch=number(rates[0]),
            )
        return Phrase("the port's updates are {scale} times PyTorch's", scale=number(scale))
    if decay and rates[0]:
        return _decay(decay, rates[0])
    return None


def _decay(decay: float, rate: float) -> Phrase:
    less = decay > 0
    words = (
        "the port takes {amount} of each parameter less than PyTorch in a step, a weight decay of "
        "{decay} at rate {rate}: its decay is coupled (added to the gradient, where Adam swallows "
        "it), smaller, or none"
        if less
        else "the port takes {amount} of each parameter more than PyTorch in a step, a decay of "
        "{decay} at rate {rate}: its decay is larger, decoupled, or not scaled by the rate"
    )
    return Phrase(
        words, amount=number(abs(decay)), decay=number(abs(decay) / rate), rate=number(rate)
    )


def evidence(fits: Mapping[str, Fit]) -> Phrase:
    """Return what the best of the fits says, with its numbers."""
    name, fit = min(fits.items(), key=lambda item: item[1].left)
    return Phrase(
        "the port's update of {name} is {scale} times PyTorch's {sign} {decay} times the parameter "
        "and leaves {left} of the difference",
        name=name,
        scale=f"{fit.scale:.4g}",
        sign="-" if fit.decay < 0 else "+",
        decay=f"{abs(fit.decay):.3g}",
        left=f"{fit.left:.1%}",
    )
