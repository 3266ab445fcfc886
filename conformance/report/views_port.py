"""What the page of a verified port shows, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from conformance.port.result import Verdict, WeightRow

Row = TypeVar("Row")


@dataclass(frozen=True)
class Folded(Generic[Row]):
    """Rows of a table: those `shown` at once, those that unfold, and how many are `left` out."""

    shown: tuple[Row, ...] = ()
    folded: tuple[Row, ...] = ()
    left: int = 0

    @property
    def total(self) -> int:
        """How many rows there are to tell of."""
        return len(self.shown) + len(self.folded) + self.left


@dataclass(frozen=True)
class MeasuredView:
    """Medians over draws: errors relative to the signal, and the port's in float32's own.

    `low` and `high` are the least and the greatest ratio.
    """

    port: float
    torch: float
    ratio: float
    low: float
    high: float
    draws: int


@dataclass(frozen=True)
class OutputView:
    """One output of the model at one size, in one pass and mode."""

    size: str
    training: bool
    mode: str
    output: str
    measured: MeasuredView | None
    verdict: Verdict
    problem: str


@dataclass(frozen=True)
class LayerView:
    """Aligned calls, the `number`th in the order of execution.

    `first` is where the port parts: ``layer`` for here, ``glue`` for right before, else "".
    """

    number: int
    torch: str
    mindspore: str
    kind: str
    came_in: MeasuredView | None
    went_out: MeasuredView | None
    alone: MeasuredView | None
    verdict: Verdict
    problem: str
    first: str


@dataclass(frozen=True)
class StaticView:
    """A setting that differs in the same way in one or more layers; `layers` are both names."""

    setting: str
    torch: str
    mindspore: str
    page: str
    trains: bool
    layers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CauseView:
    """A cause and its proof.  `page` is an operation that the site has a page of, or "".

    `setting` is the name of the setting that it is, "" for a cause of another kind.
    """

    kind: str
    setting: str
    where: str
    words: str
    evidence: str
    confirmed: bool | None
    page: str


@dataclass(frozen=True)
class DivergenceView:
    """Where the port parts, at which input size and in which pass."""

    kind: str
    place: str
    size: str
    training: bool
    words: str


@dataclass(frozen=True)
class TensorView:
    """A gradient, a running statistic or an update."""

    torch: str
    mindspore: str
    measured: MeasuredView | None
    verdict: Verdict
    problem: str


@dataclass(frozen=True)
class TensorsView:
    """A table of tensors, called by `anchor`: what is not the same first, the rest folded."""

    anchor: str
    counts: Mapping[Verdict, int]
    rows: Folded[TensorView]


@dataclass(frozen=True)
class StepView:
    """One step of training: losses, rates, and distances from float64."""

    step: int
    torch_loss: float
    port_loss: float
    torch_rate: float
    port_rate: float
    port: float
    torch: float
    perturbed: float


@dataclass(frozen=True)
class LineView:
    """One line of a plot: its `path`, and a marker with its words at each of `points` (x, y)."""

    kind: str
    path: str
    points: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class LinePlotView:
    """Lines over a logarithmic scale, in px.  `mark` is where the port parts, and its name."""

    lines: tuple[LineView, ...]
    ticks: tuple[tuple[float, str], ...]
    across: tuple[tuple[float, str], ...]
    width: int
    height: int
    left: int
    bottom: int
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class SpanView:
    """What a plot of layers says in words: the port at its first and last layer and the most it
    differs and where, and between what float32 alone lies."""

    count: int
    start: float
    end: float
    most: float
    where: str
    low: float
    high: float


@dataclass(frozen=True)
class PortView:
    """Everything on the page of a port; `file` is its name without what a file may not bear.

    `problems` is how many rows of weights have one, `final` the last step of training.
    """

    name: str
    file: str
    verdict: Verdict
    sentence: str
    versions: tuple[tuple[str, str], ...]
    causes: tuple[CauseView, ...]
    divergences: tuple[DivergenceView, ...]
    outputs: Folded[OutputView]
    layers: Folded[LayerView]
    depth: LinePlotView | None
    span: SpanView | None
    static: Folded[StaticView]
    weights: Folded[WeightRow]
    problems: int
    tensors: tuple[TensorsView, ...]
    steps: Folded[StepView]
    final: StepView | None
    trajectory: LinePlotView | None
    notes: tuple[str, ...]
    config: str
