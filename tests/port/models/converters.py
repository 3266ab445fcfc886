"""Converters of checkpoints as porters write them: one that is right, others with one slip each."""

from __future__ import annotations

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

_SCALES = {"weight": "gamma", "bias": "beta"}
_NAMES = {
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "embed.weight": "embed.embedding_table",
}


def right(values: Arrays) -> Arrays:
    """Rename every tensor; the values are those of PyTorch."""
    converted: Arrays = {}
    for name, value in values.items():
        parent, dot, last = name.rpartition(".")
        if last == "num_batches_tracked":
            continue
        normalises = f"{parent}.running_mean" in values or "norm" in parent
        renamed = _SCALES.get(last, last) if normalises else last
        converted[_NAMES.get(name) or parent + dot + _NAMES.get(last, renamed)] = value
    return converted


def swapped_means(values: Arrays) -> Arrays:
    """Take the running means of two layers for each other's."""
    converted = right(values)
    first, second = "block2.bn1.moving_mean", "block2.bn2.moving_mean"
    converted[first], converted[second] = converted[second], converted[first]
    return converted


def transposed_square(values: Arrays) -> Arrays:
    """Transpose a dense layer's weight, as other frameworks need it; its shape does not tell."""
    converted = right(values)
    converted["fc1.weight"] = np.ascontiguousarray(converted["fc1.weight"].T)
    return converted


def bias_lost(values: Arrays) -> Arrays:
    """Leave out one bias."""
    converted = right(values)
    del converted["fc2.bias"]
    return converted


def gate_order(values: Arrays) -> Arrays:
    """Put the gates of the LSTM as (input, cell, forget, output)."""
    converted = right(values)
    for name, value in converted.items():
        if name.startswith("lstm."):
            i, f, g, o = np.split(value, 4)
            converted[name] = np.concatenate([i, g, f, o])
    return converted


def qkv_order(values: Arrays) -> Arrays:
    """Put the fused projection of the second layer as (key, query, value)."""
    converted = right(values)
    for part in ("weight", "bias"):
        name = f"layers.1.attention.qkv.{part}"
        q, k, v = np.split(converted[name], 3)
        converted[name] = np.concatenate([k, q, v])
    return converted
