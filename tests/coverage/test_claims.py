"""A table's claim is upheld or refuted by the tables' own criteria."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.coverage import claims
from conformance.judge.introspected import Argument
from conformance.judge.signature import ParameterRow
from conformance.run.outcome import Raised, Returned
from conformance.taxonomy import Kind
from tests.judge.toys import cases, run

X = np.array([1, 2], np.float32)


def row(name: str, *kinds: Kind, torch: str | None = "", mindspore: str | None = "") -> Any:
    """Return a row; an empty default is none, None is no such parameter."""
    sides = [None if d is None else Argument(name, default=d or None) for d in (torch, mindspore)]
    return ParameterRow(name, "option", sides[0], sides[1], kinds)


def judged(mindspore: Any = None, torch: Any = None) -> Any:
    """Return one case judged on both frameworks, right unless an outcome is given."""
    (case,) = cases("absolute", "  - {id: a, inputs: {input: [1.0, -2.0]}}", accuracy="exact")
    right = Returned(output=X)
    return run([(case, {"torch": torch or right, "mindspore": mindspore or right})]).judged


WRONG = Returned(output=X * 2)
REFUSED = Raised(types=("TypeError", "Exception"), message="no")
NAMED = row("dim", Kind.NAME)


@pytest.mark.parametrize(
    ("claim", "rows", "outcome", "upheld"),
    [
        ("consistent", [], None, True),
        ("consistent", [NAMED], None, False),
        ("consistent", [], WRONG, False),
        ("consistent", [], REFUSED, False),
        ("parameter-names", [NAMED], None, True),
        ("parameter-names", [], None, False),  # the difference it states is not there
        ("parameter-names", [NAMED], WRONG, False),
        ("parameter-names", [NAMED, row("p", Kind.ORDER)], None, False),
        ("parameter-defaults", [row("p", Kind.DEFAULT, torch="1", mindspore="2")], None, True),
        ("parameter-missing", [row("p", Kind.MISSING_IN_MINDSPORE, mindspore=None)], None, True),
        ("parameter-types", [], REFUSED, True),
        ("difference-page", [], WRONG, True),
        ("difference-page", [], None, False),
        ("other", [NAMED], None, True),
    ],
)
def test_claims(claim: str, rows: list[Any], outcome: Any, upheld: bool) -> None:
    assert claims.verdict(claim, rows, judged(outcome)).upheld is upheld


@pytest.mark.parametrize(
    "exempt",
    [
        row("out", Kind.MISSING_IN_MINDSPORE, mindspore=None),
        row("generator", Kind.MISSING_IN_MINDSPORE, mindspore=None),
        row("extra", Kind.MISSING_IN_TORCH, torch=None, mindspore="0"),
        row("dim", Kind.DEFAULT, torch="", mindspore="None"),
        row("size_average", Kind.DEPRECATED),
    ],
)
def test_what_the_tables_exempt_is_no_difference(exempt: Any) -> None:
    assert claims.verdict("consistent", [exempt], judged()).upheld


def test_what_pytorch_shows_too_is_not_held_against_the_pair() -> None:
    found = claims.verdict("consistent", [], judged(mindspore=WRONG, torch=WRONG))
    assert found.upheld


def test_the_evidence_is_counted_by_kind() -> None:
    found = claims.verdict("consistent", [NAMED, row("p", Kind.NAME)], judged(WRONG))
    assert found.against == {Kind.NAME: 2, Kind.VALUE: 1}
