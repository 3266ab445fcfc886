"""Tensors with several names: weights that a model ties, such as embedding and output layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.phrase import Phrase
from conformance.port.names import Named
from conformance.port.pairing import Match, by_name
from conformance.port.result import WeightRow
from conformance.port.rows import single

_OURS = "tied to {name} in PyTorch, not in the port"
Placed = list[tuple[int, WeightRow]]


def split(tensors: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Return each tensor once, by its first name, and its other names."""
    first = [tensor for tensor in tensors if not tensor.info.same_as]
    return first, [tensor for tensor in tensors if tensor.info.same_as]


def called_alike(
    torch: Sequence[Named], mindspore: Sequence[Named], others: Sequence[Named]
) -> list[Named]:
    """Return `mindspore`, each under that of its names which PyTorch's tensors have, if one is.

    `others` are the other names: the frameworks may have met the tied layers in another order.
    """
    known = {tensor.canonical for tensor in torch}
    called: dict[str, Named] = {}
    for other in others:
        if other.canonical in known:
            called.setdefault(other.info.same_as, other)
    return [
        replace(tensor, layer=by.layer, role=by.role, kind=by.kind, type=by.type)
        if tensor.canonical not in known and (by := called.get(tensor.info.name))
        else tensor
        for tensor in mindspore
    ]


def untied(
    matches: Sequence[Match],
    torch: tuple[Sequence[Named], Sequence[Named]],
    mindspore: tuple[Sequence[Named], Sequence[Named]],
) -> tuple[list[Match], Placed]:
    """Return matches of what one side ties and the other does not, and rows of other names.

    Each side is given as first names and other names.  A tie of PyTorch's that the port lacks is a
    match with a doubt: values can be set, training parts them.  The reverse cannot be set.
    """
    used = {m.torch.index for m in matches}, {m.mindspore.index for m in matches}
    left = [n for n in torch[0] if n.index not in used[0]]
    free = [n for n in mindspore[0] if n.index not in used[1]]
    found = [
        replace(match, doubt=Phrase(_OURS, name=match.torch.info.same_as))
        for match in by_name(torch[1], free)
    ]
    rows: Placed = []
    taken = {match.torch.index for match in found}
    for match in by_name(left, mindspore[1]):
        shared = match.mindspore.info
        words = "tied in the port only: {name} is the same tensor as {other}"
        problem = Phrase(words, name=shared.name, other=shared.same_as)
        rows.append(single(match.torch, "torch", problem=problem))
        taken.add(match.torch.index)
    for side, names in (("torch", torch[1]), ("mindspore", mindspore[1])):
        for name in names:
            if side == "mindspore" or name.index not in taken:
                rule = Phrase("another name of {name}", name=name.info.same_as)
                rows.append(single(name, side, rule=rule))
    return found, rows
