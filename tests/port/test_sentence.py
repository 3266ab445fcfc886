from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.port.model import CallKey
from conformance.port.result import Cause, Divergence, ForwardRow, Measure, Verdict
from conformance.port.sentence import sentence

MEASURE = Measure(1e-6, 1e-6, 1e-7, 1.0)


def forward(verdict: Verdict, problem: str = "") -> ForwardRow:
    return ForwardRow("default", False, "pynative", 0, (MEASURE,), verdict, problem)


def test_what_cannot_be_told_of_training_is_not_said_of_outputs() -> None:
    told = sentence(
        Verdict.UNRESOLVED, [forward(Verdict.SAME)], None, [], unclear=["step of w: too small"]
    )
    assert told == (
        "Same function forward, but it cannot be told whether it trains alike: "
        "step of w: too small."
    )


def test_what_cannot_be_told_of_outputs() -> None:
    rows = [forward(Verdict.SAME), forward(Verdict.UNRESOLVED, "no signal")]
    told = sentence(Verdict.UNRESOLVED, rows, None, [], unclear=["step of w: too small"])
    assert told == "It cannot be told whether the port is the same function: no signal."


@pytest.mark.parametrize(
    ("steps", "what"),
    [(0, "outputs"), (1, "outputs, gradients and one step of the optimizer"),
     (2, "outputs, gradients and training")],
)  # fmt: skip
def test_the_same_function_as_far_as_it_was_trained(steps: int, what: str) -> None:
    told = sentence(Verdict.SAME, [forward(Verdict.SAME)], None, [], steps=steps)
    assert told.startswith(f"Same function: {what} agree at default")


def test_what_differs_in_training_alone_is_the_same_in_evaluation() -> None:
    """A BatchNorm folded into the convolution before it, for one."""
    rows = [forward(Verdict.SAME), replace(forward(Verdict.DIFFERS), training=True)]
    place = Divergence("layer", CallKey("conv"), None, "default", True)
    assert sentence(Verdict.DIFFERS, rows, place, []) == (
        "Same function in evaluation, not in training: parts at conv."
    )
    assert sentence(Verdict.DIFFERS, rows[1:], place, []) == "Not the same function: parts at conv."


def test_a_layer_of_another_kind() -> None:
    cause = Cause("kind", "act", "it is ReLU in the port, ReLU6 in PyTorch", confirmed=True)
    place = Divergence("layer", CallKey("act"), None, "default", False)
    assert sentence(Verdict.DIFFERS, [forward(Verdict.DIFFERS)], place, [cause]) == (
        "Not the same function: parts at act (it is ReLU in the port, ReLU6 in PyTorch); "
        "with the kind of layer alone changed the port agrees."
    )
