"""From a case with a grid to expanded cases with stable ids and content hashes."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from conformance.corpus.arrays import Input, Sequence
from conformance.corpus.inputs import Array, draw
from conformance.corpus.model import matches
from conformance.corpus.schema import Accuracy, Case, Operation, Pair

OPTION = "parameters."
"""Before the name of an option in a grid; needed for one called `dtype`, which else means the
dtype of the inputs."""


@dataclass(frozen=True, eq=False)
class ExpandedCase:
    """One point of a case's grid: what runs.

    `id` is ``operation/case`` or ``operation/case[key=value,…]``; `options` are the parameter
    values by canonical name, arrays excluded; `specs` the inputs by canonical name.  The members of
    a sequence are inputs of their own, ``tensors.0``, ``tensors.1``, …; `sequences` says which
    parameters are sequences, and whether the frameworks are given a list or a tuple.
    """

    id: str
    operation: Operation
    case: Case
    dtype: str | None
    options: Mapping[str, Any]
    specs: Mapping[str, Input]
    folder: Path
    sequences: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """The inputs in their own dtypes, drawn in the order written.  Raises CaseError."""
        random = np.random.RandomState(self.case.seed)
        return {
            name: draw(spec, random, self.dtype, self.folder) for name, spec in self.specs.items()
        }

    @cached_property
    def values(self) -> dict[str, Any]:
        """Arrays and options together, by canonical name; an empty sequence is an empty list."""
        empty: dict[str, Any] = {name: [] for name in self.sequences if not self.members(name)}
        return {**self.arrays, **self.options, **empty}

    @property
    def gradients(self) -> list[str]:
        """Names to differentiate by: given floating tensors only, none when it must raise."""
        if self.raises:
            return []
        names = self.operation.gradients if self.case.gradients is None else self.case.gradients
        names = [member for name in names for member in self.members(name)]
        return [n for n in names if n in self.arrays and self._differentiable(n)]

    def members(self, name: str) -> list[str]:
        """Return the inputs that make up the sequence `name`, else `name` itself."""
        if name not in self.sequences:
            return [name]
        return [n for n in self.specs if n.partition(".")[0] == name]

    def _differentiable(self, name: str) -> bool:
        tensor = self.specs[name].as_ in ("tensor", "parameter")
        return tensor and is_floating(self.arrays[name])

    @property
    def raises(self) -> bool:
        """Whether some framework is expected to raise."""
        expect = self.case.expect
        return expect is not None and expect.raises is not None

    @property
    def accuracy(self) -> str | Accuracy:
        """The accuracy class that applies."""
        return self.case.accuracy or self.operation.accuracy

    @cached_property
    def hash(self) -> str:
        """Content hash: same inputs, parameters and expectations, same hash, in any file layout."""
        content = {
            "operation": self.operation.operation,
            "reference": self.operation.reference,
            "case": self.case.model_dump(
                mode="json", by_alias=True, exclude={"title", "grid", "id"}
            ),
            "dtype": self.dtype,
            "options": self.options,
            "specs": {n: s.model_dump(mode="json", by_alias=True) for n, s in self.specs.items()},
            **({"sequences": dict(self.sequences)} if self.sequences else {}),
        }
        return hashlib.sha256(
            json.dumps(content, sort_keys=True, default=repr).encode()
        ).hexdigest()[:16]

    def pairs(self) -> list[Pair]:
        """Return the pairs this case runs through."""
        return [
            pair
            for pair in self.operation.pairs
            if (self.case.pairs is None or any(matches(p, pair.id) for p in self.case.pairs))
            and (pair.cases is None or self.covered_by(pair.cases))
        ]

    def covered_by(self, patterns: list[str]) -> bool:
        """Tell whether a difference that names `patterns` speaks of this case.

        A pattern is a case id, which covers the case's whole grid, or an expanded id without the
        operation, with ``*`` as wildcard.
        """
        local = self.id.split("/", 1)[1]
        return any(p == self.case.id or matches(p, local) for p in patterns)


def is_floating(array: Array) -> bool:
    """Tell whether `array` is of a real floating dtype, bfloat16 included."""
    return bool(array.dtype.kind == "f" or array.dtype.name == "bfloat16")


def expand(operation: Operation, folder: Path) -> Iterator[ExpandedCase]:
    """Yield the expanded cases of `operation`, lazily, in the order of the file."""
    for case in operation.cases:
        for point in itertools.product(*case.grid.values()):
            yield _at(operation, case, dict(zip(case.grid, point, strict=True)), folder)


def _at(operation: Operation, case: Case, point: dict[str, Any], folder: Path) -> ExpandedCase:
    inputs = {n: s for n, s in case.inputs.items() if not isinstance(s, int)}
    options = dict(case.parameters)
    for name, value in point.items():
        if name in inputs or isinstance(value, dict):
            inputs[name] = input_of(value)
        elif name != "dtype":
            options[name.removeprefix(OPTION)] = value
    specs: dict[str, Input] = {}
    for name, spec in inputs.items():
        if isinstance(spec, Input):
            specs[name] = spec
        else:
            specs |= {f"{name}.{i}": member for i, member in enumerate(spec.members)}
    label = ",".join(f"{name}={_label(value)}" for name, value in point.items())
    suffix = f"[{label}]" if label else ""
    return ExpandedCase(
        id=f"{operation.operation}/{case.id}{suffix}",
        operation=operation,
        case=case,
        dtype=point.get("dtype", case.dtype),
        options=options,
        specs=specs,
        folder=folder,
        sequences={n: s.kind for n, s in inputs.items() if isinstance(s, Sequence)},
    )


def input_of(value: Any) -> Input | Sequence:
    """Return what a value of a grid writes: one array, or a sequence of them."""
    sequence = isinstance(value, dict) and not {"list", "tuple"}.isdisjoint(value)
    return (Sequence if sequence else Input).model_validate(value)


def _label(value: Any) -> str:
    if isinstance(value, dict):
        return "+".join(f"{k}:{_label(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "x".join(map(_label, value)) if value else "empty"
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
