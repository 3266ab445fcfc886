"""Two convolutions that pad alike at odd sizes only, in models that take other sizes or do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import conformance
from conformance.port.model import Array
from conformance.port.result import Verdict

torch = pytest.importorskip("torch")
mindspore = pytest.importorskip("mindspore")
pytestmark = pytest.mark.frameworks


class Torch(torch.nn.Module):  # type: ignore[misc,name-defined]
    def __init__(self, fixed: bool) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.head = torch.nn.Linear(4, 5)
        if fixed:
            self.places = torch.nn.Parameter(torch.ones(2, 7, 7))
        self.fixed = fixed

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.conv(x * self.places if self.fixed else x))
        return self.head(y.mean((2, 3)))


class Port(mindspore.nn.Cell):  # type: ignore[misc,name-defined]
    def __init__(self, fixed: bool) -> None:
        super().__init__()
        self.conv = mindspore.nn.Conv2d(2, 4, 3, stride=2, pad_mode="same", has_bias=True)
        self.head = mindspore.nn.Dense(4, 5)
        if fixed:
            self.places = mindspore.Parameter(mindspore.Tensor(np.ones((2, 7, 7), np.float32)))
        self.fixed = fixed

    def construct(self, x: Any) -> Any:
        y = mindspore.ops.relu(self.conv(x * self.places if self.fixed else x))
        return self.head(y.mean((2, 3)))


def draw(_: str, seed: int) -> Array:
    return np.random.RandomState(seed).randn(4, 2, 7, 7).astype(np.float32)


@pytest.mark.parametrize("fixed", [True, False])
def test_padding_that_only_other_sizes_show(fixed: bool) -> None:
    found = conformance.verify_port(Torch(fixed), Port(fixed), draw, seeds=2, modes=["pynative"])
    assert {row.verdict for row in found.forward} == {Verdict.SAME}
    assert found.verdict is (Verdict.SAME if fixed else Verdict.DIFFERS), found.sentence
    if not fixed:
        assert "alone on its input, longer by 1: " in found.sentence
