"""Which layer of layers corresponds to which, by the aligned layers they hold."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from conformance.port.aligned import Calls, ancestors, parent


class Parents:
    """Correspondence of layers that hold aligned layers, where it is the same from both sides."""

    def __init__(self, anchors: Iterable[tuple[str, str]], given: Mapping[str, str]) -> None:
        pairs = list(anchors)
        forward = _around(pairs)
        backward = _around([(other, name) for name, other in pairs])
        self._of = {a: b for a, b in forward.items() if backward.get(b) == a} | dict(given)

    def of(self, name: str) -> str | None:
        """Return the port's layer that holds what layer `name` holds; None where none does."""
        return self._of.get(name)


class Around(NamedTuple):
    """The aligned calls, by number, before and after a call within the layer it lies in."""

    before: int | None
    after: int | None

    def touches(self, other: Around) -> bool:
        """Tell whether what runs before or what runs after corresponds."""
        return self.before == other.before or self.after == other.after


class Neighbours:
    """The aligned calls of one side; `matches` are their positions, by number."""

    def __init__(self, calls: Calls, matches: Iterable[Sequence[int]]) -> None:
        self._calls = calls
        self._within: dict[str, list[tuple[int, int]]] = {}
        for number, positions in enumerate(matches):
            for position in positions:
                for outer in ancestors(calls.calls[position].key.layer):
                    self._within.setdefault(outer, []).append((position, number))
        for near in self._within.values():
            near.sort()

    def of(self, position: int) -> Around:
        """Return the aligned calls around the call at `position`."""
        near = self._within.get(parent(self._calls.calls[position].key.layer), [])
        place = bisect_left(near, (position, -1))
        before = near[place - 1][1] if place else None
        return Around(before, near[place][1] if place < len(near) else None)


def _around(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return by each layer around anchors the innermost layer around all their counterparts."""
    held: dict[str, list[str]] = {}
    for name, other in pairs:
        for outer in ancestors(name):
            held.setdefault(outer, []).append(other)
    return {outer: _common(others) for outer, others in held.items()}


def _common(names: list[str]) -> str:
    common = parent(names[0]).split(".")
    for name in names[1:]:
        parts = parent(name).split(".")
        same = [a == b for a, b in zip(common, parts, strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return ".".join(common)
