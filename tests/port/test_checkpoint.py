"""A checkpoint that does not hold what it should is found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from conformance.port.checkpoint import write
from conformance.port.model import Array, Precision
from conformance.port.side import Side


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
