"""Signature differences: what is found, what must be declared, what is stale."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.corpus.schema import Operation
from conformance.judge.introspected import Signature
from conformance.judge.signature import ParameterRow, compare, same_default
from conformance.judge.undeclared import undeclared
from conformance.taxonomy import Kind
from conformance.worker import describe

NOTE = {"en": "because", "zh": "因为"}


def signature(
    *texts: str,
    call: str | None = None,
    deprecated: tuple[str, ...] = (),
    source: str = "signature",
) -> Signature:
    """Return the signature whose overloads are `texts`."""
    forms = [{"text": text, "parameters": describe.parse(text)} for text in texts]
    first = forms[0] if forms else {"text": "", "parameters": []}
    return Signature.from_message(
        {
            "api": "x",
            "exists": True,
            "error": "",
            "source": source,
            **first,
            "overloads": forms[1:],
            "call_text": call,
            "call_parameters": None if call is None else describe.parse(call),
            "deprecated": list(deprecated),
        }
    )


def operation(roles: dict[str, str], **pair: Any) -> Operation:
    """Return an operation with these parameters and one pair of functions."""
    return Operation.model_validate(
        {
            "operation": "op",
            "no_reference": NOTE,
            "accuracy": "exact",
            "parameters": {name: {"role": role} for name, role in roles.items()},
            "pairs": [{"torch": "torch.f", "mindspore": "mindspore.ops.f", **pair}],
            "cases": [{"id": "a"}],
        }
    )


def judged(
    op: Operation, torch: Signature | None, mindspore: Signature | None
) -> tuple[dict[str, ParameterRow], list[str]]:
    rows = compare(op, op.pairs[0], torch, mindspore)
    assert len({(r.name, r.role) for r in rows}) == len(rows)
    return {row.name: row for row in rows}, undeclared(op, op.pairs[0], rows)


def kinds(rows: dict[str, ParameterRow]) -> dict[str, list[str]]:
    return {name: list(row.kinds) for name, row in rows.items() if row.kinds}


ROLES = {"input": "input", "weight": "option", "reduction": "option"}
DIFFERENCE = {"kind": "default", "parameters": ["weight"], "note": NOTE}


def test_equal_signatures_give_rows_without_kinds_or_lines() -> None:
    same = signature("(input, weight=None, reduction='mean')")
    rows, lines = judged(operation(ROLES), same, same)
    assert (list(rows), kinds(rows), lines) == (list(ROLES), {}, [])
    assert rows["weight"].torch == rows["weight"].mindspore
    assert rows["weight"].torch is not None
    assert (rows["weight"].torch.position, rows["weight"].torch.default) == (1, "None")


def test_name_is_found_through_its_declaration_and_needs_no_more() -> None:
    op = operation(ROLES, mindspore_names={"input": "logits"})
    rows, lines = judged(
        op,
        signature("(input, weight=None, reduction='mean')"),
        signature("(logits, weight=None, reduction='mean')"),
    )
    assert (kinds(rows), lines) == ({"input": [Kind.NAME]}, [])


def test_undeclared_name_is_missing_on_both_sides() -> None:
    rows, lines = judged(operation({"input": "input"}), signature("(input)"), signature("(logits)"))
    assert kinds(rows) == {
        "input": [Kind.MISSING_IN_MINDSPORE],
        "logits": [Kind.MISSING_IN_TORCH],
    }
    assert len(lines) == 2
    assert "mindspore.ops.f has no parameter 'input'" in lines[0]
    assert "mindspore_names" in lines[0]


def test_default_must_be_declared() -> None:
    torch, mindspore = signature("(input, weight=None)"), signature("(input, weight)")
    roles = {"input": "input", "weight": "option"}
    rows, lines = judged(operation(roles), torch, mindspore)
    assert kinds(rows) == {"weight": [Kind.DEFAULT]}
    assert lines == [
        "op: torch.f=mindspore.ops.f: default of 'weight' is found but not declared: "
        "torch.f has weight=None at position 1, mindspore.ops.f has weight at position 1"
    ]
    assert judged(operation(roles, differences=[DIFFERENCE]), torch, mindspore)[1] == []


def test_order_is_that_of_shared_positional_parameters() -> None:
    torch = signature("(input, weight=None, gone=1, reduction='mean', tail=0)")
    mindspore = signature("(input, reduction='mean', weight=None, tail=0)")
    rows, lines = judged(operation(ROLES, torch_only={"gone": NOTE}), torch, mindspore)
    assert kinds(rows) == {
        "weight": [Kind.ORDER],
        "reduction": [Kind.ORDER],
        "gone": [Kind.MISSING_IN_MINDSPORE],
    }
    assert [line.split(": ")[2].split(" is ")[0] for line in lines] == [
        "order of 'weight'",
        "order of 'reduction'",
    ]
    declared = operation(
        ROLES, torch_only={"gone": NOTE}, differences=[{"kind": "order", "note": NOTE}]
    )
    assert judged(declared, torch, mindspore)[1] == []


def test_out_is_implied_and_deprecated_must_be_said() -> None:
    torch = signature("(input, size_average=None, *, out=None)", deprecated=("size_average",))
    mindspore = signature("(input)")
    both = [Kind.MISSING_IN_MINDSPORE, Kind.DEPRECATED]
    for said, expected in (("deprecated", 0), ("absent", 1), (NOTE, 0)):
        op = operation({"input": "input"}, torch_only={"size_average": said})
        rows, lines = judged(op, torch, mindspore)
        assert list(rows) == ["input", "size_average", "out"]
        assert kinds(rows) == {"size_average": both, "out": both[:1]}
        assert len(lines) == expected, said


@pytest.mark.parametrize(
    ("pair", "line"),
    [
        ({"differences": [DIFFERENCE]}, "default of 'weight' is declared"),
        ({"differences": [{"kind": "order", "note": NOTE}]}, "order is declared"),
        ({"differences": [{"kind": "call-form", "note": NOTE}]}, "call-form is declared"),
        (
            {"torch_only": {"weight": "absent"}},
            "torch_only lists 'weight', but mindspore.ops.f has",
        ),
        ({"torch_only": {"scale": "absent"}}, "torch_only lists 'scale', but torch.f has no such"),
        ({"mindspore_only": {"weight": NOTE}}, "mindspore_only lists 'weight', but torch.f has it"),
        ({"torch_only": {"out": "deprecated"}}, "torch_only calls 'out' deprecated"),
    ],
)
def test_stale_declarations(pair: dict[str, Any], line: str) -> None:
    torch = signature("(input, weight=None, reduction='mean', *, out=None)")
    mindspore = signature("(input, weight=None, reduction='mean')")
    lines = judged(operation(ROLES, **pair), torch, mindspore)[1]
    assert len(lines) == 1
    assert line in lines[0]


def test_stale_name_is_one_line_and_accuses_neither_side_of_lacking_it() -> None:
    op = operation({"input": "input"}, mindspore_names={"input": "logits"})
    rows, lines = judged(op, signature("(input)"), signature("(input)"))
    assert kinds(rows) == {}
    assert lines == [
        "op: torch.f=mindspore.ops.f: mindspore_names says 'input' is 'logits', "
        "but mindspore.ops.f has no parameter 'logits'"
    ]


def test_a_stale_name_does_not_take_the_parameter_another_one_is() -> None:
    roles = {"input": "input", "other": "input"}
    op = operation(roles, mindspore_names={"input": "gone", "other": "input"})
    rows, _ = judged(op, signature("(input, other)"), signature("(input)"))
    assert kinds(rows) == {"input": [Kind.MISSING_IN_MINDSPORE], "other": [Kind.NAME]}


def test_module_inputs_are_in_the_call_and_options_in_the_constructor() -> None:
    op = operation(
        {**ROLES, "running_mean": "state"},
        call="module",
        mindspore_names={"input": "x", "running_mean": "moving_mean"},
    )
    rows, lines = judged(
        op,
        signature("(weight=None, reduction='mean')", call="(input)"),
        signature("(reduction='mean', weight=None)", call="(x, hx=None)"),
    )
    assert kinds(rows) == {
        "input": [Kind.NAME],
        "weight": [Kind.ORDER],
        "reduction": [Kind.ORDER],
        "hx": [Kind.MISSING_IN_TORCH],
    }
    assert rows["hx"].role == "input"
    assert rows["running_mean"].mindspore is not None
    assert rows["running_mean"].mindspore.name == "moving_mean"
    assert len(lines) == 3


def test_method_has_its_receiver_and_call_form_is_declared() -> None:
    roles = {"input": "input", "other": "input"}
    form = {"torch": "method", "mindspore": "function"}
    torch, mindspore = signature("(other)"), signature("(input, other)")
    rows, lines = judged(operation(roles, call=form), torch, mindspore)
    assert kinds(rows) == {}
    assert lines == ["op: torch.f=mindspore.ops.f: call-form is found but not declared"]
    declared = operation(roles, call=form, differences=[{"kind": "call-form", "note": NOTE}])
    assert judged(declared, torch, mindspore)[1] == []


def test_the_overload_that_fits_best_is_compared() -> None:
    torch = signature("(other, *, alpha=1)")
    mindspore = signature("(other)", "(other, *, alpha=1)")
    roles = {"input": "input", "other": "input", "alpha": "option"}
    assert kinds(judged(operation(roles, call="method"), torch, mindspore)[0]) == {}
    lines = judged(operation(roles, call="method", torch_only={"alpha": NOTE}), torch, mindspore)[1]
    assert ["mindspore.ops.f has it" in line for line in lines] == [True]


def test_overloads_prefer_canonical_parameters_over_agreeing_on_little() -> None:
    torch = signature("(input)", "(input, dim, keepdim=False, *, out=None)")
    mindspore = signature("(input)", "(input, dim, keepdim)")
    roles = {"input": "input", "dim": "option", "keepdim": "option"}
    assert kinds(judged(operation(roles), torch, mindspore)[0]) == {
        "keepdim": [Kind.DEFAULT],
        "out": [Kind.MISSING_IN_MINDSPORE],
    }


@pytest.mark.parametrize(
    "mindspore",
    [signature(source="none"), None, signature("(*args, **kwargs)"), signature("(*args)")],
)
def test_nothing_is_claimed_of_what_cannot_be_introspected(mindspore: Signature | None) -> None:
    op = operation(
        ROLES, mindspore_names={"input": "x"}, differences=[DIFFERENCE], mindspore_only={"y": NOTE}
    )
    rows, lines = judged(op, signature("(input, weight=None, reduction='mean')"), mindspore)
    assert (kinds(rows), lines) == ({}, [])
    assert {row.note for row in rows.values()} == {"not introspectable: mindspore"}


def test_keywords_a_signature_takes_unnamed_are_not_missing() -> None:
    torch = signature("(input, weight=None)")
    rows, lines = judged(
        operation({"input": "input", "weight": "option"}), torch, signature("(input, **kwargs)")
    )
    assert (kinds(rows), lines) == ({}, [])
    assert rows["weight"].unknown == ("mindspore",)


def test_named_star_is_a_parameter_and_hides_no_other() -> None:
    roles = {"shape": "option", "dtype": "option"}
    rows, _ = judged(operation(roles), signature("(*shape, dtype=None)"), signature("(shape)"))
    assert kinds(rows) == {"dtype": [Kind.MISSING_IN_MINDSPORE]}


def test_numpy_alone_says_of_no_framework_that_it_lacks_something() -> None:
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": NOTE,
            "accuracy": "exact",
            "parameters": {},
            "pairs": [{"numpy": "numpy.op"}],
            "cases": [{"id": "c"}],
        }
    )
    assert undeclared(operation, operation.pairs[0], []) == []


def test_one_sided_pair() -> None:
    torch = signature("(input, weight=None)")
    roles = {"input": "input", "weight": "option"}
    rows, lines = judged(operation(roles, mindspore=None), torch, None)
    missing = [Kind.MISSING_IN_MINDSPORE]
    assert kinds(rows) == {"input": missing, "weight": missing}
    assert len(lines) == 1
    declared = operation(
        roles, mindspore=None, differences=[{"kind": "missing-in-mindspore", "note": NOTE}]
    )
    assert judged(declared, torch, None)[1] == []


def test_composite_has_the_parameters_its_steps_use() -> None:
    steps = [
        {"api": "mindspore.ops.g", "args": ["input"]},
        {"api": "mindspore.ops.h", "args": [0], "kwargs": {"axis": "dim"}},
    ]
    op = operation(
        {"input": "input", "dim": "option", "keepdim": "option"},
        mindspore={"steps": steps},
        torch_only={"keepdim": NOTE},
        differences=[{"kind": "call-form", "note": NOTE}],
    )
    rows, lines = judged(op, signature("(input, dim=None, keepdim=False)"), None)
    assert kinds(rows) == {"dim": [Kind.NAME], "keepdim": [Kind.MISSING_IN_MINDSPORE]}
    assert lines == []


def test_optimizer_inputs_that_the_harness_applies_are_no_parameters() -> None:
    op = operation(
        {"params": "input", "grads": "input", "lr": "option"},
        call="optimizer",
        mindspore_names={"lr": "learning_rate"},
        differences=[{"kind": "default", "parameters": ["lr"], "note": NOTE}],
    )
    rows, lines = judged(
        op, signature("(params, lr=0.001)"), signature("(params, learning_rate=0.1)", call="(g)")
    )
    assert kinds(rows) == {"lr": [Kind.NAME, Kind.DEFAULT]}
    assert (list(rows), lines) == (["params", "lr"], [])


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("1e-05", "0.00001", True),
        ("0", "0.0", True),
        ("True", "1", False),
        ("None", None, False),
        (None, None, True),
        ("(1, 1)", "[1, 1]", True),
        ("1", "(1, 1)", False),
        ("torch.float32", "mindspore.float32", True),
        ("float('inf')", "inf", True),
        ("'mean'", '"mean"', True),
        ("'mean'", "'none'", False),
        ("<object object>", "None", True),
    ],
)
def test_same_default(a: str | None, b: str | None, same: bool) -> None:
    assert same_default(a, b) is same
