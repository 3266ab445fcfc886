"""Rows of the table of weights: each pair, each tensor left over, and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from conformance.phrase import Phrase, joined
from conformance.port.model import TensorInfo
from conformance.port.names import COUNTER, Named, family
from conformance.port.pairing import Match
from conformance.port.result import WeightRow
from conformance.port.transforms import Part, chain
from conformance.port.values import usable

LAST = 1 << 30
"""Where rows without a tensor of PyTorch's are sorted."""


def single(tensor: Named, side: str, rule: str = "", problem: str = "") -> tuple[int, WeightRow]:
    """Return the row of a tensor that has no partner, and where to sort it."""
    name, shape = tensor.info.name, tensor.info.shape
    if side == "torch":
        return tensor.index, WeightRow(name, "", shape, None, rule=rule, problem=problem)
    return LAST + tensor.index, WeightRow("", name, None, shape, rule=rule, problem=problem)


def row(
    torch: TensorInfo, mindspore: TensorInfo, transform: str, rule: str, doubt: str
) -> WeightRow:
    """Return the row of a pair, with everything that is wrong with it."""
    wrong: list[str] = [doubt] if doubt else []
    if chain(transform).between(torch.shape, mindspore.shape) is None:
        wrong.append(_changed(torch, mindspore, transform))
    if torch.trainable and not mindspore.trainable:
        wrong.append(Phrase("trainable in PyTorch, frozen in the port"))
    if mindspore.trainable and not torch.trainable:
        wrong.append(Phrase("frozen in PyTorch, trainable in the port"))
    ours, theirs = torch.dtype.lower(), mindspore.dtype.lower()
    if ours != theirs and "float" in ours + theirs:
        wrong.append(Phrase("{ours} in PyTorch, {theirs} in the port", ours=ours, theirs=theirs))
    return WeightRow(
        torch.name, mindspore.name, torch.shape, mindspore.shape, transform, rule, joined(wrong)
    )


def _changed(torch: TensorInfo, mindspore: TensorInfo, transform: str = "") -> Phrase:
    ours, theirs = torch.shape, mindspore.shape
    if transform:
        words = "shape changed: {ours} does not become {theirs} by {transform}"
        return Phrase(words, ours=ours, theirs=theirs, transform=transform)
    return Phrase("shape changed: {ours} does not become {theirs}", ours=ours, theirs=theirs)


def alone(
    torch: Sequence[Named], mindspore: Sequence[Named], matches: Sequence[Match]
) -> list[tuple[int, WeightRow]]:
    """Return rows of what belongs to nothing, with what might be meant."""
    paired = [
        {part.name for match in matches for part in getattr(match, side).parts}
        for side in ("torch", "mindspore")
    ]
    left = [
        [n for n in side if n.info.name not in names]
        for side, names in zip((torch, mindspore), paired, strict=True)
    ]
    beside = {m.torch.layer: m.mindspore.layer for m in matches}
    rows = []
    for tensor in left[0]:
        if tensor.role == COUNTER:
            rule = Phrase("counts batches; MindSpore's BatchNorm counts none")
            rows.append(single(tensor, "torch", rule=rule))
        else:
            rows.append(single(tensor, "torch", problem=_not_mapped(tensor, left[1], beside)))
    for tensor in left[1]:
        if tensor.role == COUNTER:
            rows.append(
                single(tensor, "mindspore", rule=Phrase("counts batches; PyTorch's counts none"))
            )
        elif _constant(tensor):
            rule = Phrase("MindSpore keeps gamma at 1 and beta at 0, frozen, where affine is off")
            rows.append(single(tensor, "mindspore", rule=rule))
        else:
            problem = Phrase("not set: no tensor of PyTorch's")
            rows.append(single(tensor, "mindspore", problem=_nearest(problem, tensor, left[0])))
    return rows


def _constant(tensor: Named) -> bool:
    norm = family(tensor.kind) in ("batch_norm", "instance_norm", "group_norm")
    return norm and tensor.role in ("weight", "bias") and not tensor.info.trainable


def _not_mapped(tensor: Named, left: Sequence[Named], beside: Mapping[str, str]) -> Phrase:
    layer = beside.get(tensor.layer)
    if tensor.role == "bias" and layer is not None:
        where = layer or Phrase("the port")
        if family(tensor.kind) in ("conv", "conv_transpose"):
            words = (
                "not mapped: {layer} has no bias: "
                "MindSpore's convolutions have none unless has_bias=True"
            )
            return Phrase(words, layer=where)
        return Phrase("not mapped: {layer} has no bias", layer=where)
    return _nearest(Phrase("not mapped: no tensor of the port"), tensor, left)


def _nearest(problem: Phrase, tensor: Named, left: Sequence[Named]) -> Phrase:
    """Return `problem` with the name of the tensor that may be meant."""
    same = [n.info.name for n in left if n.shape == tensor.shape]
    near = difflib.get_close_matches(tensor.info.name, same or [n.info.name for n in left], n=1)
    if not near:
        return problem
    return Phrase("{problem}; nearest of those left is {name}", problem=problem, name=near[0])


_TWICE = {
    "torch": "{name} is used twice, also with {others}",
    "mindspore": "{name} is set twice, also with {others}",
}
_IN_PART = {
    "torch": "{name} is used in part only",
    "mindspore": "{name} is set in part only",
}


def counted(rows: Sequence[WeightRow]) -> list[WeightRow]:
    """Add what is wrong with the count: a tensor used or set twice, or in part only."""
    uses: dict[tuple[str, str], list[tuple[Part, WeightRow]]] = {}
    for row in filter(usable, rows):
        steps = chain(row.transform)
        uses.setdefault(("torch", row.torch), []).append((steps.source, row))
        uses.setdefault(("mindspore", row.mindspore), []).append((steps.target, row))
    return [_recounted(row, uses) if row.torch and row.mindspore else row for row in rows]


def _recounted(
    row: WeightRow, uses: Mapping[tuple[str, str], list[tuple[Part, WeightRow]]]
) -> WeightRow:
    wrong: list[str] = [row.problem] if row.problem else []
    for side, other in (("torch", "mindspore"), ("mindspore", "torch")):
        name = getattr(row, side)
        taken = uses.get((side, name), [])
        mine = [part for part, user in taken if user is row]
        clash = [
            getattr(u, other) for p, u in taken if u is not row and mine and p.overlaps(mine[0])
        ]
        if clash:
            wrong.append(Phrase(_TWICE[side], name=name, others=", ".join(clash)))
        covered = sum(1 / part.count for part in {part for part, _ in taken})
        if taken and covered < 0.999:
            wrong.append(Phrase(_IN_PART[side], name=name))
    return replace(row, problem=joined(wrong))
