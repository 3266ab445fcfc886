"""Sides of a port: a session in a worker, or in this process."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.errors import HarnessError, PortFailed
from conformance.port.model import (
    Array,
    Backward,
    CallKey,
    Captured,
    Forward,
    Framework,
    LayerCall,
    LayerInfo,
    Precision,
    Step,
    TensorInfo,
)
from conformance.run.gateway import HUNG, Worker, WorkerDied, WorkerUnavailable
from conformance.run.target import Target
from conformance.worker.port import Recipe, Session, packed, unpacked

Message = dict[str, Any]
TIMEOUT = 3_600.0
"""Seconds a side may take over one question."""
CHUNK = 256 * 2**20
"""Bytes of tensors in one message, but for a single larger one; execnet carries less than 2 GiB."""


@dataclass(frozen=True)
class Build:
    """How a side builds its model; the keys of ``build`` that `worker/port.py` knows.

    Relative paths are meant from `folder`, which is the current one while the model is built.
    """

    build: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: Sequence[str] = (".",)
    folder: Path = Path()
    seed: int = 0
    loss: str | None = None
    optimizer: Mapping[str, Any] | None = None
    schedule: Mapping[str, Any] | None = None

    def message(self) -> Message:
        """Return the arguments of ``build`` in wire form, all paths absolute."""
        folder = self.folder.absolute()
        return {
            "build": self.build,
            "arguments": dict(self.arguments),
            "path": [os.path.normpath(folder / entry) for entry in self.path],
            "folder": str(folder),
            "seed": self.seed,
            "loss": self.loss,
            "optimizer": None if self.optimizer is None else dict(self.optimizer),
            "schedule": None if self.schedule is None else dict(self.schedule),
        }


class _Asking:
    """A `Side` over whatever answers `_reply(method, arguments)` as a session does."""

    framework: Framework
    info: Mapping[str, Any]
    folder = Path()
    """What relative paths of checkpoints are meant from."""

    def _reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        raise NotImplementedError

    def _ask(self, method: str, **arguments: Any) -> Any:
        """Return a session's answer.

        Raises ValueError for a patch that cannot be, PortFailed for what failed.
        """
        outcome, value = self._reply(method, arguments)
        if outcome == "ok":
            return value
        if method == "patch" and value["type"] == "ValueError":
            raise ValueError(value["message"].removeprefix("ValueError: "))
        raise self._failed(method, value["type"], value["message"], value["layer"], value["where"])

    def _failed(
        self, method: str, kind: str, message: str, layer: str | None = None, where: str = ""
    ) -> PortFailed:
        """Return the failure as one line that names side, method, layer and place."""
        place = f"{where}: " if where else ""
        inside = f" in layer {layer}" if layer else " in the model" if layer == "" else ""
        line = f"{place}{self.framework} side, {method}{inside}: {message}"
        return PortFailed(line, side=self.framework, method=method, kind=kind, layer=layer)

    def layers(self) -> list[LayerInfo]:
        """See `Side`."""
        return [LayerInfo(**layer) for layer in self._ask("layers")]

    def tensors(self) -> list[TensorInfo]:
        """See `Side`."""
        return [TensorInfo(**tensor) for tensor in self._ask("tensors")]

    def read(
        self, names: Sequence[str] | None = None, precision: Precision = "float32"
    ) -> dict[str, Array]:
        """See `Side`."""
        sizes = {t.name: 8 * math.prod(t.shape) for t in self.tensors()}
        wanted = list(sizes) if names is None else list(names)
        found: dict[str, Array] = {}
        for chunk in _chunks([(name, sizes.get(name, 0)) for name in wanted]):
            found |= _arrays(self._ask("read", names=chunk, precision=precision))
        return found

    def write(self, values: Mapping[str, Array]) -> None:
        """See `Side`."""
        for chunk in _chunks([(name, array.nbytes) for name, array in values.items()]):
            self._ask("write", values={name: packed(values[name]) for name in chunk})

    def load(self, path: str) -> None:
        """See `Side`."""
        self._ask("load", path=str(self.folder.absolute() / path))

    def save(self, path: str) -> None:
        """See `Side`."""
        self._ask("save", path=str(self.folder.absolute() / path))

    def calibrate(self, inputs: Sequence[Array], seed: int) -> None:
        """See `Side`."""
        self._ask("calibrate", inputs=_packed(inputs), seed=seed)

    def still(self) -> list[str]:
        """See `Side`."""
        return list(self._ask("still"))

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """See `Side`."""
        self._ask("patch", layer=layer, settings=dict(settings))

    def trace(self, inputs: Sequence[Array], *, training: bool = False) -> list[LayerCall]:
        """See `Side`."""
        calls = self._ask("trace", inputs=_packed(inputs), training=training)
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
        reply = self._ask(
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
        return Forward(_unpacked(reply["outputs"]), captured)

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
            self._ask(
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
        reply = self._ask(
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
        self._ask("begin", precision=precision)

    def step(
        self, inputs: Sequence[Array], targets: Sequence[Array], precision: Precision = "float32"
    ) -> Step:
        """See `Side`."""
        reply = self._ask(
            "step", inputs=_packed(inputs), targets=_packed(targets), precision=precision
        )
        return Step(reply["loss"], tuple(reply["rates"]))


class RemoteSide(_Asking):
    """A model in a worker: its own interpreter, environment and crashes.

    A relative `python` is meant from the folder of `build`.
    """

    def __init__(self, target: Target, build: Build, *, timeout: float = TIMEOUT) -> None:
        if target.framework == "numpy":
            raise ValueError("no models are built in NumPy")
        self.framework = target.framework
        self.folder, self.timeout = build.folder, timeout
        self._keys = itertools.count()
        self._worker: Worker | None = None
        try:
            self._worker = Worker(_placed(target, self.folder))
        except WorkerUnavailable as error:
            raise self._failed("start", "Unavailable", str(error)) from None
        self.info = self._worker.info
        try:
            self._ask("build", **build.message())
        except BaseException:
            self.close()
            raise

    def _reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        if self._worker is None:
            raise self._failed(method, "Died", "the worker has ended")
        key = next(self._keys)
        try:
            self._worker.send(("port", key, method, arguments))
            _, reply = self._worker.receive(self.timeout)
        except WorkerDied:
            raise self._died(method) from None
        except HarnessError as error:
            last = str(error).strip().splitlines()[-1]
            raise self._failed(method, "Harness", f"our own code failed: {last}") from None
        outcome, value = reply
        return outcome, value

    def _died(self, method: str) -> PortFailed:
        """Return how the worker ended, and end it."""
        assert self._worker is not None
        lines = self._worker.stderr().splitlines()
        ended, self._worker = self._worker.kill(), None
        if ended == HUNG:
            return self._failed(method, "Hung", f"no answer within {self.timeout:g} seconds")
        hint = {"SIGKILL": ", as the system does when memory runs out"}.get(ended, "")
        last = f"; the last it wrote: {lines[-1].strip()[:200]}" if lines else ""
        return self._failed(method, "Died", f"its process ended with {ended}{hint}{last}")

    def close(self) -> None:
        """See `Side`."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()


class LocalSide(_Asking):
    """A model that the caller has built in this process.

    The session works on a copy where its framework can make one.  `optimizer` is called with the
    model, `schedule` with the optimizer (PyTorch), see ``worker/port_abstract.Recipe``.
    """

    def __init__(
        self,
        session: Session,
        model: Any,
        *,
        loss: Callable[..., Any] | None = None,
        optimizer: Callable[..., Any] | None = None,
        schedule: Callable[..., Any] | None = None,
    ) -> None:
        self.framework = session.framework  # type: ignore[assignment]
        self.info = session.info()
        self._session = session
        session.adopt(
            model,
            loss,
            None if optimizer is None else Recipe(optimizer),
            None if schedule is None else Recipe(schedule),
        )

    def _reply(self, method: str, arguments: Message) -> tuple[str, Any]:
        return self._session.answer(method, arguments)

    def close(self) -> None:
        """See `Side`: there is no worker."""


def _placed(target: Target, folder: Path) -> Target:
    """Return `target` with an interpreter that is a path made absolute; no link is followed,
    since an environment's interpreter is one."""
    if target.ssh or os.sep not in target.python:
        return target
    return replace(target, python=os.path.normpath(folder.absolute() / target.python))


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
