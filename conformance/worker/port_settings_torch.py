"""Kind and canonical settings of a built PyTorch layer.  Runs in PyTorch's interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from conformance.worker import port_settings as shared
from conformance.worker.port_readers_torch import TABLE, Padded
from conformance.worker.port_settings import Settings

METHODS = ("forward", "_conv_forward")
_ALIKE = (
    "timm.layers.norm.GroupNorm",
    "timm.layers.norm.GroupNorm1",
    "timm.layers.norm.LayerNorm",
    "timm.layers.norm.LayerNormFp32",
    "timm.layers.linear.Linear",
    "timm.layers.activations.PReLU",
    "timm.layers.conv2d_same.Conv2dSame",
)
"""Classes whose forward computes, in float32 and float64, what the settings read of them say."""
_ELSEWHERE: Mapping[str, tuple[str, Callable[[Any], Settings]]] = {
    "timm.layers.drop.DropPath": ("drop_path", lambda m: {"p": m.drop_prob}),
    "torchvision.ops.stochastic_depth.StochasticDepth": ("drop_path", lambda m: {"p": m.p}),
    "timm.layers.activations.GELU": ("gelu", lambda _: {"approximate": "none"}),
    "timm.layers.activations.GELUTanh": ("gelu", lambda _: {"approximate": "tanh"}),
    "timm.layers.activations.Swish": ("silu", lambda _: {}),
    "timm.layers.activations.Mish": ("mish", lambda _: {}),
    "timm.layers.activations.Sigmoid": ("sigmoid", lambda _: {}),
    "timm.layers.activations.Tanh": ("tanh", lambda _: {}),
    "timm.layers.activations.HardSwish": ("hardswish", lambda _: {}),
    "timm.layers.activations.HardSigmoid": ("hardsigmoid", lambda _: {}),
}
"""Layers of other libraries: kind, and what reads their settings."""


def kind(layer: nn.Module) -> str:
    """Return the canonical kind, such as ``conv2d``; parts of a fused layer are joined by ``+``."""
    if _name(type(layer)) in _ELSEWHERE:
        return _ELSEWHERE[_name(type(layer))][0]
    return shared.kind_of(layer, TABLE, METHODS, _alike, lambda m: [kind(c) for c in m.children()])


def settings(layer: nn.Module) -> Settings:
    """Return canonical settings: of all parts of a fused layer, of the known base of a subclass."""
    if _name(type(layer)) in _ELSEWHERE:
        read_own = _ELSEWHERE[_name(type(layer))][1]
        return {name: shared.canonical(value) for name, value in read_own(layer).items()}
    base, _ = shared.lineage(type(layer), TABLE, METHODS, _alike)
    if base is None:
        return {}
    name, read = TABLE[base]
    found = {k: shared.canonical(v) for k, v in read(layer, shared.axes(name)).items()}
    if "+" in kind(layer):
        for child in layer.children():
            found |= settings(child)
    return found


def public_type(layer: nn.Module) -> str:
    """Return ``torch.nn.Conv2d`` for PyTorch's own layers, ``module.Class`` for others."""
    cls = type(layer)
    if issubclass(cls, Padded):
        cls = cls.__mro__[2]
    return f"torch.nn.{cls.__name__}" if getattr(nn, cls.__name__, None) is cls else _name(cls)


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _alike(cls: type) -> bool:
    return cls is Padded or _name(cls) in _ALIKE


def patch(model: nn.Module, name: str, new: Mapping[str, Any]) -> None:
    """Change a built layer so that it computes with the settings `new`; its tensors stay.

    ``kind`` among them makes an activation, pooling or dropout another one.  Raises ValueError with
    one line for what cannot be changed.
    """
    layer = model.get_submodule(name)
    old, of = settings(layer), kind(layer)
    shared.patchable(old, new, name)
    if "+" in of:
        _patch_parts(layer, of, name, new)
        return
    base, same = shared.lineage(type(layer), TABLE, METHODS, _alike)
    if base is None:
        raise ValueError(f"{name}: nothing is known of {public_type(layer)} that could be patched")
    wanted = {k: v for k, v in new.items() if k != "kind"}
    into = new.get("kind", TABLE[base][0])
    if into == TABLE[base][0]:
        wanted = old | wanted
    elif owned := [n for n, _ in layer.named_parameters(recurse=False)]:
        raise ValueError(f"{name}: has {', '.join(owned)} and cannot become {into}")
    after = _build(into, wanted, name)
    shared.must_have(wanted, settings(after), name)
    if type(after) is not base or isinstance(layer, Padded):
        if not same:
            raise ValueError(f"{name}: {public_type(layer)} computes something of its own")
        layer.__class__ = type(after)
    hyper = {k: v for k, v in vars(after).items() if not k.startswith("_") or k in _PRIVATE}
    vars(layer).update({k: v for k, v in hyper.items() if k not in ("training", "inplace")})


def _patch_parts(layer: nn.Module, of: str, name: str, new: Mapping[str, Any]) -> None:
    """Patch a fused layer: its parts in the layers it holds, the rest on itself."""
    mine = dict(new)
    into = mine.pop("kind", of).split("+")
    parts = [child for child in layer.children() if not shared.passes(kind(child))]
    if into[0] != of.split("+", 1)[0] or len(into) != len(parts) + 1:
        raise ValueError(f"{name}: a fused {of} cannot become {'+'.join(into)}")
    own = shared.lineage(type(layer), TABLE, METHODS, _alike)[0]
    for child, part in zip(parts, into[1:], strict=True):
        known = settings(child) if part == kind(child) else settings(_build(part, {}, name))
        patch(child, "", {"kind": part} | {s: mine.pop(s) for s in list(mine) if s in known})
    for setting, value in mine.items():
        if own is None or setting not in vars(layer):
            raise ValueError(f"{name}: {setting} of a fused {of} cannot be patched")
        setattr(layer, setting, value)


_PRIVATE = ("_reversed_padding_repeated_twice",)
_CLASSES = {kind: cls for cls, (kind, _) in reversed(TABLE.items())}


def _build(of: str, wanted: Settings, name: str) -> nn.Module:
    """Return a layer with canonical settings, without memory for its tensors."""
    arguments = dict(wanted)
    cls = _CLASSES.get(of)
    if of == "pad":
        cls = _pad_class(arguments)
    if cls is None:
        raise ValueError(f"{name}: nothing is known of a layer of kind {of!r}")
    pads = arguments.get("padding", ()) if of != "pad" else ()
    plain = pads != "same" and all(before == after for before, after in pads)
    if pads:
        arguments["padding"] = tuple(p for p, _ in pads) if plain else 0
    try:
        with torch.device("meta"):
            layer: nn.Module = (cls if plain else _padded(cls, shared.axes(of)))(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: {str(error).splitlines()[0]}") from None
    if not plain:
        vars(layer)["pads"] = pads
    return layer


def _pad_class(arguments: dict[str, Any]) -> type:
    mode, pads = arguments.pop("mode"), arguments["padding"] or ((0, 0),)
    arguments["padding"] = tuple(p for pair in reversed(pads) for p in pair)
    prefix = {"constant": "Constant", "reflect": "Reflection"}.get(mode, "Replication")
    cls: type = getattr(nn, f"{prefix if mode != 'circular' else 'Circular'}Pad{len(pads)}d")
    return cls


@cache
def _padded(cls: type, axes: int) -> type:
    return type(cls.__name__, (Padded, cls), {"axes": axes})
