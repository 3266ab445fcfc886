"""Small references, case files and correct kernels that the tests of the judge share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import load_texts
from conformance.judge.item import Item
from conformance.judge.judge import Judged, Judgement, judge
from conformance.judge.known import Known
from conformance.reference import registry
from conformance.reference.registry import Reference, Result
from conformance.run.outcome import Outcome, Returned
from conformance.worker import wire

Array = np.ndarray[Any, Any]
TODAY = date(2026, 6, 1)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
VERSIONS = {
    "torch": "2.13.0",
    "mindspore": "2.10.0",
    "mindspore:cpu:graph": "2.10.0",
    "numpy": "1.26.4",
}


class Top(NamedTuple):
    values: Array
    indices: Array


def total(input: Array) -> Array:
    return np.asarray(np.sum(input))


def row_sums(input: Array) -> Array:
    return np.asarray(np.sum(input, axis=-1))


def top(input: Array) -> Top:
    order = np.argsort(-input, axis=-1, kind="stable")
    return Top(np.take_along_axis(input, order, -1), order)


def halves(input: Array) -> tuple[Array, Array]:
    return input[..., :1], input[..., 1:]


def running(input: Array, running_mean: Array, momentum: float = 0.1) -> Result:
    mean = input.mean(axis=0)
    return Result(input - mean, {"running_mean": (1 - momentum) * running_mean + momentum * mean})


def add_(input: Array, other: Array) -> Result:
    return Result(input + other, mutated={"input": input + other})


def checked(input: Array, mode: str = "good") -> Array:
    if mode not in ("good", "odd"):
        raise ValueError(mode)
    return input * 2


def add(input: Array, other: Array) -> Array:
    return np.asarray(input + other)


def unary(function: Callable[[Array], Any]) -> Callable[..., Any]:
    """Return `function` with its argument named as the canonical parameter."""

    def reference(input: Array) -> Any:
        return function(input)

    return reference


_SIMPLE: dict[str, tuple[Callable[..., Any], Any]] = {
    "total": (total, "promote"),
    "row_sums": (row_sums, "promote"),
    "exp": (unary(np.exp), "promote"),
    "relu": (unary(lambda x: np.maximum(x, 0)), "promote"),
    "absolute": (unary(np.abs), "promote"),
    "add": (add, "promote"),
    "transpose": (unary(np.transpose), "promote"),
    "cubed": (unary(lambda x: x**3 + np.sin(x)), "promote"),
    "top": (top, ("=input", "int64")),
    "halves": (halves, "promote"),
    "running": (running, "promote"),
    "add_": (add_, "promote"),
    "checked": (checked, "promote"),
    "positive": (unary(lambda x: x > 0), "bool"),
}


def _parameters(function: Any) -> frozenset[str]:
    return frozenset(function.__code__.co_varnames[: function.__code__.co_argcount])


def register(name: str, function: Any, dtype: Any = "promote", gradient: Any = None) -> None:
    """Make `function` the oracle ``toy.name`` for this test session."""
    oracle = Reference(f"toy.{name}", function, dtype, gradient, _parameters(function))
    registry.all_references()[oracle.name] = oracle


for _name, (_function, _dtype) in _SIMPLE.items():
    register(_name, _function, _dtype)


def cases(name: str, body: str, head: str = "", pair: str = "", **keys: str) -> list[ExpandedCase]:
    """Return the cases of a small file: `body` holds the list of cases, `head` more keys."""
    settings = {"accuracy": "elementwise", "reference": f"toy.{name}", "gradients": "[]", **keys}
    lines = "\n".join(f"{key}: {value}" for key, value in settings.items() if value)
    text = f"""
operation: {name}
{lines}
parameters:
  input: {{role: input}}
  other: {{role: input}}
  running_mean: {{role: state}}
  p: {{role: option}}
  mode: {{role: option}}
  mean: {{role: option}}
  std: {{role: option}}
  size: {{role: option}}
{head}
pairs:
  - torch: torch.abs
    mindspore: mindspore.ops.abs
{pair}
cases:
{body}
"""
    return list(load_texts([("toy.yaml", text, Path())]).cases())


def item(case: ExpandedCase, target: str = "torch") -> Item:
    return Item(case, case.operation.pairs[0], target)


def run(
    outcomes: Sequence[tuple[ExpandedCase, Mapping[str, Outcome]]],
    known: list[Known] | None = None,
    complete: bool = True,
    today: date = TODAY,
) -> Judgement:
    pairs = [(item(case, target), o) for case, by in outcomes for target, o in by.items()]
    return judge(pairs, known=known or [], versions=VERSIONS, today=today, complete=complete)


def one(case: ExpandedCase, outcome: Outcome, target: str = "torch", **more: Outcome) -> Judged:
    """Judge one outcome; `more` are outcomes of other targets for the same case."""
    return run([(case, {target: outcome, **more})]).judged[0]


def gives(output: Any, **more: Any) -> Returned:
    return Returned(output=output, **more)


def computed(case: ExpandedCase, function: Any) -> Array:
    """Return a correct kernel's result: computed in float32 at least, rounded to the dtype."""
    array = case.arrays["input"]
    narrow = array.dtype in (np.dtype("float16"), BFLOAT16)
    result = function(array.astype(np.float32) if narrow else array)
    return np.asarray(result).astype(array.dtype) if narrow else np.asarray(result)


def kinds(judged: Judged) -> list[str]:
    return [kind.value for kind in judged.verdict.kinds]


def cotangent(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    return wire.cotangent(shape, 0).astype(dtype)
