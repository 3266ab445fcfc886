"""Two small networks that are trained, one of them wrongly, and what comparing them takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from conformance.port.model import Array
from conformance.port.stepping import Stepped, step
from conformance.port.training import Batch, Differentiated, Tensors, differentiate
from conformance.port.trajectory import Trajectory, trajectory
from tests.port.fake_side import FakeSide, Optimizer, sequence
from tests.port.layers import Layer, batch_norm, dense, relu

Parts = dict[str, Layer]


def parts() -> Parts:
    rng = np.random.RandomState(5)
    return {
        "fc1": dense(rng, 12, 32),
        "bn": batch_norm(rng, 32),
        "act": relu(),
        "fc2": dense(rng, 32, 6),
    }


def batches(count: int) -> list[Batch]:
    draws = map(np.random.RandomState, range(count))
    return [
        Batch([r.randn(16, 12).astype(np.float32)], [r.randn(16, 6).astype(np.float32)])
        for r in draws
    ]


def tensors(side: FakeSide) -> Tensors:
    names = {info.name: info.name for info in side.tensors()}

    def back(values: Mapping[str, Array | None]) -> dict[str, Array]:
        return {name: value for name, value in values.items() if value is not None}

    return Tensors(names, back)


def sides(
    change: Callable[[Parts], None] = lambda made: None,
    ours: Optimizer | None = None,
    theirs: Optimizer | None = None,
) -> tuple[FakeSide, FakeSide]:
    made = parts()
    network = sequence(*made)
    torch = FakeSide("torch", made, network, ours)
    change(made)
    return torch, FakeSide("mindspore", made, network, theirs or ours)


def passed(torch: FakeSide, port: FakeSide) -> Differentiated:
    return differentiate(torch, port, tensors(torch), batches(5))


def stepped(torch: FakeSide, port: FakeSide) -> Stepped:
    found = step(torch, port, tensors(torch), batches(3), passed(torch, port))
    for side in (torch, port):
        np.testing.assert_array_equal(side.read()["fc1.bias"], parts32()["fc1.bias"])
    return found


def parts32() -> dict[str, Array]:
    return FakeSide("torch", parts(), sequence()).read()


def walked(torch: FakeSide, port: FakeSide, steps: int = 8) -> Trajectory:
    leave = passed(torch, port).without
    found = trajectory(torch, port, tensors(torch), batches(steps), leave=leave)
    for side in (torch, port):
        np.testing.assert_array_equal(side.read()["bn.running_mean"], parts32()["bn.running_mean"])
    return found
