"""A framework in which models are built: chains of NumPy functions, which a test's folder holds.

A model has `chain`, a dict of callables by layer, and `weights`, a dict of arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from conformance.worker.adapters.right import RightAdapter

from conformance.worker.port import Arrays, Differentiated, Message, Ran, Session
from conformance.worker.port_calls import Array, Call, Key, Recorder, flatten
from conformance.worker.port_errors import SessionError


class PortedSession(Session):
    framework = "torch"
    optimizers = ("fakes",)

    def hold(self, model: Any) -> None:
        if not hasattr(model, "chain"):
            raise SessionError("Build", "what it built has no chain")
        self.model = model

    def forward(self) -> Any:
        return getattr(self.model, "forward", None)

    def info(self) -> Message:
        return {"version": "1.0.0"}

    def seed(self, seed: int) -> None:
        np.random.seed(seed)

    def layers(self) -> list[Message]:
        return [
            {"name": name, "type": f"fakes.{name}", "kind": "", "leaf": True, "tensors": (),
             "settings": {"dtype": np.float32, "sizes": [1, 2]}}
            for name in self.model.chain
        ]  # fmt: skip

    def tensors(self) -> list[Message]:
        return [
            {"name": name, "shape": array.shape, "dtype": array.dtype.name, "trainable": True,
             "layer": "", "same_as": ""}
            for name, array in self.model.weights.items()
        ]  # fmt: skip

    def read(self, names: Sequence[str] | None, precision: str) -> dict[str, Array]:
        self.model.weights["asked"] = self.model.weights["asked"] + 1
        wanted = list(self.model.weights) if names is None else names
        return {name: self.model.weights[name].astype(precision) for name in wanted}

    def write(self, values: Mapping[str, Array]) -> None:
        self.model.weights |= values

    def load(self, path: str) -> None:
        try:
            with np.load(path) as stored:
                self.write(dict(stored))
        except ValueError as error:
            raise SessionError("Checkpoint", f"{path} is no checkpoint: {error}") from None

    def save(self, path: str) -> None:
        np.savez(path, **self.model.weights)

    def calibrate(self, inputs: Arrays, seed: int) -> None:
        self.write({"w": inputs[0] + np.float32(seed)})

    def still(self) -> list[str]:
        return ["dropout"]

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        if layer not in self.model.chain:
            raise ValueError(f"{layer} cannot\nbe patched")
        self.model.chain[layer] = lambda x: x * settings["factor"]

    def trace(self, inputs: Arrays, training: bool) -> list[Call]:
        return self._recorded(inputs, ())[1].calls

    def run(
        self, inputs: Arrays, training: bool, precision: str, capture: Collection[Key], graph: bool
    ) -> Ran:
        given = [array.astype(precision) for array in inputs]
        output, recorder = self._recorded(given, capture)
        return Ran(list(flatten(output, self.is_tensor)), recorder.captured)

    def replay(
        self, layer: str, inputs: Arrays, training: bool, precision: str, graph: bool
    ) -> Arrays:
        return [self.model.chain[layer](*inputs)]

    def differentiate(
        self, inputs: Arrays, targets: Arrays, training: bool, precision: str, graph: bool
    ) -> Differentiated:
        gradients = {"w": targets[0], "frozen": None}
        return Differentiated(float(inputs[0].sum()), gradients, {"mean": inputs[0]})

    def begin(self, precision: str) -> None:
        assert self.optimizer is not None
        self.rate = self.optimizer.build(self.model, **self.optimizer.arguments)

    def step(
        self, inputs: Arrays, targets: Arrays, precision: str
    ) -> tuple[float, tuple[float, ...]]:
        assert self.loss is not None
        return self.loss(inputs[0], targets[0]), (self.rate,)

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, np.ndarray)

    def array(self, tensor: Any) -> Array:
        return np.array(tensor)

    def _recorded(self, inputs: Arrays, capture: Collection[Key]) -> tuple[Any, Recorder]:
        recorder = Recorder(self, set(self.model.chain), capture)
        self.running = recorder.running
        value: Any = inputs[0]
        for name, layer in self.model.chain.items():
            recorder.enter(name, (value,), {})
            value = layer(value)
            recorder.leave(name, value)
        return value, recorder


ADAPTER = RightAdapter
SESSION = PortedSession
