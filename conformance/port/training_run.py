"""How both models train: gradients, one step and a trajectory, as far as both sides can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from conformance.errors import PortFailed
from conformance.phrase import Phrase, counted
from conformance.port.both import Both
from conformance.port.result import SEVERITY, TensorRow, Verdict
from conformance.port.stepping import Stepped, step
from conformance.port.training import Batch, Differentiated, differentiate
from conformance.port.trajectory import PERTURBED, Trajectory, trajectory

BATCH_SEED, STEP_SEED = 1_000, 2_000
"""Seeds of batches for gradients and for steps: other ones than those that statistics stem from."""
SERIES = 3
"""A trajectory that is not the same is tried on other batches, so often at most: a ReLU's kink,
which float32 may fall on either side of, is met by chance, a defect each time."""


@dataclass
class TrainingRun:
    """What training shows.  `failed` says what could not be compared, and why: never the same."""

    differentiated: list[tuple[str, Differentiated]] = field(default_factory=list)
    stepped: Stepped | None = None
    trajectory: Trajectory | None = None
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> Differentiated | None:
        """Gradients and statistics in the first mode that has them."""
        return self.differentiated[0][1] if self.differentiated else None

    @property
    def compiled(self) -> Differentiated | None:
        """Those of graph mode, beside others."""
        return dict(self.differentiated[1:]).get("graph")

    @property
    def gradients(self) -> list[TensorRow]:
        """All rows of the first mode, and of another those whose verdict is another one."""
        return self._rows(lambda found: found.gradients)

    @property
    def state(self) -> list[TensorRow]:
        """Running statistics after one pass in training mode, of modes as `gradients`."""
        return self._rows(lambda found: found.state)

    @property
    def eager(self) -> list[TensorRow]:
        """Running statistics of the first mode alone."""
        return list(self.first.state) if self.first else []

    def _rows(self, of: Callable[[Differentiated], Sequence[TensorRow]]) -> list[TensorRow]:
        first = list(of(self.first)) if self.first else []
        told = {(row.torch, row.verdict) for row in first}
        others = [
            replace(row, problem=Phrase("in graph mode: {problem}", problem=row.problem))
            for _, found in self.differentiated[1:]
            for row in of(found)
            if row.verdict is not Verdict.SAME and (row.torch, row.verdict) not in told
        ]
        return [*first, *others]

    @property
    def steps(self) -> list[TensorRow]:
        """Parameters after one step."""
        return list(self.stepped.rows) if self.stepped else []

    @property
    def verdicts(self) -> list[Verdict]:
        """What is said of losses, the trajectory, and what could not be compared."""
        losses = [found.loss.verdict for _, found in self.differentiated]
        way = [self.trajectory.judgement.verdict] if self.trajectory else []
        return [*losses, *way, *(Verdict.UNRESOLVED for _ in self.failed)]

    @property
    def unclear(self) -> list[str]:
        """What cannot be told, and why."""
        rows = [*self.gradients, *self.state, *self.steps]
        told = [_unclear(row) for row in rows if row.verdict is Verdict.UNRESOLVED]
        way = self.trajectory.judgement if self.trajectory else None
        ways = [way.reason] if way and way.verdict is Verdict.UNRESOLVED else []
        losses = [found.loss for _, found in self.differentiated]
        unclear = [loss.reason for loss in losses if loss.verdict is Verdict.UNRESOLVED]
        return [*told, *self.failed, *ways, *(Phrase("the loss: {why}", why=w) for w in unclear)]


def _unclear(row: TensorRow) -> Phrase:
    return Phrase("{what} of {tensor}: {why}", what=row.what, tensor=row.torch, why=row.problem)


def train(both: Both, *, wrong: bool, echo: Callable[[str], None]) -> TrainingRun:
    """Compare training as far as both sides can; where one cannot, nothing is said of it.

    `wrong` says that outputs differ already: then chaos explains nothing, and is not looked for.
    Raises PortFailed when a side is gone, or the configuration's arguments are not taken.
    """
    found = TrainingRun()
    both.give(both.plan.draws[0])
    start = both.torch.read()
    try:
        _run(both, found, wrong, echo)
    except PortFailed as error:
        if error.fatal or error.kind == "Arguments":
            raise
        why = str(error).rstrip(".")
        found.failed.append(why)
        found.notes.append(Phrase("training is not compared: {why}", why=why))
        both.torch.write(start)
        both.give(both.plan.draws[0])
    return found


def _run(both: Both, found: TrainingRun, wrong: bool, echo: Callable[[str], None]) -> None:
    plan = both.plan
    batches = [both.draw(plan.sizes[0], BATCH_SEED + seed) for seed in plan.draws]
    for mode in plan.modes:
        echo(f"gradients in {mode} mode: {counted(len(batches), 'draw', 'draws')}")
        graph = mode == "graph"
        try:
            made = differentiate(both.torch, both.port, both.tensors, batches, graph=graph)
        except PortFailed as error:
            if error.fatal or not graph or len(plan.modes) == 1:
                raise
            found.failed.append(Phrase("gradients in graph mode: {why}", why=str(error)))
            found.notes.append(found.failed[-1])
            continue
        found.differentiated.append((mode, made))
        same = sum(row.verdict is Verdict.SAME for row in made.gradients)
        words = "{same} of {all} gradients are the same in {mode} mode"
        found.notes.append(Phrase(words, same=same, all=len(made.gradients), mode=mode))
    if plan.steps and found.first:
        echo(f"{counted(plan.steps, 'step', 'steps')} of training")
        found.stepped = step(both.torch, both.port, both.tensors, batches, found.first)
        found.trajectory = _trajectory(both, found.first, wrong)


def _trajectory(both: Both, gradients: Differentiated, wrong: bool) -> Trajectory:
    plan, tried = both.plan, []
    for again in range(1 if wrong else SERIES):
        made = trajectory(
            both.torch,
            both.port,
            both.tensors,
            _series(both, STEP_SEED + again * plan.steps),
            leave=gradients.without,
            seed=again,
            most=1 if wrong else PERTURBED,
        )
        tried.append(made)
        if made.judgement.verdict is Verdict.SAME:
            break
    return min(tried, key=lambda one: SEVERITY.index(one.judgement.verdict))


def _series(both: Both, first: int) -> list[Batch]:
    plan = both.plan
    return [both.draw(plan.sizes[0], seed) for seed in range(first, first + plan.steps)]


def begun(both: Both) -> None:
    """Make both optimizers, so that an argument that they do not take is told at once.

    What else keeps them from being made keeps only training from being compared: see `train`.
    """
    for side in (both.torch, both.port):
        try:
            side.begin()
        except PortFailed as error:
            if error.fatal or error.kind == "Arguments":
                raise


def state_again(both: Both) -> Sequence[TensorRow]:
    """Return the rows of running statistics, measured again on one batch."""
    both.give(both.plan.draws[0])
    batch = both.draw(both.plan.sizes[0], BATCH_SEED)
    return differentiate(both.torch, both.port, both.tensors, [batch]).state
