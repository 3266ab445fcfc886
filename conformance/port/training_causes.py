"""Causes that only training shows: frozen parameters, statistics, optimizer, schedule, loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from statistics import median

from conformance.port.causes import AT, ELSEWHERE, LIKELY
from conformance.port.evidence import Suspect
from conformance.port.phrase import Phrase, listed, number
from conformance.port.result import Cause, TensorRow, Verdict
from conformance.port.stepping import Fit, Stepped
from conformance.port.training import Differentiated
from conformance.port.trajectory import Trajectory

UNCORRECTED = 0.1 / 0.001**0.5
"""How many times larger Adam's first update is without bias correction, at the usual betas."""
CLOSE = 0.01
"""Relative; two numbers that are fitted are the same up to this."""


@dataclass(frozen=True)
class Trained:
    """What training found.  `forward` is the verdict of forward passes: a wrong function has wrong
    gradients, which then say nothing new.  `told` are settings and layers that are named already.
    """

    forward: Verdict
    gradients: Differentiated | None = None
    step: Stepped | None = None
    trajectory: Trajectory | None = None
    told: frozenset[tuple[str, str]] = frozenset()


def training_suspects(found: Trained) -> list[Suspect]:
    """Return the suspects, likeliest first."""
    suspects = [*_frozen(found), *_gradients(found), *_state(found), *_loss(found)]
    suspects += [*_schedule(found), *_optimizer(found)]
    return sorted(suspects, key=lambda item: item.rank)


def _frozen(found: Trained) -> Iterator[Suspect]:
    rows = found.gradients.gradients if found.gradients else ()
    dead = [r for r in rows if r.verdict is Verdict.DIFFERS and _gives_none(r)]
    unmoved = sorted(found.step.unmoved) if found.step else []
    names = [row.torch for row in dead] + [n for n in unmoved if n not in {r.torch for r in dead}]
    if names:
        words = Phrase("{tensors}: not trained in the port", tensors=listed(names))
        proof: str = dead[0].problem if dead else Phrase("a gradient, and no update, in one step")
        cause = Cause("frozen", listed(names), words, "", None, proof)
        yield Suspect(cause, AT, tensors=tuple(names))


def _gives_none(row: TensorRow) -> bool:
    return not row.measures and "frozen" in row.problem


def _gradients(found: Trained) -> Iterator[Suspect]:
    """Name gradients that differ though the function is the same: detached, or another backward."""
    if found.gradients is None or found.forward is not Verdict.SAME:
        return
    rows = [r for r in found.gradients.gradients if r.verdict is Verdict.DIFFERS]
    rows = [row for row in rows if not _gives_none(row)]
    if rows and found.gradients.loss.verdict is not Verdict.DIFFERS:
        names = [row.torch for row in rows]
        words = Phrase("gradients of {tensors} differ, outputs do not", tensors=listed(names))
        cause = Cause("gradient", names[-1], words, "", None, rows[-1].problem)
        yield Suspect(cause, ELSEWHERE, tensors=tuple(names))


def _state(found: Trained) -> Iterator[Suspect]:
    """Name running statistics that differ where no setting has been named."""
    rows = (
        [r for r in found.gradients.state if r.verdict is Verdict.DIFFERS]
        if found.gradients
        else []
    )
    rows = [row for row in rows if ("momentum", row.mindspore.rpartition(".")[0]) not in found.told]
    if not rows:
        return
    still = [row for row in rows if "does not move" in row.problem]
    if not still and found.forward is not Verdict.SAME:
        return  # They are statistics of other values.
    what = "training mode" if still else "momentum"
    names = [row.torch for row in still or rows]
    words = (
        Phrase(
            "{tensors}: not updated, as in evaluation: set_train() or use_batch_statistics",
            tensors=listed(names),
        )
        if still
        else Phrase("running statistics move otherwise: {tensors}", tensors=listed(names))
    )
    cause = Cause(what, listed(names), words, "", None, (still or rows)[0].problem)
    layers = tuple(dict.fromkeys(row.mindspore.rpartition(".")[0] for row in rows))
    yield Suspect(cause, AT, layers, "momentum" if not still else "")


def _loss(found: Trained) -> Iterator[Suspect]:
    if found.gradients is None or found.forward is not Verdict.SAME:
        return
    if found.gradients.loss.verdict is Verdict.DIFFERS:
        words = Phrase("the loss is another function: outputs agree, losses do not")
        cause = Cause("loss", "loss", words, "", None, found.gradients.loss.reason)
        yield Suspect(cause, AT)


def _schedule(found: Trained) -> Iterator[Suspect]:
    if found.trajectory and found.trajectory.schedule:
        rows = found.trajectory.rows
        rates = (
            ", ".join(f"{getattr(r, name):.4g}" for r in rows[:6])
            for name in ("torch_rate", "port_rate")
        )
        proof = Phrase(
            "rates in PyTorch {torch}; in the port {port}",
            **dict(zip(("torch", "port"), rates, strict=True)),
        )
        cause = Cause("schedule", "learning rate", found.trajectory.schedule, "", None, proof)
        yield Suspect(cause, AT)


def _optimizer(found: Trained) -> Iterator[Suspect]:
    fits = dict(found.step.fits) if found.step else {}
    unmoved = found.step.unmoved if found.step else frozenset()
    fits = {name: fit for name, fit in fits.items() if name not in unmoved}
    if fits and found.step:
        words = _coupled(fits) or _fitted(fits, found.step)
        proof = _evidence(fits)
        if words is not None or not (found.trajectory and found.trajectory.schedule):
            said = words or Phrase("the first update differs, gradients do not")
            yield Suspect(Cause("optimizer", listed(list(fits)), said, "", None, proof), AT)
    elif _later(found) and found.trajectory:
        words = Phrase(
            "the first step agrees, later ones do not: momentum, betas, or other state of the "
            "optimizer"
        )
        reason = found.trajectory.judgement.reason
        yield Suspect(Cause("optimizer", "optimizer", words, "", None, reason), LIKELY)


def _later(found: Trained) -> bool:
    if found.trajectory is None or found.trajectory.schedule or found.forward is not Verdict.SAME:
        return False
    wrong = bool(found.gradients and (found.gradients.wrong or _any(found.gradients.state)))
    stepped = bool(found.step and _any(found.step.rows))
    return found.trajectory.judgement.verdict is Verdict.DIFFERS and not wrong and not stepped


def _any(rows: Sequence[TensorRow]) -> bool:
    return any(row.verdict is Verdict.DIFFERS for row in rows)


def _coupled(fits: Mapping[str, Fit]) -> Phrase | None:
    """Return the words for a decay that one side adds to the gradient and the other does not.

    A tensor all of which runs uphill bounds the decay from below, so the greatest estimate counts.
    """
    sides = {
        "port": [f.port_coupled for f in fits.values() if f.port_coupled is not None],
        "torch": [f.torch_coupled for f in fits.values() if f.torch_coupled is not None],
    }
    if bool(sides["port"]) == bool(sides["torch"]):
        return None
    if sides["port"]:
        words = (
            "the port adds its weight decay, about {decay}, to the gradient (coupled), "
            "PyTorch's is decoupled, as AdamW's"
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


def _evidence(fits: Mapping[str, Fit]) -> Phrase:
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
