"""Causes that only training shows: frozen parameters, statistics, optimizer, schedule, loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.phrase import Phrase, listed
from conformance.port import optimizers
from conformance.port.causes import AT, ELSEWHERE, LIKELY
from conformance.port.evidence import Suspect
from conformance.port.result import Cause, TensorRow, Verdict
from conformance.port.stepping import Stepped
from conformance.port.training import FROZEN_HERE, FROZEN_THERE, Differentiated
from conformance.port.trajectory import Trajectory


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
        said = optimizers.told_apart(fits, found.step)
        if said or not (found.trajectory and found.trajectory.schedule):
            words = said or Phrase("the first update differs, gradients do not")
            where = listed(list(fits))
            yield Suspect(Cause("optimizer", where, words, "", None, optimizers.evidence(fits)), AT)
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
