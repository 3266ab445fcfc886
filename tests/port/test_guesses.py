"""Two layers that names do not tell apart, in ports that use them one way or the other."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.port.both import Plan
from conformance.port.guesses import exchanges
from conformance.port.model import Array
from conformance.port.result import PortResult, Verdict, WeightRow
from conformance.port.verify import verify
from tests.port.fake_side import Call, Network
from tests.port.layers import Layer, dense
from tests.port.test_both import Scaled
from tests.port.test_verify import draw

GUESS = "ambiguous: others would fit as well; say which by a rule of weights.rules"


def network(first: str, second: str, last: str) -> Network:
    def run(call: Call, x: Array) -> Array:
        return call(last, np.maximum(call(first, x), 0) * call(second, x))

    return run


def verified(first: str, second: str, wrong: bool = False, names: str = "a b c") -> PortResult:
    """Of a port that defines `names`, and calls `first` where PyTorch calls q, `second` for k."""
    random = np.random.RandomState(3)

    def made(one: str, two: str, last: str) -> dict[str, Layer]:
        layers = {name: dense(random, 12, 12) for name in (one, two)}
        return layers | {last: dense(random, 12, 6)}

    one, two, last = names.split()
    right = network(first, second, last)

    def port(call: Call, x: Array) -> Array:
        return np.asarray(right(call, x) * x.dtype.type(1.01 if wrong else 1))

    sides = (
        Scaled("torch", made("q", "k", "o"), network("q", "k", "o")),
        Scaled("mindspore", made(one, two, last), port),
    )
    plan = Plan("fake", draw, seeds=3, modes=("pynative",), calibrated=False)
    return verify(sides[0], sides[1], plan)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_a_guess_is_settled_by_what_the_models_compute(first: str, second: str) -> None:
    found = verified(first, second)
    assert {row.verdict for row in found.forward} == {Verdict.SAME}, found.sentence
    rows = {row.torch: row for row in found.weights}
    assert rows["q.weight"].mindspore == f"{first}.weight"
    said = "q is b and k is a in the port: the map of tensors was a guess"
    assert any(said in note for note in found.notes) is (first == "b")


def test_no_exchange_excuses_another_function() -> None:
    found = verified("a", "b", wrong=True)
    assert found.verdict is Verdict.DIFFERS
    assert {r.mindspore for r in found.weights if r.torch == "q.weight"} == {"a.weight"}
    assert {c.confirmed for c in found.causes if c.what == "weights"} == {None}


def test_names_that_tell_are_followed() -> None:
    assert verified("k", "q", names="q k o").verdict is Verdict.DIFFERS


def row(torch: str, port: str, problem: str = GUESS, size: int = 2) -> WeightRow:
    return WeightRow(torch, port, (size, 2), (size, 2), "", "by order", problem)


def test_only_guesses_of_equal_shapes_are_exchanged() -> None:
    rows = row("q.w", "a.w"), row("k.w", "b.w"), row("v.w", "c.w", ""), row("o.w", "d.w", GUESS, 3)
    ((changed, words),) = exchanges(rows)
    assert [r.mindspore for r in changed] == ["b.w", "a.w", "c.w", "d.w"]
    assert words.startswith("q is b and k is a in the port")
