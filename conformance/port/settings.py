"""What it means that a setting of a layer differs, in words."""

from __future__ import annotations

import ast
from math import isclose

from conformance.phrase import Phrase

NAMES = {
    "batch_norm1d": "BatchNorm",
    "batch_norm2d": "BatchNorm",
    "batch_norm3d": "BatchNorm",
    "layer_norm": "LayerNorm",
    "group_norm": "GroupNorm",
    "gelu": "GELU",
    "linear": "Linear",
    "dense": "Linear",
    "conv1d": "Conv1d",
    "conv2d": "Conv2d",
    "conv3d": "Conv3d",
    "max_pool2d": "MaxPool2d",
    "avg_pool2d": "AvgPool2d",
    "dropout": "dropout",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "lstm": "LSTM",
    "gru": "GRU",
    "multihead_attention": "MultiheadAttention",
}
"""Kinds of layers as people call them."""


def called(kind: str) -> str:
    """Return what people call a kind of layer."""
    return NAMES.get(kind, kind.replace("_", " ") or "a layer")


def said(kind: str, setting: str, torch: str, mindspore: str) -> Phrase:
    """Return the difference of one setting in words, and the mistake it usually is."""
    if setting == "kind":
        words = "it is {mindspore} in the port, {torch} in PyTorch"
        return Phrase(words, mindspore=called(mindspore), torch=called(torch))
    plain = Phrase(
        "{kind} {setting} {mindspore}, PyTorch {torch}",
        kind=called(kind),
        setting=setting,
        mindspore=mindspore,
        torch=torch,
    )
    usual = _usual(setting, torch, mindspore)
    return Phrase("{plain}: {usual}", plain=plain, usual=usual) if usual else plain


def _usual(setting: str, torch: str, mindspore: str) -> Phrase | None:
    one, other = _value(torch), _value(mindspore)
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    inverted = numbers and isclose(one + other, 1, rel_tol=1e-6)  # type: ignore[operator]
    if setting == "momentum" and inverted:
        return Phrase("MindSpore's momentum is 1 - PyTorch's and was not inverted")
    if setting == "p" and inverted:
        return Phrase("keep_prob is 1 - p and was not inverted")
    if setting == "padding" and "same" in mindspore:
        return Phrase(
            "pad_mode 'same' pads by the size of the input, at the end first: with kernel 3 and "
            "stride 2 it is padding 1 at odd sizes only"
        )
    if setting == "approximate":
        return Phrase("MindSpore's GELU takes tanh by default, PyTorch's erf")
    if setting == "eps":
        return Phrase("the frameworks' defaults differ")
    if setting == "bias":
        return Phrase("one side has a bias, the other none")
    return None


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
