"""Results of verified ports written by hand: a defect, a right one, hostile and large ones."""

from __future__ import annotations

import math
from dataclasses import replace

from conformance.phrase import Phrase
from conformance.port import sentence, settings
from conformance.port.budget import FARTHER
from conformance.port.model import CallKey
from conformance.port.result import (
    Cause,
    Divergence,
    ForwardRow,
    LayerRow,
    Measure,
    PortResult,
    StaticDifference,
    TensorRow,
    TrajectoryRow,
    Verdict,
    WeightRow,
)

SEEDS = 5
SAME, DIFFERS, UNRESOLVED, NOT_COMPARED = Verdict


def measure(ratio: float, torch: float = 2e-7, draw: int = 0) -> Measure:
    ratio, own = float(ratio), torch * (1 + 0.1 * draw)
    return Measure(ratio * torch, own, 6e-8, 1.0, ratio * torch * 4, ratio, "channel 3")


def measures(ratio: float, torch: float = 2e-7) -> tuple[Measure, ...]:
    return tuple(measure(ratio, torch, draw) for draw in range(SEEDS))


def layer(number: int, name: str, came: float, went: float, alone: float) -> LayerRow:
    """A layer; `came`, `went` and `alone` are ratios."""
    verdict = DIFFERS if alone > 16 else SAME
    key = CallKey(name, 1 if name == "backbone.relu" and number > 5 else 0)
    return LayerRow(
        key,
        replace(key, layer=f"cells.{name}"),
        "layer_norm" if "norm" in name else "conv2d",
        measure(came),
        measure(went, 2e-7 * (1 + number / 8)),
        measure(alone),
        verdict,
        Phrase(FARTHER, ratio=f"{alone:.3g}") if verdict is DIFFERS else "",
    )


def differing(name: str = "small-cnn") -> PortResult:
    """A port with a LayerNorm eps that was not set, and a bias that was not loaded."""
    names = ["patch", "norm0", "mix", "backbone.relu", "norm1", "head.fc", "backbone.relu", "out"]
    layers = [
        layer(n, text, 1.1 if n < 5 else 9e3, 1.2 if n < 4 else 2e3 * n, 79 if n == 4 else 1.3)
        for n, text in enumerate(names)
    ]
    lone = LayerRow(None, CallKey("cells.cast"), "", None, None, None, NOT_COMPARED,
                    Phrase("only in the port"))  # fmt: skip
    layers.insert(3, lone)
    words = Phrase("{layer}, alone on PyTorch's input: {problem}", layer="norm1",
                   problem=layers[5].problem)  # fmt: skip
    where = Divergence(
        "layer", CallKey("norm1"), CallKey("cells.norm1"), "default", False, (), words
    )
    after = (CallKey("head.fc"), CallKey("backbone.relu", 1))
    glue = Phrase("the model's output differs, though {after}, and every layer before, agrees",
                  after="head.fc, backbone.relu (call 2)")  # fmt: skip
    forward = tuple(
        ForwardRow(size, training, mode, 0, measures(ratio), DIFFERS if ratio > 8 else SAME,
                   Phrase(FARTHER, ratio=f"{ratio:.3g}") if ratio > 8 else "")
        for size, training, mode, ratio in (
            ("default", False, "pynative", 9.7e3), ("default", False, "graph", 9.7e3),
            ("even", False, "pynative", 1.4), ("default", True, "pynative", 8e3),
        )
    )  # fmt: skip
    eps = settings.said("layer_norm", "eps", "1e-06", "1e-07")
    alone = "alone on PyTorch's input it is {ratio} times farther from float64 than float32 is"
    causes = (
        Cause("eps", "norm1", eps, "layer_norm", True, Phrase(alone, ratio="79")),
        Cause("weights", "head.fc.bias",
              Phrase("{tensor} {what}", tensor="head.fc.bias",
                     what=Phrase("was not set: it holds {value} everywhere", value="0")),
              "", False, Phrase("the port's values, read back in PyTorch's layout")),
        Cause("glue", "out", Phrase("look at what is done to the model's inputs"), "", None),
    )  # fmt: skip
    static = tuple(
        StaticDifference(f"norm{n}", f"cells.norm{n}", "eps", "1e-06", "1e-07", "layer_norm")
        for n in range(5)
    )
    told = sentence.sentence(DIFFERS, forward, where, causes, steps=8)
    weights = tuple(
        WeightRow(f"{text}.weight", f"cells.{text}.gamma", (64, 3, 3), (64, 3, 1, 3), "add_axis",
                  "the names of a norm's parameters")
        for text in names
    )  # fmt: skip
    lost = WeightRow("head.fc.bias", "", (10,), None, "", "",
                     "not mapped: cells.head.fc has no bias")  # fmt: skip
    return PortResult(
        name=name,
        verdict=DIFFERS,
        sentence=told,
        versions={"torch": "2.13.0", "mindspore": "2.10.0"},
        weights=(*weights[:3], lost, *weights[3:]),
        static=(*static, StaticDifference("drop", "cells.drop", "p", ".1", ".9", "dropout", True)),
        forward=forward,
        layers=tuple(layers),
        divergences=(where, Divergence("glue", None, None, "even", False, after, glue)),
        causes=causes,
        gradients=tuple(tensor("gradient", f"{text}.weight", 1.2 + 40 * (n > 5))
                        for n, text in enumerate(names)),
        state=(TensorRow("bn.running_mean", "cells.bn.moving_mean", "state", (), DIFFERS,
                         Phrase("moves in the port only")),
               *(tensor("state", f"bn{n}.running_var", 1.1) for n in range(3))),
        step=tuple(tensor("step", f"{text}.weight", 1.0) for text in names),
        trajectory=steps(8),
        notes=(Phrase("switched off in training: {layers}", layers="drop"),
               Phrase("{n} rows of weights have a problem", n=1)),
        config={"port": name, "torch": {"build": "models:Net", "arguments": {"classes": 10}},
                "inputs": {"x": {"randn": [8, 3, 33, 33]}}},
    )  # fmt: skip


def tensor(what: str, name: str, ratio: float) -> TensorRow:
    verdict = DIFFERS if ratio > 32 else SAME
    problem = Phrase(FARTHER, ratio=f"{ratio:.3g}") if ratio > 32 else ""
    return TensorRow(name, f"cells.{name}", what, measures(ratio), verdict, problem)  # type: ignore[arg-type]


def steps(count: int, factor: float = 1e4) -> tuple[TrajectoryRow, ...]:
    return tuple(
        TrajectoryRow(n, 2.3 - n / 20, 2.31 - n / 21, 1e-3, 1e-3, 1e-7 * factor * n,
                      1e-7 * 1.6**n, 1.4e-7 * 1.6**n)
        for n in range(1, count + 1)
    )  # fmt: skip


def agreeing(name: str = "resnet18") -> PortResult:
    """A port that is the same function."""
    forward = tuple(
        ForwardRow(size, False, mode, 0, measures(1.1), SAME)
        for size in ("odd", "even")
        for mode in ("pynative", "graph")
    )
    return PortResult(
        name=name,
        verdict=SAME,
        sentence=sentence.sentence(SAME, forward, None, (), steps=4),
        versions={"torch": "2.13.0", "mindspore": "2.10.0"},
        forward=forward,
        layers=tuple(layer(n, f"layer{n}.conv", 1.1, 1.2, 1.3) for n in range(20)),
        gradients=(tensor("gradient", "fc.weight", 1.1),),
        trajectory=steps(4, 1.2),
    )


def large(count: int = 1000) -> PortResult:
    """A port of `count` layers with long names, of which the one in the middle parts."""
    names = [f"features.denseblock{n // 64}.denselayer{n % 64}.conv{n % 2}" for n in range(count)]
    at = count // 2
    layers = tuple(
        layer(n, text, 1.1 if n <= at else 1e4, 1.2 if n < at else 1e4 + n, 99 if n == at else 1.3)
        for n, text in enumerate(names)
    )
    key = layers[at].torch, layers[at].mindspore
    where = Divergence("layer", *key, "default", False, (), Phrase("no tensors"))
    tensors = [f"{text}.{kind}" for text in names for kind in ("weight", "bias")]
    return replace(
        differing("large"),
        layers=layers,
        divergences=(where,),
        weights=tuple(
            WeightRow(text, f"cells.{text}", (64, 64, 3, 3), (64, 64, 3, 3), "", "equal names",
                      "not mapped: no tensor of the port" if n % 9 == 0 else "")
            for n, text in enumerate(tensors)
        ),
        static=tuple(
            StaticDifference(text, f"cells.{text}", "eps", f"{n}e-5", "1e-3", "batch_norm")
            for n, text in enumerate(names)
        ),
        gradients=tuple(tensor("gradient", t, 99 * (n % 2) + 1) for n, t in enumerate(tensors)),
        state=tuple(tensor("state", text, 99 if n % 3 else 1) for n, text in enumerate(tensors)),
        step=tuple(tensor("step", text, 99 if n % 5 else 1) for n, text in enumerate(tensors)),
        trajectory=steps(1000, 1.0 + 1e-3),
    )  # fmt: skip


def broken() -> PortResult:
    """Measures that are no numbers, and nothing else that a page may rely on."""
    odd = Measure(math.nan, math.inf, 0.0, 0.0)
    row = LayerRow(CallKey(""), None, "", None, odd, None, UNRESOLVED)
    return PortResult(
        name="odd",
        verdict=UNRESOLVED,
        sentence=sentence.sentence(UNRESOLVED, (), None, ()),
        versions={},
        forward=(ForwardRow("default", False, "pynative", 0, (odd,), UNRESOLVED),),
        layers=(row, replace(row, went_out=Measure(0.0, 0.0, 0.0, 1.0)), row),
        trajectory=(TrajectoryRow(1, math.nan, math.inf, math.nan, math.nan, math.nan, 0.0, 0.0),),
    )
