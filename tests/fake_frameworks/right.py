"""A correct framework in miniature: NumPy kernels under the frameworks' API names.

Deliberately bad ones beside this file override one thing each.  An input that holds UNLUCKY is
what they misbehave on, so a test knows which case is guilty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conformance.worker import wire
from conformance.worker.base import Adapter, Message
from conformance.worker.values import leaves

UNLUCKY = 13.0


def add_(input: Any, other: Any) -> Any:
    input += other
    return input


def picky(input: Any) -> Any:
    raise ValueError("picky never accepts its input")


KERNELS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "square": np.square,
    "add": lambda input, other: input + other,
    "add_": add_,
    "picky": picky,
}
DERIVATIVES: dict[str, Callable[[Any], Any]] = {"abs": np.sign, "square": lambda x: 2 * x}


class RightAdapter(Adapter):
    """Right about everything it knows."""

    root = ""

    def info(self) -> Message:
        return {
            "version": "1.0.0",
            "build": "fake",
            "device": self.device or "cpu",
            "mode": self.mode,
        }

    def resolve(self, api: str) -> Any:
        name = api.rpartition(".")[2]
        if name not in KERNELS:
            raise AttributeError(f"no {api}")
        return KERNELS[name]

    def tensor(self, value: Message) -> Any:
        return wire.unpack(value)

    def parameter(self, tensor: Any) -> Any:
        return tensor

    def dtype(self, name: str) -> Any:
        return np.dtype(name)

    def array(self, value: Any) -> Message | None:
        if not isinstance(value, np.ndarray | np.generic):
            return None
        array = np.asarray(value)
        return wire.pack(array.dtype.name, array)

    def invoke(self, step: Message, target: Any, args: list[Any], kwargs: Message) -> Any:
        return target(*args, **kwargs)

    def run_function(self, message: Message) -> Message:
        values = self.inputs(message)
        result = self.forward(message, values)
        return {
            "outcome": "returned",
            "output": self.output(result),
            "mutated": self.mutated(message, values),
            "state": {},
            "gradients": self.gradients(message, result),
        }

    def gradients(self, message: Message, result: Any) -> Message:
        name = message["steps"][0]["api"].rsplit(".", 1)[1]
        fresh: Mapping[str, Any] = self.inputs(message)
        seed = wire.cotangent(np.shape(next(leaves(result))), 0)
        return {
            n: self.array((DERIVATIVES[name](fresh[n]) * seed).astype(fresh[n].dtype))
            for n in message["gradients"]
        }

    def unlucky(self, message: Message) -> bool:
        arrays = [wire.unpack(v) for v in message["values"].values() if isinstance(v, dict)]
        return any((a == UNLUCKY).any() for a in arrays)


ADAPTER: type[Adapter] = RightAdapter
