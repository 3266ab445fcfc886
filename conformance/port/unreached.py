"""Settings that differ and did not show: layers alone, on what the models did not give them.

A ReLU for a ReLU6 is the same function until a value exceeds 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from conformance.errors import HarnessError, PortFailed
from conformance.phrase import Phrase, listed
from conformance.port.attempts import Attempts
from conformance.port.both import Both
from conformance.port.budget import LAYER, Judgement, judge_one
from conformance.port.capture import Kept, Pair, Pass, captures
from conformance.port.causes import AT
from conformance.port.evidence import Evidence, Suspect
from conformance.port.examine import FATAL, alone
from conformance.port.initialisers import INITIALISER
from conformance.port.model import Array
from conformance.port.result import Cause, StaticDifference, Verdict
from conformance.port.settings import said

FACTORS = (10.0, 1000.0, 0.01)
"""By these a layer's own input is multiplied: thresholds show on large ones, eps on small ones."""
LONGER = (1, 2, 3)
"""By so many elements its axes are made longer: padding and rounding depend on remainders."""
SIZED = ("padding", "ceil_mode", "kernel_size", "stride", "output_size", "count_include_pad",
         "padding_mode", "dilation", "kind")  # fmt: skip
"""Settings that sizes may bring to light."""
TRIED = 3
"""So many layers of one difference are tried."""
RECTIFIED = 0.05
"""Where no value is negative and this share is exactly zero, a ReLU comes first, always."""
Change = tuple[Phrase, Callable[[Array], Array]]
"""What is done to inputs, in words, and the doing."""


@dataclass(frozen=True)
class Unreached:
    """A difference that no output showed: DIFFERS with what shows it, else UNRESOLVED."""

    verdict: Verdict
    cause: Cause
    layers: tuple[str, ...]

    @property
    def told(self) -> Phrase:
        """The difference and where it is."""
        words = "{cause}, at {where}"
        return Phrase(words, cause=self.cause.words, where=self.cause.where)


def unreached(both: Both, pairs: Sequence[Pair], evidence: Evidence) -> list[Unreached]:
    """Return what differs in settings and not in outputs, which all agree; the worst first.

    Raises PortFailed when a side is gone.
    """
    found = []
    tried = _Tried(both, pairs, evidence)
    for items in _groups(evidence):
        if (one := tried.told(items)) is not None:
            found.append(one)
    return sorted(found, key=lambda one: one.verdict is not Verdict.DIFFERS)


def _groups(evidence: Evidence) -> list[list[StaticDifference]]:
    """Return equal differences together, those of training and of layers that differ left out."""
    groups: dict[tuple[str, str, str], list[StaticDifference]] = {}
    for item in evidence.static:
        row = evidence.row(item.mindspore_layer, item.torch_layer)
        shown = row is not None and row.verdict is Verdict.DIFFERS
        if not (item.trains or item.setting.startswith(INITIALISER) or shown):
            groups.setdefault((item.setting, item.torch, item.mindspore), []).append(item)
    return list(groups.values())


class _Tried:
    """Tries layers alone."""

    def __init__(self, both: Both, pairs: Sequence[Pair], evidence: Evidence) -> None:
        self.both, self.pairs, self.evidence = both, pairs, evidence
        seed = both.plan.draws[0]
        self.inputs = both.draw(both.plan.sizes[0], seed).inputs
        self.owners = [{t.layer for t in side.tensors} for side in both.inventories]
        both.give(seed)

    def told(self, items: Sequence[StaticDifference]) -> Unreached | None:
        """Return what is to be said of one difference; None for nothing."""
        for item in items[:TRIED]:
            found = self._shown(item)
            if found is not None:
                verdict = Verdict.DIFFERS
                return Unreached(verdict, found, tuple(i.mindspore_layer for i in items))
        first = items[0]
        if first.setting in SIZED and first.setting != "kind" and not self.resizable:
            return None
        if first.setting == "padding_value" and all(map(self._rectified, items)):
            return None  # The maximum of what is never negative is the same over zeros.
        parameters = first.torch_layer in self.owners[0] and first.mindspore_layer in self.owners[1]
        if first.setting == "kind" and parameters:
            return None  # Such as a 1x1 convolution written as a dense layer: its values showed.
        cause = self._cause(items, Phrase("nothing that was tried shows it"))
        layers = tuple(item.mindspore_layer for item in items)
        return Unreached(Verdict.UNRESOLVED, cause, layers)

    def _kept(self, item: StaticDifference) -> Kept | None:
        """Return what the layers of a difference were given."""
        pair = next((pair for pair in self.pairs if _of(pair, item)), None)
        if pair is None:
            return None
        on = Pass(self.inputs, size=self.both.plan.sizes[0])
        (kept,) = captures(self.both.torch, self.both.port, [pair], on, self.both.plan.memory)
        return kept

    def _rectified(self, item: StaticDifference) -> bool:
        kept = self._kept(item)
        return kept is not None and kept.torch is not None and rectified(kept.torch.inputs)

    def _shown(self, item: StaticDifference) -> Cause | None:
        kept = self._kept(item)
        if kept is None:
            return None
        if self._alone(kept, lambda a: a).verdict in (Verdict.DIFFERS, Verdict.NOT_COMPARED):
            return None  # Such as layers that are one on the other side.
        for what, change in self._changes(item):
            judged = self._alone(kept, change)
            if judged.verdict is Verdict.DIFFERS:
                words = Phrase("alone on {what}: {why}", what=what, why=judged.reason)
                cause = self._cause([item], words)
                right = self._right(item, cause, partial(self._alone, kept, change))
                if right is not False:
                    return replace(cause, confirmed=right)
        return None

    def _right(
        self, item: StaticDifference, cause: Cause, again: Callable[[], Judgement]
    ) -> bool | None:
        """Return whether it is this setting; None where that cannot be tried."""
        attempt = Attempts(self.both, self.evidence.static, lambda: again().verdict)
        found = attempt([Suspect(cause, AT, (item.mindspore_layer,), item.setting)])
        return None if found is None else found is not Verdict.DIFFERS

    def _cause(self, items: Sequence[StaticDifference], proof: Phrase) -> Cause:
        item = items[0]
        row = self.evidence.row(item.mindspore_layer, item.torch_layer)
        words = said(row.kind if row else "", item.setting, item.torch, item.mindspore)
        where = listed([one.torch_layer for one in items])
        return Cause(item.setting, where, words, item.page, None, proof)

    def _alone(self, kept: Kept, change: Callable[[Array], Array]) -> Judgement:
        try:
            found = alone(self.both.torch, self.both.port, kept, change)
        except HarnessError as error:
            if getattr(error, "kind", "") in FATAL:
                raise
            return Judgement(Verdict.NOT_COMPARED)
        return judge_one(found, LAYER) if found is not None else Judgement(Verdict.NOT_COMPARED)

    def _changes(self, item: StaticDifference) -> Iterator[Change]:
        for factor in FACTORS:
            words = Phrase("{factor} times its input", factor=f"{factor:g}")
            yield words, partial(_times, factor=factor)
        if item.setting in SIZED and self.resizable:
            for more in LONGER:
                words = Phrase("its input, longer by {more}", more=more)
                yield words, partial(_longer, more=more)

    @cached_property
    def resizable(self) -> bool:
        """Whether PyTorch's model takes inputs that are longer."""
        return any(array.ndim > 2 for array in self.inputs) and any(map(self._takes, LONGER))

    def _takes(self, more: int) -> bool:
        try:
            self.both.torch.run([_longer(array, more) for array in self.inputs])
        except PortFailed as error:
            if error.fatal:
                raise
            return False
        return True


def rectified(given: Sequence[Array]) -> bool:
    """Tell whether a ReLU has made these: nothing negative, and zeros."""
    return bool(given) and all(
        a.size and a.min() >= 0 and (a == 0).mean() > RECTIFIED for a in given
    )


def _of(pair: Pair, item: StaticDifference) -> bool:
    return (
        any(call.key.layer == item.torch_layer for call in pair.torch)
        and any(call.key.layer == item.mindspore_layer for call in pair.mindspore)
        and not pair.problem
    )


def _times(array: Array, factor: float) -> Array:
    return array * array.dtype.type(factor) if array.dtype.kind == "f" else array


def _longer(array: Array, more: int) -> Array:
    """Return an array whose axes after the second go on from their beginning."""
    if array.dtype.kind != "f" or array.ndim < 3:
        return array
    return np.pad(array, [(0, 0), (0, 0), *[(0, more)] * (array.ndim - 2)], mode="wrap")
