"""The flow: from two built models to everything that `PortResult` holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.errors import PortFailed
from conformance.port import sentence, static
from conformance.port.align import align
from conformance.port.aligned import Aligned
from conformance.port.attempts import DRAWS, Attempts
from conformance.port.both import Both, Plan
from conformance.port.budget import Judgement
from conformance.port.capture import Pass
from conformance.port.causes import DRAWN, suspects
from conformance.port.confirm import confirm
from conformance.port.divergence import Found, find
from conformance.port.evidence import Evidence, Kernel, Suspect
from conformance.port.examine import examine
from conformance.port.glue import explain
from conformance.port.initialisers import initialisers
from conformance.port.outputs import outputs, random_still
from conformance.port.phrase import Phrase, listed
from conformance.port.result import (
    Divergence,
    ForwardRow,
    PortResult,
    StaticDifference,
    TensorRow,
    Verdict,
)
from conformance.port.side import Side
from conformance.port.static import Pages
from conformance.port.stepping import Stepped, step
from conformance.port.training import Batch, Differentiated, differentiate
from conformance.port.training_causes import Trained, training_suspects
from conformance.port.trajectory import PERTURBED, Trajectory, trajectory

SEVERITY = (Verdict.SAME, Verdict.NOT_COMPARED, Verdict.UNRESOLVED, Verdict.DIFFERS)
VIEWS = 2
"""At so many input sizes that differ the layers are looked at; the others tell the same."""
BATCH_SEED, STEP_SEED = 1_000, 2_000
"""Seeds of batches for gradients and for steps: other ones than those that statistics stem from."""
SERIES = 3
"""A trajectory that is not the same is tried on other batches, so often at most: a ReLU's kink,
which float32 may fall on either side of, is met by chance, a defect each time."""
Echo = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """What the corpus knows of layers: where it tells of them, and which kernels are less exact."""

    pages: Pages = field(default_factory=Pages)
    kernels: Mapping[str, Kernel] = field(default_factory=dict)


def verify(
    torch: Side,
    port: Side,
    plan: Plan,
    known: Known | None = None,
    echo: Echo = lambda _: None,
) -> PortResult:
    """Compare two built models: weights, settings, outputs, layers, gradients and training.

    Raises PortFailed when a side cannot do what is asked of it, CallerError for a name of the
    plan's that no layer bears.
    """
    return _Verification(torch, port, plan, known or Known(), echo).result()


class _Verification:
    """One port; each method adds what it finds."""

    def __init__(self, torch: Side, port: Side, plan: Plan, known: Known, echo: Echo) -> None:
        self.known, self.echo, self.plan = known, echo, plan
        # Initialisers show in what was built, where that is not a checkpoint.
        self.built = torch.read() if plan.calibrated and not plan.loaded else None
        self.both = Both(torch, port, plan)
        self.notes: list[str] = []
        self.views: list[Found] = []
        self.formulas: dict[Divergence, str] = {}
        self.differentiated: list[tuple[str, Differentiated]] = []
        self.stepped: Stepped | None = None
        self.trajectory: Trajectory | None = None
        self.untrained = ""
        """Why training could not be compared."""

    def result(self) -> PortResult:
        """Go through everything and say what came of it."""
        both, plan = self.both, self.plan
        self.echo(f"{len(both.rows)} rows of weights")
        both.prepare()
        self.aligned = self._align()
        self.static = self._static()
        self.echo(f"outputs at {', '.join(plan.sizes)}: {plan.seeds} draws")
        self.forward = outputs(both)
        self._still()
        self._look()
        self._train()
        return self._told(self._causes())

    # Before anything is compared ------------------------------------------------------------------

    def _align(self) -> list[Aligned]:
        inputs = self.both.draw(self.plan.sizes[0], self.plan.draws[0]).inputs
        sides = self.both.torch, self.both.port
        traced = [
            (inventory.layers, side.trace(inputs))
            for side, inventory in zip(sides, self.both.inventories, strict=True)
        ]
        return align(traced[0], traced[1], self.both.pairs, self.plan.layers)

    def _static(self) -> list[StaticDifference]:
        torch, port = (inventory.layers for inventory in self.both.inventories)
        found = static.differences(self.aligned, torch, port, self.known.pages)
        if self.built is not None:
            sides = (torch, self.built), (port, self.both.held)
            found += initialisers(self.both.pairs, *sides, self.known.pages)
        return found

    def _still(self) -> None:
        """Compare outputs in training mode, without what draws random numbers."""
        both = self.both
        layers = sorted({*both.torch.still(), *both.port.still()})
        if layers:
            names = [layer or "(the model)" for layer in layers]
            told = Phrase("switched off in training: {layers}", layers=listed(names, 6))
            self.notes.append(told)
        self.random = self._random()
        if self.random:
            self.forward.append(_not_compared(self.plan.sizes[0], True, self.random))
        else:
            self.forward += outputs(both, training=True, modes=self.plan.modes[:1])
        both.give(self.plan.draws[0])

    def _random(self) -> str:
        try:
            return random_still(self.both)
        except PortFailed as error:
            if error.fatal:
                raise
            return str(error)

    # Layers ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Look at the layers where outputs differ, and else at the first size."""
        chosen: dict[tuple[str, bool], None] = {}
        for row in self.forward:
            if row.verdict is not Verdict.SAME and row.measures:
                chosen.setdefault((row.size, row.training))
        evaluated = [key for key in chosen if not key[1]]
        views = (evaluated or list(chosen))[:VIEWS] or [(self.plan.sizes[0], False)]
        for size, training in views:
            self.echo(f"{len(self.aligned)} layers at {size}")
            self.views.append(self._view(size, training))

    def _view(self, size: str, training: bool) -> Found:
        draw = self.plan.draws[0]
        self.both.give(draw)
        on = Pass(self.both.draw(size, draw).inputs, training=training, size=size)
        seen = list(examine(self.both.torch, self.both.port, self.aligned, on, self.plan.memory))
        rows = [row for row in self.forward if (row.size, row.training) == (size, training)]
        worst = max(rows, key=lambda row: SEVERITY.index(row.verdict))
        found = find(seen, Judgement(worst.verdict, worst.measures, worst.problem), on)
        for item in found.divergences:
            if item.kind == "glue":
                told = explain(self.both.torch, self.both.port, self.aligned, item, on)
                self.formulas |= {item: told} if told else {}
        return found

    # Training -------------------------------------------------------------------------------------

    def _train(self) -> None:
        """Compare training as far as both sides can; where one cannot, nothing is said of it."""
        if self.random:
            self.notes.append(Phrase("training is not compared: {why}", why=self.random))
            return
        self.both.give(self.plan.draws[0])
        start = self.both.torch.read()
        try:
            self._trained()
        except PortFailed as error:
            if error.fatal or error.kind == "Arguments":
                raise
            self.untrained = str(error).rstrip(".")
            self.notes.append(Phrase("training is not compared: {why}", why=self.untrained))
            self.both.torch.write(start)
            self.both.give(self.plan.draws[0])

    def _trained(self) -> None:
        both, plan = self.both, self.plan
        batches = [both.draw(plan.sizes[0], BATCH_SEED + seed) for seed in plan.draws]
        for mode in plan.modes:
            self.echo(f"gradients in {mode} mode: {len(batches)} draws")
            try:
                found = differentiate(
                    both.torch, both.port, both.tensors, batches, graph=mode == "graph"
                )
            except PortFailed as error:
                if error.fatal or mode == "pynative":
                    raise
                self.notes.append(Phrase("gradients in graph mode: {why}", why=str(error)))
                continue
            self.differentiated.append((mode, found))
            same = sum(row.verdict is Verdict.SAME for row in found.gradients)
            words = "{same} of {all} gradients are the same in {mode} mode"
            self.notes.append(Phrase(words, same=same, all=len(found.gradients), mode=mode))
        if plan.steps and self.differentiated:
            self._steps(batches)

    def _steps(self, batches: Sequence[Batch]) -> None:
        both, plan = self.both, self.plan
        gradients = self.differentiated[0][1]
        self.echo(f"{plan.steps} steps of training")
        self.stepped = step(both.torch, both.port, both.tensors, batches, gradients)
        tried = []
        # Where outputs differ already, chaos explains nothing.
        wrong = _worst(self.forward) is Verdict.DIFFERS
        for again in range(1 if wrong else SERIES):
            seeds = range(STEP_SEED + again * plan.steps, STEP_SEED + (again + 1) * plan.steps)
            series = [both.draw(plan.sizes[0], seed) for seed in seeds]
            found = trajectory(
                both.torch,
                both.port,
                both.tensors,
                series,
                leave=gradients.without,
                seed=again,
                most=1 if wrong else PERTURBED,
            )
            tried.append(found)
            if found.judgement.verdict is Verdict.SAME:
                break
        self.trajectory = min(tried, key=lambda one: SEVERITY.index(one.judgement.verdict))

    @property
    def state(self) -> list[TensorRow]:
        """Running statistics after one pass in training mode."""
        return [row for _, found in self.differentiated[:1] for row in found.state]

    # Causes ---------------------------------------------------------------------------------------

    def _causes(self) -> list[Suspect]:
        evidence = Evidence(
            static=self.static,
            weights=self.both.rows,
            mistakes=self.both.mistakes,
            forward=self.forward,
            found=self.views,
            state=self.state,
            types={layer.name: layer.type for layer in self.both.inventories[1].layers},
            kernels=self.known.kernels,
            formulas=self.formulas,
        )
        found = suspects(evidence)
        told = frozenset((s.setting, layer) for s in found for layer in s.layers if s.setting)
        trained = training_suspects(
            Trained(
                _worst(self.forward),
                self.differentiated[0][1] if self.differentiated else None,
                self.stepped,
                self.trajectory,
                told,
            )
        )
        return [*self._confirmed(found), *trained]

    def _confirmed(self, found: Sequence[Suspect]) -> list[Suspect]:
        """Try suspects: those of outputs by outputs, then those that only training shows.

        Statistics are looked at with all that is confirmed of the outputs put right.
        """
        trains = {(item.setting, item.mindspore_layer) for item in self.static if item.trains}
        later = [s for s in found if s.layers and {(s.setting, n) for n in s.layers} <= trains]
        first = [suspect for suspect in found if suspect not in later]
        wrong = _worst(self.forward) in (Verdict.DIFFERS, Verdict.UNRESOLVED)
        if first and wrong:
            self.echo(f"{len(first)} suspects: each put right alone")
            first = confirm(first, Attempts(self.both, self.static, self._again))
        settled = [suspect for suspect in first if suspect.cause.confirmed]
        if later and (settled or not wrong) and _any_differs(self.state):
            attempts = Attempts(self.both, self.static, self._state_again)
            later = confirm(later, lambda tried: attempts([*settled, *tried]))
        return [*first, *later]

    def _again(self) -> Verdict:
        """Return the verdict on the outputs that were not the same, measured again."""
        wrong = [row for row in self.forward if row.verdict is not Verdict.SAME and row.measures]
        found = []
        for training in sorted({row.training for row in wrong}):
            sizes = list(dict.fromkeys(row.size for row in wrong if row.training is training))
            found += outputs(
                self.both,
                training=training,
                sizes=sizes,
                modes=self.plan.modes[:1],
                draws=self.plan.draws[:DRAWS],
            )
        return _worst(found)

    def _state_again(self) -> Verdict:
        """Return the verdict on running statistics, measured again."""
        both = self.both
        both.give(self.plan.draws[0])
        batch = both.draw(self.plan.sizes[0], BATCH_SEED)
        found = differentiate(both.torch, both.port, both.tensors, [batch]).state
        return max((row.verdict for row in found), key=SEVERITY.index, default=Verdict.NOT_COMPARED)

    def _unclear(self, rows: Sequence[TensorRow]) -> list[str]:
        """Return what of training cannot be told, and why."""
        told: list[str] = [_unclear_of(row) for row in rows if row.verdict is Verdict.UNRESOLVED]
        if self.untrained:
            told.append(self.untrained)
        if self.trajectory and self.trajectory.judgement.verdict is Verdict.UNRESOLVED:
            told.append(self.trajectory.judgement.reason)
        losses = [found.loss for _, found in self.differentiated]
        unclear = [one.reason for one in losses if one.verdict is Verdict.UNRESOLVED]
        return told + [Phrase("the loss: {why}", why=why) for why in unclear]

    # What came of it ------------------------------------------------------------------------------

    def _told(self, found: Sequence[Suspect]) -> PortResult:
        first = next((view.first for view in self.views if view.first), None)
        gradients = [row for mode, one in self.differentiated for row in _rows(mode, one)]
        steps = list(self.stepped.rows) if self.stepped else []
        layers = next((view for view in self.views if view.first), self.views[0]).rows
        others = [one.loss.verdict for _, one in self.differentiated]
        if self.trajectory is not None:
            others.append(self.trajectory.judgement.verdict)
        if self.untrained:
            others.append(Verdict.UNRESOLVED)
        if any(item.setting == DRAWN for item in self.static):
            others.append(Verdict.DIFFERS)
        causes = tuple(suspect.cause for suspect in found)
        broken = [row for row in self.both.rows if row.problem]
        verdict = sentence.overall(self.forward, layers, [*gradients, *self.state, *steps], others)
        told = sentence.sentence(
            verdict,
            self.forward,
            first,
            causes,
            trained=self.trajectory is not None,
            unclear=self._unclear([*gradients, *self.state, *steps]),
        )
        if broken:
            count = Phrase("{n} rows of weights have a problem", n=len(broken))
            self.notes.append(count)
        return PortResult(
            name=self.plan.name,
            verdict=verdict,
            sentence=told,
            versions={
                side.framework: str(side.info.get("version", ""))
                for side in (self.both.torch, self.both.port)
            },
            weights=self.both.rows,
            static=tuple(self.static),
            forward=tuple(self.forward),
            layers=tuple(layers),
            divergences=tuple(item for view in self.views for item in view.divergences),
            causes=causes,
            gradients=tuple(gradients),
            state=tuple(self.state),
            step=tuple(steps),
            trajectory=self.trajectory.rows if self.trajectory else (),
            notes=tuple(self.notes),
        )


def _rows(mode: str, found: Differentiated) -> list[TensorRow]:
    """Return rows of gradients: all of PyNative mode, of graph mode those that are not the same."""
    if mode == "pynative":
        return list(found.gradients)
    return [
        replace(row, problem=Phrase("in graph mode: {problem}", problem=row.problem))
        for row in found.gradients
        if row.verdict is not Verdict.SAME
    ]


def _any_differs(rows: Sequence[TensorRow]) -> bool:
    return any(row.verdict is Verdict.DIFFERS for row in rows)


def _unclear_of(row: TensorRow) -> Phrase:
    return Phrase("{what} of {tensor}: {why}", what=row.what, tensor=row.torch, why=row.problem)


def _not_compared(size: str, training: bool, why: str) -> ForwardRow:
    return ForwardRow(size, training, "pynative", 0, (), Verdict.NOT_COMPARED, why)


def _worst(rows: Sequence[ForwardRow]) -> Verdict:
    return max((row.verdict for row in rows), key=SEVERITY.index, default=Verdict.NOT_COMPARED)
