"""The whole flow over sides without a framework: what never ran is not the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port.both import Plan
from conformance.port.config import Mode
from conformance.port.model import Array, Backward, Forward, Precision, Step
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify
from tests.port.fake_side import FakeSide, Optimizer, sequence
from tests.port.trained import Parts, parts


class NoGraph(FakeSide):
    """A port whose gradients cannot be compiled."""

    def differentiate(self, *args: Any, **kwargs: Any) -> Backward:
        if kwargs.get("graph"):
            raise PortFailed("no gradient in graph mode", kind="NoKernel")
        return super().differentiate(*args, **kwargs)


class Wider(FakeSide):
    """A port that returns one row more, at size `odd` alone."""

    def run(self, inputs: Sequence[Array], **kwargs: Any) -> Forward:
        ran = super().run(inputs, **kwargs)
        if len(inputs[0]) != 15:
            return ran
        return Forward(tuple(np.vstack([y, y[:1]]) for y in ran.outputs), ran.captured)


class Unmoved(FakeSide):
    """A port whose running statistics stay as they are when it is compiled."""

    def differentiate(self, *args: Any, **kwargs: Any) -> Backward:
        found = super().differentiate(*args, **kwargs)
        own = {name: self.values["float32"][name] for name in found.state}
        return replace(found, state=own) if kwargs.get("graph") else found


class Otherwise(FakeSide):
    """A port that returns three times as much in training, compiled."""

    def run(self, inputs: Sequence[Array], **kwargs: Any) -> Forward:
        ran = super().run(inputs, **kwargs)
        times = 3 if kwargs.get("graph") and kwargs.get("training") else 1
        return replace(ran, outputs=tuple(times * y for y in ran.outputs))


class Kinked(FakeSide):
    """A port that a kink drives off in some of the times that it is trained."""

    off: Collection[int] = ()
    begun = 0

    def begin(self, precision: Precision = "float32") -> None:
        super().begin(precision)
        self.begun += 1

    def step(self, *args: Any, **kwargs: Any) -> Step:
        made = super().step(*args, **kwargs)
        if self.begun in self.off:
            own = self.values["float32"]
            self.values["float32"] = {name: v * np.float32(1.001) for name, v in own.items()}
        return made


class OneKink(Kinked):
    """Once it is begun to see that it can be, twice a single step is made, then come three series:
    the first of these is driven off."""

    off = (4,)


class AlwaysOff(Kinked):
    off = (4, 5, 6)


def draw(size: str, seed: int) -> tuple[list[Array], list[Array]]:
    random, rows = np.random.RandomState(seed), 15 if size == "odd" else 16
    inputs, targets = random.randn(rows, 12), random.randn(rows, 6)
    return [inputs.astype(np.float32)], [targets.astype(np.float32)]


def verified(
    port: type[FakeSide] = FakeSide,
    change: Callable[[Parts], None] = lambda made: None,
    modes: Sequence[Mode] = ("pynative", "graph"),
    optimizer: Optimizer | None = None,
    torch: type[FakeSide] = FakeSide,
) -> PortResult:
    made = parts()
    network = sequence(*made)
    ours = torch("torch", made, network)
    change(made)
    plan = Plan("fake", draw, ("even", "odd"), seeds=3, modes=modes, calibrated=False, steps=2)
    return verify(ours, port("mindspore", made, network, optimizer), plan)


def test_a_right_port_is_the_same() -> None:
    found = verified()
    assert (found.verdict, found.causes) == (Verdict.SAME, ()), found.sentence
    assert {row.verdict for row in found.gradients} == {Verdict.SAME}


def test_gradients_that_a_mode_cannot_make_are_not_the_same() -> None:
    found = verified(NoGraph)
    assert (found.verdict, found.exit_code) == (Verdict.UNRESOLVED, 1), found.sentence
    assert "no gradient in graph mode" in found.sentence
    assert {row.verdict for row in found.forward} == {Verdict.SAME}


@pytest.mark.parametrize("modes", [("pynative",), ("graph",), ("pynative", "graph")])
def test_gradients_are_told_whichever_mode_ran(modes: Sequence[Mode]) -> None:
    found = verified(modes=modes)
    assert len({row.torch for row in found.gradients}) == 6
    assert len(found.gradients) == 6


def test_running_statistics_are_compared_in_every_mode() -> None:
    found = verified(Unmoved)
    assert found.verdict is Verdict.DIFFERS
    assert [row.verdict for row in found.state] == [Verdict.SAME] * 2 + [Verdict.DIFFERS] * 2
    assert found.sentence == (
        "Same function forward, but it does not train alike: "
        "bn.running_mean, bn.running_var differ in graph mode alone."
    )
    assert verified(Unmoved, modes=["pynative"]).verdict is Verdict.SAME


def test_outputs_in_training_are_compared_in_every_mode() -> None:
    found = verified(Otherwise)
    wrong = {(row.mode, row.training) for row in found.forward if row.verdict is Verdict.DIFFERS}
    assert (found.verdict, wrong) == (Verdict.DIFFERS, {("graph", True)})
    assert "not in training: in graph mode alone outputs differ" in found.sentence
    assert found.divergences == ()
    assert verified(Otherwise, modes=["pynative"]).verdict is Verdict.SAME


def test_the_sentence_says_in_which_modes_each_part_was_seen() -> None:
    assert verified().sentence == (
        "Same function: outputs and gradients agree at even, odd, 3 draws each, in pynative, "
        "graph mode; training in pynative mode."
    )
    told = "Same function: outputs, gradients and training agree at even, odd"
    assert verified(modes=["pynative"]).sentence.startswith(told)


def test_outputs_of_another_shape_are_looked_into_where_they_are() -> None:
    found = verified(Wider)
    assert found.verdict is Verdict.DIFFERS
    assert {row.size for row in found.forward if row.verdict is Verdict.DIFFERS} == {"odd"}
    assert {item.size for item in found.divergences} == {"odd"}


def test_a_trajectory_that_a_kink_drives_off_is_tried_on_other_batches() -> None:
    assert verified(OneKink).verdict is Verdict.SAME
    found = verified(AlwaysOff)
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1), found.sentence


def test_another_optimizer_differs_though_outputs_agree() -> None:
    found = verified(optimizer=Optimizer(momentum=0.9))
    assert {row.verdict for row in found.forward} == {Verdict.SAME}
    assert found.verdict is Verdict.DIFFERS, found.sentence
    assert found.sentence.startswith("Same function forward, but it does not train alike")
