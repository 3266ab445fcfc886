"""A user's PyTorch model, asked questions by ``port/remote.py``."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from conformance.worker import port_settings_torch as known
from conformance.worker import port_torch_values as values
from conformance.worker.port import Arrays, Differentiated, Message, Ran
from conformance.worker.port_calls import (
    Array,
    Call,
    Key,
    Recorder,
    is_slot,
    rebuild,
    slots,
)
from conformance.worker.port_drops import Drop, Listener
from conformance.worker.port_errors import SessionError
from conformance.worker.port_form import form, leaves
from conformance.worker.port_torch_calibrate import calibrate
from conformance.worker.port_torch_models import TorchModels, seeded
from conformance.worker.port_torch_modes import Listening, Stilled, droppers, restore, silence


class TorchSession(TorchModels):
    """A model in float32, and in float64 once that is asked for."""

    optimizers = ("torch.optim",)
    unsupported = (
        ("device", re.compile(r"Could not run '.*' with arguments from the|"
                              r"not (currently )?(implemented|supported) (for|on) the .* device",
                              re.I)),
        ("dtype", re.compile(r"not implemented for '\w+'", re.I)),
    )  # fmt: skip

    def info(self) -> Message:
        """Return version, device and mode."""
        return {"version": str(torch.__version__), "device": self.device, "mode": self.mode}

    def prepare(self) -> None:
        """Take as many threads as the environment says: workers otherwise have one."""
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))

    def seed(self, seed: int) -> None:
        """Seed all default generators."""
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)

    def forward(self) -> Callable[..., Any]:
        """Return the model's ``forward``."""
        found: Callable[..., Any] = self._model().forward
        return found

    def layers(self) -> list[Message]:
        """Return all modules, each by its first name."""
        return [
            {
                "name": name,
                "type": known.public_type(module),
                "kind": known.kind(module),
                "leaf": not any(module.children()),
                "tensors": tuple(
                    f"{name}.{n}" if name else n for n, _ in values.own_tensors(module)
                ),
                "settings": known.settings(module),
            }
            for name, module in self._model().named_modules()
        ]

    def tensors(self) -> list[Message]:
        """Return all tensors of the state dict."""
        return [
            {
                "name": name,
                "shape": tuple(slot.tensor.shape),
                "dtype": str(slot.tensor.dtype).removeprefix("torch."),
                "trainable": slot.trainable,
                "layer": slot.layer,
                "same_as": "" if slot.first == name else slot.first,
            }
            for name, slot in values.slots(self._model()).items()
        ]

    def read(self, names: Sequence[str] | None, precision: str) -> dict[str, Array]:
        """Return values by name."""
        found = values.slots(self._model(precision))
        wanted = list(found) if names is None else names
        if strange := [name for name in wanted if name not in found]:
            raise SessionError("Read", f"the model has no tensor {strange[0]!r}")
        return {name: values.array(found[name].tensor) for name in wanted}

    def write(self, given: Mapping[str, Any]) -> None:
        """Set values in every precision."""
        for model in self.models.values():
            values.assign(model, given)

    def load(self, path: str) -> None:
        """Load a state dict."""
        self.write(values.load(self._model(), path))

    def save(self, path: str) -> None:
        """Write the state dict."""
        values.save(self._model(), path)

    def calibrate(self, inputs: Arrays, seed: int) -> None:
        """See ``port_torch_calibrate``."""
        model = self._model()
        given = self._given(inputs, "float32")
        changed = silence(model)

        def forward(training: bool) -> None:
            with self._watched(model, Recorder(self, ())), seeded(), Stilled(), torch.no_grad():
                model.train(training)
                model(*given)

        try:
            calibrate(model, forward, seed)
        finally:
            restore(changed)
            model.eval()
        for precision in [p for p in self.models if p != "float32"]:
            del self.models[precision]
            self.training.pop(precision, None)

    def drops(self, inputs: Arrays) -> list[Drop]:
        """Return what one pass in training drops."""
        model = self._model()
        listener = Listener(self, (), droppers=droppers(model))
        given = self._given(inputs, "float32")
        drew = self.drew[:]
        with self._pass("float32", True, listener), Listening(listener), torch.no_grad():
            model(*given)
        # What draws otherwise is not switched off.
        self.drew = list(dict.fromkeys([*drew, *(layer for layer, *_ in listener.drops)]))
        return listener.drops

    def still(self) -> list[str]:
        """Set dropout to 0, in modules and in functions, and stochastic depth too."""
        found: dict[str, None] = {}
        for model in self.models.values():
            found |= dict.fromkeys(silence(model))
        self.stilled = True
        return list(found | dict.fromkeys(self.drew))

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """Change a layer's settings in every precision."""
        self._layer(layer, "float32")
        for model in self.models.values():
            known.patch(model, layer, settings)

    def trace(self, inputs: Arrays, training: bool) -> list[Call]:
        """Return the calls of atomic layers."""
        recorder = Recorder(self, self._atomic(), watch=_has_nan)
        output = self._forward(inputs, training, "float32", recorder)
        outputs = list(leaves(output, self.is_tensor))
        if any(map(_has_nan, outputs)):
            where = f", first {recorder.nan}" if recorder.nan else ""
            raise SessionError("NaN", f"the forward pass returns NaN{where}", recorder.nan_layer)
        return recorder.calls

    def run(
        self,
        inputs: Arrays,
        training: bool,
        precision: str,
        capture: Collection[Key],
        graph: bool,  # noqa: ARG002
    ) -> Ran:
        """Run forward; `graph` means nothing here."""
        recorder = Recorder(self, self._atomic(), capture)
        output = self._forward(inputs, training, precision, recorder)
        outputs = [values.array(t) for t in leaves(output, self.is_tensor)]
        return Ran(outputs, recorder.captured, form(output, self.dtype))

    def replay(
        self,
        layer: str,
        inputs: Arrays,
        training: bool,
        precision: str,
        graph: bool,  # noqa: ARG002
    ) -> Arrays:
        """Call one layer as it was called before, with other tensors.

        Equal ones are passed as one object: attention computes otherwise where query is key.
        """
        module = self._layer(layer, precision)
        given = self._given(inputs, precision)
        given = [next(t for t in given if t is g or _equal(t, g)) for g in given]
        templates = self.templates.get(layer, ())
        template: Any = next((t for t in templates if slots(t) == len(given)), None)
        args, kwargs = rebuild(template, is_slot, iter(given)) if template else (given, {})
        with self._pass(precision, training, Recorder(self, ())), torch.no_grad():
            return [values.array(t) for t in leaves(module(*args, **kwargs), self.is_tensor)]

    def differentiate(
        self,
        inputs: Arrays,
        targets: Arrays,
        training: bool,
        precision: str,
        graph: bool,  # noqa: ARG002
    ) -> Differentiated:
        """Differentiate the loss by every trainable tensor."""
        model = self._model(precision)
        trained = {n: s for n, s in values.slots(model).items() if s.trainable}
        with self._pass(precision, training, Recorder(self, ())):
            loss = self._loss(model(*self._given(inputs, precision)), targets, precision)
            if not loss.requires_grad:
                raise SessionError("Loss", "the loss depends on nothing that can be trained")
            wanted = [slot.tensor for slot in trained.values()]
            found = torch.autograd.grad(loss, wanted, allow_unused=True)
            state = {
                name: values.array(slot.tensor)
                for name, slot in values.slots(model).items()
                if not slot.trainable
            }
        gradients = {
            name: None if gradient is None else values.array(gradient)
            for name, gradient in zip(trained, found, strict=True)
        }
        return Differentiated(loss.item(), gradients, state)

    def begin(self, precision: str) -> None:
        """Make optimizer and schedule."""
        if self.optimizer is None:
            raise SessionError("Optimizer", "the configuration has no optimizer")
        self._model("float64")  # before training moves what it is copied from
        model = self._model(precision)
        recipe = self.optimizer
        target = model.parameters() if recipe.native else model
        optimizer = recipe.make(target)
        schedule = None
        if self.schedule is not None:
            schedule = self.schedule.make(optimizer)
        self.training[precision] = optimizer, schedule

    def step(
        self, inputs: Arrays, targets: Arrays, precision: str
    ) -> tuple[float, tuple[float, ...]]:
        """Make one step, and one of the schedule after it."""
        if precision not in self.training:
            raise SessionError("Optimizer", f"training in {precision} has not begun")
        optimizer, schedule = self.training[precision]
        model = self._model(precision)
        rates = tuple(float(group["lr"]) for group in optimizer.param_groups)
        with self._pass(precision, True, Recorder(self, ()), keep=True):
            optimizer.zero_grad()
            loss = self._loss(model(*self._given(inputs, precision)), targets, precision)
            loss.backward()
            optimizer.step()
        value = loss.item()
        if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            schedule.step(value)
        elif schedule is not None:
            schedule.step()
        return value, rates


def _has_nan(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() and torch.isnan(tensor).any())


def _equal(one: Any, other: Any) -> bool:
    return bool(one.dtype == other.dtype and torch.equal(one, other))


SESSION = TorchSession
