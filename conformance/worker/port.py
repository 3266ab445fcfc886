"""A user's model inside its framework's interpreter, asked questions by ``port/remote.py``.

Runs inside a framework's interpreter: standard library and NumPy only.  `Session.answer` takes and
gives wire messages; everything below it speaks of NumPy arrays and builtin types, so a framework's
own session needs to know nothing of the wire.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.worker.port_abstract import (
    Abstract,
    Arrays,
    Differentiated,
    Message,
    Ran,
    Recipe,
)
from conformance.worker.port_calls import Key, Recorder
from conformance.worker.port_drops import Drop
from conformance.worker.port_errors import SessionError, failure, import_callable
from conformance.worker.port_wire import arrays, packed, plain, unpacked, unpacked_all

__all__ = ["Abstract", "Arrays", "Differentiated", "Message", "Ran", "Recipe", "Session"]


class Session(Abstract):
    """What is the same in every framework."""

    METHODS = (
        "build", "info", "layers", "tensors", "parameters", "read", "write", "load", "save",
        "convert", "calibrate", "drops", "still", "patch", "trace", "run", "replay",
        "differentiate", "begin", "step",
    )  # fmt: skip

    def __init__(self, device: str = "", mode: str = "") -> None:
        self.device, self.mode = device, mode
        self.loss: Callable[..., Any] | None = None
        self.optimizer: Recipe | None = None
        self.schedule: Recipe | None = None
        self.folders: list[str] = []
        self.running: list[str] = []
        """Layers that are being called, the innermost last."""

    def answer(self, method: str, arguments: Message) -> tuple[str, Any]:
        """Return ``("ok", value)`` or ``("failed", {"type", "message", "layer", "where"})``."""
        self.running = []
        if Recorder.trail is not None:
            Recorder.trail.mark([])
        try:
            if method not in self.METHODS:
                raise SessionError("Protocol", f"no method {method!r}")
            handler = getattr(self, f"answer_{method}", None) or getattr(self, method)
            return "ok", handler(**arguments)
        except (Exception, SystemExit) as error:
            layer = self.running[-1] if self.running else None
            return "failed", failure(error, layer, self.folders, self.unsupported)

    # Building ---------------------------------------------------------------------------------

    def answer_build(
        self,
        build: str,
        arguments: Mapping[str, Any] | None = None,
        path: Sequence[str] = (),
        folder: str = "",
        seed: int = 0,
        loss: Message | None = None,
        optimizer: Message | None = None,
        schedule: Message | None = None,
        dtype: str = "float32",
    ) -> None:
        """Build the model that `build` names, and what it is trained with.

        `path` are absolute folders to import from.  While the user's code builds, `folder` is the
        current one, so that its relative paths mean what they mean in a script there.
        """
        if dtype != "float32":
            raise SessionError("Build", f"models are built in float32, not {dtype}")
        self.prepare()
        self.folders = list(path)
        sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
        with _current(folder):
            self.seed(seed)
            self._take(
                _called(build, arguments or {}),
                loss=_loss(loss),
                optimizer=self._recipe(optimizer),
                schedule=self._recipe(schedule),
            )

    def adopt(
        self,
        model: Any,
        loss: Callable[..., Any] | None = None,
        optimizer: Recipe | None = None,
        schedule: Recipe | None = None,
    ) -> None:
        """Take a copy of a model that the caller built and keeps.

        A loss that is a class is made without arguments.
        """
        self._take(self.copied(model), loss, optimizer, schedule)

    def copied(self, model: Any) -> Any:
        """Return a copy of `model`, where the framework can copy: a session changes its own."""
        return model

    def _take(
        self,
        model: Any,
        loss: Callable[..., Any] | None,
        optimizer: Recipe | None,
        schedule: Recipe | None,
    ) -> None:
        self.hold(model)
        self.loss = loss() if isinstance(loss, type) else loss
        self.optimizer, self.schedule = optimizer, schedule

    def _recipe(self, given: Message | None) -> Recipe | None:
        if given is None:
            return None
        module = given["build"].partition(":")[0]
        native = any(f"{module}.".startswith(f"{package}.") for package in self.optimizers)
        build, arguments = import_callable(given["build"]), given.get("arguments") or {}
        _fits(given["build"], build, lambda signature: signature.bind_partial(**arguments))
        return Recipe(build, arguments, native, given["build"])

    # From the wire and back -------------------------------------------------------------------

    def answer_read(self, names: Sequence[str] | None, precision: str) -> Message:
        """See `read`."""
        return {name: packed(array) for name, array in self.read(names, precision).items()}

    def answer_write(self, values: Message) -> None:
        """See `write`."""
        self.write({name: unpacked(value) for name, value in values.items()})

    def answer_parameters(self) -> Message | None:
        """Return what a call of the model takes by position: ``names`` in order, of which `needed`
        have no default, whether `more` may follow, and how the function is `called`."""
        forward = self.forward()
        try:
            # A decorator may pass on other arguments than it takes.
            signature = inspect.signature(forward, follow_wrapped=False) if forward else None
        except (TypeError, ValueError):  # it is not written in Python
            signature = None
        if forward is None or signature is None:
            return None
        parameters = list(signature.parameters.values())
        taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return {
            "names": [p.name for p in taken],
            "needed": sum(p.default is p.empty for p in taken),
            "more": any(p.kind is p.VAR_POSITIONAL for p in parameters),
            "called": getattr(forward, "__qualname__", forward.__name__).rpartition("<locals>.")[2],
        }

    def answer_convert(self, function: str, values: Message) -> Message:
        """Return what the user's converter makes of `values`, which are PyTorch's by name."""
        given = {name: unpacked(value) for name, value in values.items()}
        made = arrays(import_callable(function)(given))
        return {name: packed(array) for name, array in made.items()}

    def answer_calibrate(self, inputs: Sequence[Message], seed: int) -> None:
        """See `calibrate`."""
        self.calibrate(unpacked_all(inputs), seed)

    def answer_drops(self, inputs: Sequence[Message]) -> list[Drop]:
        """See `drops`."""
        return self.drops(unpacked_all(inputs))

    def answer_layers(self) -> list[Message]:
        """See `layers`."""
        return [{**layer, "settings": plain(layer["settings"])} for layer in self.layers()]

    def answer_trace(self, inputs: Sequence[Message], training: bool) -> list[Message]:
        """See `trace`."""
        given = unpacked_all(inputs)
        for i, array in enumerate(given):
            if array.dtype.kind in "fc" and np.isnan(array).any():
                raise SessionError("NaN", f"input {i} holds NaN")
        return [call.message() for call in self.trace(given, training)]

    def answer_run(
        self,
        inputs: Sequence[Message],
        training: bool,
        precision: str,
        capture: Sequence[Key],
        graph: bool,
    ) -> Message:
        """See `run`."""
        wanted = {(layer, nth) for layer, nth in capture}
        ran = self.run(unpacked_all(inputs), training, precision, wanted, graph)
        captured = [
            (key, tuple(map(packed, given)), tuple(map(packed, returned)))
            for key, (given, returned) in ran.captured.items()
        ]
        outputs = tuple(map(packed, ran.outputs))
        return {"outputs": outputs, "captured": captured, "form": ran.form}

    def answer_replay(
        self, layer: str, inputs: Sequence[Message], training: bool, precision: str, graph: bool
    ) -> tuple[Message, ...]:
        """See `replay`."""
        return tuple(
            map(packed, self.replay(layer, unpacked_all(inputs), training, precision, graph))
        )

    def answer_differentiate(
        self,
        inputs: Sequence[Message],
        targets: Sequence[Message],
        training: bool,
        precision: str,
        graph: bool,
    ) -> Message:
        """See `differentiate`."""
        found = self.differentiate(
            unpacked_all(inputs), unpacked_all(targets), training, precision, graph
        )
        gradients = {n: None if g is None else packed(g) for n, g in found.gradients.items()}
        state = {name: packed(array) for name, array in found.state.items()}
        return {"loss": float(found.loss), "gradients": gradients, "state": state}

    def answer_step(
        self, inputs: Sequence[Message], targets: Sequence[Message], precision: str
    ) -> Message:
        """See `step`."""
        loss, rates = self.step(unpacked_all(inputs), unpacked_all(targets), precision)
        return {"loss": float(loss), "rates": tuple(map(float, rates))}


def _called(named: str, arguments: Mapping[str, Any]) -> Any:
    """Return what the callable of a user's makes of `arguments`, which it must be able to take."""
    build = import_callable(named)
    _fits(named, build, lambda signature: signature.bind(**arguments))
    return build(**arguments)


def _fits(named: str, build: Any, bind: Callable[[inspect.Signature], Any]) -> None:
    """Raise SessionError with kind ``Arguments`` where a signature does not take them."""
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):
        return
    try:
        bind(signature)
    except TypeError as error:
        raise SessionError("Arguments", f"{named}: {error}") from None


def _loss(given: Message | None) -> Callable[..., Any] | None:
    """Return what is called with output and targets; a class is made with the arguments first.

    A function takes none: MindSpore compiles it, and differentiates a partial one to zero.
    """
    if given is None:
        return None
    found, arguments = import_callable(given["build"]), given.get("arguments") or {}
    if isinstance(found, type):
        return _called(given["build"], arguments)  # type: ignore[no-any-return]
    if arguments:
        words = "takes no arguments here, being a function; give a class, or a function of your own"
        raise SessionError("Loss", f"{given['build']} {words}")
    return found


@contextlib.contextmanager
def _current(folder: str) -> Iterator[None]:
    if not folder:
        yield
        return
    if not Path(folder).is_dir():
        raise SessionError("Build", f"{folder}: no such folder")
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
