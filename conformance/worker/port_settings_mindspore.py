"""Kind and canonical settings of a built MindSpore cell.  Runs in MindSpore's interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindspore import mint, nn

from conformance.worker import port_readers_mindspore, port_readers_mint
from conformance.worker import port_settings as shared
from conformance.worker.port_build_mindspore import build
from conformance.worker.port_settings import Settings

METHODS = ("construct",)
TABLE = port_readers_mint.TABLE | port_readers_mindspore.TABLE
"""A cell that both libraries offer is one class, and read as that of `mindspore.nn`."""
_ELSEWHERE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "mindcv.models.layers.drop_path.DropPath": ("drop_path", {"p": "dropout"}),
    "mindcv.models.layers.identity.Identity": ("identity", {}),
    "mindcv.models.layers.activation.Swish": ("silu", {}),
}
"""Layers of other libraries: kind, and which cell inside has a setting."""
_PRIMITIVES = {"ReLU": "relu", "ReLU6": "relu6", "GeLU": "gelu", "Sigmoid": "sigmoid",
               "Tanh": "tanh", "Elu": "elu", "HSwish": "hardswish", "HSigmoid": "hardsigmoid",
               "Mish": "mish", "SeLU": "selu", "Softmax": "softmax"}  # fmt: skip


def kind(layer: nn.Cell) -> str:
    """Return the canonical kind, such as ``conv2d``; parts of a fused layer are joined by ``+``."""
    if _name(type(layer)) in _ELSEWHERE:
        return _ELSEWHERE[_name(type(layer))][0]
    found = shared.kind_of(
        layer, TABLE, METHODS, lambda _: False, lambda c: list(map(kind, c.cells()))
    )
    if found == "linear" and (activation := getattr(layer, "activation", None)) is not None:
        own = isinstance(activation, nn.Cell)
        part = kind(activation) if own else _PRIMITIVES.get(activation.name, activation.name)
        return f"{found}+{part or _name(type(activation))}"
    return found


def settings(layer: nn.Cell) -> Settings:
    """Return canonical settings: of all parts of a fused layer, of the known base of a subclass."""
    if _name(type(layer)) in _ELSEWHERE:
        cells = _ELSEWHERE[_name(type(layer))][1].values()
        return {s: v for cell in cells for s, v in settings(getattr(layer, cell)).items()}
    base, _ = shared.lineage(type(layer), TABLE, METHODS, lambda _: False)
    if base is None:
        return {}
    name, read = TABLE[base]
    found = {k: shared.canonical(v) for k, v in read(layer, shared.axes(name)).items()}
    if "+" in kind(layer):
        for child in layer.cells():
            found |= settings(child)
        if getattr(getattr(layer, "activation", None), "name", "") == "GeLU":
            found["approximate"] = "tanh"
    return found


def public_type(layer: nn.Cell) -> str:
    """Return ``mindspore.nn.Conv2d`` or ``mindspore.mint.nn.Linear``, else ``module.Class``."""
    cls = type(layer)
    name = cls.__name__
    if cls in port_readers_mindspore.TABLE and getattr(nn, name, None) is cls:
        return f"mindspore.nn.{name}"
    for public in (name, name.removesuffix("Ext"), name.replace("Shrink", "shrink")):
        if getattr(mint.nn, public, None) is cls:
            return f"mindspore.mint.nn.{public}"
    return f"mindspore.nn.{name}" if getattr(nn, name, None) is cls else _name(cls)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def patch(model: nn.Cell, name: str, new: Mapping[str, Any]) -> None:
    """Change a built layer so that it computes with the settings `new`; its parameters stay.

    ``kind`` among them makes an activation, pooling or dropout another one.  Raises ValueError with
    one line for what cannot be changed.  A graph that was compiled before is not.
    """
    layer = dict(model.cells_and_names())[name]
    old, of = settings(layer), kind(layer)
    shared.patchable(old, new, name)
    if "+" in of:
        _patch_parts(layer, of, name, new)
        return
    base, same = shared.lineage(type(layer), TABLE, METHODS, lambda _: False)
    if base is None or not same:
        raise ValueError(f"{name}: {public_type(layer)} computes something of its own")
    wanted = {k: v for k, v in new.items() if k != "kind"}
    into = new.get("kind", TABLE[base][0])
    becomes = into != TABLE[base][0]
    if not becomes:
        wanted = old | wanted
    elif owned := [p.name for p in layer.get_parameters()]:
        raise ValueError(f"{name}: has {', '.join(owned)} and cannot become {into}")
    after = build(into, wanted, name, None if becomes else base)
    shared.must_have(wanted, settings(after), name)
    if type(after) is not base:
        layer.__class__ = type(after)
    _become(layer, after)


def _become(layer: nn.Cell, after: nn.Cell) -> None:
    """Give a cell the hyperparameters and primitives of another, but none of its parameters."""
    for attribute, value in vars(after).items():
        if not attribute.startswith("_") and attribute not in _STATE and _hyper(value):
            setattr(layer, attribute, value)
    for attribute, value in vars(after).get("_primitives", {}).items():
        setattr(layer, attribute, value)
    inside = dict(layer.name_cells())
    for attribute, cell in after.name_cells().items():
        if attribute in inside:
            _become(inside[attribute], cell)
        elif not list(cell.get_parameters()):
            setattr(layer, attribute, cell)


def _hyper(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_hyper, value))
    return value is None or isinstance(value, bool | int | float | str)


_STATE = ("training", "requires_grad", "is_top_cell", "bias")


def _patch_parts(layer: nn.Cell, of: str, name: str, new: Mapping[str, Any]) -> None:
    """Patch a fused layer: its parts in the cells it holds."""
    mine = dict(new)
    into = mine.pop("kind", of).split("+")
    parts = [child for child in layer.cells() if not shared.passes(kind(child))]
    if into[0] != of.split("+", 1)[0] or len(into) != len(parts) + 1:
        raise ValueError(f"{name}: a fused {of} cannot become {'+'.join(into)}")
    for child, part in zip(parts, into[1:], strict=True):
        known = settings(child) if part == kind(child) else settings(build(part, {}, name, None))
        patch(child, "", {"kind": part} | {s: mine.pop(s) for s in list(mine) if s in known})
    if mine:
        raise ValueError(f"{name}: {', '.join(mine)} of a fused {of} cannot be patched")
