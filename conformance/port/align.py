"""Which call of the port computes what a call of the original does, and why that is believed.

Layers that own mapped tensors are anchors.  What is fused on one side is compared with a sequence
on the other.  Layers without tensors are aligned within layers that correspond, then by kind
between anchors.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod

from conformance.errors import CallerError
from conformance.port.aligned import Aligned, Calls, calls_of, family, ordered, parent, rising
from conformance.port.matches import (
    BY_KIND,
    BY_NAME,
    BY_PARENT,
    BY_PLACE,
    BY_TENSORS,
    FUSED,
    PADDED,
    Match,
)
from conformance.port.model import LayerCall, LayerInfo
from conformance.port.parents import Neighbours, Parents


def align(
    torch: tuple[Sequence[LayerInfo], Iterable[LayerCall]],
    mindspore: tuple[Sequence[LayerInfo], Iterable[LayerCall]],
    tensors: Iterable[tuple[str, str]],
    names: Mapping[str, str] | None = None,
) -> list[Aligned]:
    """Align the layers' calls of both traces; every call is in the result once, or fused into one.

    `tensors` pairs PyTorch's names of tensors with MindSpore's, `names` layers.  Calls made inside
    other atomic layers' calls are left out.  CallerError for a name that no layer bears.
    """
    return _Aligner(calls_of(*torch), calls_of(*mindspore), list(tensors), names or {}).run()


class _Aligner:
    def __init__(
        self,
        torch: Calls,
        mindspore: Calls,
        tensors: list[tuple[str, str]],
        names: Mapping[str, str],
    ) -> None:
        self.torch, self.mindspore, self.tensors, self.names = torch, mindspore, tensors, names
        self.matches: list[Match] = []
        self.taken: tuple[set[int], set[int]] = (set(), set())
        self.lone: dict[tuple[int, str], str] = {}

    def run(self) -> list[Aligned]:
        self._by_name()
        self._by_tensors()
        self._fused()
        self._by_parent()
        self._by_kind()
        self._padded()
        self._elsewhere()
        items = [self._item(match) for match in self.matches]
        for side, calls in enumerate((self.torch, self.mindspore)):
            for i in sorted({*range(len(calls.calls))} - self.taken[side]):
                items.append(self._alone(side, calls, i))
        return ordered(items, self.torch, self.mindspore)

    def _add(
        self, torch: Sequence[int], mindspore: Sequence[int], why: str, problem: str = ""
    ) -> None:
        self.matches.append(Match(tuple(torch), tuple(mindspore), why, problem))
        self.taken[0].update(torch)
        self.taken[1].update(mindspore)

    def _elsewhere(self) -> None:
        """Part layers that pass on what they are given, where that is not the same tensor.

        Such as dropout of attention's weights and an identity after it: order alone pairs them.
        """
        for match in list(self.matches):
            pair = (*match.torch, *match.mindspore)
            if match.why == BY_NAME or len(pair) != 2 or self.torch.family(pair[0]) != "pass":
                continue
            calls = self.torch.calls[pair[0]], self.mindspore.calls[pair[1]]
            sizes = [sorted(map(prod, call.outputs)) for call in calls]
            if sizes[0] != sizes[1] and all(sizes):
                self.matches.remove(match)
                words = "it passes on what it is given, at another place than in the other model"
                for side, call in enumerate(calls):
                    self.taken[side].discard(pair[side])
                    self.lone[side, call.key.layer] = words

    # Anchors ------------------------------------------------------------------------------------

    def _by_name(self) -> None:
        for name, other in self.names.items():
            for side, calls, wanted in (
                ("the PyTorch model", self.torch, name),
                ("the port", self.mindspore, other),
            ):
                if wanted not in calls.info:
                    close = difflib.get_close_matches(wanted, calls.info, n=3)
                    hint = f"; similar: {', '.join(close)}" if close else ""
                    raise CallerError(f"layers: {side} has no layer {wanted!r}{hint}")
            self._calls(name, other, BY_NAME)

    def _by_tensors(self) -> None:
        """Pair layers by the tensors they share, first those of one kind: ties may add others."""
        shared = Counter(
            (self.torch.owners[t], self.mindspore.owners[m])
            for t, m in self.tensors
            if t in self.torch.owners and m in self.mindspore.owners
        )
        known = {*self.names}, {*self.names.values()}
        edges = [e for e in shared if e[0] not in known[0] and e[1] not in known[1]]
        partners: tuple[Counter[str], Counter[str]] = Counter(), Counter()
        for edge in edges:
            for side in (0, 1):
                partners[side][edge[side]] += 1
        while edges:
            best = max(edges, key=lambda e: (self._alike(e), shared[e]))
            own = [e for e in edges if e[0] == best[0]], [e for e in edges if e[1] == best[1]]
            if self._alike(best) or len(own[0]) == len(own[1]) == 1:
                self._calls(*best, BY_TENSORS)
                edges = [e for e in edges if e[0] != best[0] and e[1] != best[1]]
            else:
                group = max(own, key=len)
                self._sequence([e[0] for e in group], [e[1] for e in group])
                gone = {e[0] for e in group}, {e[1] for e in group}
                edges = [e for e in edges if e[0] not in gone[0] and e[1] not in gone[1]]

    def _alike(self, edge: tuple[str, str]) -> bool:
        kinds = (self.torch.info[edge[0]].kind, self.mindspore.info[edge[1]].kind)
        return bool(kinds[0]) and family(kinds[0]) == family(kinds[1]) and self._same_size(edge)

    def _same_size(self, edge: tuple[str, str]) -> bool:
        """Tell whether what the layers return has as many elements; q, k and v apart have fewer."""
        first = [s.by_layer[n][0] for s, n in zip((self.torch, self.mindspore), edge, strict=True)]
        a, b = self.torch.calls[first[0]].outputs, self.mindspore.calls[first[1]].outputs
        return not a or not b or prod(a[0]) == prod(b[0])

    def _calls(self, name: str, other: str, why: str) -> None:
        """Pair the calls of two layers, in order; further calls of one side stand alone."""
        one = [i for i in self.torch.by_layer.get(name, []) if i not in self.taken[0]]
        two = [i for i in self.mindspore.by_layer.get(other, []) if i not in self.taken[1]]
        for i, j in zip(one, two, strict=False):
            self._add([i], [j], why)
        if one and two and len(one) != len(two):
            words = f"{name} is called {len(one)} times in PyTorch, {other} {len(two)} in the port"
            self.lone |= {(0, name): words, (1, other): words}

    def _sequence(self, one: list[str], two: list[str]) -> None:
        """Pair one layer with several that share its tensors, and with what runs between those."""
        words = "its tensors belong to layers of the other side that do not run one after another"
        self.lone |= {(0, name): words for name in one} | {(1, name): words for name in two}
        sides = (self.torch, {*one}), (self.mindspore, {*two})
        calls = [sorted(i for n in names for i in side.by_layer[n]) for side, names in sides]
        spans = []
        for number, (side, names) in enumerate(sides):
            if len(calls[number]) != len(names):
                return
            span = range(calls[number][0], calls[number][-1] + 1)
            inside = {side.calls[i].key.layer for i in span} - names
            if self.taken[number] & {*span} or inside & {*side.owners.values()}:
                return
            spans.append(span)
        last = self.torch.calls[spans[0][-1]].outputs, self.mindspore.calls[spans[1][-1]].outputs
        problem = ""
        if not last[0] or not last[1] or last[0][0] != last[1][0]:
            problem = (
                "one layer does what several do on the other side: no output is the same tensor"
            )
        self._add(spans[0], spans[1], BY_TENSORS, problem)

    # Fused layers -------------------------------------------------------------------------------

    def _fused(self) -> None:
        for number, match in enumerate(self.matches):
            if len(match.torch) > 1 or len(match.mindspore) > 1 or match.problem:
                continue
            parts = self.torch.kind(match.torch[0]), self.mindspore.kind(match.mindspore[0])
            counts = [kind.count("+") for kind in parts]
            if not all(parts) or counts[0] == counts[1]:
                continue
            side = int(counts[0] > counts[1])  # that of the sequence
            missing = parts[1 - side].split("+")[counts[side] + 1 :]
            calls = (self.torch, self.mindspore)[side]
            found = self._following(side, calls, (match.torch, match.mindspore)[side][0], missing)
            if found is None:
                where = ("PyTorch", "the port")[side]
                fused = " and ".join(missing)
                words = f"{fused} is fused into the layer; {where} has no such layer here"
                self.matches[number] = match._replace(problem=words)
                continue
            why = f"{match.why}; {FUSED}"
            self.matches[number] = (
                match._replace(mindspore=(*match.mindspore, *found), why=why)
                if side
                else match._replace(torch=(*match.torch, *found), why=why)
            )
            self.taken[side].update(found)

    def _following(
        self, side: int, calls: Calls, position: int, missing: list[str]
    ) -> tuple[int, ...] | None:
        """Return the calls right after `position` that are of the `missing` kinds' families."""
        found: list[int] = []
        for i in range(position + 1, len(calls.calls)):
            if len(found) == len(missing):
                break
            if calls.family(i) == family(missing[len(found)]) and i not in self.taken[side]:
                found.append(i)
            elif calls.family(i) != "pass":
                return None
        return tuple(found) if len(found) == len(missing) else None

    # Layers without tensors ---------------------------------------------------------------------

    def _by_parent(self) -> None:
        """Pair calls of one kind in layers that correspond, if there are as many of them.

        What runs before or after them in those layers must correspond as well: an activation may
        be a function at one place on this side and at another on that.
        """
        parents = Parents([self._layers_of(match) for match in self.matches], self.names)
        neighbours = (
            Neighbours(self.torch, [match.torch for match in self.matches]),
            Neighbours(self.mindspore, [match.mindspore for match in self.matches]),
        )
        groups: tuple[dict[tuple[str, str], list[int]], ...] = ({}, {})
        for side, calls in enumerate((self.torch, self.mindspore)):
            for i, call in enumerate(calls.calls):
                if i not in self.taken[side]:
                    key = (parent(call.key.layer), calls.family(i))
                    groups[side].setdefault(key, []).append(i)
        for (around, kind), one in groups[0].items():
            other = parents.of(around)
            two = groups[1].get((other, kind), []) if other is not None else []
            if len(one) == len(two):
                for i, j in zip(one, two, strict=True):
                    if neighbours[0].of(i).touches(neighbours[1].of(j)):
                        self._add([i], [j], BY_PARENT)

    def _layers_of(self, match: Match) -> tuple[str, str]:
        one, two = self.torch.calls[match.torch[0]], self.mindspore.calls[match.mindspore[0]]
        return one.key.layer, two.key.layer

    def _by_kind(self) -> None:
        """Align what is left between neighbouring matches that neither side executes crosswise."""
        rows = sorted((m.torch[-1], m.mindspore[0], m.mindspore[-1]) for m in self.matches)
        fixed = [(-1, -1, -1), *(rows[i] for i in rising([row[1] for row in rows]))]
        ends = [*fixed[1:], (len(self.torch.calls), len(self.mindspore.calls), 0)]
        for (a, _, b), (c, d, _) in zip(fixed, ends, strict=True):
            one = [i for i in range(a + 1, c) if i not in self.taken[0]]
            two = [j for j in range(b + 1, d) if j not in self.taken[1]]
            if one and two:
                self._between(one, two)

    def _between(self, one: list[int], two: list[int]) -> None:
        kinds = [self.torch.family(i) for i in one], [self.mindspore.family(j) for j in two]
        matcher = difflib.SequenceMatcher(None, *kinds, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            if tag == "equal":
                for i, j in zip(one[a:b], two[c:d], strict=True):
                    self._add([i], [j], BY_KIND)
            elif tag == "replace" and 1 in (b - a, d - c):
                self._by_place(one[a:b], two[c:d])

    def _by_place(self, one: list[int], two: list[int]) -> None:
        """Pair one layer of a class nobody knows with all that runs in its place."""
        single = self.torch.kind(one[0]) if len(one) == 1 else self.mindspore.kind(two[0])
        shapes = self.torch.calls[one[-1]].outputs, self.mindspore.calls[two[-1]].outputs
        if not single and shapes[0] and shapes[0] == shapes[1]:
            self._add(one, two, BY_PLACE)

    def _padded(self) -> None:
        """Put a layer that pads, which only one side has, before the layer it pads for."""
        for number, match in enumerate(self.matches):
            before = self._pads(0, match.torch[0] - 1), self._pads(1, match.mindspore[0] - 1)
            if before[0] == before[1]:
                continue
            side = int(before[1])
            position = (match.torch, match.mindspore)[side][0] - 1
            why = f"{match.why}; {PADDED}"
            self.matches[number] = (
                match._replace(mindspore=(position, *match.mindspore), why=why)
                if side
                else match._replace(torch=(position, *match.torch), why=why)
            )
            self.taken[side].add(position)

    def _pads(self, side: int, position: int) -> bool:
        calls = (self.torch, self.mindspore)[side]
        return position >= 0 and position not in self.taken[side] and calls.kind(position) == "pad"

    # Results ------------------------------------------------------------------------------------

    def _item(self, match: Match) -> Aligned:
        one = tuple(self.torch.calls[i] for i in match.torch)
        two = tuple(self.mindspore.calls[j] for j in match.mindspore)
        kinds = [self.torch.kind(i) for i in match.torch]
        kinds += [self.mindspore.kind(j) for j in match.mindspore]
        kind = next((k for k in kinds if k not in ("", "pad")), max(kinds))
        return Aligned(one, two, kind, match.why, match.problem)

    def _alone(self, side: int, calls: Calls, position: int) -> Aligned:
        call, kind = calls.calls[position], calls.kind(position)
        where = ("PyTorch", "the port")[side]
        why = self.lone.get((side, call.key.layer), "")
        if not why and call.key.layer in calls.owners.values():
            why = f"only in {where}: none of its tensors is mapped to a layer that is not taken"
        if not why and calls.family(position) == "pass":
            why = f"only in {where}; it computes nothing outside training"
        why = why or f"only in {where}: on the other side it may be a function"
        one, two = ((call,), ()) if side == 0 else ((), (call,))
        return Aligned(one, two, kind, why)
