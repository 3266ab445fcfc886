"""``--select``: words, and, or, not, parentheses; what cannot be read is the caller's mistake."""

from __future__ import annotations

import pytest

from conformance.errors import CallerError
from conformance.run.select import Selection, item_id
from conformance.run.session import make_plan
from conformance.run.target import parse
from tests.fakes import abs_corpus, corpus

CASE = next(abs_corpus([1.0]).cases())
PAIR = CASE.operation.pairs[0]


def takes(expression: str, target: str = "mindspore:cpu:graph") -> bool:
    return Selection(expression).takes(CASE, PAIR, target)


def test_the_id_of_an_item() -> None:
    found = item_id(CASE.id, PAIR.id, "torch")
    assert found == "abs/c0 · torch.abs=mindspore.ops.abs · torch"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", True),
        ("abs", True),
        ("ABS", True),
        ("abs/c0", True),
        ("abs/c1", False),
        ("ops.abs", True),
        ("graph", True),
        ("torch.abs=mindspore.ops.abs", True),
        ("not graph", False),
        ("not not graph", True),
        ("abs and graph", True),
        ("abs and cuda", False),
        ("cuda or graph", True),
        ("cuda or tpu", False),
        ("not cuda and graph", True),
        # `and` binds tighter than `or`, `not` tighter than both.
        ("abs or cuda and cuda", True),
        ("(abs or cuda) and cuda", False),
        ("not abs or graph", True),
        ("not (abs or graph)", False),
        ("(abs)and(graph)", True),
        ("notgraph", False),
        ("band", False),
    ],
)
def test_expressions(expression: str, expected: bool) -> None:
    assert takes(expression) is expected


def test_only_the_empty_selection_is_everything() -> None:
    assert Selection().everything
    assert not Selection("abs").everything


def test_targets_are_told_apart() -> None:
    assert takes("not graph", "torch")
    assert not takes("graph", "torch")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("   ", "a word is missing"),
        ("and", "a word is missing"),
        ("abs and", "a word is missing"),
        ("or abs", "a word is missing"),
        ("not", "a word is missing"),
        ("()", "a word is missing"),
        ("(abs", "a parenthesis is not closed"),
        ("abs)", "'\\)' was not expected"),
        ("abs graph", "'graph' was not expected"),
        ("(" * 100_000, "nested too deeply"),
    ],
)
def test_mistakes_are_found_before_anything_runs(expression: str, message: str) -> None:
    with pytest.raises(CallerError, match=message) as caught:
        Selection(expression)
    assert caught.value.exit_code == 2


def test_quick_takes_the_first_case_of_each_pair_that_returns() -> None:
    text = """
    operation: op
    no_reference: {en: a fake, zh: 虚构}
    accuracy: exact
    parameters: {input: {role: input}}
    pairs:
      - {torch: torch.abs, mindspore: mindspore.ops.abs}
      - {torch: torch.Tensor.abs, mindspore: mindspore.Tensor.abs, call: method, cases: [c]}
    cases:
      - {id: a, inputs: {input: 1.0}, expect: {raises: {torch: TypeError}}}
      - {id: b, grid: {dtype: [float32, float64]}, inputs: {input: 1.0}}
      - {id: c, inputs: {input: 2.0}}
    """
    targets = [parse("torch"), parse("mindspore")]
    quick = make_plan(corpus(text), targets, Selection(quick=True))
    assert [(i.case, i.pair.partition("=")[0], i.target) for i in quick.items] == [
        ("op/b[dtype=float32]", "torch.abs", "torch"),
        ("op/b[dtype=float32]", "torch.abs", "mindspore"),
        ("op/c", "torch.Tensor.abs", "torch"),
        ("op/c", "torch.Tensor.abs", "mindspore"),
    ]
    assert not Selection(quick=True).everything
    assert len(make_plan(corpus(text), targets, Selection("float64", quick=True)).items) == 2
