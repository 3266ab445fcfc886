"""Models as lists of tensors, made up or read of real ones (`data/`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from conformance.port.model import Array, LayerInfo, TensorInfo
from conformance.port.weights import Inventory

DATA = Path(__file__).parent / "data"
KINDS = {
    "bn": "batch_norm2d",
    "norm": "layer_norm",
    "conv": "conv2d",
    "conv1d": "conv1d",
    "fc": "linear",
    "embed": "embedding",
    "act": "prelu",
    "lstm": "lstm",
    "own": "",
}


def model(*tensors: tuple[Any, ...], types: dict[str, str] | None = None) -> Inventory:
    """Return a model of tensors (name, shape, key of KINDS[, trainable]).

    A tensor belongs to the layer its name spells; `types` gives the class of a layer.
    """
    infos, layers = [], {}
    for name, shape, key, *rest in tensors:
        layer = name.rpartition(".")[0]
        trainable = (
            rest[0] if rest else not name.rpartition(".")[2].startswith(("running", "moving"))
        )
        infos.append(TensorInfo(name, tuple(shape), "float32", trainable, layer))
        type_ = (types or {}).get(layer, f"a.{key}")
        layers[layer] = LayerInfo(layer, type_, KINDS[key], leaf=True)
    return Inventory(infos, list(layers.values()))


def real(name: str) -> tuple[Inventory, Inventory]:
    """Return PyTorch's and MindSpore's model as they were listed by the frameworks."""
    kept = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    torch, mindspore = (
        Inventory(
            [TensorInfo(n, tuple(s), dtype, t, layer) for n, s, dtype, t, layer in side["tensors"]],
            [LayerInfo(n, type_, kind, leaf) for n, type_, kind, leaf in side["layers"]],
        )
        for side in (kept["torch"], kept["mindspore"])
    )
    return torch, mindspore


def draws(inventory: Inventory, seed: int = 0) -> dict[str, Array]:
    """Return other values for every tensor."""
    random = np.random.RandomState(seed)
    return {t.name: random.randn(*t.shape).astype(np.float32) for t in inventory.tensors}
