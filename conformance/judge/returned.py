"""What a call returned against what must come out: output, state, mutated inputs, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from conformance.corpus.inputs import Array
from conformance.corpus.pairs import INVERSES
from conformance.judge import structure
from conformance.judge.budget import budget_of, peer_budget
from conformance.judge.compare import Comparison, Rules, compare, compare_gradient
from conformance.judge.expected import Derivative, Expected
from conformance.judge.item import Item
from conformance.judge.oracle import Expectation
from conformance.judge.verdict import Finding
from conformance.judge.words import said
from conformance.run.outcome import Other, Returned, Unsupported
from conformance.taxonomy import Kind

NOT_THERE = said("is not there after the call, but should be")


@dataclass
class Examined:
    """What the judge saw in one outcome.

    `compared` tells whether anything was confirmed or refuted at all; `why` is for people.
    """

    findings: list[Finding] = field(default_factory=list)
    ratio: float | None = None
    gradient_ratio: float | None = None
    compared: bool = False
    why: str = ""
    other_outputs: bool = False
    """There were more or fewer outputs than there should be, so no value was compared."""

    def add(self, comparison: Comparison, kind: Kind | None = None) -> None:
        """Take over a comparison, its findings as `kind` if given."""
        self.findings += [replace(f, kind=kind or f.kind) for f in comparison.findings]
        self.ratio = greatest(self.ratio, comparison.ratio)
        self.compared = True


class Standard(Protocol):
    """What a returned outcome is compared with: the oracle, or a peer's outcome."""

    @property
    def structure(self) -> str:
        """Structure of the output in words."""
        ...

    @property
    def outputs(self) -> list[Expected]:
        """The outputs, flat."""
        ...

    @property
    def state(self) -> Mapping[str, Expected]:
        """Module state that changes."""
        ...

    @property
    def mutated(self) -> Mapping[str, Expected]:
        """Inputs that change."""
        ...

    @property
    def gradients(self) -> Mapping[str, Derivative]:
        """Vector-Jacobian products by canonical name."""
        ...

    def compare(self, got: object, expected: Expected, scalar: bool = False) -> Comparison:
        """Compare one array with the tolerance that applies."""
        ...

    def compare_gradient(self, got: Array | None, derivative: Derivative) -> Comparison:
        """Compare one gradient with the tolerance that applies."""
        ...


class OracleStandard:
    """The oracle, within the budget of the case."""

    def __init__(self, expectation: Expectation) -> None:
        case = expectation.case
        budget = budget_of(case.accuracy)
        self.expectation = expectation
        self.structure, self.outputs = expectation.structure, expectation.outputs
        self.state, self.mutated = expectation.state, expectation.mutated
        self.budget = budget
        self._rules = Rules(budget, case.case.signed_zero or budget.exact)
        self._gradient_rules = Rules(budget.for_gradients())

    @property
    def gradients(self) -> Mapping[str, Derivative]:
        """See Standard."""
        return self.expectation.gradients

    def compare(self, got: object, expected: Expected, scalar: bool = False) -> Comparison:
        """See Standard."""
        s = 0.0 if self.budget.exact else self.expectation.sensitivity[expected.where]
        return compare(got, expected, s, self._rules, scalar)

    def compare_gradient(self, got: Array | None, derivative: Derivative) -> Comparison:
        """See Standard."""
        return compare_gradient(got, derivative, self._gradient_rules)


class PeerStandard:
    """What PyTorch returned, within the per-dtype defaults of ``torch.testing.assert_close``."""

    def __init__(self, peer: Returned) -> None:
        leaves = structure.flatten(peer.output)
        self.structure = structure.describe(peer.output)
        self.outputs = _as_expected(zip(structure.labels(len(leaves)), leaves, strict=True))
        self.state = _by_name(structure.state, peer.state)
        self.mutated = _by_name(structure.mutated, peer.mutated)
        self.gradients = {
            n: Derivative(e, np.zeros(e.y.shape))
            for n, e in _by_name(structure.gradient, peer.gradients).items()
        }

    def compare(self, got: object, expected: Expected, scalar: bool = False) -> Comparison:
        """See Standard."""
        return compare(got, expected, 0.0, Rules(peer_budget(expected.dtype)), scalar)

    def compare_gradient(self, got: Array | None, derivative: Derivative) -> Comparison:
        """See Standard."""
        return compare_gradient(got, derivative, Rules(peer_budget(derivative.expected.dtype)))


def examine(item: Item, outcome: Returned, standard: Standard) -> Examined:
    """Compare all that `outcome` holds with `standard`."""
    seen = Examined()
    outcome = _as_given(item, outcome)
    _outputs(seen, outcome, standard)
    _state(seen, item, outcome, standard)
    _mutated(seen, item, outcome, standard)
    if item.framework != "numpy":
        _gradients(seen, item, outcome, standard)
    return seen


def _as_given(item: Item, outcome: Returned) -> Returned:
    """Undo the conversions that change shapes: state and gradients get those of the case."""
    conversions = item.pair.mindspore_convert if item.framework == "mindspore" else {}
    undo = {name: INVERSES[c] for name, c in conversions.items() if c in INVERSES}
    if not undo:
        return outcome
    back = {n: undo[n](a) for n, a in outcome.state.items() if n in undo and a is not None}
    slopes = {n: undo[n](a) for n, a in outcome.gradients.items() if n in undo and a is not None}
    return replace(
        outcome, state={**outcome.state, **back}, gradients={**outcome.gradients, **slopes}
    )


def in_order(item: Item, outcome: Returned) -> tuple[Returned, list[Finding]]:
    """Return `outcome` with MindSpore's outputs in PyTorch's order, and that they were not."""
    order = item.pair.mindspore_returns if item.framework == "mindspore" else None
    output = outcome.output
    if not order or not isinstance(output, tuple | list) or len(output) <= max(order):
        return outcome, []
    chosen = tuple(output[i] for i in order)
    detail = said(
        "of {count} outputs, number {numbers} is what PyTorch returns, in that order",
        count=len(output),
        numbers=list(order),
    )
    moved = replace(outcome, output=chosen[0] if len(chosen) == 1 else chosen)
    return moved, [Finding(Kind.RETURN_STRUCTURE, structure.OUTPUT, detail)]


def greatest(a: float | None, b: float | None) -> float | None:
    """Return the greater of two measurements, either of which may not have been made."""
    return b if a is None else a if b is None else max(a, b)


def _outputs(seen: Examined, outcome: Returned, standard: Standard) -> None:
    got = structure.describe(outcome.output)
    if got != standard.structure:
        detail = said("is {got}, but should be {should}", got=got, should=standard.structure)
        seen.findings.append(Finding(Kind.RETURN_STRUCTURE, structure.OUTPUT, detail))
    # A None in the place of an output that was not asked for is structure, and nothing to compare.
    leaves = [leaf for leaf in structure.flatten(outcome.output) if leaf is not None]
    outputs = [expected for expected in standard.outputs if expected.y.dtype != object]
    if len(leaves) != len(outputs):
        if standard.outputs:
            other_outputs(seen, len(leaves), len(outputs))
        return
    for leaf, expected in zip(leaves, outputs, strict=True):
        if not isinstance(leaf, Other | str):
            scalar = not isinstance(leaf, np.ndarray)
            seen.add(standard.compare(leaf, expected, scalar))


def other_outputs(seen: Examined, got: int, should: int) -> None:
    """Note that nothing was compared, because the number of outputs differs."""
    seen.other_outputs = True
    seen.why = said(
        "{got} outputs, but should be {should}: no value was compared", got=got, should=should
    )


def _state(seen: Examined, item: Item, outcome: Returned, standard: Standard) -> None:
    for name, expected in standard.state.items():
        got = outcome.state.get(name)
        if got is not None:
            seen.add(standard.compare(got, expected), Kind.MUTATION)
        elif not item.lacks(name):
            seen.findings.append(Finding(Kind.MUTATION, expected.where, NOT_THERE))
    for name, got in outcome.state.items():
        before = item.case.arrays.get(name)
        if name in standard.state or before is None:
            continue
        if got is None:
            if not item.lacks(name):
                seen.findings.append(Finding(Kind.MUTATION, structure.state(name), NOT_THERE))
        elif not _same(got, before):
            seen.findings.append(_changed(structure.state(name), got, before))


def _mutated(seen: Examined, item: Item, outcome: Returned, standard: Standard) -> None:
    for name, expected in standard.mutated.items():
        if name in outcome.mutated:
            seen.add(standard.compare(outcome.mutated[name], expected), Kind.MUTATION)
        elif not item.lacks(name):
            unchanged = standard.compare(item.case.arrays[name], expected)
            if unchanged.findings:
                detail = said(
                    "was not changed by the call, but should be: {detail}",
                    detail=unchanged.findings[0].detail,
                )
                seen.findings.append(Finding(Kind.MUTATION, expected.where, detail))
    for name, got in outcome.mutated.items():
        if name not in standard.mutated:
            before = item.case.arrays.get(name)
            seen.findings.append(_changed(structure.mutated(name), got, before))


def _gradients(seen: Examined, item: Item, outcome: Returned, standard: Standard) -> None:
    names = [name for name in item.case.gradients if not item.lacks(name)]
    if not names or not standard.gradients:
        return
    if (error := outcome.gradient_error) is not None:
        kind = unsupported_kind(error) if isinstance(error, Unsupported) else Kind.GRADIENT
        detail = said(
            "differentiation raised {exception}: {message}",
            exception=error.exception,
            message=error.message[:300],
        )
        seen.findings.append(Finding(kind, structure.GRADIENT, detail))
        return
    uncompared = 0
    for name in names:
        derivative = standard.gradients.get(name)
        if derivative is None:
            continue
        comparison = standard.compare_gradient(outcome.gradients.get(name), derivative)
        seen.findings += comparison.findings
        seen.gradient_ratio = greatest(seen.gradient_ratio, comparison.ratio)
        uncompared += derivative.uncompared
    if uncompared:
        seen.why = said(
            "{count} gradient elements not compared: not smooth there", count=uncompared
        )


def unsupported_kind(outcome: Unsupported) -> Kind:
    """Return the kind of difference that a missing kernel is."""
    return Kind.DTYPE_SUPPORT if outcome.reason == "dtype" else Kind.UNSUPPORTED


def _changed(where: str, got: Array, before: Array | None) -> Finding:
    if before is None or got.shape != before.shape or got.dtype != before.dtype:
        detail = said(
            "is now {dtype}{shape}, but should be unchanged", dtype=got.dtype.name, shape=got.shape
        )
    else:
        detail = said(
            "{count} of {size} elements changed, but should be unchanged",
            count=int(np.sum(got != before)),
            size=got.size,
        )
    return Finding(Kind.MUTATION, where, detail)


def _same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def _by_name(
    called: Callable[[str], str], arrays: Mapping[str, Array | None]
) -> dict[str, Expected]:
    given = {n: a for n, a in arrays.items() if a is not None}
    labelled = _as_expected((called(n), a) for n, a in given.items())
    return dict(zip(given, labelled, strict=True))


def _as_expected(values: Iterable[tuple[str, object]]) -> list[Expected]:
    result = []
    for where, value in values:
        y = np.asarray(value)
        dtype = y.dtype.name
        result.append(Expected(where, y.astype(np.float64) if dtype == "bfloat16" else y, dtype))
    return result
