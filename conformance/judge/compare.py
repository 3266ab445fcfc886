"""One array against what it must be: shape, dtype, special values, values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.corpus.inputs import Array
from conformance.judge.budget import Budget, unit_error
from conformance.judge.dtypes import OVERFLOW, ROUNDOFF, inexact
from conformance.judge.expected import Derivative, Expected
from conformance.judge.verdict import Finding
from conformance.judge.words import said
from conformance.phrase import Phrase
from conformance.reference.dtypes import numpy_dtype
from conformance.taxonomy import INEXACT, Kind


@dataclass(frozen=True)
class Rules:
    """How arrays of one case are compared."""

    budget: Budget
    signed_zero: bool = False


@dataclass(frozen=True)
class Comparison:
    """The findings on one array, and its error in roundoffs where one was measured."""

    findings: list[Finding]
    ratio: float | None = None


def compare(
    got: Any, expected: Expected, s: Array | float, rules: Rules, scalar: bool = False
) -> Comparison:
    """Compare `got` with `expected`, whose sensitivity is `s`.

    A Python `scalar` has no dtype or shape of its own, so these are not compared.
    """
    out, findings = form(got, expected, scalar)
    if out is None:
        return Comparison(findings)
    with np.errstate(all="ignore"):
        if expected.dtype in INEXACT:
            found, ratio = _floating(out, expected, s, rules)
        else:
            found, ratio = _discrete(out, expected), None
    return Comparison([*findings, *found], ratio)


def form(got: Any, expected: Expected, scalar: bool = False) -> tuple[Array | None, list[Finding]]:
    """Compare dtype and shape; return the array as well, or None when it cannot be compared."""
    out = np.asarray(got)
    where, y = expected.where, expected.y
    findings: list[Finding] = []
    if not scalar and out.dtype.name != expected.dtype:
        detail = said(
            "dtype is {got}, but should be {should}", got=out.dtype.name, should=expected.dtype
        )
        findings.append(Finding(Kind.RETURN_DTYPE, where, detail))
    if out.shape != y.shape:
        detail = said("shape is {got}, but should be {should}", got=out.shape, should=y.shape)
        return None, [*findings, Finding(Kind.RETURN_SHAPE, where, detail)]
    if out.dtype.kind not in "biufc" and out.dtype.name != "bfloat16":
        detail = said(
            "is of type {got}, but should be {should}",
            got=type(got).__name__,
            should=expected.dtype,
        )
        return None, [*findings, Finding(Kind.RETURN_DTYPE, where, detail)]
    return out, findings


def _discrete(out: Array, expected: Expected) -> list[Finding]:
    """Integers and booleans are exact, and wrap around as their dtype does."""
    should = expected.y.astype(numpy_dtype(expected.dtype))
    wrong = np.asarray(_plain(out) != should)
    if not wrong.any():
        return []
    return [Finding(Kind.VALUE, expected.where, _sentence(wrong, out, should, expected.where))]


def _floating(
    out: Array, expected: Expected, s: Array | float, rules: Rules, rounds: bool = True
) -> tuple[list[Finding], float | None]:
    """Compare `out` with y; `rounds` is False for projections, which no dtype ever held."""
    if out.size == 0:
        return [], 0.0
    dtype, where = _coarser(expected.dtype, out), expected.where
    rounded = expected.y.astype(numpy_dtype(expected.dtype)) if rounds else expected.y
    y = _plain(rounded) if rules.budget.exact else expected.y
    wide = _widened(out, y)
    unit = unit_error(y, s, dtype, expected.error)
    allowed = rules.budget.allowed(unit, np.abs(y))
    special = _special(wide, rounded, expected, allowed)
    if rules.signed_zero:
        special |= _other_zero(wide, _plain(rounded))
    findings = []
    if special.any():
        detail = _sentence(special, out, rounded, where)
        findings.append(Finding(Kind.SPECIAL_VALUES, where, detail))
    finite = np.isfinite(wide) & np.isfinite(y)
    error = np.where(finite, np.abs(wide - y), 0)
    ratios = np.where(finite, error / unit, 0)
    ratio = float(ratios.max())
    wrong = finite & ~(error <= allowed)
    if wrong.any():
        worst = np.unravel_index(int(np.argmax(np.where(wrong, ratios, -1))), out.shape)
        detail = said(
            "{differ}; greatest absolute error {error:.3g}, {limit}",
            differ=_sentence(wrong, out, y, where, worst),
            error=float(error[wrong].max()),
            limit=_limit(rules, ratio),
        )
        findings.append(Finding(Kind.VALUE, where, detail, ratio))
    return findings, ratio


def _special(out: Array, rounded: Array, expected: Expected, allowed: Array) -> Array:
    """Return where NaN or infinity is misplaced; overflow within budget may go either way."""
    y = _plain(rounded)
    if np.isfinite(out).all() and np.isfinite(y).all():
        return np.zeros(out.shape, bool)
    wrong = np.isnan(out) != np.isnan(y)
    infinite, should = np.isinf(out), np.isinf(y)
    differs = infinite != should
    if out.dtype.kind != "c" and y.dtype.kind != "c":
        differs |= infinite & should & (np.sign(out) != np.sign(y))
    exact = expected.y
    near = np.isfinite(exact) & (np.abs(np.abs(exact) - OVERFLOW[expected.dtype]) <= allowed)
    if out.dtype.kind != "c" and y.dtype.kind != "c":
        near &= np.sign(out) == np.sign(exact)
    return np.asarray(wrong | (differs & ~near & ~np.isnan(out) & ~np.isnan(y)))


def _other_zero(out: Array, y: Array) -> Array:
    """Return where a zero, or of complex numbers a part that is zero, has the other sign."""
    differs = _signs_differ(out.real, y.real)
    if out.dtype.kind == "c" and y.dtype.kind == "c":
        differs |= _signs_differ(out.imag, y.imag)
    return differs


def _signs_differ(out: Array, y: Array) -> Array:
    return np.asarray((out == 0) & (y == 0) & (np.signbit(out) != np.signbit(y)))


def compare_gradient(got: Array | None, should: Derivative, rules: Rules) -> Comparison:
    """Compare a framework's gradient with the oracle's; every finding is of kind `gradient`."""
    expected = should.expected
    where = expected.where
    shape = should.probes.shape if should.probes else expected.y.shape
    if got is None:
        # PyTorch says None, MindSpore zeros, where an output does not depend on the input.
        if np.any(np.nan_to_num(expected.y) != 0):
            detail = said("is missing, but should be given")
            return Comparison([Finding(Kind.GRADIENT, where, detail)])
        return Comparison([])
    if got.shape != shape:
        detail = said("shape is {got}, but should be {should}", got=got.shape, should=shape)
        return Comparison([Finding(Kind.GRADIENT, where, detail)])
    findings = []
    if got.dtype.name != expected.dtype:
        detail = said(
            "dtype is {got}, but should be {should}", got=got.dtype.name, should=expected.dtype
        )
        findings.append(Finding(Kind.GRADIENT, where, detail))
    if not inexact(got):
        return Comparison(findings)
    with np.errstate(all="ignore"):
        compared = _projected(got, should, rules) if should.numeric else None
    if compared is None:
        compared = compare(got, expected, should.sensitivity, rules)
    findings += [
        Finding(Kind.GRADIENT, where, f.detail, f.ratio)
        for f in compared.findings
        if f.kind is not Kind.RETURN_DTYPE
    ]
    return Comparison(findings, compared.ratio)


def _projected(got: Array, should: Derivative, rules: Rules) -> Comparison:
    """Compare along the probes, leaving out what the oracle could not differentiate."""
    expected = should.expected
    out = _widened(got, expected.y)
    magnitude = np.abs(out)
    if should.probes is not None:
        out, magnitude = should.probes.project(out), should.probes.total(magnitude)
    kept = ~np.isnan(expected.y)
    kept &= np.isfinite(out) | ~np.asarray(should.singular)
    if not kept.any():
        return Comparison([])
    y = np.where(kept, expected.y, 0)
    out = np.where(kept, out, 0)
    dtype = _coarser(expected.dtype, got)
    # A direction's error is the sum of its elements' errors, also where these cancel.
    cancelled = ROUNDOFF[dtype] * np.where(np.isfinite(magnitude), magnitude, 0)
    error = expected.error + (cancelled if should.probes is not None else 0)
    probed = Expected(expected.where, y, expected.dtype, error)
    found, ratio = _floating(out, probed, should.sensitivity, rules, rounds=should.probes is None)
    if should.probes is not None:
        count = got.size // should.probes.count
        found = [replace(f, detail=_along(count, f.detail)) for f in found]
    return Comparison(found, ratio)


def _along(count: int, detail: str) -> Phrase:
    return said(
        "along random directions of ~{count} elements, {detail}", count=count, detail=detail
    )


def _limit(rules: Rules, ratio: float) -> Phrase:
    budget = rules.budget
    if budget.in_roundoffs is None:
        return said(
            "error {ratio:.3g} roundoffs, tolerance rtol={rtol:g} atol={atol:g}",
            ratio=ratio,
            rtol=budget.rtol or 0,
            atol=budget.atol or 0,
        )
    return said(
        "error {ratio:.3g} roundoffs, budget {budget:g}", ratio=ratio, budget=budget.roundoffs
    )


def _sentence(
    wrong: Array, out: Array, should: Array, where: str, worst: tuple[Any, ...] | None = None
) -> Phrase:
    if worst is None:
        worst = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    index = f"[{', '.join(str(int(i)) for i in worst)}]" if worst else ""
    values = {"where": where, "index": index, "got": _show(out[worst])}
    values["should"] = _show(should[worst])
    if wrong.size == 1:
        return said("value differs: {where}{index} is {got}, but should be {should}", **values)
    return said(
        "{count} of {size} elements differ: {where}{index} is {got}, but should be {should}",
        count=int(wrong.sum()),
        size=wrong.size,
        **values,
    )


def _show(value: Any) -> str:
    if isinstance(value, np.bool_ | np.integer):
        return str(value)
    number = complex(value) if np.iscomplexobj(value) else float(value)
    return f"{number:.9g}"


def _coarser(dtype: str, out: Array) -> str:
    """A wrong dtype is one finding; its values are then judged by what that dtype can hold."""
    name = out.dtype.name
    return name if ROUNDOFF.get(name, 0) > ROUNDOFF[dtype] else dtype


def _widened(out: Array, y: Array) -> Array:
    """Return `out` in the precision of `y`, complex if either is."""
    own = np.complex64 if out.dtype.kind == "c" else np.float64
    return out.astype(np.result_type(y.dtype, np.float64, own))


def _plain(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
