"""A checkpoint that does not hold what it should is found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from conformance import porting
from conformance.errors import HarnessError
from conformance.port.both import Plan
from conformance.port.checkpoint import write
from conformance.port.model import Array, Precision
from conformance.port.side import Side
from tests.port.fake_side import FakeSide, sequence
from tests.port.trained import parts


class Fake:
    """A side that keeps .npz files; `lost` is not saved, `rounded` is saved in float16."""

    def __init__(self, lost: str = "", rounded: str = "") -> None:
        self.values = {"a": np.ones(3, np.float32), "b": np.array([True, False]), "c": np.zeros(2)}
        self.lost, self.rounded = lost, rounded

    def read(
        self, names: Sequence[str] | None = None, precision: Precision = "float32"
    ) -> dict[str, Array]:
        return {name: value.copy() for name, value in self.values.items()}

    def write(self, values: Mapping[str, Array]) -> None:
        self.values.update(values)

    def save(self, path: str) -> None:
        kept = {k: v for k, v in self.values.items() if k != self.lost}
        if self.rounded:
            kept[self.rounded] = kept[self.rounded].astype(np.float16)
        np.savez(path, **kept)

    def load(self, path: str) -> None:
        with np.load(path) as file:
            self.values.update({k: file[k].astype(self.values[k].dtype) for k in file})


GIVEN = {"a": np.array([0.1, 1, -3], np.float32), "b": np.array([False, True]), "c": np.ones(2)}


def test_round_trip(tmp_path: Path) -> None:
    side = Fake()
    path = tmp_path / "port.npz"
    assert write(cast(Side, side), GIVEN, str(path)) == []
    for name, value in GIVEN.items():
        np.testing.assert_array_equal(side.values[name], value)


def test_a_tensor_that_is_not_saved(tmp_path: Path) -> None:
    for name in GIVEN:
        assert write(cast(Side, Fake(lost=name)), GIVEN, str(tmp_path / "x.npz")) == [name]


def test_a_tensor_that_is_rounded(tmp_path: Path) -> None:
    assert write(cast(Side, Fake(rounded="a")), GIVEN, str(tmp_path / "x.npz")) == ["a"]


class Kept(FakeSide):
    """A side with checkpoints, that loses one tensor, and values of its own until calibrated."""

    lost = ""

    def calibrate(self, inputs: Sequence[Array], seed: int) -> None:
        self.write({name: value + 1 for name, value in self.read().items()})

    def save(self, path: str) -> None:
        with Path(path).open("wb") as file:
            np.savez(file, **{n: v for n, v in self.read().items() if n != self.lost})

    def load(self, path: str) -> None:
        with np.load(path) as file:
            self.write(dict(file))


def kept_sides() -> tuple[Kept, Kept]:
    made = parts()
    torch = Kept("torch", made, sequence(*made))
    port = Kept("mindspore", made, sequence(*made))
    port.write({name: value * 0 for name, value in port.read().items()})
    return torch, port


@pytest.mark.parametrize("loaded", [True, False])
def test_what_is_saved_is_pytorchs_own_and_not_what_shows_mistakes(
    tmp_path: Path, loaded: bool
) -> None:
    torch, port = kept_sides()
    before = torch.read()
    plan = Plan("fake", lambda size, seed: ([], []), calibrated=True, loaded=loaded)
    porting.kept(torch, port, plan, tmp_path / "port.ckpt")
    with np.load(tmp_path / "port.ckpt") as file:
        assert set(file) == set(before)
        for name, value in before.items():
            np.testing.assert_array_equal(file[name], value)
    assert not any(value.any() for value in port.read().values())


def test_a_checkpoint_that_lost_something_is_an_error(tmp_path: Path) -> None:
    torch, port = kept_sides()
    port.lost = "fc1.bias"
    plan = Plan("fake", lambda size, seed: ([], []))
    with pytest.raises(HarnessError, match=r"1 tensors did not come back: fc1\.bias"):
        porting.kept(torch, port, plan, tmp_path / "port.ckpt")
