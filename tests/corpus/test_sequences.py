"""Lists of tensors as one argument, functions as arguments, results that are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase, expand
from conformance.corpus.pairs import plan, reference_call
from conformance.corpus.schema import Operation
from conformance.errors import CorpusError
from conformance.reference.registry import gathered, scattered
from tests.corpus.test_pairs import case, made, step
from tests.fakes import corpus

TENSORS = {"tensors": {"role": "input", "sequence": True}, "dim": {"role": "option", "default": 0}}
TWO = {"tensors": {"list": [{"ones": [2]}, {"zeros": [1]}]}}


def sequence(inputs: dict[str, Any], variadic: bool = False, **more: Any) -> ExpandedCase:
    parameters = {**TENSORS, "tensors": {**TENSORS["tensors"], "variadic": variadic}}
    return case({}, {"inputs": inputs, **more}, parameters, gradients=["tensors"])


def test_members_are_inputs_of_their_own_and_one_argument() -> None:
    found = sequence(TWO)
    assert list(found.arrays) == ["tensors.0", "tensors.1"]
    assert step(found)["args"] == [{"list": ["tensors.0", "tensors.1"]}]
    assert made(found).message["gradients"] == ["tensors.0", "tensors.1"]


def test_a_tuple_is_not_a_list() -> None:
    other = sequence({"tensors": {"tuple": TWO["tensors"]["list"]}})
    assert step(other)["args"] == [{"tuple": ["tensors.0", "tensors.1"]}]
    assert made(other).id != made(sequence(TWO)).id


def test_a_variadic_sequence_is_so_many_arguments() -> None:
    assert step(sequence(TWO, variadic=True))["args"] == ["tensors.0", "tensors.1"]


def test_an_empty_sequence_is_still_given() -> None:
    found = sequence({"tensors": {"list": []}})
    assert step(found)["args"] == [{"list": []}]
    assert found.values == {"tensors": []}
    assert reference_call(found) is None  # the operation of this test has no reference


def test_draws_of_members_follow_one_another() -> None:
    found = sequence({"seed": 3, "tensors": {"list": [{"randn": [2]}, {"randn": [2]}]}})
    drawn = np.random.RandomState(3).randn(4).astype(np.float32)
    np.testing.assert_array_equal(np.concatenate(list(found.arrays.values())), drawn)


def test_a_grid_may_hold_sequences() -> None:
    text = """
    operation: op
    no_reference: {en: a fake, zh: 虚构}
    accuracy: exact
    parameters: {tensors: {role: input, sequence: true}}
    pairs: [{torch: torch.cat, mindspore: mindspore.ops.cat}]
    cases:
      - id: c
        grid: {tensors: [{list: [1.0]}, {tuple: [1.0, {ones: [2]}]}]}
    """
    cases = list(corpus(text).cases())
    assert [list(c.arrays) for c in cases] == [["tensors.0"], ["tensors.0", "tensors.1"]]
    assert len({c.id for c in cases}) == 2


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{tensors: {ones: [2]}}", "'tensors' is a list or tuple"),
        ("{tensors: {list: [1.0], tuple: [1.0]}}", "give list or tuple"),
        ("{tensors: {list: [{nope: 1}]}}", "unknown key"),
    ],
)
def test_mistakes_are_one_line(inputs: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        corpus(f"""
        operation: op
        no_reference: {{en: a fake, zh: 虚构}}
        accuracy: exact
        parameters: {{tensors: {{role: input, sequence: true}}}}
        pairs: [{{torch: torch.cat, mindspore: mindspore.ops.cat}}]
        cases:
          - {{id: c, inputs: {inputs}}}
        """)
    assert len(caught.value.problems) == 1


def test_oracles_take_lists() -> None:
    values = {"tensors.0": 1, "dim": 0, "tensors.1": 2}
    assert gathered(values) == {"tensors": [1, 2], "dim": 0}
    assert scattered({"tensors": [1, 2], "dim": 0}) == {"tensors.0": 1, "tensors.1": 2, "dim": 0}


COMPOSITE = {
    "torch": {
        "name": "grad",
        "steps": [
            {"api": "torch.mul", "args": ["input", "other"]},
            {"api": "torch.autograd.grad", "args": [0, ["input", "other"]]},
        ],
    },
    "mindspore": {
        "steps": [
            {"api": "mindspore.grad", "args": ["mindspore.ops.mul"], "fixed": {"grad_position": 1}},
            {"call": "result", "args": [0, "input", "other"]},
        ]
    },
}


def test_functions_are_arguments_and_results_are_called() -> None:
    found = case(COMPOSITE, {"inputs": {"input": 1.0, "other": 2.0}})
    torch, mindspore = (made(found, f).message["steps"] for f in ("torch", "mindspore"))
    assert torch[1]["args"] == [0, {"list": ["input", "other"]}]
    assert mindspore[0]["args"] == [{"api": "mindspore.ops.mul"}]
    assert mindspore[0]["fixed"] == {"grad_position": 1}
    assert (mindspore[1]["form"], mindspore[1]["args"]) == ("result", [0, "input", "other"])
    assert found.operation.pairs[0].id == "grad=mindspore.grad"


def test_dtypes_among_fixed_arguments() -> None:
    pair = {
        "mindspore": {
            "steps": [
                {
                    "api": "mindspore.ops.cast",
                    "args": ["input"],
                    "fixed": {"dtype": {"dtype": "float64"}},
                }
            ]
        }
    }
    (only,) = made(case(pair, {"inputs": {"input": 1.0}}), "mindspore").message["steps"]
    assert only["fixed"] == {"dtype": {"$dtype": "float64"}}


@pytest.mark.parametrize(
    "step_", [{"args": []}, {"api": "torch.abs", "call": "result", "args": [0]}]
)
def test_a_step_has_an_api_or_calls_a_result(step_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give an api, or call: result"):
        case({"torch": {"steps": [step_]}}, {"inputs": {"input": 1.0}})


def test_functions_passed_are_checked_like_functions_called() -> None:
    with pytest.raises(CorpusError, match=r"torch\.load"):
        corpus("""
        operation: op
        no_reference: {en: a fake, zh: 虚构}
        accuracy: exact
        parameters: {input: {role: input}}
        pairs:
          - torch: {steps: [{api: torch.autograd.grad, args: [torch.load, input]}]}
            mindspore: mindspore.ops.abs
        cases: [{id: c, inputs: {input: 1.0}}]
        """)


def test_planning_does_not_depend_on_a_framework_without_a_side() -> None:
    operation = Operation.model_validate(
        {
            "operation": "op",
            "no_reference": {"en": "a fake", "zh": "虚构"},
            "accuracy": "exact",
            "parameters": TENSORS,
            "pairs": [{"torch": "torch.cat"}],
            "cases": [{"id": "c", "inputs": TWO}],
        }
    )
    (found,) = expand(operation, Path())
    assert plan(found, operation.pairs[0], "mindspore") is None
