"""MindSpore, PyNative and graph mode."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conformance.worker import wire
from conformance.worker.base import Message, TargetUnavailable
from conformance.worker.values import cotangents, leaves, rebuild

os.environ.setdefault("GLOG_v", "3")
try:
    import mindspore as ms
    from mindspore.ops.composite.base import _Grad

    from conformance.worker.mindspore_cell import remember_sources, wrap
    from conformance.worker.mindspore_training import Training
except ImportError as error:
    raise TargetUnavailable(f"MindSpore cannot be imported: {error}") from None

RECYCLE_AFTER = 50
"""Calls in graph mode between two clearings of compiled graphs."""

DEVICES = {"cpu": "CPU", "gpu": "GPU", "ascend": "Ascend"}


def _use(device: str) -> None:
    """Set MindSpore's device; TargetUnavailable where it cannot be had.

    MindSpore refuses once something has run, be it the same one.
    """
    try:
        ms.set_device(device)
    except Exception as error:
        if ms.get_context("device_target") != device:
            raise TargetUnavailable(str(error).strip().splitlines()[0]) from None


class MindSporeAdapter(Training):
    """MindSpore on ``cpu``, ``gpu`` or ``ascend``; mode ``pynative`` or ``graph``.

    Graph mode is ``mindspore.jit`` of a cell that makes the call: the call itself is compiled.
    """

    root = "mindspore"
    unsupported = (
        ("dtype", re.compile(r"Unsupported data type|"
                             r"must be a type of \{[^}]*\}, but got (Tensor\[)?\w+|"
                             r"type of the input must be \[[^\]]*\], but got (Tensor\[)?\w+|"
                             r"must be one of (Tensor\[\w+\], )+but got (Ref\[)?Tensor\[|"
                             r"supports types: .*But got|is not in the support list|"
                             r"not support(ed)? (data ?type|dtype)", re.I)),
        ("device", re.compile(r"kernel \w+ unregistered|Create kernelmod for op \w+ failed|"
                              r"Unsupported op \[\w+\] on|Not found op \w+ on device|"
                              r"^RuntimeError: Not implement exception|"
                              r"make sure target device:\w+ is available|"
                              r"not supported on (the )?(CPU|GPU|Ascend)", re.I)),
    )  # fmt: skip

    def __init__(self, device: str, mode: str) -> None:
        super().__init__(device or "cpu", mode or "pynative")
        if self.mode not in ("pynative", "graph"):
            raise TargetUnavailable(f"MindSpore runs in mode pynative or graph, not {mode!r}")
        if self.device not in DEVICES:
            raise TargetUnavailable(f"unknown device {device!r}: {', '.join(DEVICES)}")
        _use(DEVICES[self.device])
        ms.set_context(mode=ms.PYNATIVE_MODE)
        if os.environ.get("CONFORMANCE_MINDSPORE_DEFAULTS") != "1":
            ms.set_context(pynative_synchronize=True)
        self.graph = self.mode == "graph"
        if self.graph:
            remember_sources()
        self.parameters = 0
        self.compiled = 0

    def info(self) -> Message:
        """Return version, build and device."""
        commit = Path(ms.__file__).with_name(".commit_id")
        found = re.search(r"sha1\]:(\w+)", commit.read_text()) if commit.exists() else None
        return {
            "version": ms.__version__,
            "build": found.group(1) if found else "",
            "device": self.device,
            "mode": self.mode,
            "synchronous": os.environ.get("CONFORMANCE_MINDSPORE_DEFAULTS") != "1",
        }

    def dtype(self, name: str) -> Any:
        """Return ``mindspore.<name>``."""
        return getattr(ms, "bool_" if name == "bool" else name)

    def tensor(self, value: Message) -> Any:
        """Return the tensor; bfloat16 is cast from the float32 that equals it."""
        name = value[wire.ARRAY][0]
        array = wire.unpack(value)
        if value.get("layout") == "transposed" and array.ndim >= 2:
            swapped = {**value, wire.ARRAY: _swapped(name, array), "layout": "contiguous"}
            return self.tensor(swapped).swapaxes(-1, -2)
        if name == "bfloat16":
            return ms.Tensor(wire.bfloat16_values(array)).astype(ms.bfloat16)
        return ms.Tensor(array)

    def parameter(self, tensor: Any) -> Any:
        """Return ``mindspore.Parameter``; each needs a name of its own."""
        self.parameters += 1
        return ms.Parameter(tensor, name=f"parameter_{self.parameters}")

    def array(self, value: Any) -> Message | None:
        """Return the wire form of a tensor."""
        if not isinstance(value, ms.Tensor):
            return None
        array = value.asnumpy()
        if array.dtype.name == "bfloat16":
            return wire.pack(
                "bfloat16", np.ascontiguousarray(array).view(np.uint16).reshape(array.shape)
            )
        return wire.pack(array.dtype.name, array)

    def seed(self, seed: int) -> None:
        """``mindspore.set_seed`` and ``manual_seed``: each drives part of the operators."""
        ms.set_seed(seed)
        ms.manual_seed(seed)

    def set_training(self, module: Any, train: bool) -> None:
        """``cell.set_train(train)``."""
        if isinstance(module, ms.nn.Cell):
            module.set_train(train)

    def assign(self, module: Any, state: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Set parameters by attribute name; all take the dtype of the state, or of the inputs."""
        if not isinstance(module, ms.nn.Cell):
            return
        slots = dict(module.parameters_and_names())
        given = [*state.values(), *values.values()]
        floating = [v.dtype for v in given if isinstance(v, ms.Tensor) and v.is_floating_point()]
        for slot in slots.values():
            if floating and slot.dtype != floating[0] and slot.is_floating_point():
                slot.set_dtype(floating[0])
        for name, tensor in state.items():
            if name not in slots:
                raise LookupError(f"{type(module).__name__} has no state {name!r}: {sorted(slots)}")
            if tuple(slots[name].shape) != tuple(tensor.shape):
                shapes = f"{tuple(slots[name].shape)}, not {tuple(tensor.shape)}"
                raise ValueError(f"state {name!r} has shape {shapes}")
            slots[name].set_data(tensor.copy())

    def run_function(self, message: Message) -> Message:
        """Run the steps, compiled in graph mode; differentiate with ``GradOperation``."""
        if self.graph and message["gradients"] and (reply := self._together(message)):
            return reply
        values = self.inputs(message)
        targets = self._targets(message, values)
        result = self._forward(message, values, targets)
        reply = {
            "outcome": "returned",
            "output": self.output(result),
            "mutated": self.mutated(message, values),
            "state": self._state(message, targets),
        }
        if message["gradients"]:
            self.stage = "gradient"
            try:
                reply["gradients"] = self._gradients(message, result)
            except Exception as error:
                self.stage = "gradient"
                reply["gradient_error"] = self.raised(error)
        return reply

    def _together(self, message: Message) -> Message | None:
        """Compile value and gradient as one graph; None when they have to be compiled apart.

        The one graph costs what the gradient's alone would, and it is what a training step
        compiles.  It needs the cotangents' shapes before it runs: they are those of the call in
        PyNative mode.  Apart goes what keeps a state or writes into its inputs, what raises, so
        that the exception is the value's or the gradient's own, what returns something else than
        in PyNative mode, and what killed a worker, so that PyNative mode is not taken for guilty.
        """
        steps = message["steps"]
        if message.get("alone") or any(s["state"] or s["api"].endswith("_") for s in steps):
            return None
        try:
            return self._value_and_gradient(message)
        except Exception:
            return None

    def _value_and_gradient(self, message: Message) -> Message | None:
        values = self.inputs(message)
        foreseen = self._eagerly(message, values, self._targets(message, values))
        heads = self._heads(message, foreseen)
        values = self.inputs(message)
        targets = self._targets(message, values)
        cell, tensors = wrap(message, values, targets, self._fixed, self.resolve)
        gradient = _Grad(get_by_position=True, sens_param=True, get_value=True)
        self._recycle()
        both = ms.jit(gradient(cell, None, tuple(range(len(tensors)))))
        result, found = both(*tensors, heads)
        if [_kind(r) for r in leaves(result)] != [_kind(f) for f in leaves(foreseen)]:
            return None
        by_input = found if isinstance(found, tuple) else (found,)
        named = dict(zip(cell.inputs, by_input, strict=True))
        return {
            "outcome": "returned",
            "output": self.output(result),
            "mutated": self.mutated(message, values),
            "state": {},
            "gradients": {n: self._gradient(named, n) for n in message["gradients"]},
        }

    def forward(self, message: Message, values: Mapping[str, Any]) -> Any:
        """Run the steps of `message` once, compiled in graph mode."""
        return self._forward(message, values, self._targets(message, values))

    def _forward(self, message: Message, values: Mapping[str, Any], targets: list[Any]) -> Any:
        if not self.graph:
            return self._eagerly(message, values, targets)
        self._recycle()
        cell, tensors = wrap(message, values, targets, self._fixed, self.resolve)
        cell.construct = ms.jit(cell.construct)
        return cell(*tensors)

    def _eagerly(self, message: Message, values: Mapping[str, Any], targets: list[Any]) -> Any:
        results: list[Any] = []
        for step, target in zip(message["steps"], targets, strict=True):
            args = [self.term(a, values, results) for a in step["args"]]
            results.append(self.invoke(step, target, args, self.kwargs(step, values, results)))
        if message["returns"] is None:
            return results[-1]
        return tuple(results[i] for i in message["returns"])

    def _recycle(self) -> None:
        """Drop compiled graphs now and then: a thousand of them make each call twice as slow."""
        self.compiled += 1
        if self.compiled % RECYCLE_AFTER == 0:
            gc.collect()
            ms.ms_memory_recycle()

    def _targets(self, message: Message, values: Mapping[str, Any]) -> list[Any]:
        return [self.callable(step, values, message["training"]) for step in message["steps"]]

    def _state(self, message: Message, targets: list[Any]) -> Message:
        state: Message = {}
        for step, target in zip(message["steps"], targets, strict=True):
            if step["state"]:
                slots = dict(target.parameters_and_names())
                state |= {c: self.array(slots[name]) for name, c in step["state"].items()}
        return state

    def _gradients(self, message: Message, result: Any) -> Message:
        """Differentiate a second, fresh construction of the call by its tensors and its state."""
        values = self.inputs(message)
        targets = self._targets(message, values)
        self.stage = "gradient"
        cell, tensors = wrap(message, values, targets, self._fixed, self.resolve)
        slots = {
            canonical: dict(target.parameters_and_names())[name]
            for step, target in zip(message["steps"], targets, strict=True)
            for name, canonical in step["state"].items()
            if canonical in message["gradients"]
        }
        differentiate = ms.ops.GradOperation(get_all=True, get_by_list=bool(slots), sens_param=True)
        weights = [ms.ParameterTuple(slots.values())] if slots else []
        gradient = differentiate(cell, *weights)
        if self.graph:
            gradient = ms.jit(gradient)
        found = gradient(*tensors, self._heads(message, result))
        by_input, by_state = found if slots else (found, ())
        named = dict(zip(cell.inputs, by_input, strict=True)) | dict(
            zip(slots, by_state, strict=True)
        )
        return {n: self._gradient(named, n) for n in message["gradients"]}

    def _gradient(self, named: Mapping[str, Any], name: str) -> Message | None:
        return self.array(named[name]) if name in named else None

    def _heads(self, message: Message, result: Any) -> Any:
        """Return the cotangents of `result`, nested as it is."""
        outputs = list(leaves(result))
        seeds = cotangents([self._shape(out) for out in outputs], message.get("order", ()))
        heads = [
            ms.ops.zeros_like(out)
            if seed is None
            else ms.Tensor(seed.astype(np.float32)).astype(out.dtype)
            for out, seed in zip(outputs, seeds, strict=True)
        ]
        return rebuild(result, iter(heads))

    @staticmethod
    def _shape(out: Any) -> tuple[int, ...] | None:
        inexact = isinstance(out, ms.Tensor) and (out.is_floating_point() or out.is_complex())
        return tuple(out.shape) if inexact else None


def _kind(leaf: Any) -> Any:
    return (leaf.dtype, tuple(leaf.shape)) if isinstance(leaf, ms.Tensor) else type(leaf)


def _swapped(name: str, array: np.ndarray[Any, Any]) -> tuple[str, tuple[int, ...], bytes]:
    swapped = np.ascontiguousarray(array.swapaxes(-1, -2))
    return name, swapped.shape, swapped.tobytes()


ADAPTER = MindSporeAdapter
