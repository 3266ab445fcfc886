"""A pair may name the NumPy API that performs the operation, beside the frameworks' or alone."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import Corpus
from conformance.corpus.pairs import Call, numpy_call, plan
from conformance.corpus.published import Raises
from conformance.errors import CorpusError
from tests.fakes import corpus

FILE = """\
operation: add
reference: elementwise.add
accuracy: elementwise
gradients: [input]
parameters:
  input: {{role: input}}
  other: {{role: input}}
  alpha: {{role: option}}
  kind: {{role: option, type: dtype}}
pairs: [{{{pair}}}]
cases: [{{id: a, inputs: {{input: [1.0], other: [2.0]}}{more}}}]
"""


def loaded(pair: str, more: str = "") -> Corpus:
    return corpus(FILE.format(pair=pair, more=more))


def one(pair: str, more: str = "") -> ExpandedCase:
    (case,) = loaded(pair, more).cases()
    return case


def made(case: ExpandedCase) -> Call:
    call = numpy_call(case, case.operation.pairs[0])
    assert call is not None
    return call


def refusal(pair: str, more: str = "") -> str:
    with pytest.raises(CorpusError) as caught:
        loaded(pair, more)
    (problem,) = caught.value.problems
    return str(problem)


def test_numpy_is_called_as_a_function_in_its_own_names() -> None:
    pair = (
        "numpy: numpy.add, numpy_names: {other: x2, kind: dtype}, numpy_positional: [input], "
        "numpy_fixed: {where: true}"
    )
    more = ", parameters: {kind: float64}, extra: {numpy: {order: C}}"
    message = made(one(pair, more)).message
    (step,) = message["steps"]
    assert (message["kind"], step["form"], step["api"]) == ("function", "function", "numpy.add")
    assert step["args"] == ["input"]
    assert step["kwargs"] == {"x2": "other", "dtype": "kind"}
    assert step["fixed"] == {"where": True, "order": "C"}


def test_numpy_has_no_gradients() -> None:
    case = one("torch: torch.add, numpy: numpy.add")
    torch = plan(case, case.operation.pairs[0], "torch")
    assert torch is not None
    assert torch.message["gradients"] == ["input"]
    assert made(case).message["gradients"] == []


def test_other_pairs_run_the_reference() -> None:
    assert made(one("torch: torch.add")).message["kind"] == "reference"


def test_a_method_of_torch_is_a_function_of_numpy() -> None:
    case = one("torch: torch.Tensor.add, call: method, numpy: numpy.add")
    assert made(case).message["steps"][0]["form"] == "function"


def test_ids() -> None:
    def name(pair: str) -> str:
        return one(pair).operation.pairs[0].id

    assert name("numpy: numpy.add") == "numpy.add"
    assert name("torch: torch.add, numpy: numpy.add") == "torch.add=none"
    both = "torch: torch.add, mindspore: mindspore.ops.add"
    assert name(f"{both}, numpy: numpy.add") == name(both)


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        ("numpy: torch.add", "pattern"),
        ("numpy: numpy", "pattern"),
        ("numpy: {steps: [{api: numpy.add, args: [input]}]}", "text is meant"),
        ("torch: numpy.add", "pattern"),
        ("summary: {en: a, zh: 甲}", "torch, mindspore or numpy"),
        ("torch: torch.add, numpy_names: {input: x1}", "speak of `numpy`"),
        ("torch: torch.add, numpy_positional: []", "speak of `numpy`"),
        ("torch: torch.add, numpy_fixed: {order: C}", "speak of `numpy`"),
        ("numpy: numpy.add, call: method", "called as functions"),
        ("torch: torch.optim.SGD, call: optimizer, numpy: numpy.add", "no optimizer"),
        ("torch: torch.rand, call: {torch: random}, numpy: numpy.add", "no random"),
        ("numpy: numpy.add, numpy_names: {inputs: x1}", "'inputs' is not a parameter"),
        ("numpy: numpy.add, numpy_positional: [inputs]", "'inputs' is not a parameter"),
    ],
)
def test_what_numpys_side_cannot_be(pair: str, why: str) -> None:
    assert why in refusal(pair)


@pytest.mark.parametrize("more", ["expect: {raises: {numpy: TypeError}}", "extra: {numpy: {}}"])
def test_what_is_said_of_numpy_needs_an_api_of_it(more: str) -> None:
    assert "no pair of this file names an API of numpy" in refusal("torch: torch.add", f", {more}")
    assert one("torch: torch.add, numpy: numpy.add", f", {more}")


def test_hashes_of_cases_from_before_do_not_change() -> None:
    keys: list[Any] = [list(Raises(torch="TypeError").model_dump()), ["numpy"]]
    assert keys[0] == ["torch", "mindspore", "mindspore_graph"]
    assert Raises(numpy="TypeError").model_dump()["numpy"] == "TypeError"
    pair, said = "torch: torch.add, numpy: numpy.add", ", expect: {raises: {torch: ValueError}}"
    other = said.replace("ValueError", "ValueError, numpy: ValueError")
    assert one(pair, said).hash == one("torch: torch.add", said).hash != one(pair, other).hash
