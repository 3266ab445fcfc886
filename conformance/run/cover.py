"""Which calls graph mode compiles: a covering part of the corpus.

Graph mode shares its kernels with PyNative mode; what it adds is the compiler, which reads an
API's source, infers types and shapes, folds constants and expands gradients.  A compilation costs
about fifty calls in PyNative mode.  So of each operation graph mode compiles the cases that bring
something the compiler has not met: a dtype, dtypes together, a rank, layout, empty or non-finite
tensor, the value of a parameter, a set of arguments, a mode of training, an exception, each at
least once in the operation; and each API at least once plainly, with gradients, and raising
(each-choice coverage: Grindal, Offutt and Andler, "Combination testing strategies", 2005).
Always compiled is what the case file says of graph mode alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.pairs import Call
from conformance.corpus.schema import Pair
from conformance.run.target import plainest
from conformance.worker import wire

Feature = tuple[Any, ...]


class Cover:
    """What one target in graph mode has met so far, in the order of the corpus."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._met: dict[str, set[Feature]] = {}
        self._taken: set[str] = set()

    def takes(self, case: ExpandedCase, pair: Pair, call: Call) -> bool:
        """Tell whether `call` brings something new, costs nothing more, or must be compiled."""
        met = self._met.setdefault(case.operation.operation, set())
        found = set(features(case, call.message))
        if found <= met and call.id not in self._taken and not self._spoken_of(case, pair):
            return False
        met |= found
        self._taken.add(call.id)
        return True

    def _spoken_of(self, case: ExpandedCase, pair: Pair) -> bool:
        """Tell whether the case file says something of this case in graph mode alone."""
        expect = case.case.expect
        if expect and expect.raises and "mindspore_graph" in expect.raises.model_fields_set:
            return True
        return any(
            case.covered_by(difference.cases)
            and any(plainest(spec, self.target) for spec in difference.targets)
            for difference in case.operation.differences_of(pair)
        )


def features(case: ExpandedCase, message: dict[str, Any]) -> Iterator[Feature]:
    """Yield what a compiler may treat apart in the call that `message` describes."""
    apis = tuple((step["api"], step["form"], tuple(step["fixed"])) for step in message["steps"])
    yield "api", apis, bool(message["gradients"]), bool(case.raises)
    yield "fixed", tuple(repr(step["fixed"]) for step in message["steps"])
    yield "dtypes", tuple(v[wire.ARRAY][0] for v in message["values"].values() if _is_array(v))
    yield "arguments", tuple(sorted(message["values"]))
    yield "gradients", tuple(message["gradients"])
    yield "training", message["training"]
    if case.raises:
        yield "raises", case.id
    for name, value in message["values"].items():
        if _is_array(value):
            dtype, shape, _ = value[wire.ARRAY]
            yield "dtype", name, dtype
            yield "rank", name, len(shape)
            yield "held", name, value.get("layout"), value.get("as")
            yield "empty", name, 0 in shape
            yield "finite", name, _finite(value)
        else:
            yield "value", name, repr(value)


def _is_array(value: Any) -> bool:
    return isinstance(value, dict) and wire.ARRAY in value


def _finite(value: dict[str, Any]) -> bool:
    array = wire.unpack(value)
    if value[wire.ARRAY][0] == "bfloat16":
        array = wire.bfloat16_values(array)
    return bool(np.all(np.isfinite(array)))
