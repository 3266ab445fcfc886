"""MindSpore's optimizers and learning-rate schedules, step by step."""

from __future__ import annotations

import mindspore as ms
import numpy as np

from conformance.worker import wire
from conformance.worker.base import Adapter, Message


class Training(Adapter):
    """What the MindSpore adapter does with an optimizer or a schedule."""

    graph = False
    """Whether an optimizer is compiled."""

    def run_optimizer(self, message: Message) -> Message:
        """Call the optimizer with one gradient for each row of `grads`."""
        step = message["steps"][0]
        values = self.inputs(message)
        parameter = ms.Parameter(values["params"].copy(), name="parameter")
        self.stage = "construct"
        optimizer = self.resolve(step["api"])([parameter], **self.constructor(step, values))
        if self.graph:
            optimizer.construct = ms.jit(optimizer.construct)
        self.stage = "call"
        trajectory: list[Message] = []
        dtype = message["values"]["grads"][wire.ARRAY][0]
        for gradient in wire.unpack(message["values"]["grads"]):
            optimizer((self.tensor(wire.pack(dtype, gradient)),))
            trajectory.append(self.output(parameter))
        return {"outcome": "returned", "output": stacked(trajectory)}

    def run_schedule(self, message: Message) -> Message:
        """Read ``param_groups[0]["lr"]`` of an experimental SGD before each step.

        A function, such as ``nn.piecewise_constant_lr``, returns the list of all rates itself.
        """
        step = message["steps"][0]
        values = self.inputs(message)
        schedules = self.resolve(step["api"])
        if not isinstance(schedules, type):
            listed = schedules(**self.constructor(step, values))
            return {"outcome": "returned", "output": wire.pack("float64", np.asarray(listed))}
        sgd = self.resolve("mindspore.experimental.optim.SGD")
        optimizer = sgd([ms.Parameter(ms.ops.zeros(1), name="parameter")], lr=values["base_lr"])
        self.stage = "construct"
        schedule = schedules(optimizer, **self.constructor(step, values))
        self.stage = "call"
        rates: list[Message] = []
        for _ in range(values["steps"]):
            rates.append(self.output(optimizer.param_groups[0]["lr"]))
            schedule.step()
        return {"outcome": "returned", "output": stacked(rates)}


def stacked(arrays: list[Message]) -> Message:
    """Return arrays of one dtype and shape, in wire form, as the rows of one."""
    dtype = arrays[0][wire.ARRAY][0]
    return wire.pack(dtype, np.stack([wire.unpack(array) for array in arrays]))
