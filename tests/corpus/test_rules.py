"""What a case file names must be there, and what it asks for must have an effect."""

from __future__ import annotations

import pytest

from conformance.errors import CorpusError
from tests.fakes import corpus

HEAD = """\
operation: op
no_reference: {en: a fake, zh: 虚构}
accuracy: exact
parameters:
  input: {role: input}
  other: {role: input, default: null}
  k: {role: option, default: 1}
"""
PAIR = "pairs: [{torch: torch.abs, mindspore: {steps: [%s]}}]\n"
CASE = "cases: [{id: a, %s}]\n"
GIVEN = "inputs: {input: [[1.0, 2.0]]}"


def problems(step: str = "{api: mindspore.ops.abs, args: [input]}", case: str = GIVEN) -> list[str]:
    """Return what is wrong with a file of one pair and one case."""
    try:
        corpus(HEAD + PAIR % step + CASE % case)
    except CorpusError as error:
        return str(error).splitlines()
    return []


def test_a_sound_file_has_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    "step",
    [
        "{api: mindspore.ops.abs, args: [inptu]}",
        "{api: mindspore.ops.abs, args: [[input, inptu]]}",
        "{api: mindspore.ops.abs, args: [input], kwargs: {axis: inptu}}",
        "{api: mindspore.nn.Abs, call: module, args: [input], constructor: {axis: inptu}}",
    ],
)
def test_what_a_step_passes_is_a_parameter(step: str) -> None:
    (line,) = problems(step)
    assert line.startswith("case0.yaml:8:")
    assert "'inptu' is not a parameter of this operation" in line


def test_an_api_passed_in_a_list_is_checked_like_any_other() -> None:
    (line,) = problems("{api: mindspore.ops.abs, args: [input, [torch.exp]]}")
    assert "'torch.exp' is not an API of mindspore" in line


def test_nothing_moves_up_into_the_place_of_what_is_left_out() -> None:
    step = "{api: mindspore.ops.abs, args: [input, other, k]}"
    (line,) = problems(step, f"parameters: {{k: 2}}, {GIVEN}")
    assert "other is left out and k follows it; pass it by name" in line
    assert problems(step, GIVEN) == []


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (f"gradients: [inptu], {GIVEN}", "'inptu' is not a parameter"),
        (
            "grid: {dtype: [float32]}, inputs: {input: {value: [1.0], dtype: int32}}",
            "no input takes this dtype",
        ),
        ("inputs: {input: {value: [1.0, 2.0], layout: transposed}}", "no two axes to swap"),
        ("inputs: {input: {ones: [3, 1], layout: transposed}}", "no two axes to swap"),
    ],
)
def test_what_a_case_asks_for_has_an_effect(case: str, message: str) -> None:
    (line,) = problems(case=case)
    assert message in line


@pytest.mark.parametrize(
    "case",
    [
        "grid: {dtype: [float32]}, inputs: {input: [1.0]}",
        "grid: {dtype: [float32], input: [{ones: [2]}]}",
        "inputs: {input: {ones: [3, 2], layout: transposed}}",
    ],
)
def test_what_has_an_effect_is_taken(case: str) -> None:
    assert problems(case=case) == []


def test_a_difference_of_no_target_is_refused() -> None:
    said = "differences: [{kind: value, cases: [a], targets: [], note: {en: n, zh: n}}]\n"
    with pytest.raises(CorpusError, match="at least 1 item"):
        corpus(HEAD + said + PAIR % "{api: mindspore.ops.abs, args: [input]}" + CASE % GIVEN)
