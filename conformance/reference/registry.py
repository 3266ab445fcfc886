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

import conformance.reference as package

DtypeRule = str | Callable[..., Any]
"""``promote`` (of all array arguments), a dtype name, ``=name`` (that argument's dtype), a tuple
with one of these for each output, or a function of the same arguments that returns one."""


@dataclass(frozen=True)
class Result:
    """What a reference returns when there is more to say than the output.

    `output` is an array, a (named) tuple of arrays, or Identities; `state` and `mutated` hold the
    arrays that module state and inputs must have after the call, by canonical name.  What is not
    listed must be unchanged.
    """

    output: Any
    state: dict[str, Any] = field(default_factory=dict)
    mutated: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Relation:
    """An equation that right outputs fulfil: `got`, made from the outputs, is `should`.

    `scale` is the size that rounding errors of a good algorithm are relative to, such as the norm
    of the matrix that factors must multiply to; it broadcasts against `should`.
    """

    name: str
    got: Any
    should: Any
    scale: Any


@dataclass(frozen=True)
class Identities:
    """What a reference returns when several outputs are right: up to sign, order or phase.

    `output` is one right answer; the others have its structure, shapes and dtypes.  `relations`
    takes the outputs, flat and in the precision of the oracle, and returns what must hold of them.
    Gradients of such an output depend on the choice and are not compared.
    """

    output: Any
    relations: Callable[[list[Any]], list[Relation]]


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
        result = self.function(**self.taken(values))
        return result if isinstance(result, Result) else Result(result)

    def taken(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments among `values`; ``tensors.0``, ``tensors.1``, … make up a list."""
        return {k: v for k, v in gathered(values).items() if k in self.parameters}


_REGISTRY: dict[str, Reference] = {}


def gathered(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with the members of a sequence, ``tensors.0``, …, as one list."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        owner, dot, _ = name.partition(".")
        if dot:
            found.setdefault(owner, []).append(value)
        else:
            found[owner] = value
    return found


def scattered(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with lists by member, as `gathered` takes them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list):
            found |= {f"{name}.{i}": item for i, item in enumerate(value)}
        else:
            found[name] = value
    return found


def flatten(output: Any) -> Iterator[Any]:
    """Yield the arrays of an output, left to right."""
    if isinstance(output, tuple | list):
        for item in output:
            yield from flatten(item)
    else:
        yield output


def reference(
    *, dtype: Any = "promote", gradient: Callable[..., dict[str, Any]] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the oracle ``module.function``.

    `dtype` is the rule for the dtypes of its outputs (see DtypeRule).  `gradient`, where the
    analytic derivative is known, takes the same arguments and ``cotangents`` (one float64 array
    for each output) and returns the vector-Jacobian products by canonical name, a list of them for
    a sequence; without it the judge differentiates numerically.
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
