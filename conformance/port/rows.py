"""Rows of the table of weights: each pair, each tensor left over, and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    wrong = [doubt] if doubt else []
    if chain(transform).between(torch.shape, mindspore.shape) is None:
        wrong.append(_changed(torch, mindspore, transform))
    if torch.trainable and not mindspore.trainable:
        wrong.append("trainable in PyTorch, frozen in the port")
    if mindspore.trainable and not torch.trainable:
        wrong.append("frozen in PyTorch, trainable in the port")
    ours, theirs = torch.dtype.lower(), mindspore.dtype.lower()
    if ours != theirs and "float" in ours + theirs:
        wrong.append(f"{ours} in PyTorch, {theirs} in the port")
    return WeightRow(
        torch.name, mindspore.name, torch.shape, mindspore.shape, transform, rule, "; ".join(wrong)
    )


def _changed(torch: TensorInfo, mindspore: TensorInfo, transform: str = "") -> str:
    how = f" by {transform}" if transform else ""
    return f"shape changed: {torch.shape} does not become {mindspore.shape}{how}"


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
            rule = "counts batches; MindSpore's BatchNorm counts none"
            rows.append(single(tensor, "torch", rule=rule))
        else:
            rows.append(single(tensor, "torch", problem=_not_mapped(tensor, left[1], beside)))
    for tensor in left[1]:
        if tensor.role == COUNTER:
            rows.append(single(tensor, "mindspore", rule="counts batches; PyTorch's counts none"))
        elif _constant(tensor):
            rule = "MindSpore keeps gamma at 1 and beta at 0, frozen, where affine is off"
            rows.append(single(tensor, "mindspore", rule=rule))
        else:
            near = _nearest(tensor, left[0])
            rows.append(
                single(tensor, "mindspore", problem=f"not set: no tensor of PyTorch's{near}")
            )
    return rows


def _constant(tensor: Named) -> bool:
    norm = family(tensor.kind) in ("batch_norm", "instance_norm", "group_norm")
    return norm and tensor.role in ("weight", "bias") and not tensor.info.trainable


def _not_mapped(tensor: Named, left: Sequence[Named], beside: Mapping[str, str]) -> str:
    layer = beside.get(tensor.layer)
    if tensor.role == "bias" and layer is not None:
        why = ""
        if family(tensor.kind) in ("conv", "conv_transpose"):
            why = ": MindSpore's convolutions have none unless has_bias=True"
        return f"not mapped: {layer or 'the port'} has no bias{why}"
    return f"not mapped: no tensor of the port{_nearest(tensor, left)}"


def _nearest(tensor: Named, left: Sequence[Named]) -> str:
    same = [n.info.name for n in left if n.shape == tensor.shape]
    near = difflib.get_close_matches(tensor.info.name, same or [n.info.name for n in left], n=1)
    return f"; nearest of those left is {near[0]}" if near else ""


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
    wrong = [row.problem] if row.problem else []
    for side, other, verb in (("torch", "mindspore", "used"), ("mindspore", "torch", "set")):
        name = getattr(row, side)
        taken = uses.get((side, name), [])
        mine = [part for part, user in taken if user is row]
        clash = [
            getattr(u, other) for p, u in taken if u is not row and mine and p.overlaps(mine[0])
        ]
        if clash:
            wrong.append(f"{name} is {verb} twice, also with {', '.join(clash)}")
        covered = sum(1 / part.count for part in {part for part, _ in taken})
        if taken and covered < 0.999:
            wrong.append(f"{name} is {verb} in part only")
    return replace(row, problem="; ".join(wrong))
