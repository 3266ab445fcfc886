"""What causes are inferred from, and what an inference is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conformance.port.divergence import Found
from conformance.port.mistakes import Mistake
from conformance.port.model import CallKey
from conformance.port.result import (
    Cause,
    Divergence,
    ForwardRow,
    LayerRow,
    StaticDifference,
    TensorRow,
    Verdict,
    WeightRow,
)


@dataclass(frozen=True)
class Kernel:
    """A kernel that the corpus knows to be less accurate: up to so many roundoffs; its page."""

    page: str
    roundoffs: float


@dataclass(frozen=True)
class Suspect:
    """A cause, how directly evidence points at it (0 first), and what to put right to try it.

    `layers` are the port's; `setting` of each is to be PyTorch's, or `tensors` (PyTorch's names).
    """

    cause: Cause
    rank: int
    layers: tuple[str, ...] = ()
    setting: str = ""
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What forward passes found.  `found` are the layer views, one per size and mode of training.

    `types` are public names of the port's layers' classes, `kernels` what is known of these,
    `formulas` what glue was found to compute (`glue.explain`),
    `state` the rows of running statistics.
    """

    static: Sequence[StaticDifference] = ()
    weights: Sequence[WeightRow] = ()
    mistakes: Sequence[Mistake] = ()
    forward: Sequence[ForwardRow] = ()
    found: Sequence[Found] = ()
    state: Sequence[TensorRow] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    formulas: Mapping[Divergence, str] = field(default_factory=dict)

    def row(self, layer: str, torch: str = "") -> LayerRow | None:
        """Return the row of one of the port's layers that is off most.

        A layer that is compared as part of another has the row of PyTorch's layer `torch`.
        """
        every = [row for found in self.found for row in found.rows]
        rows = [row for row in every if _is(row.mindspore, layer)]
        rows = rows or [row for row in every if torch and _is(row.torch, torch)]
        return max(rows, key=_off, default=None)

    @property
    def divergences(self) -> list[Divergence]:
        """All divergences, those of the first view first."""
        return [item for found in self.found for item in found.divergences]


def _is(key: CallKey | None, layer: str) -> bool:
    return key is not None and key.layer == layer


def _off(row: LayerRow) -> tuple[bool, float]:
    return row.verdict is Verdict.DIFFERS, row.replayed.ratio if row.replayed else 0.0
