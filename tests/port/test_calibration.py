"""Why values are calibrated: what a default initialisation hides, it must show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.port.both import Plan
from conformance.port.config import Weights
from conformance.port.model import Array
from conformance.port.remote import LocalSide
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify

if TYPE_CHECKING:
    import mindspore as ms
    import torch
else:
    torch = pytest.importorskip("torch")
    ms = pytest.importorskip("mindspore")

pytestmark = pytest.mark.frameworks


class Torch(torch.nn.Module):  # type: ignore[misc]
    """Two normalisations of one width, each with biases that begin at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 6, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(6)
        self.conv2 = torch.nn.Conv2d(6, 6, 3, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y))).mean(dim=(2, 3))


class Cell(ms.nn.Cell):  # type: ignore[misc]
    """The port, without a fault of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ms.nn.Conv2d(3, 6, 3, pad_mode="valid", has_bias=False)
        self.bn1 = ms.nn.BatchNorm2d(6)
        self.conv2 = ms.nn.Conv2d(6, 6, 3, pad_mode="valid", has_bias=False)
        self.bn2 = ms.nn.BatchNorm2d(6)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        y = ms.ops.relu(self.bn1(self.conv1(x)))
        return ms.ops.relu(self.bn2(self.conv2(y))).mean(axis=(2, 3))


NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def right(values: dict[str, Array]) -> dict[str, Array]:
    """Convert a checkpoint as it should be."""
    found = {}
    for name, value in values.items():
        layer, _, last = name.rpartition(".")
        if last in NAMES:
            found[f"{layer}.{NAMES[last] if layer.startswith('bn') else last}"] = value
    return found


def swapped_means(values: dict[str, Array]) -> dict[str, Array]:
    """Take the running means of two layers for each other's."""
    found = right(values)
    one, other = found["bn1.moving_mean"], found["bn2.moving_mean"]
    return {**found, "bn1.moving_mean": other, "bn2.moving_mean": one}


def bias_lost(values: dict[str, Array]) -> dict[str, Array]:
    """Forget a bias."""
    found = right(values)
    del found["bn2.beta"]
    return found


def verified(convert: str, *, calibrated: bool) -> PortResult:
    from conformance.worker.port_mindspore import MindSporeSession  # noqa: PLC0415
    from conformance.worker.port_torch import TorchSession  # noqa: PLC0415

    def draw(size: str, seed: int) -> tuple[list[Array], list[Array]]:
        return [np.random.RandomState(seed).randn(6, 3, 9, 9).astype(np.float32)], []

    plan = Plan(
        name="calibration",
        draw=draw,
        seeds=2,
        modes=("pynative",),
        calibrated=calibrated,
        weights=Weights(convert=f"{__name__}:{convert}"),
    )
    sides = LocalSide(TorchSession(), Torch()), LocalSide(MindSporeSession(), Cell())
    try:
        return verify(*sides, plan)
    finally:
        for side in sides:
            side.close()


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_right_converter_passes_either_way(calibrated: bool) -> None:
    assert verified("right", calibrated=calibrated).verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("convert", "tensors"),
    [("swapped_means", {"bn1.running_mean", "bn2.running_mean"}), ("bias_lost", {"bn2.bias"})],
)
def test_mistakes_that_values_as_built_hide_are_found_in_calibrated_ones(
    convert: str, tensors: set[str]
) -> None:
    """As built every running mean and every such bias is 0: the wrong port is the same function."""
    hidden = verified(convert, calibrated=False)
    assert (hidden.verdict, hidden.causes) == (Verdict.SAME, ())
    found = verified(convert, calibrated=True)
    assert found.verdict is Verdict.DIFFERS
    proven: list[Any] = [cause for cause in found.causes if cause.confirmed]
    assert {cause.what for cause in proven} == {"weights"}
    assert {cause.where for cause in proven} <= tensors
    assert proven
