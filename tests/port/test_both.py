from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port.both import Both, Plan
from conformance.port.model import Array, Backward, Framework
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify
from tests.port.fake_side import Call, FakeSide
from tests.port.layers import Layer
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
