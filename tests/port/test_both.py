from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port.both import Both, Plan
from conformance.port.model import Array, Backward, Framework, TensorInfo
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify
from tests.port.fake_side import Call, FakeSide, sequence
from tests.port.layers import Layer, dense
from tests.port.test_verify import draw
from tests.port.trained import parts


def sides(torch: float, port: float, buffer: bool = True) -> tuple[FakeSide, FakeSide]:
    """Two models that scale their input; the port holds the scale as a buffer, or does not."""

    def network(call: Call, x: Array) -> Array:
        x = x * call.side.values[call.precision]["scale.by"]  # type: ignore[attr-defined]
        for name in ("fc1", "bn", "act", "fc2"):
            x = call(name, x)
        return x

    made = []
    values: list[tuple[Framework, float]] = [("torch", torch), ("mindspore", port)]
    for framework, value in values:
        kept = ("by",) if framework == "mindspore" and buffer else ()
        scale = Layer("relu", {"by": np.full(12, value)}, fixed=("by",), buffers=kept)
        made.append(Scaled(framework, {**parts(), "scale": scale}, network))
    return made[0], made[1]


class Scaled(FakeSide):
    """Without gradients, which fake sides know for sequences of layers alone."""

    def differentiate(self, *args: Any, **kwargs: Any) -> Backward:
        raise PortFailed("no gradient here", kind="NoKernel")


def verified(torch: float, port: float) -> PortResult:
    plan = Plan("fake", draw, seeds=2, modes=("pynative",), calibrated=False)
    return verify(*sides(torch, port), plan)


@pytest.mark.parametrize("buffer", [True, False])
def test_what_checkpoints_leave_out_stays_the_ports_own(buffer: bool) -> None:
    both = Both(*sides(2, 3, buffer), Plan("fake", draw, calibrated=False))
    both.prepare()
    assert both.port.read(["scale.by"])["scale.by"][0] == (3 if buffer else 2)
    assert bool(both.mistakes) is buffer
    assert both.brought == []
    (row,) = [row for row in both.rows if row.torch == "scale.by"]
    assert ("keeps the port's own value" in row.rule) is buffer


def test_a_buffer_with_another_value_is_another_function() -> None:
    found = verified(2, 3)
    assert found.verdict is Verdict.DIFFERS, found.sentence
    first = found.causes[0]
    assert (first.where, first.confirmed) == ("scale.by", True), found.causes
    assert "scale.by was not set: it holds 3 everywhere" in found.sentence


def test_a_buffer_with_pytorchs_value_is_right() -> None:
    assert {row.verdict for row in verified(2, 2).forward} == {Verdict.SAME}


class Tied(FakeSide):
    """Two layers that share a weight, as MindSpore's worker takes it: one value, by every name."""

    def tensors(self) -> list[TensorInfo]:
        again = {"b.weight": "a.weight"}
        return [replace(t, same_as=again.get(t.name, "")) for t in super().tensors()]

    def write(self, values: Mapping[str, Array]) -> None:
        twins = [values[name] for name in ("a.weight", "b.weight") if name in values]
        if len(twins) == 2 and not np.array_equal(twins[0], twins[1]):
            raise PortFailed("a.weight and b.weight are one tensor, given two values")
        both = {name: twins[0] for name in ("a.weight", "b.weight") if twins}
        super().write({**values, **both})


def tied(seed: int) -> tuple[FakeSide, FakeSide]:
    sides = []
    for framework, number in (("torch", 1), ("mindspore", seed)):
        random = np.random.RandomState(number)
        made = {"a": dense(random, 6, 6), "b": dense(random, 6, 6)}
        made["b"].values["weight"] = made["a"].values["weight"]
        sides.append(Tied("torch" if framework == "torch" else "mindspore", made, sequence(*made)))
    return sides[0], sides[1]


def test_tied_weights_are_given_one_value_by_all_their_names() -> None:
    torch, port = tied(2)
    both = Both(torch, port, Plan("fake", draw, calibrated=False))
    both.prepare()
    for name in ("a.weight", "b.weight", "b.bias"):
        np.testing.assert_array_equal(port.read()[name], torch.read()[name])


def test_tied_weights_of_a_checkpoint_are_mended_together() -> None:
    torch, port = tied(2)
    both = Both(torch, port, Plan("fake", draw, calibrated=False, loaded=True))
    both.prepare()
    assert {item.tensor for item in both.mistakes} == {"a.weight", "a.bias", "b.bias"}
    both.mended = {"a.weight"}
    both.give(1)
    np.testing.assert_array_equal(port.read()["b.weight"], torch.read()["a.weight"])
