"""From a case and a pair to the call one framework is asked to make, in that framework's names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array
from conformance.corpus.schema import Composite, Convert, Pair, Side
from conformance.taxonomy import Framework
from conformance.worker import wire

Wire = dict[str, Any]

CONVERSIONS: dict[Convert, Callable[[Any], Any]] = {
    "one_minus": lambda value: 1 - value,
    "negate": lambda value: -value,
    "pair": lambda value: (value, value) if np.isscalar(value) else value,
    "list": lambda value: [value] if np.isscalar(value) else list(value),
    "tensor": lambda value: wire.pack("float32", np.asarray(value, dtype=np.float32)),
}
"""How a PyTorch value becomes MindSpore's: what `mindspore_convert` chooses from."""


@dataclass(frozen=True, eq=False)
class Call:
    """What a worker is asked to do.  `message` is its wire form; `id` a hash of that.

    The message::

        kind       function | optimizer | schedule | random   (function covers all stateless forms)
        steps      [{form, api, args, kwargs, constructor, state}, …]
                     args         canonical names, or the number of an earlier step
                     kwargs       framework name: canonical name (call)
                     constructor  framework name: canonical name (construction)
                     state        framework name: canonical name (assigned, read back)
                     fixed        framework name: wire value, passed with the constructor of a
                                  module, optimizer or schedule, else with the call
        returns    step numbers, or None for the last
        values     canonical name: wire value
        gradients  canonical names
        training   bool
        seed       int
    """

    message: Wire
    id: str


def plan(case: ExpandedCase, pair: Pair, framework: Framework) -> Call | None:
    """Return the call `framework` makes for `case` through `pair`; None when it has no side."""
    side = pair.side(framework)
    if side is None:
        return None
    extra = case.case.extra.get(framework, {})
    skipped = {n for n in case.values if framework == "mindspore" and n in pair.torch_only}
    values = {n: v for n, v in _values(case).items() if n not in skipped}
    if framework == "mindspore":
        for name, conversion in pair.mindspore_convert.items():
            if name in values:
                values[name] = _converted(conversion, case.values[name])
    steps = _steps(case, pair, framework, side, list(values))
    steps[-1]["fixed"] = {k: _wire(v) for k, v in {**_fixed(pair, framework), **extra}.items()}
    form = pair.form(framework)
    return call(
        {
            "kind": form if form in ("optimizer", "schedule", "random") else "function",
            "steps": steps,
            "returns": side.returns if isinstance(side, Composite) else None,
            "values": values,
            "gradients": _differentiated(case, steps),
            "training": case.case.training,
            "seed": case.case.seed,
        }
    )


def reference_call(case: ExpandedCase) -> Call | None:
    """Return the call of the target ``numpy``: the reference in the case's own dtype."""
    name = case.operation.reference
    if name is None:
        return None
    step = {
        "form": "reference",
        "api": name,
        "args": [],
        "kwargs": {},
        "constructor": {},
        "state": {},
        "fixed": {},
    }
    return call(
        {
            "kind": "reference",
            "steps": [step],
            "returns": None,
            "values": _values(case),
            "states": [n for n in case.values if case.operation.parameters[n].role == "state"],
            "gradients": [],
            "training": case.case.training,
            "seed": case.case.seed,
        }
    )


def call(message: Wire) -> Call:
    """Return `message` with its content hash."""
    text = json.dumps(message, sort_keys=True, default=_hashable)
    return Call(message, hashlib.sha256(text.encode()).hexdigest()[:16])


def to_wire(array: Array, form: str = "tensor", layout: str = "contiguous") -> Wire:
    """Return `array` (bfloat16 as the ml_dtypes type) in wire form."""
    name = array.dtype.name
    packed = wire.pack(name, np.ascontiguousarray(array).reshape(array.shape))
    if form != "tensor":
        packed["as"] = form
    if layout != "contiguous":
        packed["layout"] = layout
    return packed


def _differentiated(case: ExpandedCase, steps: list[Wire]) -> list[str]:
    """Constructor arguments are held by the module, not differentiated by."""
    held = {name for step in steps for name in step["constructor"].values()}
    return [name for name in case.gradients if name not in held]


def _values(case: ExpandedCase) -> Wire:
    values: Wire = {}
    for name, array in case.arrays.items():
        spec = case.specs[name]
        values[name] = to_wire(array, spec.as_, spec.layout)
    for name, option in case.options.items():
        is_dtype = case.operation.parameters[name].type == "dtype" and isinstance(option, str)
        values[name] = {wire.DTYPE: option} if is_dtype else _wire(option)
    return values


def _wire(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_wire(item) for item in value)
    return value


def _converted(conversion: Convert, value: Any) -> Any:
    converted = CONVERSIONS[conversion](value)
    return to_wire(converted) if isinstance(converted, np.ndarray) else _wire(converted)


def _hashable(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _fixed(pair: Pair, framework: Framework) -> Mapping[str, Any]:
    return pair.torch_fixed if framework == "torch" else pair.mindspore_fixed


def _steps(
    case: ExpandedCase, pair: Pair, framework: Framework, side: Side, given: list[str]
) -> list[Wire]:
    if isinstance(side, Composite):
        return [
            {
                "form": step.call,
                "api": step.api,
                "args": [a for a in step.args if isinstance(a, int) or a in given],
                "kwargs": {k: v for k, v in step.kwargs.items() if v in given},
                "constructor": {k: v for k, v in step.constructor.items() if v in given},
                "state": {},
                "fixed": {},
            }
            for step in side.steps
        ]
    form = pair.step_form(framework)
    names = pair.names(framework)
    role = {name: case.operation.parameters[name].role for name in given}
    positional = pair.torch_positional if framework == "torch" else pair.mindspore_positional
    args = _leading(case, positional, role)
    rest = [n for n in given if n not in args and role[n] != "state"]
    constructs = form in ("module", "optimizer", "schedule")
    options = {names.get(n, n): n for n in rest if role[n] == "option"}
    inputs = {names.get(n, n): n for n in rest if role[n] == "input"}
    state = {names.get(n, n): n for n in given if role[n] == "state"}
    return [
        {
            "form": form,
            "api": side,
            "args": args,
            "kwargs": inputs if constructs else {**inputs, **options},
            "constructor": options if constructs else {},
            "state": state,
            "fixed": {},
        }
    ]


def _leading(
    case: ExpandedCase, positional: list[str] | None, role: Mapping[str, str]
) -> list[str]:
    """Inputs go by position, in the order of `parameters`, until one is left out; then by name."""
    order = positional
    if order is None:
        order = [n for n, p in case.operation.parameters.items() if p.role == "input"]
    args: list[str] = []
    for name in order:
        if name not in role:
            break
        args.append(name)
    return args
