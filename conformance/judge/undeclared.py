"""What a case file declares against what signatures show, both ways.

A difference nobody declared is a line, and so is a declaration the signatures do not bear out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from conformance.corpus.difference import Difference
from conformance.corpus.schema import Operation, Pair
from conformance.corpus.sides import apis
from conformance.judge.introspected import Argument
from conformance.judge.signature import MISSING, OTHER, ParameterRow, call_form_differs
from conformance.taxonomy import FRAMEWORKS, SIGNATURE_KINDS, Framework, Kind

IMPLIED_TORCH_ONLY = frozenset({"out"})
"""Nearly every PyTorch function takes the tensor to write into and no MindSpore function does, so
one sentence in the report says it for all, and no case file has to."""


def undeclared(operation: Operation, pair: Pair, rows: list[ParameterRow]) -> list[str]:
    """Return a line for each difference that is not declared, and for each stale declaration."""
    declared = operation.differences_of(pair)
    if pair.torch is None or pair.mindspore is None:
        lines = _one_sided(pair, declared)
    else:
        lines = chain(_not_declared(pair, declared, rows), _stale(pair, declared, rows))
    return [f"{operation.operation}: {pair.id}: {line}" for line in lines]


def _one_sided(pair: Pair, declared: list[Difference]) -> Iterator[str]:
    absent = [framework for framework in FRAMEWORKS if pair.side(framework) is None]
    # An API of NumPy alone says of no framework that it lacks something.
    missing = {MISSING[framework] for framework in absent} if len(absent) == 1 else set()
    kinds = {d.kind for d in declared} & SIGNATURE_KINDS
    for kind in missing - kinds:
        yield f"{kind} is found but not declared: the pair has one side only"
    yield from (f"{k} is declared, but the pair has one side only" for k in sorted(kinds - missing))


def _not_declared(
    pair: Pair, declared: list[Difference], rows: list[ParameterRow]
) -> Iterator[str]:
    if call_form_differs(pair) and Kind.CALL_FORM not in {d.kind for d in declared}:
        yield f"{Kind.CALL_FORM} is found but not declared"
    for row in rows:
        for kind in row.kinds:
            if not _is_declared(pair, declared, row, kind):
                evidence = _evidence(pair, row, kind)
                yield f"{kind} of {row.name!r} is found but not declared: {evidence}"


def _is_declared(pair: Pair, declared: list[Difference], row: ParameterRow, kind: Kind) -> bool:
    for difference in declared:
        names = difference.parameters
        if difference.kind is kind and (row.name in names or (kind is Kind.ORDER and not names)):
            return True
    private = row.name.startswith("_")
    said = pair.torch_only.get(row.name, pair.mindspore_only.get(row.name))
    return {
        # Two names meet in a row only because torch_names or mindspore_names says so.
        Kind.NAME: True,
        Kind.MISSING_IN_MINDSPORE: row.name in {*pair.torch_only, *IMPLIED_TORCH_ONLY} or private,
        Kind.MISSING_IN_TORCH: row.name in pair.mindspore_only or private,
        Kind.DEPRECATED: said is not None and said != "absent",
    }.get(kind, False)


def _evidence(pair: Pair, row: ParameterRow, kind: Kind) -> str:
    for framework in FRAMEWORKS:
        if kind is MISSING[framework]:
            own = pair.names(framework).get(row.name, row.name)
            keys = f"{OTHER[framework]}_only"
            keys += f" or, under its other name, {framework}_names" if row.canonical else ""
            return f"{_api(pair, framework)} has no parameter {own!r}; say so in {keys}"
    return ", ".join(f"{_api(pair, f)} has {_shown(row.side(f))}" for f in FRAMEWORKS)


def _shown(argument: Argument | None) -> str:
    if argument is None:
        return "none"
    default = "" if argument.default is None else f"={argument.default}"
    place = "" if argument.position is None else f" at position {argument.position}"
    return f"{argument.name}{default}{place}"


def _api(pair: Pair, framework: Framework) -> str:
    return "+".join(apis(pair.side(framework))) or f"no {framework} API"


def _stale(pair: Pair, declared: list[Difference], rows: list[ParameterRow]) -> Iterator[str]:
    # Canonical rows come first; reversed, they win over a framework's own parameter of that name.
    by_name = {row.name: row for row in reversed(rows)}
    for framework in FRAMEWORKS:
        if isinstance(pair.side(framework), str):
            yield from _stale_names(pair, framework, by_name)
        yield from _stale_only(pair, framework, by_name)
    if Kind.CALL_FORM in {d.kind for d in declared} and not call_form_differs(pair):
        yield f"{Kind.CALL_FORM} is declared, but both sides are called the same way"
    unknown = {row.name for row in rows if row.unknown}
    for difference in declared:
        kind = difference.kind
        if kind not in SIGNATURE_KINDS or kind is Kind.CALL_FORM:
            continue
        for name in difference.parameters:
            if name not in unknown and (name not in by_name or kind not in by_name[name].kinds):
                yield f"{kind} of {name!r} is declared, but the signatures do not show it"
        whole = kind is Kind.ORDER and not difference.parameters and not unknown
        if whole and not any(kind in row.kinds for row in rows):
            yield f"{kind} is declared, but the signatures do not show it"


def _stale_names(
    pair: Pair, framework: Framework, by_name: Mapping[str, ParameterRow]
) -> Iterator[str]:
    for name, own in pair.names(framework).items():
        row = by_name.get(name)
        side = row.side(framework) if row else None
        absent = row is None or (side is None and framework not in row.unknown)
        if absent or (side is not None and side.name != own):
            api = _api(pair, framework)
            yield f"{framework}_names says {name!r} is {own!r}, but {api} has no parameter {own!r}"


def _stale_only(
    pair: Pair, framework: Framework, by_name: Mapping[str, ParameterRow]
) -> Iterator[str]:
    only = pair.torch_only if framework == "torch" else pair.mindspore_only
    other = OTHER[framework]
    api, other_api = _api(pair, framework), _api(pair, other)
    for name, said in only.items():
        row = by_name.get(name)
        here, there = (row.side(framework), row.side(other)) if row else (None, None)
        if there is not None:
            yield f"{framework}_only lists {name!r}, but {other_api} has it"
        elif here is None and not any(framework in r.unknown for r in by_name.values()):
            yield f"{framework}_only lists {name!r}, but {api} has no such parameter"
        elif row and here and said == "deprecated" and Kind.DEPRECATED not in row.kinds:
            yield f"{framework}_only calls {name!r} deprecated, but {api} does not"
