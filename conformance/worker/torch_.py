"""PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.worker import wire
from conformance.worker.base import Adapter, Message, TargetUnavailable
from conformance.worker.values import cotangents, leaves

try:
    import torch
except ImportError as error:
    raise TargetUnavailable(f"PyTorch cannot be imported: {error}") from None


class TorchAdapter(Adapter):
    """PyTorch on ``cpu``, ``cuda``, ``npu`` (Ascend, through torch_npu) or ``mps``, eager."""

    root = "torch"
    unsupported = (
        ("dtype", re.compile(r"not implemented for '\w+'|not supported for (dtype|type)|"
                             r"does not support .*(dtype|scalar type)|dtypes not supported|"
                             r"Unsupported dtype", re.I)),
        ("device", re.compile(r"Could not run '.*' with arguments from the|"
                              r"not (currently )?(implemented|supported) (for|on) the .* device",
                              re.I)),
    )  # fmt: skip

    def __init__(self, device: str, mode: str) -> None:
        super().__init__(device or "cpu", mode or "eager")
        if self.mode != "eager":
            raise TargetUnavailable(f"PyTorch runs in mode 'eager' here, not {mode!r}")
        self.place = self._placed()
        self.modules: list[Any] = []
        torch.set_num_threads(1)
        torch.set_warn_always(True)  # else only the first of many calls would warn
        torch.use_deterministic_algorithms(True, warn_only=True)

    def _placed(self) -> Any:
        """Return the device, once it has held a tensor; ``cuda1`` is the second one."""
        kind = self.device.rstrip("0123456789")
        place = ":".join(filter(None, (kind, self.device[len(kind) :])))
        if kind == "cpu":
            return torch.device(place)
        if kind == "npu":
            try:
                import torch_npu  # type: ignore[import-not-found] # noqa: F401, PLC0415
            except ImportError as error:
                raise TargetUnavailable(f"Ascend needs torch_npu: {error}") from None
        if kind not in ("cuda", "npu", "mps", "xpu"):
            raise TargetUnavailable(f"unknown device {self.device!r}: cpu, cuda, npu, mps or xpu")
        backend = getattr(torch, kind, None)
        if kind == "mps":
            backend = torch.backends.mps
        if backend is None or not backend.is_available():
            build = torch.version.cuda if kind == "cuda" else torch.__version__
            raise TargetUnavailable(f"torch.{kind}.is_available() is false (build: {build})")
        try:
            return torch.empty(1, device=place).device
        except Exception as error:
            raise TargetUnavailable(f"{place}: {str(error).strip().splitlines()[0]}") from None

    def info(self) -> Message:
        """Return version, build and device."""
        commit = torch.version.git_version[:12]
        build = f"{commit}, cuda {torch.version.cuda or 'none'}"
        return {
            "version": str(torch.__version__),
            "build": build,
            "device": self.device,
            "mode": self.mode,
        }

    def dtype(self, name: str) -> Any:
        """Return ``torch.<name>``."""
        return getattr(torch, name)

    def tensor(self, value: Message) -> Any:
        """Return the tensor on the target's device; 'transposed' swaps the strides of two axes."""
        name = value[wire.ARRAY][0]
        array = wire.unpack(value)
        if name == "bfloat16":
            tensor = torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(array)
        tensor = tensor.to(self.place)
        if value.get("layout") == "transposed" and tensor.dim() >= 2:
            tensor = tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
        return tensor

    def parameter(self, tensor: Any) -> Any:
        """Return ``torch.nn.Parameter``."""
        return torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point())

    def array(self, value: Any) -> Message | None:
        """Return the wire form of a dense tensor."""
        if not isinstance(value, torch.Tensor):
            return None
        if value.layout != torch.strided or value.is_quantized:
            return None
        tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        if tensor.dtype == torch.bfloat16:
            return wire.pack("bfloat16", tensor.view(torch.int16).numpy())
        return wire.pack(str(tensor.dtype).removeprefix("torch."), tensor.numpy())

    def seed(self, seed: int) -> None:
        """``torch.manual_seed``."""
        torch.manual_seed(seed)

    def set_training(self, module: Any, train: bool) -> None:
        """``module.train(train)``."""
        if isinstance(module, torch.nn.Module):
            module.train(train)

    def assign(self, module: Any, state: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Set parameters and buffers; all take the dtype of the state, or of the inputs."""
        given = [*state.values(), *values.values()]
        floating = [v.dtype for v in given if isinstance(v, torch.Tensor) and v.is_floating_point()]
        module.to(device=self.place, dtype=floating[0] if floating else None)
        slots = dict(module.named_parameters()) | dict(module.named_buffers())
        for name, tensor in state.items():
            if name not in slots:
                raise LookupError(f"{type(module).__name__} has no state {name!r}: {sorted(slots)}")
            if slots[name].shape != tensor.shape:
                shapes = f"{tuple(slots[name].shape)}, not {tuple(tensor.shape)}"
                raise ValueError(f"state {name!r} has shape {shapes}")
            slots[name].data = tensor.clone()

    def run_function(self, message: Message) -> Message:
        """Run the steps as a user's script would, then once more when gradients are wanted."""
        values = self.inputs(message)
        self.modules = []
        output = self.output(self.forward(message, values))
        reply = {
            "outcome": "returned",
            "output": output,
            "mutated": self.mutated(message, values),
            "state": self._state(message),
        }
        if message["gradients"]:
            self.stage = "gradient"
            try:
                reply["gradients"] = self._gradients(message)
            except Exception as error:
                self.stage = "gradient"
                reply["gradient_error"] = self.raised(error)
        return reply

    def callable(self, step: Message, values: Mapping[str, Any], train: bool) -> Any:
        """Remember constructed modules, so that their state can be read after the call."""
        target = super().callable(step, values, train)
        if step["form"] == "module":
            self.modules.append(target)
        return target

    def _state(self, message: Message) -> Message:
        state: Message = {}
        steps = [s for s in message["steps"] if s["form"] == "module"]
        for step, module in zip(steps, self.modules, strict=True):
            slots = dict(module.named_parameters()) | dict(module.named_buffers())
            for name, canonical in step["state"].items():
                state[canonical] = self.array(slots[name])
        return state

    def _gradients(self, message: Message) -> Message:
        self.modules = []
        values = self.inputs(message)
        wanted = {n: values[n].requires_grad_() for n in message["gradients"]}
        states = {c for step in message["steps"] for c in step["state"].values()}
        # A leaf must not be modified in place, and module state is copied on assignment anyway.
        used = {n: v.clone() if n in wanted and n not in states else v for n, v in values.items()}
        result = self.forward(message, used)
        steps = [s for s in message["steps"] if s["form"] == "module"]
        for step, module in zip(steps, self.modules, strict=True):
            slots = dict(module.named_parameters())
            for name, canonical in step["state"].items():
                if canonical in wanted:
                    wanted[canonical] = slots[name]
        outputs = list(leaves(result))
        shapes = [self._shape(out) for out in outputs]
        pairs = [
            (out, torch.from_numpy(c).to(out.dtype).to(out.device))
            for out, c in zip(outputs, cotangents(shapes), strict=True)
            if c is not None and out.requires_grad
        ]
        if not pairs:
            return dict.fromkeys(wanted)
        heads, seeds = zip(*pairs, strict=True)
        found = torch.autograd.grad(heads, list(wanted.values()), seeds, allow_unused=True)
        return {n: None if g is None else self.array(g) for n, g in zip(wanted, found, strict=True)}

    @staticmethod
    def _shape(out: Any) -> tuple[int, ...] | None:
        inexact = isinstance(out, torch.Tensor) and (out.is_floating_point() or out.is_complex())
        return tuple(out.shape) if inexact else None

    def run_optimizer(self, message: Message) -> Message:
        """Set ``.grad`` and call ``step()`` once for each row of `grads`."""
        step = message["steps"][0]
        values = self.inputs(message)
        parameter = torch.nn.Parameter(values["params"].clone())
        self.stage = "construct"
        optimizer = self.resolve(step["api"])([parameter], **self.constructor(step, values))
        self.stage = "call"
        trajectory = []
        for gradient in values["grads"]:
            parameter.grad = gradient.clone()
            optimizer.step()
            trajectory.append(parameter.detach().clone())
        return {"outcome": "returned", "output": self.output(torch.stack(trajectory))}

    def run_schedule(self, message: Message) -> Message:
        """Read ``param_groups[0]["lr"]`` before each step of an SGD optimizer."""
        step = message["steps"][0]
        values = self.inputs(message)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=values["base_lr"])
        self.stage = "construct"
        schedule = self.resolve(step["api"])(optimizer, **self.constructor(step, values))
        self.stage = "call"
        rates = []
        for _ in range(values["steps"]):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            schedule.step()
        return {"outcome": "returned", "output": wire.pack("float64", np.asarray(rates))}


ADAPTER = TorchAdapter
