"""What kind a PyTorch layer is, and its settings under canonical names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_KINDS = {"Linear": "dense", "MultiheadAttention": "multihead attention"}


def kind(module: Any) -> str:
    """Return the canonical kind of a layer, or "" for a class nobody knows here."""
    name = type(module).__name__
    if name not in _KINDS and any(module.children()):
        return ""
    return _KINDS.get(name, name.lower()) if public_type(module).startswith("torch.nn.") else ""


def public_type(module: Any) -> str:
    """Return the public name of a layer's class."""
    made = type(module)
    if getattr(torch.nn, made.__name__, None) is made:
        return f"torch.nn.{made.__name__}"
    return f"{made.__module__}.{made.__qualname__}"


def settings(module: Any) -> dict[str, Any]:
    """Return a layer's hyperparameters under canonical names in PyTorch's units."""
    names = ("eps", "momentum", "p", "bias", "stride", "padding")
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def patch(model: Any, layer_name: str, settings: Mapping[str, Any]) -> None:
    """Give a layer other settings; ValueError if it cannot be."""
    module = model.get_submodule(layer_name)
    for name, value in settings.items():
        if not hasattr(module, name):
            raise ValueError(f"{layer_name} has no {name}")
        setattr(module, name, value)
