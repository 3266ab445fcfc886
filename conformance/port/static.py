"""Settings of aligned layers that differ, found before any value is compared, with their pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from conformance.corpus.loader import Corpus
from conformance.port.aligned import Aligned, family
from conformance.port.model import LayerCall, LayerInfo
from conformance.port.result import StaticDifference

TRAINING_ONLY = frozenset(
    {
        "momentum",
        "p",
        "dropout",
        "padding_idx",
        "scale_grad_by_freq",
        "affine",
        "elementwise_affine",
    }
)
"""Settings that no forward pass in evaluation shows, as long as both sides hold the same values."""
_COUNTED_FROM_THE_END = ("dim", "start_dim", "end_dim")
_ABSENT = object()


@dataclass(frozen=True)
class Pages:
    """The corpus's operations by the APIs of their pairs, and by name."""

    pairs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    operations: frozenset[str] = frozenset()

    def of(self, torch: LayerInfo, mindspore: LayerInfo, *kinds: str) -> str:
        """Return the operation whose page tells of two layers, "" for none.

        Of layers of no published class the kind tells, or `kinds`: what of them is compared.
        """
        exact = self.pairs.get((torch.type, mindspore.type))
        if exact is not None:
            return exact
        known = kinds or (torch.kind.partition("+")[0], mindspore.kind.partition("+")[0])
        return next((kind for kind in known if kind in self.operations), "")


def pages(corpus: Corpus) -> Pages:
    """Return where a corpus tells of pairs of layers."""
    found: dict[tuple[str, str], str] = {}
    for name, document in corpus.documents.items():
        for pair in document.operation.pairs:
            if isinstance(pair.torch, str) and isinstance(pair.mindspore, str):
                found.setdefault((pair.torch, pair.mindspore), name)
    return Pages(found, frozenset(corpus.documents))


def differences(
    aligned: Iterable[Aligned],
    torch: Sequence[LayerInfo],
    mindspore: Sequence[LayerInfo],
    where: Pages | None = None,
) -> list[StaticDifference]:
    """Return what differs between aligned layers, each pair of layers once, in their order.

    A layer of another kind is a difference of the setting ``kind``.
    """
    infos = {layer.name: layer for layer in torch}, {layer.name: layer for layer in mindspore}
    seen: set[tuple[str, str]] = set()
    found: list[StaticDifference] = []
    for item in aligned:
        parts = [_parts(calls, info) for calls, info in zip(_calls(item), infos, strict=True)]
        if len(parts[0]) != len(parts[1]):
            parts = [_padded(part) for part in parts]
        for one, two in zip_longest(*parts) if len(parts[0]) == len(parts[1]) else ():
            key = (one.layer.name + one.kind, two.layer.name + two.kind)
            if key not in seen:
                seen.add(key)
                found += _compared(one, two, where or Pages())
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class _Part:
    """One kind of computation of a layer: all of it, or what is fused into it."""

    layer: LayerInfo
    kind: str
    settings: Mapping[str, Any]
    rank: int | None


def _calls(item: Aligned) -> tuple[tuple[LayerCall, ...], tuple[LayerCall, ...]]:
    return item.torch, item.mindspore


def _parts(calls: Sequence[LayerCall], infos: Mapping[str, LayerInfo]) -> list[_Part]:
    """Return the parts of a sequence of calls; a fused layer's settings belong to all its parts."""
    found = []
    for call in calls:
        layer = infos[call.key.layer]
        rank = len(call.inputs[0]) if call.inputs else None
        found += [_Part(layer, kind, layer.settings, rank) for kind in layer.kind.split("+")]
    return found


def _padded(parts: list[_Part]) -> list[_Part]:
    """Return `parts` with the padding of a leading layer that pads added to the next one's."""
    if (
        len(parts) < 2
        or parts[0].kind != "pad"
        or parts[1].settings.get("padding") in (None, "same")
    ):
        return parts
    first, second, *rest = parts
    own = second.settings["padding"]
    pads = ((0, 0),) * (len(own) - len(first.settings["padding"])) + first.settings["padding"]
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, own, strict=True))
    settings = {**second.settings, "padding": both}
    if first.settings["mode"] != "constant":
        settings["padding_mode"] = first.settings["mode"]
    elif first.settings["value"] or second.kind.startswith("max_pool"):
        settings["padding_value"] = first.settings["value"]
    return [replace(second, settings=settings), *rest]


def _compared(one: _Part, two: _Part, where: Pages) -> list[StaticDifference]:
    page = where.of(one.layer, two.layer, one.kind, two.kind)
    a, b = _settings(one), _settings(two)
    shared = one.kind == two.kind != "" and not _fused(one, two)
    names = [n for n in a if n in b] if not shared else [*a, *(n for n in b if n not in a)]
    rows = [(n, a.get(n, _ABSENT), b.get(n, _ABSENT)) for n in names]
    rows = [row for row in rows if row[1] != row[2]]
    if one.kind != two.kind and one.kind and two.kind and not _both_pass(one, two):
        rows.insert(0, ("kind", one.kind, two.kind))
    return [
        StaticDifference(
            one.layer.name,
            two.layer.name,
            name,
            _text(x),
            _text(y),
            page=page,
            trains=name in TRAINING_ONLY or family(one.kind) == "pass",
        )
        for name, x, y in rows
    ]


def _fused(one: _Part, two: _Part) -> bool:
    return "+" in one.layer.kind or "+" in two.layer.kind


def _both_pass(one: _Part, two: _Part) -> bool:
    """Tell whether two layers of different kinds drop nothing, so are the identity."""
    return all(family(x.kind) == "pass" and not x.settings.get("p") for x in (one, two))


def _settings(part: _Part) -> dict[str, Any]:
    found = dict(part.settings)
    for name in _COUNTED_FROM_THE_END:
        if isinstance(found.get(name), int) and part.rank:
            found[name] %= part.rank
    return found


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "not set"
    if value is None:
        return "none"
    pairs = isinstance(value, tuple) and value and all(isinstance(v, tuple) for v in value)
    if pairs and all(len(v) == 2 and v[0] == v[1] for v in value):
        return str(tuple(v[0] for v in value))
    return str(value)
