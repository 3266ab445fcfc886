"""A case through a pair becomes the call each framework makes, in its own names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.pairs import INVERSES, Call, plan, reference_call, to_wire
from conformance.corpus.schema import Operation
from conformance.errors import CaseError, CorpusError
from conformance.taxonomy import Framework
from conformance.worker import wire
from tests.fakes import corpus

PARAMETERS = {
    "input": {"role": "input"},
    "other": {"role": "input"},
    "alpha": {"role": "option"},
    "dim": {"role": "option"},
    "weight": {"role": "state"},
}


def case(
    pair: dict[str, Any], case: dict[str, Any], parameters: dict[str, Any] = PARAMETERS, **more: Any
) -> ExpandedCase:
    """Return the one case of an operation with that one pair."""
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": {"en": "a fake", "zh": "虚构"},
            "accuracy": "exact",
            "parameters": parameters,
            "pairs": [{"torch": "torch.op", "mindspore": "mindspore.ops.op", **pair}],
            "cases": [{"id": "c", **case}],
            **more,
        }
    )
    (found,) = expand(operation, Path())
    return found


def made(found: ExpandedCase, framework: Framework = "torch") -> Call:
    call = plan(found, found.operation.pairs[0], framework)
    assert call is not None
    assert execnet.loads(execnet.dumps(call.message)) == call.message
    return call


def step(found: ExpandedCase, framework: Framework = "torch") -> dict[str, Any]:
    (only,) = made(found, framework).message["steps"]
    assert isinstance(only, dict)
    return only


def values(found: ExpandedCase, framework: Framework = "mindspore") -> dict[str, Any]:
    return dict(made(found, framework).message["values"])


BOTH = {"inputs": {"input": [1.0], "other": [2.0]}, "parameters": {"alpha": 2}}


def test_a_function_takes_inputs_by_position_and_options_by_name() -> None:
    assert step(case({}, BOTH)) == {
        "form": "function",
        "api": "torch.op",
        "args": ["input", "other"],
        "kwargs": {"alpha": "alpha"},
        "constructor": {},
        "state": {},
        "fixed": {},
    }


def test_names_of_each_framework() -> None:
    names = {"torch_names": {"dim": "axis"}, "mindspore_names": {"alpha": "a", "weight": "gamma"}}
    given = {"inputs": {"input": [1.0], "weight": [1.0]}, "parameters": {"alpha": 2, "dim": 0}}
    found = case({**names, "call": "module"}, given)
    assert step(found, "torch")["constructor"] == {"alpha": "alpha", "axis": "dim"}
    assert step(found, "torch")["state"] == {"weight": "weight"}
    assert step(found, "mindspore")["constructor"] == {"a": "alpha", "dim": "dim"}
    assert step(found, "mindspore")["state"] == {"gamma": "weight"}


def test_after_an_input_left_out_the_rest_go_by_name() -> None:
    parameters = {name: {"role": "input"} for name in ("a", "b", "c")}
    found = case({"mindspore_names": {"c": "z"}}, {"inputs": {"c": 1, "a": 2}}, parameters)
    assert (step(found)["args"], step(found)["kwargs"]) == (["a"], {"c": "c"})
    assert step(found, "mindspore")["kwargs"] == {"z": "c"}


def test_positional_order_follows_the_parameters_not_the_case() -> None:
    assert step(case({}, {"inputs": {"other": 1, "input": 2}}))["args"] == ["input", "other"]


def test_positional_by_declaration() -> None:
    pair = {"torch_positional": ["other", "alpha"], "mindspore_positional": []}
    found = case(pair, BOTH)
    assert step(found)["args"] == ["other", "alpha"]
    assert step(found)["kwargs"] == {"input": "input"}
    assert step(found, "mindspore")["args"] == []
    assert step(found, "mindspore")["kwargs"] == {"input": "input", "other": "other",
                                                  "alpha": "alpha"}  # fmt: skip


def test_a_module_takes_options_at_construction() -> None:
    found = case({"call": {"torch": "module", "mindspore": "function"}}, BOTH)
    module, function = step(found), step(found, "mindspore")
    assert (module["args"], module["kwargs"]) == (["input", "other"], {})
    assert module["constructor"] == {"alpha": "alpha"}
    assert (function["kwargs"], function["constructor"]) == ({"alpha": "alpha"}, {})


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("function", "function"),
        ("method", "function"),
        ("module", "function"),
        ("optimizer", "optimizer"),
        ("schedule", "schedule"),
        ("random", "random"),
    ],
)
def test_kinds(form: str, kind: str) -> None:
    assert made(case({"call": form}, BOTH)).message["kind"] == kind


def test_random_modules_are_constructed() -> None:
    found = case({"call": "random", "torch": "torch.nn.Dropout"}, BOTH)
    assert step(found)["form"] == "module"
    assert step(found)["constructor"] == {"alpha": "alpha"}
    assert step(found, "mindspore")["form"] == "function"


def test_a_side_that_is_not_there() -> None:
    found = case({"mindspore": None}, BOTH)
    assert plan(found, found.operation.pairs[0], "mindspore") is None
    made(found, "torch")


def test_what_only_torch_has_is_not_passed_to_mindspore() -> None:
    found = case({"torch_only": {"alpha": "absent"}}, BOTH)
    assert "alpha" in values(found, "torch")
    assert "alpha" not in values(found, "mindspore")
    assert step(found, "mindspore")["kwargs"] == {}


def test_what_is_not_passed_is_not_differentiated_by() -> None:
    found = case({"torch_only": {"other": "absent"}}, BOTH, gradients=["input", "other"])
    assert made(found, "torch").message["gradients"] == ["input", "other"]
    assert made(found, "mindspore").message["gradients"] == ["input"]


def test_constructor_arguments_are_not_differentiated_by() -> None:
    parameters = {**PARAMETERS, "pos": {"role": "option"}}
    given = {"inputs": {"input": [1.0], "pos": [2.0], "weight": [3.0]}}
    pair = {"call": {"torch": "module", "mindspore": "function"}}
    found = case(pair, given, parameters, gradients=["input", "pos", "weight"])
    assert step(found)["constructor"] == {"pos": "pos"}
    assert made(found).message["gradients"] == ["input", "weight"]
    assert made(found, "mindspore").message["gradients"] == ["input", "pos", "weight"]


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        ({"value": [1], "dtype": "int64"}, {}),
        ({"value": ["1j"], "dtype": "complex64"}, {}),
        ({"value": [1.0], "as": "list"}, {}),
        ([1.0], {"expect": {"raises": {"torch": "ValueError"}}}),
        ([1.0], {"gradients": []}),
    ],
)
def test_no_gradients(spec: Any, more: dict[str, Any]) -> None:
    found = case({}, {"inputs": {"input": spec}, **more}, gradients=["input"])
    assert made(found).message["gradients"] == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_gradients_of_every_floating_dtype(dtype: str) -> None:
    found = case({}, {"inputs": {"input": [1.0]}, "dtype": dtype}, gradients=["input"])
    assert made(found).message["gradients"] == ["input"]


def test_fixed_and_extra() -> None:
    pair = {"torch_fixed": {"out": None}, "mindspore_fixed": {"mode": [1, 2]}}
    found = case(pair, {**BOTH, "extra": {"mindspore": {"seed": 3, "mode": "x"}}})
    assert step(found)["fixed"] == {"out": None}
    assert step(found, "mindspore")["fixed"] == {"mode": "x", "seed": 3}
    assert step(case(pair, BOTH), "mindspore")["fixed"] == {"mode": (1, 2)}


COMPOSITE = {
    "mindspore": {
        "steps": [
            {"api": "mindspore.ops.abs", "args": ["input"], "kwargs": {"axis": "dim"}},
            {"api": "mindspore.nn.Scale", "call": "module", "args": [0, "other"],
             "constructor": {"factor": "alpha"}},
        ],
        "returns": [1, 0],
    },
    "mindspore_fixed": {"keep": True},
}  # fmt: skip


def test_composite() -> None:
    call = made(case(COMPOSITE, {**BOTH, "parameters": {"alpha": 2, "dim": 0}}), "mindspore")
    first, second = call.message["steps"]
    assert (first["api"], first["form"]) == ("mindspore.ops.abs", "function")
    assert (first["args"], first["kwargs"], first["fixed"]) == (["input"], {"axis": "dim"}, {})
    assert (second["form"], second["args"]) == ("module", [0, "other"])
    assert (second["constructor"], second["fixed"]) == ({"factor": "alpha"}, {"keep": True})
    assert call.message["returns"] == [1, 0]


def test_composite_without_what_the_case_leaves_out() -> None:
    first, second = made(case(COMPOSITE, {"inputs": {"input": 1}}), "mindspore").message["steps"]
    assert first["kwargs"] == {}
    assert (second["args"], second["constructor"]) == ([0], {})


@pytest.mark.parametrize(
    ("conversion", "value", "expected"),
    [
        ("one_minus", 0.25, 0.75),
        ("negate", 3, -3),
        ("pair", 3, (3, 3)),
        ("pair", [1, 2], (1, 2)),
        ("list", 3, (3,)),
        ("list", [1, 2], (1, 2)),
    ],
)
def test_conversions_of_options(conversion: str, value: Any, expected: Any) -> None:
    given = {"inputs": {"input": 1}, "parameters": {"alpha": value}}
    found = case({"mindspore_convert": {"alpha": conversion}}, given)
    assert values(found)["alpha"] == expected
    assert values(found, "torch")["alpha"] == (tuple(value) if isinstance(value, list) else value)


def test_an_option_as_a_tensor() -> None:
    given = {"inputs": {"input": 1}, "parameters": {"alpha": [1, 2]}}
    found = case({"mindspore_convert": {"alpha": "tensor"}}, given)
    assert values(found)["alpha"] == to_wire(np.array([1, 2], np.float32))


@pytest.mark.parametrize("conversion", ["one_minus", "negate", "pair", "list", "tensor"])
def test_none_stays_none(conversion: str) -> None:
    given = {"inputs": {"input": 1}, "parameters": {"alpha": None}}
    found = case({"mindspore_convert": {"alpha": conversion}}, given)
    assert values(found)["alpha"] is None


@pytest.mark.parametrize("conversion", ["one_minus", "negate"])
@pytest.mark.parametrize("value", [0.25, [0.25, 2.0]])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int32", "complex64"])
def test_converted_arrays_keep_dtype_shape_and_form(
    dtype: str, value: Any, conversion: str
) -> None:
    spec = {"value": value, "dtype": dtype, "as": "parameter", "layout": "transposed"}
    found = case({"mindspore_convert": {"input": conversion}}, {"inputs": {"input": spec}})
    given = found.arrays["input"]
    wanted = (1 - given if conversion == "one_minus" else -given).astype(given.dtype)
    expected = to_wire(np.asarray(wanted), "parameter", "transposed")
    assert values(found)["input"] == expected
    assert values(found)["input"][wire.ARRAY][:2] == (dtype, np.shape(value))


def test_arrays_as_pair_list_and_tensor() -> None:
    def converted(conversion: str, spec: Any) -> Any:
        pair = {"mindspore_convert": {"input": conversion}}
        return values(case(pair, {"inputs": {"input": spec}}))["input"]

    assert converted("pair", {"value": 3, "as": "scalar"}) == (3, 3)
    assert converted("list", {"value": [1, 2], "as": "ndarray"}) == (1, 2)
    tensor = converted("tensor", {"value": 2.5, "dtype": "float64", "as": "scalar"})
    assert tensor == to_wire(np.asarray(2.5))


def test_an_impossible_conversion_is_the_authors_mistake() -> None:
    given = {"inputs": {"input": 1}, "parameters": {"alpha": "sum"}}
    with pytest.raises(CaseError, match="one_minus of alpha"):
        values(case({"mindspore_convert": {"alpha": "one_minus"}}, given))


def test_a_method_needs_its_tensor() -> None:
    with pytest.raises(CaseError, match=r"torch.op is called on its first input"):
        made(case({"call": "method"}, {"inputs": {"other": 1}}))


def test_the_loader_says_where_a_call_cannot_be_planned() -> None:
    text = """\
        operation: scale
        no_reference: {en: a fake, zh: 虚构}
        accuracy: exact
        parameters: {input: {role: input}, factor: {role: option}}
        pairs:
          - torch: torch.mul
            mindspore: mindspore.ops.mul
            mindspore_convert: {factor: negate}
        cases:
          - {id: good, inputs: {input: 1}, parameters: {factor: 2}}
          - {id: bad, inputs: {input: 1}, parameters: {factor: two}}
        """
    with pytest.raises(CorpusError) as caught:
        corpus(text)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (11, 5)
    assert "negate of factor" in problem.message
    assert "'scale/bad' through 'torch.mul=mindspore.ops.mul'" in problem.message


def test_dtypes_as_options() -> None:
    parameters = {"input": {"role": "input"}, "dtype_": {"role": "option", "type": "dtype"},
                  "mode": {"role": "option"}}  # fmt: skip
    given: dict[str, Any] = {
        "inputs": {"input": 1},
        "parameters": {"dtype_": "float16", "mode": "float16"},
    }
    found = values(case({}, given, parameters), "torch")
    assert found["dtype_"] == {wire.DTYPE: "float16"}
    assert found["mode"] == "float16"
    given["parameters"]["dtype_"] = None
    assert values(case({}, given, parameters), "torch")["dtype_"] is None


def test_arrays_carry_form_and_layout() -> None:
    spec = {"value": [[1.0]], "as": "parameter", "layout": "transposed"}
    found = values(case({}, {"inputs": {"input": spec, "other": [1.0]}}))
    assert (found["input"]["as"], found["input"]["layout"]) == ("parameter", "transposed")
    assert set(found["other"]) == {wire.ARRAY}


def test_the_same_call_has_the_same_id() -> None:
    assert made(case({}, BOTH)).id == made(case({}, {**BOTH, "id": "another-name"})).id
    assert made(case({}, BOTH)).id != made(case({}, BOTH), "mindspore").id


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"input": [1.5], "other": [2.0]}},
        {"inputs": {"input": [[1.0]], "other": [2.0]}},
        {"inputs": {"input": {"value": [1.0], "as": "parameter"}, "other": [2.0]}},
        {"parameters": {"alpha": 2.0}},
        {"parameters": {"alpha": "2"}},
        {"parameters": {"alpha": [2]}},
        {"parameters": {}},
        {"dtype": "float64"},
        {"training": True},
        {"gradients": ["input"]},
        {"extra": {"torch": {"out": None}}},
    ],
)
def test_another_call_has_another_id(change: dict[str, Any]) -> None:
    assert made(case({}, {**BOTH, **change})).id != made(case({}, BOTH)).id


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, True), (1, 1.0), (None, "null")])
def test_values_that_python_calls_equal_are_told_apart(one: Any, other: Any) -> None:
    ids = {made(case({}, {"inputs": {"input": 1}, "parameters": {"alpha": v}})).id
           for v in (one, other)}  # fmt: skip
    assert len(ids) == 2


def test_reference_call() -> None:
    given = {"inputs": {"input": [1.0], "weight": [1.0]}, "training": True}
    found = case({}, given, reference="elementwise.abs", no_reference=None)
    call = reference_call(found)
    assert call is not None
    assert call.message["kind"] == "reference"
    assert call.message["steps"][0]["api"] == "elementwise.abs"
    assert (call.message["states"], call.message["training"]) == (["weight"], True)
    assert reference_call(case({}, given)) is None


def test_state_with_one_more_axis_in_mindspore() -> None:
    pair = {"call": "module", "mindspore_convert": {"weight": "insert_axis_2"}}
    found = case(pair, {"inputs": {"input": [1.0], "weight": {"ones": [3, 2, 4]}}})
    assert wire.unpack(values(found, "torch")["weight"]).shape == (3, 2, 4)
    converted = wire.unpack(values(found)["weight"])
    assert converted.shape == (3, 2, 1, 4)
    assert INVERSES["insert_axis_2"](converted).shape == (3, 2, 4)
    assert INVERSES["insert_axis_2"](np.ones((3, 2, 4))).shape == (3, 2, 4)
