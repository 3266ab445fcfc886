"""The questions of a side, as a session is asked them, and its answers as frozen values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.errors import PortFailed
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
from conformance.worker.port_wire import packed, unpacked

Message = dict[str, Any]
CHUNK = 256 * 2**20
"""Bytes of tensors in one message, but for a single larger one; execnet carries less than 2 GiB."""


class Asking:
    """A `Side` over whatever answers `reply(method, arguments)` as a session does."""

    framework: Framework
    info: Mapping[str, Any]
    folder = Path()
    """What relative paths of checkpoints are meant from."""
    named = ""
    """The callable that builds the model."""

    def reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        """Return ``("ok", value)`` or ``("failed", what failed)``; see `worker/port.py`."""
        raise NotImplementedError

    def ask(self, method: str, **arguments: Any) -> Any:
        """Return a session's answer.

        Raises ValueError for a patch that cannot be, PortFailed for what failed.
        """
        outcome, value = self.reply(method, arguments)
        if outcome == "ok":
            return value
        if method == "patch" and value["type"] == "ValueError":
            raise ValueError(value["message"].removeprefix("ValueError: "))
        raise self.failed(method, value["type"], value["message"], value["layer"], value["where"])

    def failed(
        self, method: str, kind: str, message: str, layer: str | None = None, where: str = ""
    ) -> PortFailed:
        """Return the failure as one line that names side, method, layer and place."""
        place = f"{where}: " if where else ""
        inside = f" in layer {layer}" if layer else " in the model" if layer == "" else ""
        what = f"{method} {self.named}" if method == "build" else method
        line = f"{place}{self.framework} side, {what}{inside}: {message}"
        return PortFailed(
            line, side=self.framework, method=method, kind=kind, layer=layer, said=message
        )

    def layers(self) -> list[LayerInfo]:
        """See `Side`."""
        return [LayerInfo(**layer) for layer in self.ask("layers")]

    def tensors(self) -> list[TensorInfo]:
        """See `Side`."""
        return [TensorInfo(**tensor) for tensor in self.ask("tensors")]

    def read(
        self, names: Sequence[str] | None = None, precision: Precision = "float32"
    ) -> dict[str, Array]:
        """See `Side`."""
        sizes = {t.name: 8 * math.prod(t.shape) for t in self.tensors()}
        wanted = list(sizes) if names is None else list(names)
        found: dict[str, Array] = {}
        for chunk in _chunks([(name, sizes.get(name, 0)) for name in wanted]):
            found |= _arrays(self.ask("read", names=chunk, precision=precision))
        return found

    def write(self, values: Mapping[str, Array]) -> None:
        """See `Side`."""
        for chunk in _chunks([(name, array.nbytes) for name, array in values.items()]):
            self.ask("write", values={name: packed(values[name]) for name in chunk})

    def load(self, path: str) -> None:
        """See `Side`."""
        self.ask("load", path=str(self.folder.absolute() / path))

    def save(self, path: str) -> None:
        """See `Side`."""
        self.ask("save", path=str(self.folder.absolute() / path))

    def convert(self, function: str, values: Mapping[str, Array]) -> dict[str, Array]:
        """See `Side`."""
        given = {name: packed(value) for name, value in values.items()}
        return _arrays(self.ask("convert", function=function, values=given))

    def calibrate(self, inputs: Sequence[Array], seed: int) -> None:
        """See `Side`."""
        self.ask("calibrate", inputs=_packed(inputs), seed=seed)

    def drops(self, inputs: Sequence[Array]) -> list[Drop]:
        """See `Side`."""
        return [Drop(*told) for told in self.ask("drops", inputs=_packed(inputs))]

    def still(self) -> list[str]:
        """See `Side`."""
        return list(self.ask("still"))

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """See `Side`."""
        self.ask("patch", layer=layer, settings=dict(settings))

    def trace(self, inputs: Sequence[Array], *, training: bool = False) -> list[LayerCall]:
        """See `Side`."""
        calls = self.ask("trace", inputs=_packed(inputs), training=training)
        return [LayerCall(**{**call, "key": CallKey(*call["key"])}) for call in calls]

    def run(
        self,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        capture: Sequence[CallKey] = (),
        graph: bool = False,
    ) -> Forward:
        """See `Side`."""
        reply = self.ask(
            "run",
            inputs=_packed(inputs),
            training=training,
            precision=precision,
            capture=[(key.layer, key.nth) for key in capture],
            graph=graph,
        )
        captured = {
            CallKey(*key): Captured(_unpacked(given), _unpacked(returned))
            for key, given, returned in reply["captured"]
        }
        return Forward(_unpacked(reply["outputs"]), captured, tuple(reply["form"]))

    def replay(
        self,
        layer: str,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> tuple[Array, ...]:
        """See `Side`."""
        given = _packed(inputs)
        return _unpacked(
            self.ask(
                "replay",
                layer=layer,
                inputs=given,
                training=training,
                precision=precision,
                graph=graph,
            )
        )

    def differentiate(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        *,
        training: bool = True,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> Backward:
        """See `Side`."""
        reply = self.ask(
            "differentiate",
            inputs=_packed(inputs),
            targets=_packed(targets),
            training=training,
            precision=precision,
            graph=graph,
        )
        gradients = {n: None if g is None else unpacked(g) for n, g in reply["gradients"].items()}
        return Backward(reply["loss"], gradients, _arrays(reply["state"]))

    def begin(self, precision: Precision = "float32") -> None:
        """See `Side`."""
        self.ask("begin", precision=precision)

    def step(
        self, inputs: Sequence[Array], targets: Sequence[Array], precision: Precision = "float32"
    ) -> Step:
        """See `Side`."""
        reply = self.ask(
            "step", inputs=_packed(inputs), targets=_packed(targets), precision=precision
        )
        return Step(reply["loss"], tuple(reply["rates"]))


def _chunks(sizes: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Yield names in groups of at most CHUNK bytes, or of one."""
    group: list[str] = []
    total = 0
    for name, size in sizes:
        if group and total + size > CHUNK:
            yield group
            group, total = [], 0
        group.append(name)
        total += size
    if group:
        yield group


def _packed(arrays: Sequence[Array]) -> list[Message]:
    return [packed(array) for array in arrays]


def _unpacked(values: Sequence[Message]) -> tuple[Array, ...]:
    return tuple(unpacked(value) for value in values)


def _arrays(values: Mapping[str, Message]) -> dict[str, Array]:
    return {name: unpacked(value) for name, value in values.items()}
