"""Where a port parts first: at a layer, or in the glue between layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import median

from conformance.phrase import Phrase, listed, number
from conformance.port.budget import LAYER, OUTPUT, Judgement, judge_one
from conformance.port.capture import Pass
from conformance.port.examine import Seen
from conformance.port.measure import Measured, Unmeasured
from conformance.port.model import CallKey
from conformance.port.result import Divergence, LayerRow, Verdict

JUMP = 4.0
"""Glue is to blame when an input is off by four times what any layer before was: noise that grows
slowly, or a layer that is half a budget off, is no jump."""
PASSING = ("identity", "dropout", "drop_path", "flatten")
"""Kinds of layers that the other side may well do without."""
LATER = 100.0
"""The same once the port has parted: what parts amplifies itself."""


@dataclass(frozen=True)
class Found:
    """The rows as the whole view corrects them, and all divergences, the first one first."""

    rows: tuple[LayerRow, ...]
    divergences: tuple[Divergence, ...]

    @property
    def first(self) -> Divergence | None:
        """The first place where the port parts."""
        return self.divergences[0] if self.divergences else None


def find(seen: Sequence[Seen], outputs: Judgement, on: Pass) -> Found:
    """Return where the port parts, given all that was seen and what is said of the model's output.

    Glue that makes no difference to the model's output is none.  After the first divergence only
    layers that differ alone, and inputs that jump, are named: mend the first and run again.
    """
    healed = [_healed(seen, place, outputs.verdict) for place in range(len(seen))]
    rows = [
        replace(item.row, verdict=Verdict.NOT_COMPARED, problem=words) if words else item.row
        for item, words in zip(seen, healed, strict=True)
    ]
    items = [replace(item, row=row) for item, row in zip(seen, rows, strict=True)]
    walk = _Walk(items, on)
    found = walk.divergences()
    if outputs.verdict is Verdict.SAME:
        # Such as another layout that is turned back: whatever it is, it heals.
        found = [item for item in found if item.kind == "layer"]
    if not found and outputs.verdict is Verdict.DIFFERS and seen:
        jumps = _jumps(outputs, walk.level)
        found = [_ending(items, on)] if jumps else _leaning(items, on)
    return Found(tuple(rows), tuple(found))


def _jumps(outputs: Judgement, level: float) -> bool:
    """Whether the model's output is off by more than what the last layers were off by."""
    if not outputs.measures:
        return True
    return median(map(excess, outputs.measures)) >= JUMP * level


def _leaning(items: Sequence[Seen], on: Pass) -> list[Divergence]:
    """Return the first of the layers that are each a little off, where together they differ."""
    rows = [item.row for item in items if item.row.verdict is Verdict.UNRESOLVED]
    rows = [row for row in rows if row.replayed and row.replayed.ratio > LAYER.same]
    if not rows:
        return []
    words = Phrase(
        "no layer alone is far off, but {count} of them a little, up to {ratio} times farther from "
        "float64 than PyTorch's float32: {layers}",
        count=len(rows),
        ratio=number(max(row.replayed.ratio for row in rows if row.replayed)),
        layers=listed([str(row.torch) for row in rows]),
    )
    key = rows[0]
    return [Divergence("layer", key.torch, key.mindspore, on.size, on.training, (), words)]


def excess(found: Measured | None) -> float:
    """Return how much of the budget that makes a difference is used up: from 1 on it differs."""
    if found is None:
        return 0.0
    if isinstance(found, Unmeasured):
        return float("inf") if found.verdict is Verdict.DIFFERS else 0.0
    return max(found.ratio / OUTPUT.differs, found.peak / OUTPUT.peak_differs)


class _Walk:
    """Goes through the rows in the order of execution."""

    def __init__(self, items: Sequence[Seen], on: Pass) -> None:
        self.items, self.on = items, on
        self.level = 0.0
        self.past: list[int] = []
        self.found: list[Divergence] = []

    def divergences(self) -> list[Divergence]:
        for place, item in enumerate(self.items):
            self._enter(item)
            self._leave(place, item)
        return self.found

    def _enter(self, item: Seen) -> None:
        if _whole(item) and judge_one(item.came_in or _NONE, OUTPUT).verdict is Verdict.DIFFERS:
            jump = LATER if self.found else JUMP
            if isfinite(self.level) and excess(item.came_in) >= max(1.0, jump * self.level):
                self.found.append(_glue(self.items, self.past, item, self.on))
        if _whole(item):
            self.level = max(self.level, excess(item.came_in))

    def _leave(self, place: int, item: Seen) -> None:
        if item.row.verdict is Verdict.DIFFERS:
            self.found.append(_layer(item.row, self.on))
        if not _cut(item.row):
            self.level = max(self.level, excess(item.went_out))
        self.past.append(place)


_NONE = Unmeasured(Verdict.NOT_COMPARED, "")
CUT = "its output differs, what the next layers are given does not: the layers are cut elsewhere"


def _healed(seen: Sequence[Seen], number: int, outputs: Verdict) -> str:
    """Return why a row that differs is none the less no difference, or "".

    A layer with its activation inside on one side, and glue that does the same on the other.
    """
    item = seen[number]
    if item.row.verdict is not Verdict.DIFFERS or excess(item.went_out) < 1:
        return ""
    later = [other for other in seen[number + 1 :] if _whole(other)]
    fed = [other for other in later if item.flow.feeds(other.flow)]
    if fed:
        return Phrase(CUT) if all(_agrees(other) for other in fed) else ""
    ends = outputs is Verdict.SAME and all(_agrees(other) for other in later)
    return Phrase(CUT) if ends else ""


def _agrees(item: Seen) -> bool:
    return item.came_in is not None and judge_one(item.came_in, OUTPUT).verdict is Verdict.SAME


def _whole(item: Seen) -> bool:
    return item.row.torch is not None and item.row.mindspore is not None


def _cut(row: LayerRow) -> bool:
    return getattr(row.problem, "template", "") == CUT


def _layer(row: LayerRow, on: Pass) -> Divergence:
    name = str(row.torch)
    alone = row.replayed is not None and judge_one(row.replayed, LAYER).verdict is Verdict.DIFFERS
    template = "{layer}, alone on PyTorch's input: {problem}" if alone else "{layer}: {problem}"
    words = Phrase(template, layer=name, problem=row.problem)
    return Divergence("layer", row.torch, row.mindspore, on.size, on.training, (), words)


def _glue(items: Sequence[Seen], past: Sequence[int], item: Seen, on: Pass) -> Divergence:
    after = _sources(items, past)
    names = [str(key) for key in after]
    rows = _lone(items, past)
    lone = [str(r.torch or r.mindspore) for r in rows]
    what = Phrase("what {layer} is given differs", layer=str(item.row.torch))
    if not names:
        words = Phrase("{what}, and no layer comes before it", what=what)
    else:
        words = Phrase(
            "{what}, though {after}, and every layer before, agrees",
            what=what,
            after=listed(names),
        )
    if lone:
        words = Phrase("{words}; on one side only: {lone}", words=words, lone=listed(lone))
    found = Divergence(
        "glue", item.row.torch, item.row.mindspore, on.size, on.training, after, words
    )
    return _with(found, rows)


def _with(found: Divergence, lone: Sequence[LayerRow]) -> Divergence:
    """Return a divergence with the layers that one side alone calls there, if they compute."""
    telling = [row for row in lone if row.kind not in PASSING]
    return replace(
        found,
        only_torch=tuple(row.torch for row in telling if row.torch is not None),
        only_port=tuple(row.mindspore for row in telling if row.mindspore is not None),
    )


def _ending(items: Sequence[Seen], on: Pass) -> Divergence:
    after = _sources(items, range(len(items)))
    words = Phrase(
        "the model's output differs, though {after}, and every layer before, agrees",
        after=listed([str(key) for key in after]) or Phrase("nothing that was compared"),
    )
    found = Divergence("glue", None, None, on.size, on.training, after, words)
    return _with(found, _lone(items, range(len(items))))


def _sources(items: Sequence[Seen], past: Sequence[int]) -> tuple[CallKey, ...]:
    """Return the agreeing layers that end where the glue begins.

    The last one that was compared, and those before whose output neither a layer has been given
    yet nor, presumably, the glue that made another layer's input.
    """
    open_: list[int] = []
    known: set[str] = set()
    for n in past:
        flow = items[n].flow
        if known and not flow.torch_in <= known:
            open_.clear()
        open_ = [m for m in open_ if not items[m].flow.feeds(flow)] + [n]
        known |= flow.torch_in | flow.torch_out
    good = [n for n in past if _good(items[n])]
    chosen = sorted({*good[-1:], *(n for n in open_ if n in good)})
    return tuple(key for n in chosen if (key := items[n].row.torch) is not None)


def _good(item: Seen) -> bool:
    compared = _whole(item) and item.came_in is not None
    return compared and item.row.verdict is not Verdict.DIFFERS and excess(item.went_out) < 1


def _lone(items: Sequence[Seen], past: Sequence[int]) -> list[LayerRow]:
    """Return layers of one side only since the last pair."""
    rows: list[LayerRow] = []
    for place in reversed(past):
        if _whole(items[place]):
            break
        rows.insert(0, items[place].row)
    return rows
