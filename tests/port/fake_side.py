"""A side of a port without a framework: a network of NumPy layers in both precisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.errors import HarnessError
from conformance.port.model import (
    Array,
    Backward,
    CallKey,
    Captured,
    Drop,
    Forward,
    Framework,
    LayerCall,
    LayerInfo,
    Precision,
    Step,
    TensorInfo,
)
from tests.port.layers import Layer

Call = Callable[..., Array]
Network = Callable[..., Array]
PRECISIONS: tuple[Precision, ...] = ("float32", "float64")


@dataclass
class Optimizer:
    """SGD with momentum, or Adam; every way of getting it wrong is a setting."""

    kind: str = "sgd"
    rate: Callable[[int], float] = lambda step: 0.1
    momentum: float = 0.0
    decay: float = 0.0
    decoupled: bool = False
    corrected: bool = True
    eps: float = 1e-8
    frozen: frozenset[str] = frozenset()
    state: dict[str, Array] = field(default_factory=dict)

    def update(self, name: str, p: Array, g: Array, step: int) -> Array:
        if name in self.frozen:
            return p
        f = p.dtype.type
        rate, decay = f(self.rate(step)), f(self.decay)
        new = p * (1 - rate * decay) if self.decoupled else p
        g = g if self.decoupled else g + decay * p
        if self.kind == "sgd":
            m = self.state[name] = f(self.momentum) * self.state.get(name, f(0)) + g
            return np.asarray(new - rate * m)
        m = self.state[name] = f(0.9) * self.state.get(name, f(0)) + f(0.1) * g
        v = self.state[f"{name}²"] = f(0.999) * self.state.get(f"{name}²", f(0)) + f(0.001) * g * g
        if self.corrected:
            m, v = m / f(1 - 0.9 ** (step + 1)), v / f(1 - 0.999 ** (step + 1))
        return np.asarray(new - rate * m / (np.sqrt(v) + f(self.eps)))


class FakeSide:
    """`network` calls layers by name: `network(call, *inputs)`, where what is no call is glue."""

    info: Mapping[str, Any] = {"framework": "NumPy"}
    dropped: Sequence[tuple[Any, ...]] = ()

    def __init__(
        self,
        framework: Framework,
        layers: Mapping[str, Layer],
        network: Network,
        optimizer: Optimizer | None = None,
    ) -> None:
        self.framework: Framework = framework
        self.parts = {name: deepcopy(layer) for name, layer in layers.items()}
        for layer in self.parts.values():
            layer.backwards = framework == "mindspore"
        self.network = network
        self.optimizer = optimizer or Optimizer()
        self.values: dict[Precision, dict[str, Array]] = {}
        self.write(
            {f"{n}.{t}": v for n, part in self.parts.items() for t, v in part.values.items()}
        )
        self.runs = 0
        self.training: dict[Precision, tuple[Optimizer, int]] = {}

    def layers(self) -> list[LayerInfo]:
        return [
            LayerInfo(name, f"fake.{layer.kind}", layer.kind, True, (), layer.settings)
            for name, layer in self.parts.items()
        ]

    def tensors(self) -> list[TensorInfo]:
        return [
            TensorInfo(
                f"{n}.{t}",
                v.shape,
                "float32",
                t not in (*layer.fixed, *layer.buffers),
                n,
                saved=t not in layer.buffers,
            )
            for n, layer in self.parts.items()
            for t, v in layer.values.items()
        ]

    def read(
        self, names: Sequence[str] | None = None, precision: Precision = "float32"
    ) -> dict[str, Array]:
        values = self.values[precision]
        return {name: values[name].copy() for name in (values if names is None else names)}

    def write(self, values: Mapping[str, Array]) -> None:
        for precision in PRECISIONS:
            for name, value in values.items():
                single = np.asarray(value, dtype=np.float32)
                self.values.setdefault(precision, {})[name] = single.astype(precision)

    def load(self, path: str) -> None:
        raise NotImplementedError

    def save(self, path: str) -> None:
        raise NotImplementedError

    def convert(self, function: str, values: Mapping[str, Array]) -> dict[str, Array]:
        raise NotImplementedError

    def calibrate(self, inputs: Sequence[Array], seed: int) -> None:
        """The layers of these tests are made with values that show mistakes."""

    def drops(self, inputs: Sequence[Array]) -> list[Drop]:
        return [Drop(*told) for told in self.dropped]

    def still(self) -> list[str]:
        return []

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        self.parts[layer].settings.update(settings)

    def trace(self, inputs: Sequence[Array], *, training: bool = False) -> list[LayerCall]:
        calls: list[LayerCall] = []
        session = _Session(self, training, "float32")
        self.network(session, *_cast(inputs, "float32"))
        for key, captured in session.captured.items():
            given, returned = ([a.shape for a in c] for c in (captured.inputs, captured.outputs))
            calls.append(LayerCall(key, tuple(given), tuple(returned)))
        return calls

    def run(
        self,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        capture: Sequence[CallKey] = (),
        graph: bool = False,
    ) -> Forward:
        self.runs += 1
        session = _Session(self, training, precision)
        output = self.network(session, *_cast(inputs, precision))
        kept = {key: session.captured[key] for key in capture if key in session.captured}
        return Forward((output,), kept)

    def replay(
        self,
        layer: str,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> tuple[Array, ...]:
        if self.parts[layer].settings.get("refuses"):
            raise HarnessError(f"{layer}: takes keywords only")
        session = _Session(self, training, precision)
        return (session(layer, *_cast(inputs, precision)),)

    def differentiate(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        *,
        training: bool = True,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> Backward:
        """Half the mean squared error; layers run one after the other in their order."""
        session = _Session(self, training, precision)
        (x,) = _cast(inputs, precision)
        used = [name for name, part in self.parts.items() if not part.settings.get("unused")]
        for name in used:
            x = session(name, x)
        error = x - _cast(targets, precision)[0]
        loss = float(0.5 * np.square(error).mean())
        dy = error / x.dtype.type(x.size)
        # What no gradient reaches has None in PyTorch, zeros in MindSpore.
        none = {name: np.zeros_like(self._value(name, precision)) for name in self._parameters()}
        gradients: dict[str, Array | None] = {
            name: None if self.framework == "torch" else zero for name, zero in none.items()
        }
        for name in reversed(used):
            captured = session.captured[CallKey(name)]
            t = self._own(name, precision)
            dy, own = self.parts[name].backward(t, captured.inputs[0], dy)
            frozen = self.parts[name].settings.get("frozen", ())
            gradients |= {f"{name}.{t}": None if t in frozen else g for t, g in own.items()}
        state = {
            info.name: session.moved.get(info.name, self.values[precision][info.name])
            for info in self.tensors()
            if not info.trainable
        }
        return Backward(loss, gradients, state)

    def begin(self, precision: Precision = "float32") -> None:
        self.training[precision] = deepcopy(self.optimizer), 0

    def step(
        self, inputs: Sequence[Array], targets: Sequence[Array], precision: Precision = "float32"
    ) -> Step:
        optimizer, number = self.training[precision]
        backward = self.differentiate(inputs, targets, precision=precision)
        values = self.values[precision]
        for name, gradient in backward.gradients.items():
            if gradient is not None:
                values[name] = optimizer.update(name, values[name], gradient, number)
        values.update(backward.state)
        self.training[precision] = optimizer, number + 1
        return Step(backward.loss, (optimizer.rate(number),))

    def close(self) -> None:
        """Nothing runs."""

    def _parameters(self) -> list[str]:
        return [info.name for info in self.tensors() if info.trainable]

    def _value(self, name: str, precision: Precision) -> Array:
        return self.values[precision][name]

    def _own(self, layer: str, precision: Precision) -> dict[str, Array]:
        values = self.values[precision]
        return {t: values[f"{layer}.{t}"] for t in self.parts[layer].values}


class _Session:
    """One forward pass: calls layers and keeps what they take and give."""

    def __init__(self, side: FakeSide, training: bool, precision: Precision) -> None:
        self.side, self.training, self.precision = side, training, precision
        self.captured: dict[CallKey, Captured] = {}
        self.moved: dict[str, Array] = {}

    def __call__(self, name: str, *inputs: Array) -> Array:
        layer = self.side.parts[name]
        own = self.side._own(name, self.precision)
        output, moved = layer.forward(own, inputs[0], self.training)
        nth = sum(key.layer == name for key in self.captured)
        self.captured[CallKey(name, nth)] = Captured(tuple(inputs), (output,))
        self.moved |= {f"{name}.{tensor}": value for tensor, value in moved.items()}
        return output


def _cast(arrays: Sequence[Array], precision: Precision) -> list[Array]:
    return [a if a.dtype.kind in "biu" else a.astype(precision) for a in arrays]


def sequence(*names: str) -> Network:
    """Return a network that calls the layers one after the other."""

    def network(call: Call, x: Array) -> Array:
        for name in names:
            x = call(name, x)
        return x

    return network


@dataclass(frozen=True)
class Both:
    """Calls that belong together: a `capture.Pair`."""

    torch: tuple[LayerCall, ...]
    mindspore: tuple[LayerCall, ...]
    kind: str = ""
    problem: str = ""


def pairs(torch: FakeSide, port: FakeSide, inputs: Sequence[Array]) -> list[Both]:
    """Align calls by name, in PyTorch's order; what only the port calls stands where it does."""
    theirs = {call.key: call for call in port.trace(inputs)}
    found = []
    for call in torch.trace(inputs):
        mine = (theirs[call.key],) if call.key in theirs else ()
        found.append(Both((call,), mine, torch.parts[call.key.layer].kind))
    both = {pair.torch[0].key for pair in found}
    before: CallKey | None = None
    for key, call in theirs.items():
        if key not in both:
            place = next((n + 1 for n, p in enumerate(found) if _is(p, before)), 0)
            found.insert(place, Both((), (call,), port.parts[key.layer].kind))
        before = key
    return found


def _is(pair: Both, key: CallKey | None) -> bool:
    return any(call.key == key for call in (*pair.torch, *pair.mindspore))
