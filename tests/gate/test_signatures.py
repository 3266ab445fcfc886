from __future__ import annotations

from typing import Any

import pytest

from conformance.gate.change import Category
from conformance.gate.signatures import compare, drift, new_warnings
from conformance.worker import describe


def message(text: str, *overloads: str, call: str | None = None, **given: Any) -> dict[str, Any]:
    found = {**describe.blank("torch.f"), "exists": True, "source": "signature", "text": text}
    found["parameters"] = describe.parse(text)
    found["overloads"] = [{"text": o, "parameters": describe.parse(o)} for o in overloads]
    if call is not None:
        found |= {"call_text": call, "call_parameters": describe.parse(call)}
    return {**found, **given}


GONE = {**describe.blank("torch.f"), "error": "torch has no f"}
UNKNOWN = {**describe.blank("torch.f"), "exists": True}
F = message("(input, dim=0, *, out=None)")


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (F, []),
        (
            message("(input, dim=0, keepdim=False, *, out=None)"),
            [("parameter keepdim added", False)],
        ),
        (
            message("(input, index, dim=0, *, out=None)"),
            [("parameter index added without a default", True)],
        ),
        (message("(input, dim=0, *, out=None, **more)"), [("parameter more added", False)]),
        (message("(input, dim=0)"), [("parameter out removed", True)]),
        (message("(input, axis=0, *, out=None)"), [("parameter dim renamed to axis", True)]),
        (
            message("(input, axis=1, *, out=None)"),
            [("parameter dim removed", True), ("parameter axis added", False)],
        ),
        (
            message("(dim=0, input=None, *, out=None)"),
            [
                ("parameters reordered", True),
                ("default of input changed from no default to None", False),
            ],
        ),
        (message("(input, dim=-1, *, out=None)"), [("default of dim changed from 0 to -1", True)]),
        (
            message("(input, dim, *, out=None)"),
            [("default of dim changed from 0 to no default", True)],
        ),
        (
            message("(input, *, dim=0, out=None)"),
            [("dim is keyword-only, was positional-or-keyword", True)],
        ),
        (
            message("(input, dim=0, out=None)"),
            [("out is positional-or-keyword, was keyword-only", False)],
        ),
        (
            message("(input, /, dim=0, *, out=None)"),
            [("input is positional-only, was positional-or-keyword", True)],
        ),
        (message("(input, dim=0, *, out=None)", "(input, n)"), [("overload added", False)]),
        (
            message("(input, dim=0, *, out=None)", deprecated_api="use g"),
            [("API deprecated: use g", False)],
        ),
        (
            message("(input, dim=0, *, out=None)", deprecated=["out"]),
            [("parameter out deprecated", False)],
        ),
        (GONE, [("API removed", True)]),
        (
            {**GONE, "elsewhere": ["torch.special.f"]},
            [("API removed; the name is at torch.special.f", True)],
        ),
        (UNKNOWN, [("signature cannot be introspected any more", False)]),
        (message("(*args, **kwargs)"), [("signature cannot be introspected any more", False)]),
    ],
)
def test_drift(new: dict[str, Any], told: list[tuple[str, bool]]) -> None:
    assert [(what, breaking) for what, _, _, breaking in compare(F, new)] == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("(x, mode=<object>)", "(x, mode)", [("from <object> to no default", True)]),
        ("(x, mode)", "(x, mode=<object>)", [("from no default to <object>", False)]),
        ("(x, mode=<A: 1>)", "(x, mode=<B: 2>)", [("from <A: 1> to <B: 2>", False)]),
        ("(x, mode=<A: 1>)", "(x, mode='b')", [("from <A: 1> to 'b'", False)]),
        ("(x, mode=<A at 0x7f01>)", "(x, mode=<A at 0x7f02>)", []),
    ],
)
def test_a_default_that_cannot_be_read_is_one(
    before: str, after: str, told: list[tuple[str, bool]]
) -> None:
    found = [(d[0], d[3]) for d in compare(message(before), message(after))]
    assert found == [(f"default of mode changed {what}", breaks) for what, breaks in told]


def test_an_api_that_is_asked_for_and_not_described_is_lost() -> None:
    (change,) = drift("torch", {"torch.f": F, "torch.g": F}, {}, {"torch.f"})
    assert (change.category, change.api, change.regression) == (Category.LOST, "torch.f", True)


def test_the_other_way_round() -> None:
    assert [d[0] for d in compare(GONE, F)] == ["API added"]
    assert list(compare(GONE, GONE)) == list(compare(UNKNOWN, UNKNOWN)) == []
    two = message("(input, dim=0, *, out=None)", "(input, n)")
    assert [(d[0], d[3]) for d in compare(two, F)] == [("overload removed", True)]
    assert list(compare(two, two)) == []


def test_a_parameter_before_others_takes_their_places() -> None:
    new = message("(input, keepdim=False, dim=0, *, out=None)")
    assert [(d[0], d[3]) for d in compare(F, new)] == [("parameter keepdim added before dim", True)]
    named = message("(input, dim=0, *, dtype=None, out=None)")
    assert [(d[0], d[3]) for d in compare(F, named)] == [("parameter dtype added", False)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(*size, out=None)", "(*sizes, out=None)"),
        ("(input, **kwargs)", "(input, **more)"),
        ("(input, /, dim=0)", "(self, /, dim=0)"),
    ],
)
def test_names_that_no_caller_can_write_may_change(before: str, after: str) -> None:
    ((what, _, _, breaking),) = compare(message(before), message(after))
    assert "renamed" in what
    assert not breaking


def test_an_overload_that_another_one_serves_is_not_missed() -> None:
    old = message("(dim)", "(axis=None, dtype=None)")
    new = message("(dim)", "(axis=None, dtype=None, out=None)")
    assert [(d[0], d[3]) for d in compare(old, new)] == [("overload added", False)]


def test_the_call_of_a_class_is_told_apart_from_its_constructor() -> None:
    old = message("(weight=None)", call="(input, target)")
    new = message("(weight=None)", call="(logits, target)")
    assert [d[0] for d in compare(old, new)] == ["call: parameter input renamed to logits"]


def test_warnings_nothing_gave_before() -> None:
    before = frozenset({"UserWarning: old"})
    after = frozenset({"UserWarning: old", "FutureWarning: f will go: soon"})
    (change,) = new_warnings("torch", before, after)
    assert (change.api, change.detail) == ("FutureWarning", "new warning: f will go: soon")
    assert not change.regression
