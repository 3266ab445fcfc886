"""A PyTorch model in both precisions, its loss, and passes through it that leave no trace."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from conformance.worker import port_settings_torch as known
from conformance.worker import port_torch_values as values
from conformance.worker import wire
from conformance.worker.port import Arrays, Session
from conformance.worker.port_calls import Array, Recorder, slots
from conformance.worker.port_errors import SessionError
from conformance.worker.port_form import leaves
from conformance.worker.port_torch_modes import Stilled, widened

FORWARD_SEED = 20_250
"""What is random in a forward pass is at least the same each time."""


@contextmanager
def seeded() -> Iterator[None]:
    """Draw the same random numbers each time, and leave the caller's generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(FORWARD_SEED)
        yield


class TorchModels(Session):
    """What `TorchSession` stands on."""

    framework = "torch"

    def __init__(self, device: str = "", mode: str = "") -> None:
        super().__init__(device or "cpu", mode or "eager")
        self.models: dict[str, Any] = {}
        self.losses: dict[str, Any] = {}
        self.training: dict[str, tuple[Any, Any]] = {}
        """By precision: optimizer, and schedule or None."""
        self.templates: dict[str, list[Any]] = {}
        self.stilled = False
        self.drew: list[str] = []
        """Layers that drew random numbers in training."""

    def copied(self, model: Any) -> Any:
        """Return a deep copy."""
        return copy.deepcopy(model)

    def hold(self, model: Any) -> None:
        """Take `model`, in float32 and for evaluation."""
        if not isinstance(model, torch.nn.Module):
            kind = type(model).__name__
            raise SessionError("Build", f"what it built is a {kind}, not a torch.nn.Module")
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if torch.nn.parameter.is_lazy(tensor):
                raise SessionError(
                    "Build", f"{name} is lazy: call the model once where it is built"
                )
        self.models = {"float32": model.float().to(self.device).eval()}
        self.losses, self.training, self.templates = {}, {}, {}
        self.stilled, self.drew = False, []

    # Tensors ----------------------------------------------------------------------------------

    def is_tensor(self, value: Any) -> bool:
        """See ``port_calls.Tensors``."""
        return isinstance(value, torch.Tensor)

    def dtype(self, value: Any) -> str | None:
        """Return the name of a tensor's dtype; None for what is no tensor."""
        return str(value.dtype).removeprefix("torch.") if self.is_tensor(value) else None

    def array(self, tensor: Any) -> Array:
        """See ``port_calls.Tensors``."""
        return values.array(tensor)

    def _given(self, arrays: Arrays, precision: str) -> list[Any]:
        """Return tensors; what is floating in `precision`, integers as they are."""
        dtype = getattr(torch, precision)
        tensors = [torch.from_numpy(np.array(array)).to(self.device) for array in arrays]
        return [t.to(dtype) if t.is_floating_point() else t for t in tensors]

    # Models -----------------------------------------------------------------------------------

    def _model(self, precision: str = "float32") -> Any:
        if not self.models:
            raise SessionError("Build", "no model has been built")
        if precision not in self.models:
            if precision != "float64":
                raise SessionError("Protocol", f"no precision {precision!r}")
            self.models[precision] = copy.deepcopy(self.models["float32"]).double()
        return self.models[precision]

    def _layer(self, name: str, precision: str) -> Any:
        try:
            return self._model(precision).get_submodule(name)
        except AttributeError:
            raise SessionError("Protocol", f"the model has no layer {name!r}") from None

    def _atomic(self) -> set[str]:
        modules = self._model().named_modules()
        return {name for name, m in modules if not any(m.children()) or known.kind(m)}

    # Passes -----------------------------------------------------------------------------------

    def _forward(self, inputs: Arrays, training: bool, precision: str, recorder: Recorder) -> Any:
        with self._pass(precision, training, recorder), torch.no_grad():
            output = self._model(precision)(*self._given(inputs, precision))
        for layer, templates in recorder.templates.items():
            kept = self.templates.setdefault(layer, [])
            counts = set(map(slots, kept))
            kept.extend(t for t in templates if slots(t) not in counts)
        return output

    def _loss(self, output: Any, targets: Arrays, precision: str) -> Any:
        given = self._given(targets, precision)
        if self.loss is None:
            tensors = leaves(output, self.is_tensor)
            first = next((t for t in tensors if t.is_floating_point()), None)
            if first is None:
                raise SessionError("Loss", "the model returns nothing to differentiate")
            seed = torch.from_numpy(wire.cotangent(tuple(first.shape), 0))
            return (first * seed.to(first)).sum()
        loss = self._loss_function(precision)(output, *given)
        if not self.is_tensor(loss) or loss.numel() != 1:
            kind = f"shape {tuple(loss.shape)}" if self.is_tensor(loss) else type(loss).__name__
            raise SessionError("Loss", f"the loss must return one number, not {kind}")
        return loss.reshape(())

    def _loss_function(self, precision: str) -> Any:
        if precision not in self.losses:
            loss = self.loss
            if isinstance(loss, torch.nn.Module):
                loss = copy.deepcopy(loss).to(self.device, getattr(torch, precision))
            self.losses[precision] = loss
        return self.losses[precision]

    @contextmanager
    def _pass(
        self, precision: str, training: bool, recorder: Recorder, *, keep: bool = False
    ) -> Iterator[None]:
        """Watch a pass through the model; afterwards all is as before, unless to `keep` it.

        Raises SessionError when something random is left though it was to be still.
        """
        model = self._model(precision)
        with ExitStack() as stack:
            stack.enter_context(seeded())
            stack.enter_context(torch.enable_grad())  # a notebook's caller may have forbidden it
            if not keep:
                stack.enter_context(values.kept(model))
            model.train(training)
            drew = stack.enter_context(self._watched(model, recorder, chance=training))
            if self.stilled and training:
                stack.enter_context(Stilled())
            if precision == "float64":
                stack.enter_context(widened())
            yield
            if self.stilled and drew:
                raise SessionError(
                    "Random", "draws random numbers in training, beside dropout", next(iter(drew))
                )

    @contextmanager
    def _watched(
        self, model: Any, recorder: Recorder, *, chance: bool = False
    ) -> Iterator[dict[str, None]]:
        """Tell `recorder` of every call; yield the layers that draw random numbers, if asked."""
        self.running = recorder.running
        drew: dict[str, None] = {}
        last = [torch.get_rng_state()]

        def look(layer: str) -> None:
            if not torch.equal(last[0], now := torch.get_rng_state()):
                drew[layer] = None
                last[0] = now

        def before(name: str) -> Any:
            def hook(_: Any, args: Any, kwargs: Any) -> None:
                if chance and recorder.running:
                    look(recorder.running[-1])
                recorder.enter(name, args, kwargs)

            return hook

        def after(name: str) -> Any:
            def hook(_: Any, __: Any, ___: Any, output: Any) -> None:
                if chance:
                    look(name)
                recorder.leave(name, output)

            return hook

        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
            handles.append(module.register_forward_hook(after(name), with_kwargs=True))
        try:
            yield drew
        finally:
            for handle in handles:
                handle.remove()
            self.drew += [layer for layer in drew if layer not in self.drew]
