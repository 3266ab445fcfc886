"""What an oracle is, and the list of them.

A reference is a plain function of canonical parameters, written from the mathematics.  It must
work in whatever real dtype its arrays come in: float64 for the oracle, ``np.longdouble`` for the
oracle of float64 cases, the case's own dtype for the target ``numpy``.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import conformance.reference as package

DtypeRule = str | Callable[..., Any]
"""``promote`` (of all array arguments), a dtype name, ``=name`` (that argument's dtype), a tuple
with one of these for each output, or a function of the same arguments that returns one."""


@dataclass(frozen=True)
class Result:
    """What a reference returns when there is more to say than the output.

    `output` is an array, or a (named) tuple of arrays; `state` and `mutated` hold the arrays that
    module state and inputs must have after the call, by canonical name.  What is not listed must
    be unchanged.
    """

    output: Any
    state: dict[str, Any] = field(default_factory=dict)
    mutated: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """A registered oracle."""

    name: str
    function: Callable[..., Any]
    dtype: Any
    gradient: Callable[..., dict[str, Any]] | None = None
    parameters: frozenset[str] = frozenset()

    def __call__(self, **values: Any) -> Result:
        """Run the oracle with the values it takes; parameters it does not name are not passed."""
        taken = {k: v for k, v in values.items() if k in self.parameters}
        result = self.function(**taken)
        return result if isinstance(result, Result) else Result(result)


_REGISTRY: dict[str, Reference] = {}


def output_dtypes(entry: Reference, values: Mapping[str, Any], result: Result) -> list[str]:
    """Return the dtype name of each output of `result`, flattened, by the rule of `entry`.

    `values` are the arguments in the case's own dtypes.
    """
    count = sum(1 for _ in flatten(result.output))
    rule = entry.dtype
    if callable(rule):
        taken = inspect.signature(rule).parameters
        rule = rule(**{k: v for k, v in values.items() if k in taken})
    rules = list(rule) if isinstance(rule, tuple) else [rule] * count
    if len(rules) != count:
        raise ValueError(f"{entry.name}: {count} outputs, but dtype rules for {len(rules)}")
    return [_dtype(rule, values) for rule in rules]


def flatten(output: Any) -> Iterator[Any]:
    """Yield the arrays of an output, left to right."""
    if isinstance(output, tuple | list):
        for item in output:
            yield from flatten(item)
    else:
        yield output


def _dtype(rule: str, values: Mapping[str, Any]) -> str:
    if rule.startswith("="):
        return str(np.asarray(values[rule[1:]]).dtype.name)
    if rule != "promote":
        return rule
    return promote(*(v for v in values.values() if isinstance(v, np.ndarray)))


def promote(*operands: Any) -> str:
    """Return the dtype that `operands` (arrays, Python numbers) promote to.

    A complex dtype wins over a floating one, that over an integer one, that over bool; among one
    category NumPy's rules hold, and float16 with bfloat16 gives float32.  A 0-d array counts only
    where it is of a higher category than the arrays with dimensions, a Python number (float32,
    complex64 or int64) only where it is of a higher one than all arrays.
    Source: PyTorch documentation, "Tensor Attributes", torch.dtype.
    """
    ranks: tuple[list[str], list[str], list[str]] = ([], [], [])
    for operand in operands:
        if isinstance(operand, np.ndarray):
            ranks[0 if operand.ndim else 1].append(operand.dtype.name)
        else:
            ranks[2].append(_NUMBERS[_category(np.asarray(operand).dtype.name)])
    names: list[str] = []
    for rank in ranks:
        highest = max(map(_category, names), default=-1)
        names += [name for name in rank if _category(name) > highest]
    return _joined(names) if names else "float32"


_NUMBERS = ("bool", "int64", "float32", "complex64")


def _category(name: str) -> int:
    """Return 0 for bool, 1 for integers, 2 for floating and 3 for complex dtypes."""
    kinds = ("bool", "int", "uint", "float", "bfloat", "complex")
    return (0, 1, 1, 2, 2, 3)[next(i for i, k in enumerate(kinds) if name.startswith(k))]


def _joined(names: list[str]) -> str:
    top = max(map(_category, names))
    chosen = {n for n in names if _category(n) == top}
    if top == 3 and "float64" in names:
        chosen.add("complex128")
    if len(chosen) == 1:
        return chosen.pop()
    if chosen == {"float16", "bfloat16"}:
        return "float32"
    return np.result_type(*(n for n in chosen if n != "bfloat16")).name


def reference(
    *, dtype: Any = "promote", gradient: Callable[..., dict[str, Any]] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the oracle ``module.function``.

    `dtype` is the rule for the dtypes of its outputs (see DtypeRule).  `gradient`, where the
    analytic derivative is known, takes the same arguments and ``cotangents`` (one float64 array
    for each output) and returns the vector-Jacobian products by canonical name; without it the
    judge differentiates numerically.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{function.__module__.rsplit('.', 1)[1]}.{function.__name__}"
        parameters = frozenset(inspect.signature(function).parameters)
        _REGISTRY[name] = Reference(name, function, dtype, gradient, parameters)
        return function

    return register


@cache
def all_references() -> dict[str, Reference]:
    """Import every module of this package and return the registered oracles by name."""
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def get(name: str) -> Reference:
    """Return the oracle called `name`; KeyError when there is none."""
    return all_references()[name]


def missing(name: str) -> str | None:
    """Return why there is no oracle called `name`, or None when there is one."""
    if name in all_references():
        return None
    return f"no oracle {name!r} in conformance/reference/; write one, or give no_reference"
