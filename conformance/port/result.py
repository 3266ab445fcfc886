"""What verifying a port found, as frozen values: the page, the JSON and the terminal show these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Any, Literal

from conformance.port.model import CallKey, Framework


class Verdict(StrEnum):
    """The judge's statement on a measurement, a layer, or a port.

    `UNRESOLVED` lies between the budgets or rests on no signal; `NOT_COMPARED` was not executed.
    Neither is ever green.
    """

    SAME = "same"
    DIFFERS = "differs"
    UNRESOLVED = "unresolved"
    NOT_COMPARED = "not compared"


FORM = -1
"""`ForwardRow.output` of what is said of the outputs' form."""
SEVERITY = (Verdict.SAME, Verdict.NOT_COMPARED, Verdict.UNRESOLVED, Verdict.DIFFERS)
"""From the best to the worst."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of `verdicts`; of none, that nothing was compared."""
    return max(verdicts, key=SEVERITY.index, default=Verdict.NOT_COMPARED)


@dataclass(frozen=True)
class Measure:
    """How far the port and PyTorch's own float32 are from the float64 run of the torch model.

    `port` and `torch` are root mean square errors divided by `signal`, the root mean square of what
    varies between inputs; `floor` is one float32 rounding of the values, divided likewise.
    `largest` is the greatest absolute error of the port.

    `peak` is the same question asked of the worst part, such as one channel of 2,048, at `place`:
    its error in roundoffs of its own size, over the most that float32 shows in any part (0 where
    parts are too small to tell).
    """

    port: float
    torch: float
    floor: float
    signal: float
    largest: float = 0.0
    peak: float = 0.0
    place: str = ""

    @property
    def ratio(self) -> float:
        """How many times farther the port is from float64 than float32 alone explains."""
        return self.port / max(self.torch, self.floor)


@dataclass(frozen=True)
class WeightRow:
    """One tensor of the torch model, of the port, or a pair of them.

    `transform` turns PyTorch's array into MindSpore's (a name of `weights.TRANSFORMS`, "" for
    none); `rule` says in words why they belong together.  `problem` is what is wrong with the row,
    such as "not mapped", or "" for nothing.
    """

    torch: str
    mindspore: str
    torch_shape: tuple[int, ...] | None
    mindspore_shape: tuple[int, ...] | None
    transform: str = ""
    rule: str = ""
    problem: str = ""


@dataclass(frozen=True)
class StaticDifference:
    """A setting that differs between two aligned layers, found before anything ran.

    `page` is the operation of the corpus that tells of it, or "".  `trains` says that only training
    shows it (momentum, dropout, an initialiser).
    """

    torch_layer: str
    mindspore_layer: str
    setting: str
    torch: str
    mindspore: str
    page: str = ""
    trains: bool = False


@dataclass(frozen=True)
class ForwardRow:
    """One output of the whole model at one input size; the measures of all seeds.

    `mode` is pynative or graph; `problem` says why nothing was compared.  `name` is where the
    output lies, such as ``cls`` or ``1.boxes``, "" for the only one.  `output` counts them; it is
    FORM in a row that says what is made otherwise: other keys, another dtype, None for a tensor.
    """

    size: str
    training: bool
    mode: str
    output: int
    measures: tuple[Measure, ...]
    verdict: Verdict
    problem: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """What a table calls the output: its name, else its number."""
        return self.name or ("–" if self.output == FORM else str(self.output))


@dataclass(frozen=True)
class LayerRow:
    """Aligned calls in the order of execution: what came in, what went out, and the layer alone.

    Measures are None where nothing was compared, for the reason that `problem` gives.  `replayed`
    is the port's layer alone on PyTorch's input.
    """

    torch: CallKey | None
    mindspore: CallKey | None
    kind: str
    came_in: Measure | None
    went_out: Measure | None
    replayed: Measure | None
    verdict: Verdict
    problem: str = ""


@dataclass(frozen=True)
class Cause:
    """Why the port parts from the original, in words, and what proves it.

    `what` names the cause's kind: a setting's name, ``weights``, ``glue``, ``kernel``,
    ``optimizer`` or ``schedule``.  `confirmed` tells whether changing only this turned the verdict;
    None when it could not be tried.
    """

    what: str
    where: str
    words: str
    page: str = ""
    confirmed: bool | None = None
    evidence: str = ""


@dataclass(frozen=True)
class Divergence:
    """The first place where the port parts: a layer, or the glue before a layer.

    For glue, `after` are the last layers that still agree; `only_torch` and `only_port` those that
    one side alone calls there.
    """

    kind: Literal["layer", "glue"]
    torch: CallKey | None
    mindspore: CallKey | None
    size: str
    training: bool
    after: tuple[CallKey, ...] = ()
    words: str = ""
    only_torch: tuple[CallKey, ...] = ()
    only_port: tuple[CallKey, ...] = ()


@dataclass(frozen=True)
class TensorRow:
    """A gradient, a running statistic, or a parameter after one step; measures of all seeds."""

    torch: str
    mindspore: str
    what: Literal["gradient", "state", "step"]
    measures: tuple[Measure, ...]
    verdict: Verdict
    problem: str = ""


@dataclass(frozen=True)
class TrajectoryRow:
    """One step of training.  Distances are of all parameters together, relative to how far float64
    has moved from the start: of the port, of PyTorch's float32, and of float32 on inputs perturbed
    by one roundoff, each from PyTorch's float64."""

    step: int
    torch_loss: float
    port_loss: float
    torch_rate: float
    port_rate: float
    port: float
    torch: float
    perturbed: float


_PROVEN: Mapping[bool | None, str] = {
    True: " (confirmed)",
    False: " (changing only this does not suffice)",
    None: "",
}


@dataclass(frozen=True)
class PortResult:
    """Everything `conformance port` found.  `sentence` is the verdict in one sentence.

    `ended` is the exit code of a verification that did not come to its end, 0 for one that did.
    """

    name: str
    verdict: Verdict
    sentence: str
    versions: Mapping[Framework, str]
    weights: tuple[WeightRow, ...] = ()
    static: tuple[StaticDifference, ...] = ()
    forward: tuple[ForwardRow, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    divergences: tuple[Divergence, ...] = ()
    causes: tuple[Cause, ...] = ()
    gradients: tuple[TensorRow, ...] = ()
    state: tuple[TensorRow, ...] = ()
    step: tuple[TensorRow, ...] = ()
    trajectory: tuple[TrajectoryRow, ...] = ()
    notes: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    ended: int = 0

    @property
    def exit_code(self) -> int:
        """0 when the port is the same function, 1 when it differs or it cannot be told."""
        return self.ended or (0 if self.verdict is Verdict.SAME else 1)

    def __repr__(self) -> str:
        return f"<port {self.name}: {self.verdict}. {self.sentence}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the sentence, causes, outputs and notes."""
        causes = [f"{c.where}: {c.words}{_PROVEN[c.confirmed]}" for c in self.causes]
        rows = [
            f"{row.size}, {'training' if row.training else 'evaluation'}, {row.mode}: "
            f"{row.verdict}" + (f", {row.problem}" if row.problem else "")
            for row in self.forward
        ]
        parts = [f"<p><b>{escape(self.name)}: {self.verdict}</b><br>{escape(self.sentence)}</p>"]
        for title, lines in (("Causes", causes), ("Outputs", rows), ("Notes", self.notes)):
            if lines:
                items = "".join(f"<li>{escape(line)}</li>" for line in lines)
                parts.append(f"<details open><summary>{title}</summary><ul>{items}</ul></details>")
        return "".join(parts)
