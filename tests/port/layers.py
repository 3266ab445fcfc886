"""Layers in NumPy with their derivatives, in float64 or float32: what fake sides are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import erf

from conformance.port.model import Array

Tensors = Mapping[str, Array]
Forward = tuple[Array, dict[str, Array]]


@dataclass
class Layer:
    """`values` are its own tensors; `fixed` names those that are not trained."""

    kind: str
    values: dict[str, Array] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    """Those that checkpoints leave out."""
    backwards: bool = False
    """Sums in another order, as another framework would."""

    def forward(self, t: Tensors, x: Array, training: bool) -> Forward:
        """Return the output, and new values of tensors that the pass itself changes."""
        done: Forward = getattr(self, f"_{self.kind}")(t, x, training)
        return done

    def backward(self, t: Tensors, x: Array, dy: Array) -> Forward:
        done: Forward = getattr(self, f"_{self.kind}_backward")(t, x, dy)
        return done

    def _sum(self, a: Array, b: Array) -> Array:
        if not self.backwards:
            return np.asarray(a @ b)
        return np.asarray(a[..., 1::2] @ b[1::2] + a[..., ::2] @ b[::2])

    def _dense(self, t: Tensors, x: Array, training: bool) -> Forward:
        return self._sum(x, t["weight"].T) + t["bias"], {}

    def _dense_backward(self, t: Tensors, x: Array, dy: Array) -> Forward:
        return self._sum(dy, t["weight"]), {
            "weight": self._sum(dy.T, x),
            "bias": self._sum(np.ones((1, len(dy)), dy.dtype), dy)[0],
        }

    def _relu(self, t: Tensors, x: Array, training: bool) -> Forward:
        return np.clip(x, 0, self.settings.get("ceiling")), {}

    def _relu_backward(self, t: Tensors, x: Array, dy: Array) -> Forward:
        return dy * (x > 0), {}

    def _gelu(self, t: Tensors, x: Array, training: bool) -> Forward:
        half = x.dtype.type(0.5)
        if self.settings["approximate"] == "tanh":
            c = x.dtype.type(np.sqrt(2 / np.pi))
            return half * x * (1 + np.tanh(c * (x + x.dtype.type(0.044715) * x**3))), {}
        return half * x * (1 + erf(x * x.dtype.type(np.sqrt(0.5)))), {}

    def _softmax(self, t: Tensors, x: Array, training: bool) -> Forward:
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True), {}

    def _layer_norm(self, t: Tensors, x: Array, training: bool) -> Forward:
        centred = x - x.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        eps = x.dtype.type(self.settings["eps"])
        return centred / np.sqrt(variance + eps) * t["weight"] + t["bias"], {}

    def _batch_norm(self, t: Tensors, x: Array, training: bool) -> Forward:
        eps, m = (x.dtype.type(self.settings[name]) for name in ("eps", "momentum"))
        mean, variance, moved = t["running_mean"], t["running_var"], {}
        if training:
            mean, variance = x.mean(0), np.square(x - x.mean(0)).mean(0)
            unbiased = variance * x.dtype.type(len(x) / (len(x) - 1))
            moved = {
                "running_mean": (1 - m) * t["running_mean"] + m * mean,
                "running_var": (1 - m) * t["running_var"] + m * unbiased,
            }
        return (x - mean) / np.sqrt(variance + eps) * t["weight"] + t["bias"], moved

    def _batch_norm_backward(self, t: Tensors, x: Array, dy: Array) -> Forward:
        eps = x.dtype.type(self.settings["eps"])
        scale = 1 / np.sqrt(np.square(x - x.mean(0)).mean(0) + eps)
        z = (x - x.mean(0)) * scale
        dz = dy * t["weight"]
        dx = scale * (dz - dz.mean(0) - z * (dz * z).mean(0))
        return dx, {"weight": (dy * z).sum(0), "bias": dy.sum(0)}


def dense(rng: np.random.RandomState, inputs: int, outputs: int) -> Layer:
    weight = rng.randn(outputs, inputs) * np.sqrt(2 / inputs)
    return Layer("dense", {"weight": weight, "bias": 0.2 * rng.randn(outputs)})


def layer_norm(rng: np.random.RandomState, size: int, eps: float = 1e-5) -> Layer:
    values = {"weight": rng.uniform(0.5, 1.5, size), "bias": 0.2 * rng.randn(size)}
    return Layer("layer_norm", values, {"eps": eps})


def batch_norm(rng: np.random.RandomState, size: int, momentum: float = 0.1) -> Layer:
    values = {
        "weight": rng.uniform(0.5, 1.5, size),
        "bias": 0.2 * rng.randn(size),
        "running_mean": 0.3 * rng.randn(size),
        "running_var": rng.uniform(0.5, 2, size),
    }
    settings = {"eps": 1e-5, "momentum": momentum}
    return Layer("batch_norm", values, settings, ("running_mean", "running_var"))


def relu() -> Layer:
    return Layer("relu", settings={"ceiling": None})


def gelu(approximate: str = "none") -> Layer:
    return Layer("gelu", settings={"approximate": approximate})
