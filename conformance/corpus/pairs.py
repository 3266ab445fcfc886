"""From a case and a pair to the call one framework is asked to make, in that framework's names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array
from conformance.corpus.schema import Convert, Pair
from conformance.corpus.sides import Composite, Side, Step
from conformance.errors import CaseError
from conformance.taxonomy import Library
from conformance.worker import wire
from conformance.worker.wire import Term

Wire = dict[str, Any]

SEED_OF_DRAWS = 1_000_003
"""Added to a case's seed for a random call, whose draws must not be those of its own inputs."""

CONVERSIONS: dict[Convert, Callable[[Any], Any]] = {
    "one_minus": lambda value: 1 - value,
    "negate": lambda value: -value,
    "pair": lambda value: (value, value) if np.isscalar(value) else value,
    "list": lambda value: [value] if np.isscalar(value) else list(value),
    "tensor": lambda value: wire.pack("float32", np.asarray(value, dtype=np.float32)),
    "insert_axis_2": lambda value: np.expand_dims(value, 2),
}
"""How a PyTorch value becomes MindSpore's: what `mindspore_convert` chooses from.  None stays."""

INVERSES: dict[Convert, Callable[[Array], Array]] = {
    "insert_axis_2": lambda array: array.squeeze(2) if array.shape[2:3] == (1,) else array,
}
"""How state and gradients of another shape come back in the case's own."""


@dataclass(frozen=True, eq=False)
class Call:
    """What a worker is asked to do, in wire form.

    The message::

        kind       function | optimizer | schedule | random   (function covers all stateless forms)
        steps      [{form, api, args, kwargs, constructor, state}, …]
                     args         terms (see conformance.worker.wire)
                     kwargs       framework name: term (call)
                     constructor  framework name: term (construction)
                     state        framework name: canonical name (assigned, read back)
                     fixed        framework name: wire value, passed with the constructor of a
                                  module, optimizer or schedule, else with the call
        returns    step numbers, or None for the last
        values     canonical name: wire value
        gradients  canonical names
        training   bool
        seed       int
        order      where MindSpore orders its outputs otherwise: its number of each canonical one
    """

    message: Wire

    @cached_property
    def id(self) -> str:
        """Content hash: the same message, the same id."""
        text = json.dumps(self.message, sort_keys=True, default=_hashable)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(case: ExpandedCase, pair: Pair, framework: Library) -> Call | None:
    """Return the call `framework` makes for `case` through `pair`; None when it has no side.

    NumPy is a framework without gradients here.

    Raises CaseError when a value cannot be converted as the pair says, and when the tensor whose
    method is called is left out.
    """
    side = pair.side(framework)
    if side is None:
        return None
    extra = case.case.extra.get(framework, {})
    skipped = set(pair.torch_only) if framework == "mindspore" else set()
    values = {n: v for n, v in _values(case).items() if n.partition(".")[0] not in skipped}
    if framework == "mindspore":
        for name, conversion in pair.mindspore_convert.items():
            if name in values:
                values[name] = _converted(conversion, case, name)
    steps = _steps(case, pair, framework, side, _given(case, values))
    steps[-1]["fixed"] |= {k: _wire(v) for k, v in {**pair.fixed(framework), **extra}.items()}
    for step in steps:
        if step["form"] in ("method", "property", "result") and not step["args"]:
            raise CaseError(f"{step['api']} is called on its first input, which is left out")
    form = pair.form(framework)
    reordered = framework == "mindspore" and pair.mindspore_returns
    order = {"order": pair.mindspore_returns} if reordered else {}
    return Call(
        {
            "kind": form if form in ("optimizer", "schedule", "random") else "function",
            "steps": steps,
            "returns": side.returns if isinstance(side, Composite) else None,
            "values": values,
            "gradients": [] if framework == "numpy" else _differentiated(case, steps, values),
            "training": case.case.training,
            "seed": case.case.seed + SEED_OF_DRAWS,
            **order,
        }
    )


def numpy_call(case: ExpandedCase, pair: Pair) -> Call | None:
    """Return the call of the target ``numpy``: NumPy's API where the pair names one."""
    return plan(case, pair, "numpy") if pair.numpy else reference_call(case)


def reference_call(case: ExpandedCase) -> Call | None:
    """Return the call of the reference in the case's own dtype."""
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
    return Call(
        {
            "kind": "reference",
            "steps": [step],
            "returns": None,
            "values": _values(case) | {n: () for n in case.sequences if not case.members(n)},
            "states": [n for n in case.arrays if _is_state(case, n)],
            "gradients": [],
            "training": case.case.training,
            "seed": case.case.seed + SEED_OF_DRAWS,
        }
    )


def to_wire(array: Array, form: str = "tensor", layout: str = "contiguous") -> Wire:
    """Return `array` (bfloat16 as the ml_dtypes type) in wire form."""
    name = array.dtype.name
    packed = wire.pack(name, np.ascontiguousarray(array).reshape(array.shape))
    if form != "tensor":
        packed["as"] = form
    if layout != "contiguous":
        packed["layout"] = layout
    return packed


def _differentiated(case: ExpandedCase, steps: list[Wire], values: Wire) -> list[str]:
    """Leave out what a module holds from its construction, and what is not passed at all."""
    held = {part for s in steps for term in s["constructor"].values() for part in wire.parts(term)}
    return [name for name in case.gradients if name in values and name not in held]


def _values(case: ExpandedCase) -> Wire:
    values: Wire = {}
    for name, array in case.arrays.items():
        spec = case.specs[name]
        values[name] = to_wire(array, spec.as_, spec.layout)
    for name, option in case.options.items():
        is_dtype = case.operation.parameters[name].type == "dtype" and isinstance(option, str)
        values[name] = {wire.DTYPE: option} if is_dtype else _wire(option)
    return values


def _is_state(case: ExpandedCase, name: str) -> bool:
    return case.operation.parameters[name.partition(".")[0]].role == "state"


def _wire(value: Any) -> Any:
    """Return `value` in wire form; ``{dtype: …}`` and ``{api: …}`` stand for what they name."""
    for key, tag in (("dtype", wire.DTYPE), ("api", wire.API)):
        if isinstance(value, dict) and list(value) == [key]:
            return {tag: value[key]}
    if isinstance(value, list):
        return tuple(_wire(item) for item in value)
    return value


def _converted(conversion: Convert, case: ExpandedCase, name: str) -> Any:
    value = case.values[name]
    if value is None:
        return None
    spec = case.specs.get(name)
    if spec and conversion == "tensor":
        return to_wire(value, layout=spec.layout)
    if spec and conversion in ("pair", "list"):
        return _wire(CONVERSIONS[conversion](value.tolist()))
    try:
        converted = CONVERSIONS[conversion](value)
    except (TypeError, ValueError) as error:
        raise CaseError(f"{conversion} of {name}: {error}") from None
    if spec:
        return to_wire(np.asarray(converted, dtype=value.dtype), spec.as_, spec.layout)
    return _wire(converted)


def _hashable(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _given(case: ExpandedCase, values: Wire) -> dict[str, Term]:
    """Return the parameters that have a value, and the term that stands for each."""
    given: dict[str, Term] = {}
    for name in (*case.sequences, *(n.partition(".")[0] for n in values)):
        if name in case.sequences:
            members = [n for n in case.members(name) if n in values]
            given[name] = {case.sequences[name]: members}
        else:
            given[name] = name
    return given


def _steps(
    case: ExpandedCase, pair: Pair, framework: Library, side: Side, given: dict[str, Term]
) -> list[Wire]:
    if isinstance(side, Composite):
        return [_composed(step, given) for step in side.steps]
    form = pair.step_form(framework)
    names = pair.names(framework)
    parameters = case.operation.parameters
    args = _leading(case, pair.positional(framework), given)
    rest = [n for n in given if n not in args and parameters[n].role != "state"]
    constructs = form in ("module", "optimizer", "schedule")
    options = {names.get(n, n): given[n] for n in rest if parameters[n].role == "option"}
    inputs = {names.get(n, n): given[n] for n in rest if parameters[n].role == "input"}
    state = {names.get(n, n): n for n in given if parameters[n].role == "state"}
    return [
        {
            "form": form,
            "api": side,
            "args": [term for name in args for term in _spread(case, name, given[name])],
            "kwargs": inputs if constructs else {**inputs, **options},
            "constructor": options if constructs else {},
            "state": state,
            "fixed": {},
        }
    ]


def _composed(step: Step, given: dict[str, Term]) -> Wire:
    absent = [isinstance(a, str) and a not in given and not is_function(a) for a in step.args]
    there = absent.index(True) if True in absent else len(absent)
    if not all(absent[there:]):
        after = step.args[absent.index(False, there)]
        raise CaseError(f"{step.args[there]} is left out and {after} follows it; pass it by name")
    return {
        "form": step.call,
        "api": step.api or "",
        "args": [_term(a, given) for a in step.args[:there]],
        "kwargs": {k: given[v] for k, v in step.kwargs.items() if v in given},
        "constructor": {k: given[v] for k, v in step.constructor.items() if v in given},
        "state": {},
        "fixed": {name: _wire(value) for name, value in step.fixed.items()},
    }


def is_function(arg: str) -> bool:
    """Tell whether an argument of a step names an API, not a parameter."""
    return "." in arg


def _term(arg: str | int | list[str | int], given: dict[str, Term]) -> Term:
    if isinstance(arg, list):
        return {
            "list": [
                _term(a, given)
                for a in arg
                if not isinstance(a, str) or a in given or is_function(a)
            ]
        }
    if isinstance(arg, str):
        return {"api": arg} if is_function(arg) else given[arg]
    return arg


def _spread(case: ExpandedCase, name: str, term: Term) -> list[Term]:
    """A variadic sequence is passed as so many arguments."""
    variadic = isinstance(term, dict) and case.operation.parameters[name].variadic
    return list(next(iter(term.values()))) if variadic and isinstance(term, dict) else [term]


def _leading(
    case: ExpandedCase, positional: list[str] | None, given: Mapping[str, Term]
) -> list[str]:
    """Inputs go by position, in the order of `parameters`, until one is left out; then by name."""
    order = positional
    if order is None:
        order = [n for n, p in case.operation.parameters.items() if p.role == "input"]
    args: list[str] = []
    for name in order:
        if name not in given:
            break
        args.append(name)
    return args
