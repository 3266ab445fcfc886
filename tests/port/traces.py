"""Layers and calls written by hand, as sessions would report them."""

from __future__ import annotations

from typing import Any

from conformance.port.aligned import Aligned
from conformance.port.model import CallKey, LayerCall, LayerInfo

Trace = tuple[list[LayerInfo], list[LayerCall]]
SHAPE = (2, 4, 8, 8)


def layer(
    name: str, kind: str = "", *tensors: str, leaf: bool = True, **settings: Any
) -> LayerInfo:
    """Return a layer; its tensors are named within it."""
    cls = kind.title().replace("_", "") or "Own"
    owned = tuple(f"{name}.{t}" for t in tensors)
    return LayerInfo(name, f"lib.{cls}", kind, leaf, owned, settings)


def around(*names: str) -> list[LayerInfo]:
    """Return layers that hold others."""
    return [layer(name, leaf=False) for name in names]


def run(*called: str | tuple[str, tuple[int, ...]], inner: tuple[str, ...] = ()) -> list[LayerCall]:
    """Return calls in order, each with an output of SHAPE or its own; of `inner` inside others."""
    counts: dict[str, int] = {}
    found = []
    for item in called:
        name, shape = (item, SHAPE) if isinstance(item, str) else item
        key = CallKey(name, counts.get(name, 0))
        counts[name] = key.nth + 1
        found.append(LayerCall(key, (SHAPE,), (shape,), int(name in inner)))
    return found


def shown(aligned: list[Aligned]) -> list[str]:
    """Return ``a b = c`` for calls that are aligned, in order; ``-`` where a side has none."""
    sides = [
        [" ".join(str(c.key) for c in s) or "-" for s in (a.torch, a.mindspore)] for a in aligned
    ]
    return [" = ".join(side) for side in sides]
