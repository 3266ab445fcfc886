from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from conformance.phrase import Phrase
from conformance.port.both import Plan
from conformance.port.holdings import holdings
from conformance.port.mistakes import Mistake
from conformance.port.result import PortResult, Verdict, WeightRow
from conformance.port.verify import verify
from tests.port.fake_side import FakeSide, sequence
from tests.port.layers import dense
from tests.port.test_verify import draw
from tests.port.trained import Parts, parts

OTHER = Mistake("a.weight", "other", Phrase("holds other values than PyTorch's"))


def row(problem: str = "", torch: str = "a.weight", port: str = "a.weight") -> WeightRow:
    return WeightRow(torch, port, (2, 2), (2, 2), problem=problem)


def test_what_weights_mean() -> None:
    trained = {"a.weight"}
    assert holdings([row()], [], trained).verdict is Verdict.SAME
    found = holdings([row()], [OTHER], ())
    assert (found.verdict, found.reason) == (
        Verdict.DIFFERS,
        "a.weight holds other values than PyTorch's",
    )
    found = holdings([row("not mapped: no tensor of the port", port="")], [], trained)
    assert (found.verdict, found.reason) == (
        Verdict.UNRESOLVED,
        "a.weight: not mapped: no tensor of the port",
    )
    assert holdings([row("not mapped", "mean", "")], [], trained).verdict is Verdict.SAME


def test_a_guess_that_outputs_prove_is_no_problem_and_accuses_no_value() -> None:
    guess = row("ambiguous: others would do as well; say which by a rule of weights.rules")
    assert holdings([guess], [], {"a.weight"}).verdict is Verdict.SAME
    assert holdings([guess], [OTHER], {"a.weight"}).verdict is Verdict.UNRESOLVED


# In the whole flow --------------------------------------------------------------------------------


def with_head(made: Parts) -> None:
    """A second head that no output is made of."""
    made["act"].values["head"] = dense(np.random.RandomState(1), 4, 4).values["weight"]


def loaded(
    torch: Callable[[Parts], None], port: Callable[[Parts], None], loaded: bool = True
) -> PortResult:
    ours, theirs = parts(), parts()
    torch(ours)
    port(theirs)
    sides = (
        FakeSide("torch", ours, sequence(*ours)),
        FakeSide("mindspore", theirs, sequence(*theirs)),
    )
    plan = Plan("fake", draw, seeds=2, modes=("pynative",), calibrated=False, loaded=loaded)
    return verify(sides[0], sides[1], plan)


def test_a_head_that_was_not_loaded_is_no_right_conversion() -> None:
    def unset(made: Parts) -> None:
        with_head(made)
        made["act"].values["head"] += 1

    assert loaded(with_head, with_head).verdict is Verdict.SAME
    found = loaded(with_head, unset)
    assert {r.verdict for r in found.forward} == {Verdict.SAME}
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1)
    assert found.sentence == (
        "Outputs agree, but weights do not: act.head holds other values than PyTorch's."
    )
    assert [c.what for c in found.causes] == ["weights"]


@pytest.mark.parametrize("lacks", ["torch", "port"])
def test_a_parameter_of_one_side_alone_cannot_be_told(lacks: str) -> None:
    def plain(made: Parts) -> None:
        pass

    sides = (plain, with_head) if lacks == "torch" else (with_head, plain)
    found = loaded(*sides, loaded=False)
    assert (found.verdict, found.exit_code) == (Verdict.UNRESOLVED, 1)
    assert found.sentence.startswith(
        "Outputs agree, but it cannot be told whether weights do: act.head: not "
    )


def test_the_same_function_has_no_causes() -> None:
    def buffer(made: Parts) -> None:
        made["act"].values["mask"] = np.ones(3)
        made["act"].fixed = ("mask",)

    found = loaded(buffer, lambda made: None, loaded=False)
    assert any(r.problem for r in found.weights)
    assert (found.verdict, found.causes) == (Verdict.SAME, ()), found.sentence
