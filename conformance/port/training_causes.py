"""Causes that only training shows: frozen parameters, statistics, optimizer, schedule, loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from statistics import median

from conformance.port.causes import AT, ELSEWHERE, LIKELY
from conformance.port.evidence import Suspect
from conformance.port.phrase import Phrase, joined, listed, number
from conformance.port.result import Cause, TensorRow, Verdict
from conformance.port.stepping import Stepped
from conformance.port.training import FROZEN_HERE, FROZEN_THERE, Differentiated
from conformance.port.trajectory import Trajectory
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


@dataclass(frozen=True)
class Trained:
    """What training found; `graph` are the gradients of compiled passes.

    `forward` is the verdict of forward passes: a wrong function has wrong gradients, which then say
    nothing new.  `told` are settings and layers that are named already.
    """

    forward: Verdict
    gradients: Differentiated | None = None
    graph: Differentiated | None = None
    step: Stepped | None = None
    trajectory: Trajectory | None = None
    told: frozenset[tuple[str, str]] = frozenset()


def training_suspects(found: Trained) -> list[Suspect]:
    """Return the suspects, likeliest first."""
    suspects = [*_frozen(found), *_thawed(found), *_gradients(found), *_state(found)]
    suspects += [*_compiled_state(found), *_loss(found)]
    suspects += [*_schedule(found), *_optimizer(found)]
    return sorted(suspects, key=lambda item: item.rank)


def _frozen(found: Trained) -> Iterator[Suspect]:
    dead = [r for r in _all(found.gradients) if r.verdict is Verdict.DIFFERS and _gives_none(r)]
    unmoved = sorted(found.step.unmoved) if found.step else []
    names = [row.torch for row in dead] + [n for n in unmoved if n not in {r.torch for r in dead}]
    if names:
        words = Phrase("{tensors}: not trained in the port", tensors=listed(names))
        proof: str = dead[0].problem if dead else Phrase("a gradient, and no update, in one step")
        cause = Cause("frozen", listed(names), words, "", None, proof)
        yield Suspect(cause, AT, tensors=tuple(names))


def _thawed(found: Trained) -> Iterator[Suspect]:
    """Name parameters that the port alone trains."""
    rows = [row for row in _all(found.gradients) if _says(row, FROZEN_THERE)]
    if rows:
        names = listed([row.torch for row in rows])
        words = Phrase("{tensors}: trained in the port, not in PyTorch", tensors=names)
        yield Suspect(Cause("frozen", names, words, "", None, rows[0].problem), AT)


def _gives_none(row: TensorRow) -> bool:
    return _says(row, FROZEN_HERE)


def _says(row: TensorRow, template: str) -> bool:
    return getattr(row.problem, "template", "") == template


def _all(found: Differentiated | None) -> Sequence[TensorRow]:
    return found.gradients if found else ()


def _gradients(found: Trained) -> Iterator[Suspect]:
    """Name gradients that differ though the function is the same: detached, or another backward."""
    if found.forward is not Verdict.SAME:
        return
    rows = _wrong(found.gradients)
    if rows:
        words = Phrase("gradients of {tensors} differ, outputs do not", tensors=_names(rows))
    else:
        rows = _wrong(found.graph)
        words = Phrase(
            "gradients of {tensors} differ in graph mode, outputs do not", tensors=_names(rows)
        )
    if rows:
        cause = Cause("gradient", rows[-1].torch, words, "", None, rows[-1].problem)
        yield Suspect(cause, ELSEWHERE, tensors=tuple(row.torch for row in rows))


def _wrong(found: Differentiated | None) -> list[TensorRow]:
    """Return the gradients that differ though the loss does not."""
    if found is None or found.loss.verdict is Verdict.DIFFERS:
        return []
    rows = [row for row in found.gradients if row.verdict is Verdict.DIFFERS]
    return [row for row in rows if not _gives_none(row) and not _says(row, FROZEN_THERE)]


def _names(rows: Sequence[TensorRow]) -> str:
    return listed([row.torch for row in rows])


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


def _compiled_state(found: Trained) -> Iterator[Suspect]:
    """Name running statistics that differ in graph mode alone."""
    if found.gradients is None or found.graph is None or found.forward is not Verdict.SAME:
        return
    right = {row.torch for row in found.gradients.state if row.verdict is Verdict.SAME}
    rows = [r for r in found.graph.state if r.verdict is Verdict.DIFFERS and r.torch in right]
    if rows:
        words = Phrase("{tensors} differ in graph mode alone", tensors=_names(rows))
        yield Suspect(Cause("state", _names(rows), words, "", None, rows[0].problem), AT)


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
    fits = found.step.fits if found.step else {}
    if found.step and found.step.alone:
        names = listed(sorted(found.step.alone))
        words = Phrase(
            "the port alone moves {tensors}, which no gradient reaches: PyTorch's optimizers skip "
            "such parameters, MindSpore's decay them",
            tensors=names,
        )
        proof = Phrase("an update, and no gradient, in one step")
        yield Suspect(Cause("optimizer", names, words, "", None, proof), AT)
    if fits and found.step:
        said = _linear(fits, found.step) or _coupled(fits)
        said = said or _fitted(fits, found.step) or _eps(fits)
        if said or not (found.trajectory and found.trajectory.schedule):
            words = said or Phrase("the first update differs, gradients do not")
            where = listed(list(fits))
            yield Suspect(Cause("optimizer", where, words, "", None, _evidence(fits)), AT)
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
