"""Outputs that are not unique: judged by the equations that every right one fulfils."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.judge import structure
from conformance.judge.budget import budget_of
from conformance.judge.compare import Rules, compare, form
from conformance.judge.dtypes import ROUNDOFF, inexact
from conformance.judge.expected import Expected
from conformance.judge.item import Item
from conformance.judge.oracle import Expectation
from conformance.judge.returned import Examined, other_outputs
from conformance.judge.words import said
from conformance.run.outcome import Returned

COMPLEX = {"float32": "complex64", "float64": "complex128"}
"""The complex dtype whose parts are of a real one."""


def examine(seen: Examined, item: Item, outcome: Returned, expectation: Expectation) -> None:
    """Judge dtypes and shapes, then each relation within the budget of the case."""
    assert expectation.identities is not None
    seen.compared = True
    leaves = structure.flatten(outcome.output)
    if len(leaves) != len(expectation.forms):
        other_outputs(seen, len(leaves), len(expectation.forms))
        return
    arrays = []
    for leaf, expected in zip(leaves, expectation.forms, strict=True):
        array, findings = form(leaf, expected)
        seen.findings += findings
        arrays.append(array)
    given = [a for a in arrays if a is not None]
    if len(given) < len(arrays):
        return
    rules = Rules(budget_of(item.case.accuracy))
    inexact_dtypes = [e.dtype for e in expectation.forms if e.dtype in ROUNDOFF]
    dtype = max(inexact_dtypes, key=ROUNDOFF.__getitem__, default="float64")
    for relation in expectation.identities.relations([_wide(a, expectation) for a in given]):
        should = np.asarray(relation.should)
        error = ROUNDOFF[dtype] * np.broadcast_to(relation.scale, should.shape)
        got = np.asarray(relation.got)
        kind = COMPLEX.get(dtype, dtype) if "c" in (got.dtype.kind, should.dtype.kind) else dtype
        expected = Expected(said(relation.name), should, kind, error)
        compared = compare(got, expected, 0.0, rules, scalar=True)
        seen.add(compared)
    if item.case.gradients and item.framework != "numpy":
        seen.why = said("gradients not compared: the output is not unique")


def _wide(array: Any, expectation: Expectation) -> Any:
    if not inexact(array):
        return array
    wide = np.longdouble if expectation.wide else np.float64
    return array.astype(np.result_type(wide, np.complex64) if array.dtype.kind == "c" else wide)
