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
from conformance.corpus.expand import OPTION, ExpandedCase, expand, input_of
from conformance.corpus.model import matches
from conformance.corpus.pair_rules import Broken, broken_differences, broken_pairs, functions
from conformance.corpus.pairs import plan
from conformance.corpus.schema import Case, Operation
from conformance.corpus.yamlmarks import Path_
from conformance.errors import CaseError
from conformance.reference import registry
from conformance.taxonomy import DTYPES, LIBRARIES

MAX_EXPANSIONS = 2_000


def broken_rules(operation: Operation, folder: Path) -> Broken:
    """Yield (path in the document, message) for each rule `operation` breaks.

    Inputs are drawn only when everything else is sound.
    """
    checks = (_reference, broken_pairs, _shared, _cases, _documents)
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


def _shared(operation: Operation) -> Broken:
    """Check what the operation says of several pairs at once."""
    for j, difference in enumerate(operation.differences):
        at: Path_ = ("differences", j, "pairs")
        yield from _pair_patterns(operation, difference.pairs, at)
    yield from broken_differences(
        operation, operation.differences, ("differences",), operation.pairs
    )
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
        yield from _of_numpy(operation, case, at)
        for key in ("parameters", "grid", "extra"):
            yield from functions(getattr(case, key), (*at, key))


def _of_numpy(operation: Operation, case: Case, at: Path_) -> Broken:
    """Refuse what is said of NumPy's APIs where none is called: it would have no effect."""
    if any(pair.numpy for pair in operation.pairs):
        return
    if case.expect and case.expect.raises and case.expect.raises.numpy:
        yield (*at, "expect", "raises", "numpy"), "no pair of this file names an API of numpy"
    if "numpy" in case.extra:
        yield (*at, "extra", "numpy"), "no pair of this file names an API of numpy"


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
        for pair, framework in itertools.product(case.pairs(), LIBRARIES):
            try:
                plan(case, pair, framework)
            except CaseError as error:
                yield at, f"{case.id!r} through {pair.id!r}: {error}"
