"""What the frameworks' settings modules share: kinds of classes, and canonical values.

Canonical settings say what a built layer computes, under PyTorch's names and in its units, so that
equal settings compare equal.  Standard library only.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

Settings = dict[str, Any]
Pads = tuple[tuple[int, int], ...] | Literal["same"]
Reader = Callable[[Any, int], Mapping[str, Any]]
"""From a layer and its number of spatial axes to its settings."""
Table = Mapping[type, tuple[str, Reader]]

PASSES = ("identity", "dropout", "drop_path", "alpha_dropout", "feature_alpha_dropout")
"""Kinds that compute nothing outside training, by the beginning of their names."""

_TENSORS = {
    "bias", "affine", "elementwise_affine", "num_features", "in_features", "out_features",
    "in_channels", "out_channels", "groups", "normalized_shape", "num_channels", "num_embeddings",
    "embedding_dim", "input_size", "hidden_size", "num_layers", "bidirectional", "embed_dim",
    "num_parameters", "add_bias_kv", "kdim", "vdim", "proj_size", "track_running_stats",
}  # fmt: skip
"""Settings that decide which tensors a layer has, or their shapes."""


def canonical(value: Any) -> Any:
    """Return `value` with tuples for lists and floats without the noise of ``1 - 0.9``."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(f"{float(value):.12g}")
    if isinstance(value, list | tuple):
        return tuple(map(canonical, value))
    raise TypeError(f"no canonical form of {type(value).__name__}")


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """Return `value` for each of `axes` axes."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return tuple(map(int, values * axes if len(values) == 1 else values))


def symmetric(padding: int | Sequence[int], axes: int) -> Pads:
    """Return (before, after) of each axis for padding that is the same at both ends."""
    return tuple((p, p) for p in per_axis(padding, axes))


def pairs(flat: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return (before, after) of each axis from before, after, before, after …"""
    return tuple(zip(map(int, flat[::2]), map(int, flat[1::2]), strict=True))


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return (before, after) such that ``ceil(size / stride)`` windows fit on an axis."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def same_padding(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Pads:
    """Return what "same" pads: "same" only where that depends on the size of the input."""
    found = []
    for k, s, d in zip(kernel, stride, dilation, strict=True):
        if s > 1 and k > 1:
            return "same"
        found.append(same_pads(d * k * s, k, s, d))
    return tuple(found)


def counted(settings: Settings) -> Settings:
    """Return average pooling's settings; whether padding counts matters only where there is any."""
    padded = settings["padding"] == "same" or any(map(any, settings["padding"]))
    return settings if padded else {**settings, "count_include_pad": True}


def trimmed(padding: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Return `padding` from the first axis on that is padded."""
    found = [(int(before), int(after)) for before, after in padding]
    while found and not any(found[0]):
        found.pop(0)
    return tuple(found)


def resized(size: Any, scale_factor: Any, mode: str, align_corners: bool | None) -> Settings:
    """Return the settings of an upsampling layer; equal numbers for all axes are given as one."""
    found = {"size": _one(size), "scale_factor": _one(scale_factor), "mode": mode}
    interpolates = mode in ("linear", "bilinear", "bicubic", "trilinear")
    return found | ({"align_corners": bool(align_corners)} if interpolates else {})


def _one(value: Any) -> Any:
    if isinstance(value, list | tuple) and len(set(value)) == 1:
        return canonical(value[0])
    return canonical(value)


def axes(kind: str) -> int:
    """Return the number of spatial axes that the name of a kind ends in; 0 for none."""
    return int(kind[-2]) if kind[-1:] == "d" and kind[-2:-1].isdigit() else 0


def passes(kind: str) -> bool:
    """Tell whether a kind computes nothing outside training."""
    return kind.startswith(PASSES)


def lineage(
    cls: type, table: Table, methods: Collection[str], alike: Callable[[type], bool]
) -> tuple[type | None, bool]:
    """Return the known class that `cls` derives from, and whether it computes as that one does.

    A subclass that defines one of `methods` computes something of its own, unless it is `alike`.
    """
    own = False
    for base in cls.__mro__:
        if base in table:
            return base, not own
        own = own or (not alike(base) and any(name in vars(base) for name in methods))
    return None, False


def kind_of(
    layer: Any,
    table: Table,
    methods: Collection[str],
    alike: Callable[[type], bool],
    held: Callable[[Any], list[str]],
) -> str:
    """Return a layer's kind: "" for one nobody knows, ``batch_norm2d+relu`` for fused ones.

    A layer is taken for fused when it derives from a known one, computes something of its own and
    holds layers that it can have done that with, such as timm's BatchNormAct2d.  `held` returns the
    kinds of the layers a layer holds.
    """
    base, same = lineage(type(layer), table, methods, alike)
    if base is None:
        return ""
    kind = table[base][0]
    if same:
        return kind
    inside = held(layer)
    added = [k for k in inside if not passes(k)]
    return "+".join([kind, *added]) if inside and all(added) else ""


def patchable(old: Settings, new: Mapping[str, Any], name: str) -> None:
    """Raise ValueError with one line when a layer cannot get the settings `new`."""
    for setting, value in new.items():
        if setting == "kind":
            continue
        if setting not in old and "kind" not in new:
            raise ValueError(f"{name}: has no setting {setting!r}; it has {', '.join(old)}")
        if setting in _TENSORS and old.get(setting) != value:
            raise ValueError(f"{name}: {setting} decides the layer's tensors and cannot be patched")


def must_have(wanted: Settings, built: Settings, name: str) -> None:
    """Raise ValueError with one line when a layer `built` is not what was `wanted`."""
    for setting, value in wanted.items():
        if built.get(setting, _NONE) != canonical(value):
            raise ValueError(f"{name}: this layer cannot have {setting} = {value}")


_NONE = object()
