"""What the schema cannot say: rules that tie the parts of a case file together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conformance.corpus.apis import refused
from conformance.corpus.arrays import Input, Sequence
from conformance.corpus.difference import Difference
from conformance.corpus.expand import OPTION, ExpandedCase, expand, input_of
from conformance.corpus.model import matches
from conformance.corpus.pairs import is_function, plan
from conformance.corpus.schema import Case, Composite, Operation, Pair, Side, Step
from conformance.corpus.yamlmarks import Path_
from conformance.errors import CaseError
from conformance.reference import registry
from conformance.taxonomy import DTYPES, FRAMEWORKS, NOT_FOUND_YET, SIGNATURE_KINDS

Broken = Iterator[tuple[Path_, str]]
MAX_EXPANSIONS = 2_000


def broken_rules(operation: Operation, folder: Path) -> Broken:
    """Yield (path in the document, message) for each rule `operation` breaks.

    Inputs are drawn only when everything else is sound.
    """
    checks = (_reference, _pairs, _shared, _cases, _documents)
    broken = [found for check in checks for found in check(operation)]
    yield from broken or _expanded(operation, folder)


def operation_size(operation: Operation) -> int:
    """Return how many cases the grids of `operation` expand to, without expanding them."""
    total = 0
    for case in operation.cases:
        count = 1
        for values in case.grid.values():
            count *= len(values)
        total += count
    return total


def _reference(operation: Operation) -> Broken:
    if operation.reference and (why := registry.missing(operation.reference)):
        yield ("reference",), why
    for i, name in enumerate(operation.gradients):
        if name not in operation.parameters:
            yield ("gradients", i), f"{name!r} is not a parameter of this operation"


def _pairs(operation: Operation) -> Broken:
    ids = Counter(pair.id for pair in operation.pairs)
    for i, pair in enumerate(operation.pairs):
        at: Path_ = ("pairs", i)
        if ids[pair.id] > 1:
            yield at, f"pair {pair.id!r} is listed twice"
        for framework in FRAMEWORKS:
            yield from _side(operation, pair.side(framework), framework, (*at, framework))
        for key in ("torch_names", "mindspore_names", "mindspore_convert"):
            for name in getattr(pair, key):
                if name not in operation.parameters:
                    yield (*at, key, name), f"{name!r} is not a parameter of this operation"
        for key in ("torch_positional", "mindspore_positional"):
            for j, name in enumerate(getattr(pair, key) or []):
                if name not in operation.parameters:
                    yield (*at, key, j), f"{name!r} is not a parameter of this operation"
        yield from _differences(operation, pair.differences, (*at, "differences"), [pair])
        for j, pattern in enumerate(pair.cases or []):
            if not _names_a_case(operation, pattern):
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


def _shared(operation: Operation) -> Broken:
    """Check what the operation says of several pairs at once."""
    for j, difference in enumerate(operation.differences):
        at: Path_ = ("differences", j, "pairs")
        yield from _pair_patterns(operation, difference.pairs, at)
    yield from _differences(operation, operation.differences, ("differences",), operation.pairs)
    for box, reason in operation.not_applicable.items():
        at = ("not_applicable", box)
        yield from _pair_patterns(operation, reason.pairs, (*at, "pairs"))
        kind, _, name = box.partition(" ")
        if kind == "parameter" and name not in operation.parameters:
            yield at, f"{name!r} is not a parameter of this operation"


def _pair_patterns(operation: Operation, patterns: Iterable[str], at: Path_) -> Broken:
    for k, pattern in enumerate(patterns):
        if not any(matches(pattern, pair.id) for pair in operation.pairs):
            yield (*at, k), f"no pair of this file matches {pattern!r}"


def _differences(
    operation: Operation, differences: Iterable[Difference], at: Path_, pairs: Iterable[Pair]
) -> Broken:
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
            if not _names_a_case(operation, pattern):
                yield (*where, "cases", k), f"no case of this file matches {pattern!r}"


def _names_a_case(operation: Operation, pattern: str) -> bool:
    """Tell whether `pattern` may be the id of a case, or of a point of its grid."""
    ids = [case.id for case in operation.cases]
    return "*" in pattern or pattern.partition("[")[0] in ids


def _cases(operation: Operation) -> Broken:
    ids = Counter(case.id for case in operation.cases)
    documents = {document.id for document in operation.documents}
    if operation_size(operation) > MAX_EXPANSIONS:
        yield (
            ("cases",),
            f"the grids expand to {operation_size(operation):,} cases; at most {MAX_EXPANSIONS:,}",
        )
    for i, case in enumerate(operation.cases):
        at: Path_ = ("cases", i)
        if ids[case.id] > 1:
            yield (*at, "id"), f"case {case.id!r} is listed twice"
        for where, name in _named(case, at):
            if name not in operation.parameters:
                yield where, f"{name!r} is not a parameter of this operation"
        yield from _sequences(operation, case, at)
        if "dtype" in case.grid and not any(map(_takes_dtype, _specs(case))):
            yield (
                (*at, "grid", "dtype"),
                "no input takes this dtype; write parameters.dtype for the option",
            )
        for name, values in case.grid.items():
            yield from _grid_values(name, values, (*at, "grid", name))
        if case.source and case.source.document not in documents:
            yield (*at, "source", "document"), f"{case.source.document!r} is not in documents"
        for j, pattern in enumerate(case.pairs or []):
            if not any(matches(pattern, pair.id) for pair in operation.pairs):
                yield (*at, "pairs", j), f"no pair of this file matches {pattern!r}"
        if case.slip and case.expect is None:
            yield (*at, "slip"), "a slip needs the claim it speaks of, in expect"


def _named(case: Case, at: Path_) -> Iterator[tuple[Path_, str]]:
    """Yield where each parameter is named in `case`, and its canonical name."""
    yield from (((*at, "parameters", name), name) for name in case.parameters)
    yield from (((*at, "inputs", name), name) for name in case.inputs if name != "seed")
    for name in case.grid:
        if name != "dtype":
            yield (*at, "grid", name), name.removeprefix(OPTION)
    yield from (((*at, "gradients", k), name) for k, name in enumerate(case.gradients or []))


def _specs(case: Case) -> Iterator[Any]:
    """Yield every array of `case`, those of sequences and of its grid included."""
    given = [spec for name, spec in case.inputs.items() if name != "seed"]
    for spec in [*given, *itertools.chain.from_iterable(case.grid.values())]:
        yield from spec.members if isinstance(spec, Sequence) else [spec]


def _takes_dtype(spec: Any) -> bool:
    """Tell whether `spec`, or a value of the grid, is an array without a dtype of its own."""
    if isinstance(spec, dict):
        return "dtype" not in spec
    return isinstance(spec, Input) and spec.dtype is None


def _sequences(operation: Operation, case: Case, at: Path_) -> Broken:
    for name, spec in case.inputs.items():
        parameter = operation.parameters.get(name)
        sequence = isinstance(spec, Sequence)
        if parameter is not None and parameter.sequence != sequence:
            what = "list or tuple" if parameter.sequence else "single array"
            yield (
                (*at, "inputs", name),
                f"{name!r} is a {what}: say so with `sequence` or mend this",
            )


def _grid_values(name: str, values: list[Any], at: Path_) -> Broken:
    if not values:
        yield at, "an empty list gives no case"
    for j, value in enumerate(values):
        if name == "dtype" and value not in DTYPES:
            yield (*at, j), f"{value!r} is not a dtype; one of {', '.join(DTYPES)}"
        if isinstance(value, dict):
            try:
                input_of(value)
            except ValidationError as error:
                yield (*at, j), error.errors()[0]["msg"].removeprefix("Value error, ")


def _documents(operation: Operation) -> Broken:
    pairs = {pair.id for pair in operation.pairs}
    for i, document in enumerate(operation.documents):
        at: Path_ = ("documents", i)
        if document.rows and document.pair not in pairs:
            yield (
                (*at, "pair"),
                "rows speak of a pair of this file: give its id, torch.x=mindspore.y",
            )
        apis = [((*at, "signatures", j, "api"), c.api) for j, c in enumerate(document.signatures)]
        for j, heading in enumerate(document.headings):
            apis += [((*at, "headings", j, "names"), heading.names)]
            apis += [((*at, "headings", j, "describes"), heading.describes)]
        for where, api in apis:
            if why := refused(api):
                yield where, why


def _expanded(operation: Operation, folder: Path) -> Broken:
    """Plan every call once: what cannot be drawn or converted is the author's mistake."""
    seen: dict[str, ExpandedCase] = {}
    index = {case.id: i for i, case in enumerate(operation.cases)}
    for case in expand(operation, folder):
        at: Path_ = ("cases", index[case.case.id])
        if case.id in seen:
            yield (*at, "grid"), f"two points of the grid have the id {case.id!r}"
        seen[case.id] = case
        if not case.pairs():
            yield at, f"{case.id!r} runs through no pair"
        try:
            _ = case.arrays
        except (CaseError, ValueError, TypeError) as error:
            yield (*at, "inputs"), str(error)
            continue
        for name, spec in case.specs.items():
            if spec.layout == "transposed" and min((0, 0, *case.arrays[name].shape)[-2:]) < 2:
                yield (*at, "inputs"), f"{name!r} has no two axes to swap, so it is contiguous"
        for pair, framework in itertools.product(case.pairs(), FRAMEWORKS):
            try:
                plan(case, pair, framework)
            except CaseError as error:
                yield at, f"{case.id!r} through {pair.id!r}: {error}"
