"""Both sides of a port together: the map of their tensors, equal values, and draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from conformance.phrase import Phrase, joined
from conformance.port import converters
from conformance.port.config import DEFAULT_SIZE, Mode, Weights
from conformance.port.mistakes import Mistake, mistakes
from conformance.port.model import Array
from conformance.port.result import WeightRow
from conformance.port.side import Side
from conformance.port.training import Batch, Tensors
from conformance.port.weights import Inventory, apply, map_weights, restore, usable

Draw = Callable[[str, int], tuple[Sequence[Array], Sequence[Array]]]
"""From the name of a size and a seed to inputs and targets."""


@dataclass(frozen=True)
class Plan:
    """What is asked of a port, wherever its sides run; see ``config.PortConfig``.

    `loaded` says that the port holds a checkpoint of its own, which stays what it is.
    """

    name: str
    draw: Draw
    sizes: Sequence[str] = (DEFAULT_SIZE,)
    seeds: int = 5
    modes: Sequence[Mode] = ("pynative", "graph")
    calibrated: bool = True
    loaded: bool = False
    weights: Weights = field(default_factory=Weights)
    layers: Mapping[str, str] = field(default_factory=dict)
    steps: int = 0
    memory: int = 2**30

    @property
    def draws(self) -> range:
        """The seeds, from 1."""
        return range(1, self.seeds + 1)


class Both:
    """The two sides of a port, and what their tensors are to each other."""

    def __init__(self, torch: Side, port: Side, plan: Plan) -> None:
        self.torch, self.port, self.plan = torch, port, plan
        self.inventories = Inventory.of(torch), Inventory.of(port)
        self.held = port.read()
        """What the port was built with, or loaded."""
        self.unsaved = frozenset(t.name for t in self.inventories[1].tensors if not t.saved)
        """The port's buffers, which no checkpoint of its can bring: they stay what they are."""
        rows = map_weights(*self.inventories, plan.weights)
        self.rows: tuple[WeightRow, ...] = tuple(map(self._told, rows))
        self.mistakes: list[Mistake] = []
        self.mended: set[str] = set()
        """Tensors that get PyTorch's values whatever the converter, or the checkpoint, says."""

    @cached_property
    def tensors(self) -> Tensors:
        """PyTorch's names with the port's, and the port's arrays in PyTorch's layout."""
        rows = [row for row in self.rows if usable(row)]
        names = {row.torch: row.mindspore for row in reversed(rows)}
        ordered = {row.torch: names[row.torch] for row in rows}
        return Tensors(ordered, lambda values: restore(rows, values))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of tensors that belong together."""
        return [(row.torch, row.mindspore) for row in self.rows if row.torch and row.mindspore]

    @property
    def trainable(self) -> set[str]:
        """Names, of both sides, of tensors that are trained."""
        found = (tensor for inventory in self.inventories for tensor in inventory.tensors)
        return {tensor.name for tensor in found if tensor.trainable}

    def draw(self, size: str, seed: int) -> Batch:
        """Return inputs and targets."""
        return Batch(*self.plan.draw(size, seed))

    def give(self, seed: int) -> None:
        """Give both models the values of a draw; where they are not calibrated, their own.

        A checkpoint that the port has loaded is all it gets.
        """
        if self.plan.calibrated:
            self.torch.calibrate(self.draw(self.plan.sizes[0], seed).inputs, seed)
        values = self.torch.read()
        given = self.held if self.plan.loaded else self._converted(values)
        given = {name: value for name, value in given.items() if name not in self.unsaved}
        rows = [r for r in self.rows if r.torch in self.mended or r.mindspore in self.mended]
        mended = apply(rows, values)
        self.port.write(self._over(self._over(self.held, given), mended))

    def change(self, rows: tuple[WeightRow, ...]) -> None:
        """Take another map."""
        self.rows = rows
        self.__dict__.pop("tensors", None)

    def prepare(self) -> None:
        """Give the values of the first draw, and find out what the port holds of them."""
        self.give(self.plan.draws[0])
        values, held = self.torch.read(), self.port.read()
        if self.plan.loaded or self.plan.weights.convert:
            loaded = self.plan.loaded
            given, built = (held, {}) if loaded else (self._given(values), self.held)
            self.rows = converters.compare(self.rows, values, given, built).rows
        self.mistakes = mistakes(values, restore(self.rows, held))

    def _over(self, below: Mapping[str, Array], above: Mapping[str, Array]) -> dict[str, Array]:
        """Return the port's values `above` and, of tensors that have none there, those `below`.

        A tensor with several names, tied weights, may be given by any of them.
        """
        first = {t.name: t.same_as or t.name for t in self.inventories[1].tensors}
        set_ = {first.get(name, name) for name in above}
        return {**{n: v for n, v in below.items() if first.get(n, n) not in set_}, **above}

    def _told(self, row: WeightRow) -> WeightRow:
        if row.mindspore not in self.unsaved or not row.torch:
            return row
        words = "a buffer, which MindSpore's checkpoints leave out: it keeps the port's own value"
        return replace(row, rule=joined([row.rule, Phrase(words)]))

    @property
    def brought(self) -> list[Mistake]:
        """What is wrong with values that a checkpoint, or a converter, brings."""
        kept = {row.torch for row in self.rows if row.mindspore in self.unsaved}
        return [item for item in self.mistakes if item.tensor not in kept]

    def _converted(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return what of `_given` the port has a place for."""
        shapes = {t.name: t.shape for t in self.inventories[1].tensors}
        given = self._given(values)
        return {name: a for name, a in given.items() if shapes.get(name) == a.shape}

    def _given(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return all that the user's converter, else the map, makes of PyTorch's values."""
        convert = self.plan.weights.convert
        return apply(self.rows, values) if convert is None else self.port.convert(convert, values)
