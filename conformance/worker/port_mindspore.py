"""A user's MindSpore model, asked questions by ``port/remote.py``."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import mindspore as ms
import numpy as np

from conformance.worker import port_mindspore_files as files
from conformance.worker import port_mindspore_still as stillness
from conformance.worker import port_settings_mindspore as known
from conformance.worker.base import TargetUnavailable
from conformance.worker.mindspore_ import DEVICES, MindSporeAdapter
from conformance.worker.port_abstract import Arrays, Differentiated, Message, Ran
from conformance.worker.port_calls import Array, Call, Key
from conformance.worker.port_drops import Drop, Listener
from conformance.worker.port_errors import SessionError
from conformance.worker.port_form import form, leaves
from conformance.worker.port_mindspore_cells import (
    Tensors,
    array,
    copied,
    dtype,
    is_tensor,
    named_cells,
    tensor,
)
from conformance.worker.port_mindspore_errors import readable
from conformance.worker.port_mindspore_passes import Passes, leaf
from conformance.worker.port_mindspore_training import Training

_CONTEXT = {"mode": ms.PYNATIVE_MODE, "pynative_synchronize": True}
"""MindSpore 2.10 heeds the latter before the first kernel of a process alone."""


class MindSporeSession(Passes):
    """A ``mindspore.nn.Cell`` in float32.

    Everything runs in PyNative mode but what is asked for with `graph`, which is compiled by
    ``mindspore.jit`` as a whole.
    """

    framework = "mindspore"
    optimizers = ("mindspore.nn", "mindspore.mint.optim", "mindspore.experimental.optim")
    unsupported = MindSporeAdapter.unsupported

    def __init__(self, device: str = "", mode: str = "") -> None:
        super().__init__(device or _current_device(), mode or "pynative")
        if self.device not in DEVICES:
            raise TargetUnavailable(f"unknown device {device!r}: {', '.join(DEVICES)}")
        if device and device != _current_device():  # once something has run, none can be set
            ms.set_device(DEVICES[device])
        self._before = {name: ms.get_context(name) for name in _CONTEXT}
        _set_context(_CONTEXT)
        self.trainer: Training | None = None

    def release(self) -> None:
        """Put back the context that the session found."""
        _set_context(self._before)

    def info(self) -> Message:
        """Return version, device and mode."""
        return {"version": ms.__version__, "device": self.device, "mode": self.mode}

    def seed(self, seed: int) -> None:
        """Seed every generator that an initialiser may draw from."""
        random.seed(seed)
        np.random.seed(seed % 2**32)
        ms.set_seed(seed)
        ms.manual_seed(seed)

    def copied(self, model: Any) -> Any:
        """Return a deep copy."""
        return copied(model) if isinstance(model, ms.nn.Cell) else model

    def hold(self, model: Any) -> None:
        """Take `model` for evaluation, with the dtypes it was built with."""
        if not isinstance(model, ms.nn.Cell):
            kind = type(model).__name__
            raise SessionError("Build", f"what it built is a {kind}, not a mindspore.nn.Cell")
        for parameter in model.get_parameters():
            if parameter.has_init:
                parameter.init_data()
        self._model = model.set_train(False)
        self.templates, self.trainer, self.stilled = {}, None, False
        self.compiled.clear()

    # What the model is made of ------------------------------------------------------------------

    def forward(self) -> Callable[..., Any]:
        """Return the model's ``construct``."""
        found: Callable[..., Any] = self.model.construct
        return found

    def layers(self) -> list[Message]:
        """Return all cells, each by its first name."""
        owned: dict[str, list[str]] = {}
        for slot in self.slots().values():
            owned.setdefault(slot.layer, []).append(slot.name)
        return [
            {
                "name": name,
                "type": known.public_type(cell),
                "kind": known.kind(cell),
                "leaf": leaf(cell),
                "tensors": tuple(owned.get(name, ())),
                "settings": known.settings(cell),
            }
            for name, cell in named_cells(self.model).items()
        ]

    def tensors(self) -> list[Message]:
        """Return parameters and buffers by attribute path."""
        return [
            {
                "name": slot.name,
                "shape": slot.shape,
                "dtype": slot.dtype,
                "trainable": slot.trainable,
                "layer": slot.layer,
                "same_as": "" if slot.first == slot.name else slot.first,
                "saved": bool(slot.saved),
            }
            for slot in self.slots().values()
        ]

    def read(self, names: Sequence[str] | None, precision: str) -> dict[str, Array]:
        """Return values by attribute path."""
        _only_float32(precision)
        found = self.slots()
        wanted = list(found) if names is None else names
        if strange := [name for name in wanted if name not in found]:
            raise SessionError("Read", f"the model has no tensor {strange[0]!r}")
        return {name: array(found[name].tensor) for name in wanted}

    def write(self, values: Mapping[str, Array]) -> None:
        """Set values by attribute path, all or none."""
        found = self.slots()
        given: dict[str, str] = {}
        for name, value in values.items():
            if name not in found:
                raise SessionError("Write", f"the model has no tensor {name!r}")
            slot = found[name]
            if slot.shape != np.shape(value):
                shapes = f"{slot.shape}, not {np.shape(value)}"
                raise SessionError("Write", f"{name} has shape {shapes}")
            twin = given.setdefault(slot.first, name)
            if twin != name and not np.array_equal(values[twin], value):
                words = f"{twin} and {name} are one tensor, given two values"
                raise SessionError("Write", words)
        for name, value in values.items():
            self.assign(found[name], np.asarray(value))

    def load(self, path: str) -> None:
        """Load a ``.ckpt`` or ``.safetensors`` file."""
        self.write(files.load(path, self.slots()))

    def save(self, path: str) -> None:
        """Write a ``.ckpt`` or ``.safetensors`` file."""
        files.save(path, self.model, self.slots())

    def calibrate(self, inputs: Arrays, seed: int) -> None:  # noqa: ARG002
        """Refuse: calibrated values come from PyTorch's side."""
        raise SessionError("Calibrate", "values are calibrated on PyTorch's side only")

    def drops(self, inputs: Arrays) -> list[Drop]:
        """Return what one pass in training drops, in PyNative mode."""
        cells = named_cells(self.model)
        self.running = []
        droppers = stillness.droppers(cells)
        listener = Listener(Tensors(), (), running=self.running, droppers=droppers)
        functions = stillness.functions_heard(cells, listener)
        with self.prepared(training=True), stillness.layers_still(cells), functions:
            self.record(listener, _given(inputs))
        return listener.drops

    def still(self) -> list[str]:
        """Set dropout to 0, in cells and in functions, and stochastic depth too."""
        self.stilled = True
        self.compiled.clear()
        return stillness.still(named_cells(self.model))

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """Change a layer's settings; what is compiled is compiled again."""
        self.cell(layer)
        known.patch(self.model, layer, settings)
        self.compiled.clear()

    # Forward ------------------------------------------------------------------------------------

    def trace(self, inputs: Arrays, training: bool) -> list[Call]:
        """Return the calls of atomic layers, in PyNative mode.

        SessionError with kind ``Random`` when two passes differ that were to be still.
        """
        recorder = self.recorder()
        with self.prepared(training):
            self.record(recorder, _given(inputs))
        if training and self.stilled:
            self.still_random(_given(inputs), recorder.calls)
        return recorder.calls

    def run(
        self, inputs: Arrays, training: bool, precision: str, capture: Collection[Key], graph: bool
    ) -> Ran:
        """Run forward; calls of layers can be captured in PyNative mode only."""
        _only_float32(precision)
        if graph and capture:
            raise SessionError("Protocol", "calls of layers are captured in PyNative mode only")
        given = _given(inputs)
        recorder = self.recorder(capture)
        with self.prepared(training):
            if not graph:
                output = self.record(recorder, given)
            else:
                with self.telling(given, graph):
                    output = self.graph(self.model)(*given)
        outputs = [array(t) for t in leaves(output, is_tensor)]
        return Ran(outputs, recorder.captured, form(output, dtype))

    def replay(
        self, layer: str, inputs: Arrays, training: bool, precision: str, graph: bool
    ) -> Arrays:
        """Call one layer as it was called before, with other tensors."""
        _only_float32(precision)
        self.cell(layer)
        self.running = [layer]
        with self.prepared(training):
            output = self.call(layer, _given(inputs), graph)
        return [array(t) for t in leaves(output, is_tensor)]

    # Backward and training ----------------------------------------------------------------------

    def differentiate(
        self, inputs: Arrays, targets: Arrays, training: bool, precision: str, graph: bool
    ) -> Differentiated:
        """Differentiate the loss by every trainable tensor; zeros for what it does not use."""
        _only_float32(precision)
        given, wanted = _given(inputs), _targets(targets)
        trained = {name: slot for name, slot in self.slots().items() if slot.trainable}
        unique = {slot.first: slot.tensor for slot in trained.values()}
        head = self.head(given, training)
        with self.prepared(training):
            with self.telling(given, graph, backward=True):
                loss, found = self.gradients(given, wanted, head, list(unique.values()), graph)
                arrays = dict(zip(unique, map(array, found), strict=True))
            state = {n: array(s.tensor) for n, s in self.slots().items() if not s.trainable}
        return Differentiated(loss, {n: arrays[s.first] for n, s in trained.items()}, state)

    def begin(self, precision: str) -> None:
        """Make optimizer and schedule."""
        _only_float32(precision)
        if self.optimizer is None:
            raise SessionError("Optimizer", "the configuration has no optimizer")
        slots = self.slots().values()
        trained = [slot.tensor for slot in slots if slot.trainable and slot.name == slot.first]
        with readable():
            self.trainer = Training(self.model, trained, self.optimizer, self.schedule)

    def step(
        self, inputs: Arrays, targets: Arrays, precision: str
    ) -> tuple[float, tuple[float, ...]]:
        """Make one step in PyNative mode, and one of the schedule after it."""
        _only_float32(precision)
        if self.trainer is None:
            raise SessionError("Optimizer", "training has not begun")
        given, wanted = _given(inputs), _targets(targets)
        head = self.head(given, training=True)
        with self.prepared(training=True, keep=True):
            with self.telling(given, graph=False, backward=True):
                loss, found = self.gradients(
                    given, wanted, head, self.trainer.parameters, graph=False
                )
            return loss, self.trainer.step(found)


def _set_context(context: Mapping[str, Any]) -> None:
    """Set the context without the advice that a key is to go: nothing else can be unset."""
    log = logging.getLogger(f"ME.mindspore.log.{os.getpid()}")
    before, log.disabled = log.disabled, True
    try:
        for name, value in context.items():
            ms.set_context(**{name: value})
    finally:
        log.disabled = before


def _current_device() -> str:
    current = str(ms.get_context("device_target")).lower()
    return current if current in DEVICES else "cpu"


def _given(arrays: Arrays) -> list[Any]:
    """Return tensors; what is floating in float32, integers as they are."""
    return [tensor(a.astype(np.float32) if a.dtype.kind == "f" else a) for a in arrays]


def _targets(arrays: Arrays) -> list[Any]:
    """Return tensors; int64 as int32, the only integers that ``nn.CrossEntropyLoss`` takes."""
    return _given([a.astype(np.int32) if a.dtype == np.int64 else a for a in arrays])


def _only_float32(precision: str) -> None:
    if precision != "float32":
        raise SessionError("Precision", f"MindSpore is run in float32, not in {precision}")


SESSION = MindSporeSession
