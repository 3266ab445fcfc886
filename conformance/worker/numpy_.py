"""The target ``numpy``: the reference run in the case's own dtype, or NumPy's own API.

Which of the two it is, the call says: a pair that names an API of NumPy has it called.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.reference import registry
from conformance.reference.distribution import Distribution
from conformance.reference.dtypes import BFLOAT16, numpy_dtype, output_dtypes
from conformance.reference.registry import Identities, Result
from conformance.worker import wire
from conformance.worker.base import Adapter, Message, TargetUnavailable

CARRIED = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
"""The dtypes that mean the same on every machine; an array of objects would travel as addresses."""
NO_LOOP = re.compile(
    r"not supported for the input types|did not contain a loop with signature matching|"
    r"No loop matching the specified signature|is unsupported in linalg|could not be promoted by"
)
"""What NumPy says in a TypeError when it has no kernel for the dtypes."""


class NumpyAdapter(Adapter):
    """A third implementation that shows what a plain computation in this dtype looks like."""

    root = "numpy"

    def __init__(self, device: str, mode: str) -> None:
        super().__init__(device or "cpu", mode or "eager")
        if self.device != "cpu" or self.mode != "eager":
            raise TargetUnavailable("NumPy runs on cpu, eager")
        np.seterr(all="ignore")

    def info(self) -> Message:
        """Return NumPy's version."""
        return {"version": np.__version__, "build": "", "device": "cpu", "mode": "eager"}

    def tensor(self, value: Message) -> Any:
        """Return the array; bfloat16 as the ml_dtypes type."""
        array = wire.unpack(value)
        return array.view(BFLOAT16) if value[wire.ARRAY][0] == "bfloat16" else array

    def parameter(self, tensor: Any) -> Any:
        """NumPy has no parameters."""
        return tensor

    def dtype(self, name: str) -> Any:
        """Return the dtype's name: references take dtypes by name."""
        return name

    def array(self, value: Any) -> Message | None:
        """Return the wire form of an array or NumPy scalar."""
        if not isinstance(value, np.ndarray | np.generic):
            return None
        array = np.asarray(value)
        if array.dtype.name not in CARRIED:
            return None
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        return wire.pack(array.dtype.name, np.ascontiguousarray(array).reshape(array.shape))

    def resolve(self, api: str) -> Any:
        """Return the function, ufunc or number type `api` names; AttributeError for all else.

        Only ufuncs may lack a `__module__`, as NumPy 1's do.  Other classes, such as ``memmap`` and
        ``vectorize``, open files or call what they are given.
        """
        found = super().resolve(api)
        number = inspect.isclass(found) and issubclass(found, np.number | np.bool_)
        function = inspect.isroutine(found) and getattr(found, "__module__", None)
        if not (isinstance(found, np.ufunc) or function or number):
            self.stage = "resolve"
            raise AttributeError(f"{api} is not a function of {self.root}")
        return found

    def value(self, value: Any) -> Any:
        """Return the Python or NumPy object; functions are passed to no API of NumPy."""
        if isinstance(value, dict) and wire.API in value:
            raise TypeError(f"{value[wire.API]} is no value for an API of {self.root}")
        return super().value(value)

    def run_function(self, message: Message) -> Message:
        """Call NumPy's own API."""
        values = self.inputs(message)
        for name, value in message["values"].items():
            if isinstance(value, dict) and value.get("layout") == "transposed":
                values[name] = _transposed(values[name])
        try:
            output = self.forward(message, values)
        except TypeError as error:
            reply = self.raised(error)
            if NO_LOOP.search(reply["message"]):
                reply |= {"outcome": "unsupported", "reason": "dtype"}
            return reply
        return {
            "outcome": "returned",
            "output": self.output(output),
            "mutated": self.mutated(message, values),
            "state": {},
        }

    def run_reference(self, message: Message) -> Message:
        """Run the reference on copies of the values; cast its outputs to the dtypes of its rule."""
        entry = registry.get(message["steps"][0]["api"])
        values = self.inputs(message)
        values.setdefault("training", message["training"])
        copies = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in values.items()}
        result: Result = entry(**copies)
        output = result.output
        if isinstance(output, Identities):
            output = output.output
        count = len(list(registry.flatten(output)))
        names = output_dtypes(entry, self._as_drawn(message), count, _scalars(message))
        if isinstance(output, Distribution):
            output, names = _draws(output, message["seed"]), names * 3
        return {
            "outcome": "returned",
            "output": self.output(_cast(output, iter(names))),
            "mutated": {n: self.output(_as(v, values[n].dtype)) for n, v in result.mutated.items()},
            "state": {
                n: self.output(_as(result.state.get(n, values[n]), values[n].dtype))
                for n in message["states"]
            },
        }

    def _as_drawn(self, message: Message) -> dict[str, Any]:
        """Return the values with every array as an array, whatever the case gives frameworks."""
        return {
            name: self.tensor(v) if isinstance(v, dict) and wire.ARRAY in v else self.value(v)
            for name, v in message["values"].items()
        }


def _transposed(value: Any) -> Any:
    """Return an array with the strides of its last two axes swapped."""
    if not (isinstance(value, np.ndarray) and value.ndim >= 2):
        return value
    return np.ascontiguousarray(value.swapaxes(-1, -2)).swapaxes(-1, -2)


def _scalars(message: Message) -> list[str]:
    values = message["values"].items()
    return [name for name, v in values if isinstance(v, dict) and v.get("as") == "scalar"]


def _draws(law: Distribution, seed: int) -> tuple[Any, Any, Any]:
    """Draw after seeding, again after the same seed, and once more without seeding."""
    random = np.random.RandomState(seed)
    first = law.sample(random)
    random.seed(seed)
    return first, law.sample(random), law.sample(random)


def _as(value: Any, dtype: Any) -> Any:
    return np.asarray(value).astype(dtype)


def _cast(value: Any, names: Iterator[str]) -> Any:
    if isinstance(value, tuple):
        items = [_cast(item, names) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    name = next(names)
    if value is None:
        return None
    return np.asarray(value).astype(numpy_dtype(name))


ADAPTER = NumpyAdapter
