"""The map from PyTorch's tensors to MindSpore's: a row for each, with why and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.phrase import Phrase, joined
from conformance.port import ruled, ties
from conformance.port.config import Weights
from conformance.port.model import LayerInfo, TensorInfo
from conformance.port.names import COUNTER, Named, named
from conformance.port.pairing import Match, pair
from conformance.port.result import WeightRow
from conformance.port.rows import alone, counted, row, single
from conformance.port.side import Side
from conformance.port.transforms import TRANSFORMS
from conformance.port.values import apply, restore, usable

__all__ = ["TRANSFORMS", "Inventory", "apply", "map_weights", "restore", "usable"]


@dataclass(frozen=True)
class Inventory:
    """All tensors and layers of a model, in order of definition."""

    tensors: Sequence[TensorInfo]
    layers: Sequence[LayerInfo]

    @classmethod
    def of(cls, side: Side) -> Inventory:
        """Ask `side`."""
        return cls(side.tensors(), side.layers())


def map_weights(
    torch: Inventory, mindspore: Inventory, config: Weights | None = None
) -> tuple[WeightRow, ...]:
    """Return a row for each pair and for each tensor that belongs to none.

    The configuration's `ignore` and `rules` go first, then names, then order of definition.  Rows
    are in order of PyTorch's tensors; what only MindSpore has comes last.  Raises RuleError for
    rules that say nothing of these models.
    """
    config = config or Weights()
    ours, theirs = (named(side.tensors, side.layers) for side in (torch, mindspore))
    ruled.check(config.rules, ours, theirs)
    rows: list[tuple[int, WeightRow]] = []
    ours = _ignored(ours, config.ignore.torch, "torch", rows)
    theirs = _ignored(theirs, config.ignore.mindspore, "mindspore", rows)
    (ours, our_others), (theirs, their_others) = ties.split(ours), ties.split(theirs)
    rows += ruled.rows(ours, (theirs, their_others), config.rules)
    used = {row.torch for _, row in rows}, {row.mindspore for _, row in rows}
    ours = [n for n in ours if n.info.name not in used[0]]
    theirs = [n for n in theirs if n.info.name not in used[1]]
    theirs = ties.called_alike(ours, theirs, their_others)
    matches = pair([n for n in ours if n.role != COUNTER or _has(theirs, n)], theirs)
    parted, others = ties.untied(matches, (ours, our_others), (theirs, their_others))
    for match in (*matches, *parted):
        rows += [(match.torch.index, row) for row in _rows(match)]
    rows += others
    told = {row.torch for _, row in others}
    rows += alone([n for n in ours if n.info.name not in told], theirs, [*matches, *parted])
    return tuple(counted([row for _, row in sorted(rows, key=lambda item: item[0])]))


def _has(tensors: Iterable[Named], wanted: Named) -> bool:
    return any(n.role == wanted.role for n in tensors)


_IGNORED = "ignored: weights.ignore.{side} has {found}"


def _ignored(
    tensors: list[Named], patterns: Sequence[str], side: str, rows: list[tuple[int, WeightRow]]
) -> list[Named]:
    kept = []
    for tensor in tensors:
        found = next((p for p in patterns if re.fullmatch(p, tensor.info.name)), None)
        if found is None:
            kept.append(tensor)
        else:
            rows.append(single(tensor, side, rule=Phrase(_IGNORED, side=side, found=found)))
    return kept


def _rows(match: Match) -> list[WeightRow]:
    """Return a row for a match, or one for each of q, k and v where they are one tensor."""
    ours, theirs = match.torch.parts, match.mindspore.parts
    transform = match.transform or ""
    if len(ours) == len(theirs) == 1:
        return [row(ours[0], theirs[0], transform, match.rule, match.doubt)]
    count = max(len(ours), len(theirs))
    whole = "qkv"[-count:]
    held = Phrase("one tensor holds {names}, taken in this order", names=", ".join(whole))
    why = joined([match.rule, held])
    rows = []
    for k, letter in enumerate(whole):
        if len(theirs) == count:
            steps = f"{letter}_of_{whole}+{transform}"
        else:
            steps = f"{transform}+{letter}_into_{whole}"
        one, other = ours[k % len(ours)], theirs[k % len(theirs)]
        rows.append(row(one, other, steps.strip("+"), why, match.doubt))
    return rows
