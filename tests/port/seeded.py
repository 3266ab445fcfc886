"""The small models with a defect each: how they are built, and what must be said of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.port.portfile import PortFile, load

ROOT = Path(__file__).parents[2]
MODELS = "tests.port.models"
CNN, TRANSFORMER = "SmallCNN", "SmallTransformer"
SGD = {
    "torch": {"build": "torch.optim:SGD", "arguments": {"lr": 0.1, "momentum": 0.9}},
    "mindspore": {
        "build": "mindspore.nn:SGD",
        "arguments": {"learning_rate": 0.1, "momentum": 0.9},
    },
}


@dataclass(frozen=True)
class Defect:
    """A defect of a port, what names its kind, and where and in which words it is found."""

    model: str
    what: str
    where: str
    words: str = ""
    defect: str = ""
    convert: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    trains: bool = False
    """Only training shows it: outputs agree."""


DEFECTS = {
    "momentum not inverted": Defect(
        CNN, "momentum", "block2.bn1", "was not inverted", defect="bn-momentum", trains=True
    ),
    "BatchNorm eps": Defect(CNN, "eps", "block2.bn1", "0.001", defect="bn-eps"),
    "running means swapped": Defect(
        CNN, "weights", "block2.bn1.running_mean", "swapped", convert="swapped_means"
    ),
    "square weight transposed": Defect(
        CNN, "weights", "fc1.weight", "transposed", convert="transposed_square"
    ),
    "qkv order": Defect(
        TRANSFORMER, "weights", "layers.1.attention.qkv", "order", convert="qkv_order"
    ),
    "bias not loaded": Defect(CNN, "weights", "fc2.bias", "", convert="bias_lost"),
    "frozen parameter": Defect(CNN, "frozen", "block2.conv2.weight", defect="frozen", trains=True),
    "pad_mode same, stride 2": Defect(CNN, "padding", "block2.conv1", "same", defect="pad-same"),
    "GELU tanh for erf": Defect(
        TRANSFORMER, "approximate", "layers.1.act", "tanh", defect="gelu-tanh"
    ),
    "LayerNorm eps": Defect(TRANSFORMER, "eps", "layers.1.norm1", "1e-07", defect="ln-eps"),
    "keep_prob for p": Defect(CNN, "p", "drop", "keep_prob", defect="keep-prob", trains=True),
    "no scale in attention": Defect(
        TRANSFORMER, "glue", "layers.1.attention.proj", "", defect="no-scale"
    ),
    "mask off by one": Defect(
        TRANSFORMER, "glue", "layers.1.attention.proj", "", defect="mask-off-by-one"
    ),
    "residual added after the activation": Defect(
        CNN, "glue", "block2", "relu", defect="residual-after-activation"
    ),
    "gate order": Defect(CNN, "weights", "lstm.weight_ih_l0", "order", convert="gate_order"),
    "weight decay coupled": Defect(
        CNN,
        "optimizer",
        "",
        "decay",
        training={
            "optimizer": {
                "torch": {
                    "build": "torch.optim:AdamW",
                    "arguments": {"lr": 0.01, "weight_decay": 0.1},
                },
                "mindspore": {
                    "build": "mindspore.nn:Adam",
                    "arguments": {"learning_rate": 0.01, "weight_decay": 0.1},
                },
            }
        },
        trains=True,
    ),
    "schedule off by one step": Defect(
        CNN,
        "schedule",
        "",
        "step",
        training={
            "schedule": {
                "torch": {
                    "build": "torch.optim.lr_scheduler:StepLR",
                    "arguments": {"step_size": 2, "gamma": 0.5},
                },
                "mindspore": {
                    "build": f"{MODELS}.mindspore_models:rates",
                    "arguments": {"late": 1},
                },
            }
        },
        trains=True,
    ),
}


def configuration(defect: Defect, **changes: Any) -> dict[str, Any]:
    """Return the port.yaml of a model with a defect, as data."""
    cnn = defect.model == CNN
    functional = {"torch": "torch.nn.functional:cross_entropy"}
    functional["mindspore"] = "mindspore.ops:cross_entropy"
    tokens = {side: f"{MODELS}.{side}_models:token_loss" for side in ("torch", "mindspore")}
    ints = {"randint": {"low": 0, "high": 32, "size": [8, 12]}}
    data: dict[str, Any] = {
        "port": "small",
        "torch": {"build": f"{MODELS}.torch_models:{defect.model}", "path": [str(ROOT)]},
        "mindspore": {
            "build": f"{MODELS}.mindspore_models:{defect.model}",
            "arguments": {"defect": defect.defect},
            "path": [str(ROOT)],
            "modes": ["pynative"],
        },
        "inputs": {"x": {"randn": [8, 3, 33, 33]} if cnn else ints},
        "sizes": {"even": {"x": [8, 3, 32, 32]}} if cnn else {"short": {"x": [8, 7], "y": [8, 7]}},
        "seeds": 3,
        "training": {
            "steps": 4,
            "targets": {"y": {"randint": {"low": 10, "size": [8]}} if cnn else ints},
            "loss": functional if cnn else tokens,
            "optimizer": SGD,
            **defect.training,
        },
    }
    if defect.convert:
        data["weights"] = {"convert": f"{MODELS}.converters:{defect.convert}"}
    return {**data, **changes}


def written(folder: Path, data: dict[str, Any]) -> PortFile:
    """Write `data` as a port.yaml and read it as a user's."""
    path = folder / "port.yaml"
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")  # which is YAML, too
    return load(path)
