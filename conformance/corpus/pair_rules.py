"""Rules of pairs and of the differences declared of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from conformance.corpus.apis import refused
from conformance.corpus.difference import Difference
from conformance.corpus.pairs import is_function
from conformance.corpus.schema import Operation, Pair
from conformance.corpus.sides import Composite, Side, Step
from conformance.corpus.yamlmarks import Path_
from conformance.taxonomy import LIBRARIES, NOT_FOUND_YET, SIGNATURE_KINDS

Broken = Iterator[tuple[Path_, str]]


def broken_pairs(operation: Operation) -> Broken:
    """Yield what is wrong with each pair of `operation`."""
    ids = Counter(pair.id for pair in operation.pairs)
    for i, pair in enumerate(operation.pairs):
        at: Path_ = ("pairs", i)
        if ids[pair.id] > 1:
            yield at, f"pair {pair.id!r} is listed twice"
        for library in LIBRARIES:
            yield from _side(operation, pair.side(library), library, (*at, library))
            yield from functions(pair.fixed(library), (*at, f"{library}_fixed"))
        for key in ("torch_names", "mindspore_names", "numpy_names", "mindspore_convert"):
            for name in getattr(pair, key):
                if name not in operation.parameters:
                    yield (*at, key, name), f"{name!r} is not a parameter of this operation"
        for key in ("torch_positional", "mindspore_positional", "numpy_positional"):
            for j, name in enumerate(getattr(pair, key) or []):
                if name not in operation.parameters:
                    yield (*at, key, j), f"{name!r} is not a parameter of this operation"
        yield from broken_differences(operation, pair.differences, (*at, "differences"), [pair])
        for j, pattern in enumerate(pair.cases or []):
            if not names_a_case(operation, pattern):
                yield (*at, "cases", j), f"no case of this file matches {pattern!r}"


def _side(operation: Operation, side: Side | None, framework: str, at: Path_) -> Broken:
    for where, api in _apis(side, at):
        if not api.startswith(framework + "."):
            yield where, f"{api!r} is not an API of {framework}"
        elif why := refused(api):
            yield where, why
    if isinstance(side, Composite):
        for j, step in enumerate(side.steps):
            yield from _step(operation, step, j, (*at, "steps", j))
        for k, number in enumerate(side.returns or []):
            if not 0 <= number < len(side.steps):
                yield (*at, "returns", k), f"there is no step {number}"


def _step(operation: Operation, step: Step, number: int, at: Path_) -> Broken:
    named = [
        ((*at, key, name), parameter)
        for key in ("kwargs", "constructor")
        for name, parameter in getattr(step, key).items()
    ]
    for where, arg in _terms(step, at):
        if isinstance(arg, int) and not 0 <= arg < number:
            yield where, f"step {arg} is not an earlier step"
        if isinstance(arg, str) and not is_function(arg):
            named.append((where, arg))
    for where, name in named:
        if name not in operation.parameters:
            yield where, f"{name!r} is not a parameter of this operation"


def _apis(side: Side | None, at: Path_) -> Iterator[tuple[Path_, str]]:
    """Yield where each API of `side` is named, those passed as arguments included."""
    if isinstance(side, str):
        yield at, side
    elif side is not None:
        for j, step in enumerate(side.steps):
            here = (*at, "steps", j)
            if step.api is not None:
                yield (*here, "api"), step.api
            for where, arg in _terms(step, here):
                if isinstance(arg, str) and is_function(arg):
                    yield where, arg
            for name, value in step.fixed.items():
                if isinstance(value, dict) and "api" in value:
                    yield (*here, "fixed", name), str(value["api"])


def _terms(step: Step, at: Path_) -> Iterator[tuple[Path_, str | int]]:
    """Yield where each argument of `step` is, and what it is; a list's members one by one."""
    for k, arg in enumerate(step.args):
        for one in arg if isinstance(arg, list) else [arg]:
            yield (*at, "args", k), one


def functions(value: Any, at: Path_) -> Broken:
    """Refuse each function to pass, ``{api: …}``, in `value` that a pair could not name either."""
    if isinstance(value, dict):
        if list(value) == ["api"] and (why := refused(str(value["api"]))):
            yield at, why
        for key, item in value.items():
            yield from functions(item, (*at, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from functions(item, (*at, i))


def broken_differences(
    operation: Operation, differences: Iterable[Difference], at: Path_, pairs: Iterable[Pair]
) -> Broken:
    """Yield what is wrong with the `differences` that are declared of `pairs`."""
    for j, difference in enumerate(differences):
        where = (*at, j)
        kind = difference.kind.value
        if difference.kind in NOT_FOUND_YET:
            yield where, f"nothing finds {kind!r} by that name; declare the kind the run reports"
        name = difference.replacement
        if name is not None and name not in {pair.id for pair in operation.pairs}:
            yield (*where, "replacement"), f"no pair of this file has the id {name!r}"
        if difference.kind in SIGNATURE_KINDS:
            named = difference.parameters or kind in ("order", "call-form")
            if not named and any(pair.torch and pair.mindspore for pair in pairs):
                yield where, f"name the parameters that differ by {kind}"
            continue
        if not difference.cases:
            yield where, f"name the cases that show {kind}"
        for k, pattern in enumerate(difference.cases):
            if not names_a_case(operation, pattern):
                yield (*where, "cases", k), f"no case of this file matches {pattern!r}"


def names_a_case(operation: Operation, pattern: str) -> bool:
    """Tell whether `pattern` may be the id of a case, or of a point of its grid."""
    ids = [case.id for case in operation.cases]
    return "*" in pattern or pattern.partition("[")[0] in ids
