"""What all that was found comes to: the verdict, its sentence, and the causes that stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.port import sentence
from conformance.port.budget import Judgement
from conformance.port.dropping import Dropping
from conformance.port.result import Cause, Divergence, ForwardRow, LayerRow, Verdict
from conformance.port.training_run import TrainingRun
from conformance.port.unreached import Unreached


@dataclass(frozen=True)
class Shown:
    """What was found; `drawn` says that one side draws numbers where the other does not.

    `first` is the first divergence, `held` what is to be said of weights, `hidden` are settings
    that differ and did not show.
    """

    forward: Sequence[ForwardRow]
    layers: Sequence[LayerRow]
    first: Divergence | None
    training: TrainingRun
    dropping: Dropping
    held: Judgement
    hidden: Sequence[Unreached]
    drawn: bool = False


@dataclass(frozen=True)
class Conclusion:
    """The verdict, the sentence that says it, and the causes, the most telling first."""

    verdict: Verdict
    sentence: str
    causes: tuple[Cause, ...]


def conclude(shown: Shown, causes: Sequence[Cause]) -> Conclusion:
    """Return what follows from everything.  Weights and hidden settings decide where all agrees."""
    training = shown.training
    tensors = [*training.gradients, *training.state, *training.steps]
    others = [*training.verdicts, shown.dropping.verdict]
    if shown.drawn:
        others.append(Verdict.DIFFERS)
    rest = sentence.overall(shown.forward, shown.layers, tensors, others)
    kept = [shown.held.verdict, *(one.verdict for one in shown.hidden)]
    verdict = sentence.overall(shown.forward, shown.layers, tensors, [*others, *kept])
    if verdict is Verdict.SAME:
        causes = ()  # What was suspected changes nothing.
    unseen = [one.cause for one in shown.hidden]
    if verdict is rest:
        told = sentence.sentence(
            verdict,
            shown.forward,
            shown.first,
            causes,
            steps=len(training.trajectory.rows) if training.trajectory else 0,
            unclear=[*training.unclear, *shown.dropping.unclear],
        )
        return Conclusion(verdict, told, (*causes, *unseen))
    hidden = next((one for one in shown.hidden if one.verdict is verdict), None)
    if hidden is not None:
        told = sentence.by_settings(verdict, hidden.told, hidden.cause.evidence)
    else:
        told = sentence.by_weights(verdict, shown.held.reason, agree=rest is Verdict.SAME)
    return Conclusion(verdict, told, (*unseen, *causes))
