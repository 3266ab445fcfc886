"""The flow: from two built models to everything that `PortResult` holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from conformance.errors import PortFailed
from conformance.phrase import Phrase, counted, listed
from conformance.port import static
from conformance.port.again import OFF, Again
from conformance.port.align import align
from conformance.port.aligned import Aligned
from conformance.port.both import Both, Plan
from conformance.port.budget import Judgement
from conformance.port.capture import Pass
from conformance.port.causes import DRAWN, drawing, suspects
from conformance.port.conclusion import Shown, conclude
from conformance.port.confirmation import confirmed
from conformance.port.divergence import Found, find
from conformance.port.dropping import Dropping, dropping
from conformance.port.evidence import Evidence, Kernel, Suspect
from conformance.port.examine import examine
from conformance.port.glue import explain
from conformance.port.guesses import settle
from conformance.port.holdings import holdings
from conformance.port.initialisers import initialisers
from conformance.port.model import Array
from conformance.port.outputs import draws_random, outputs, random_still
from conformance.port.result import (
    FORM,
    SEVERITY,
    Divergence,
    ForwardRow,
    PortResult,
    StaticDifference,
    Verdict,
    worst,
)
from conformance.port.side import Side
from conformance.port.static import Pages
from conformance.port.training_causes import Trained, training_suspects
from conformance.port.training_run import TrainingRun, begun, train
from conformance.port.unreached import Unreached, unreached

VIEWS = 2
"""At so many input sizes that differ the layers are looked at; the others tell the same."""
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
        self.dropping = Dropping()
        self.views: list[Found] = []
        self.formulas: dict[Divergence, str] = {}
        self.hidden: list[Unreached] = []
        self.random = ""
        """Why nothing more can be compared: a side draws random numbers."""

    def result(self) -> PortResult:
        """Go through everything and say what came of it."""
        both, plan = self.both, self.plan
        self.echo(f"{counted(len(both.rows), 'row', 'rows')} of weights")
        both.prepare()
        if plan.steps:
            begun(both)
        self.aligned = self._align()
        self.static = self._static()
        self.echo(f"outputs at {', '.join(plan.sizes)}: {counted(plan.seeds, 'draw', 'draws')}")
        self.forward = self._evaluation()
        self._settle()
        if not self.random:
            self._still()
            self._look()
        self.training = self._train()
        return self._told(self._causes())

    # Before anything is compared ------------------------------------------------------------------

    def _align(self) -> list[Aligned]:
        sides = self.both.torch, self.both.port
        traced = [
            (inventory.layers, side.trace(self._inputs))
            for side, inventory in zip(sides, self.both.inventories, strict=True)
        ]
        return align(traced[0], traced[1], self.both.pairs, self.plan.layers)

    @property
    def _inputs(self) -> tuple[Array, ...]:
        return tuple(self.both.draw(self.plan.sizes[0], self.plan.draws[0]).inputs)

    def _static(self) -> list[StaticDifference]:
        torch, port = (inventory.layers for inventory in self.both.inventories)
        found = static.differences(self.aligned, torch, port, self.known.pages)
        if self.built is not None:
            sides = (torch, self.built), (port, self.both.held)
            found += initialisers(self.both.pairs, *sides, self.known.pages)
        return found

    def _evaluation(self) -> list[ForwardRow]:
        """Compare outputs in evaluation, unless PyTorch's are others each time."""
        both = self.both
        noisy = [draws_random(both, side, training=False) for side in (both.torch, both.port)]
        self.unsteady = noisy == [False, True]
        if noisy[0]:
            words = "{side} draws random numbers in evaluation"
            self.random = Phrase(words, side=both.torch.framework)
            return [_not_compared(size, False, self.random) for size in self.plan.sizes]
        return outputs(both)

    def _settle(self) -> None:
        """Try what of the map is a guess the other way round, where the port differs."""
        if self.wrong is not Verdict.DIFFERS or self.unsteady:
            return
        told = settle(self.both, Again(self.both, self.forward))
        if told is not None:
            self.notes.append(told)
            self.aligned = self._align()
            self.static = self._static()
            self.forward = outputs(self.both)

    def _still(self) -> None:
        """Compare outputs in training mode, without what draws random numbers."""
        both = self.both
        self.dropping = dropping(both.torch, both.port, self._inputs)
        layers = sorted({*both.torch.still(), *both.port.still()})
        if layers:
            names = [layer or "(the model)" for layer in layers]
            told = Phrase("switched off in training: {layers}", layers=listed(names, 6))
            self.notes.append(told)
        self.random = self._random()
        if self.random:
            self.forward.append(_not_compared(self.plan.sizes[0], True, self.random))
        else:
            self.forward += outputs(both, training=True)
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
            if row.verdict in OFF:
                chosen.setdefault((row.size, row.training))
        evaluated = [key for key in chosen if not key[1]]
        views = (evaluated or list(chosen))[:VIEWS] or [(self.plan.sizes[0], False)]
        for size, training in views:
            self.echo(f"{counted(len(self.aligned), 'layer', 'layers')} at {size}")
            self.views.append(self._view(size, training))

    def _view(self, size: str, training: bool) -> Found:
        draw = self.plan.draws[0]
        self.both.give(draw)
        on = Pass(self.both.draw(size, draw).inputs, training=training, size=size)
        seen = list(examine(self.both.torch, self.both.port, self.aligned, on, self.plan.memory))
        rows = [row for row in self.forward if (row.size, row.training) == (size, training)]
        rows = [row for row in rows if row.output != FORM]
        # Layers are called in PyNative mode: what differs in graph mode alone is not theirs.
        seen_so = [row for row in rows if row.mode == "pynative"] or rows
        told = [Judgement(row.verdict, row.measures, row.problem) for row in seen_so]
        nothing = Judgement(Verdict.NOT_COMPARED)
        most = max(told, key=lambda one: SEVERITY.index(one.verdict), default=nothing)
        found = find(seen, most, on)
        for item in found.divergences:
            if item.kind == "glue":
                words = explain(self.both.torch, self.both.port, self.aligned, item, on)
                self.formulas |= {item: words} if words else {}
        return found

    # Training -------------------------------------------------------------------------------------

    def _train(self) -> TrainingRun:
        if self.random:
            why = Phrase("training is not compared: {why}", why=self.random)
            return TrainingRun(notes=[why])
        return train(self.both, wrong=self.wrong is Verdict.DIFFERS, echo=self.echo)

    @property
    def wrong(self) -> Verdict:
        """The worst that is said of the numbers in outputs."""
        return worst(row.verdict for row in self.forward if row.output != FORM)

    # Causes ---------------------------------------------------------------------------------------

    def _causes(self) -> list[Suspect]:
        evidence = Evidence(
            static=self.static,
            weights=self.both.rows,
            mistakes=self.both.mistakes,
            forward=self.forward,
            found=self.views,
            state=self.training.eager,
            types={layer.name: layer.type for layer in self.both.inventories[1].layers},
            kernels=self.known.kernels,
            formulas=self.formulas,
        )
        found = [*([drawing()] if self.unsteady else []), *suspects(evidence)]
        told = frozenset((s.setting, layer) for s in found for layer in s.layers if s.setting)
        trained = training_suspects(
            Trained(
                self.wrong,
                self.training.first,
                self.training.compiled,
                self.training.stepped,
                self.training.trajectory,
                told,
            )
        )
        if Verdict.SAME is self.wrong:
            self.hidden = unreached(self.both, self.aligned, evidence)
        hidden = {(one.cause.what, layer) for one in self.hidden for layer in one.layers}
        found = [s for s in found if hidden.isdisjoint((s.setting, n) for n in s.layers)]
        drawn = any(item.setting == DRAWN for item in self.static)
        if self.dropping.verdict is Verdict.DIFFERS and not drawn:
            trained.insert(0, self.dropping.suspect)
        return [*confirmed(found, self.both, evidence, self.echo), *trained]

    # What came of it ------------------------------------------------------------------------------

    def _told(self, found: Sequence[Suspect]) -> PortResult:
        first = next((view.first for view in self.views if view.first), None)
        training = self.training
        views = [*(view for view in self.views if view.first), *self.views]
        layers = views[0].rows if views else ()
        drawn = any(item.setting == DRAWN for item in self.static)
        end = conclude(
            Shown(
                self.forward,
                layers,
                first,
                training,
                self.dropping,
                holdings(self.both.rows, self.both.brought, self.both.trainable),
                self.hidden,
                drawn,
            ),
            [suspect.cause for suspect in found],
        )
        broken = [row for row in self.both.rows if row.problem]
        if broken:
            many = "{n} rows of weights have a problem"
            one = Phrase("1 row of weights has a problem")
            count = one if len(broken) == 1 else Phrase(many, n=len(broken))
            self.notes.append(count)
        return PortResult(
            name=self.plan.name,
            verdict=end.verdict,
            sentence=end.sentence,
            versions={
                side.framework: str(side.info.get("version", ""))
                for side in (self.both.torch, self.both.port)
            },
            weights=self.both.rows,
            static=tuple(self.static),
            forward=tuple(self.forward),
            layers=tuple(layers),
            divergences=tuple(item for view in self.views for item in view.divergences),
            causes=end.causes,
            gradients=tuple(training.gradients),
            state=tuple(training.state),
            step=tuple(training.steps),
            trajectory=training.trajectory.rows if training.trajectory else (),
            notes=(*self.notes, *training.notes),
        )


def _not_compared(size: str, training: bool, why: str) -> ForwardRow:
    return ForwardRow(size, training, "pynative", 0, (), Verdict.NOT_COMPARED, why)
