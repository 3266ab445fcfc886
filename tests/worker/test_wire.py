"""Arrays cross bit by bit, and both sides agree on the cotangent."""

from __future__ import annotations

from typing import Any

import execnet
import ml_dtypes
import numpy as np
import pytest

from conformance.taxonomy import DTYPES
from conformance.worker import wire
from tests.worker.calls import BFLOAT16

SHAPES = [(), (0,), (3, 0, 2), (5,), (2, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_bit_crosses(dtype: str, shape: tuple[int, ...]) -> None:
    storage = BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype)
    count = int(np.prod(shape)) * storage.itemsize
    bits = np.random.RandomState(1).randint(0, 2 if dtype == "bool" else 256, count)
    array = np.frombuffer(bits.astype(np.uint8).tobytes(), storage).reshape(shape)
    value = execnet.loads(execnet.dumps(wire.pack(dtype, array)))
    back = wire.unpack(value)
    assert value[wire.ARRAY][:2] == (dtype, shape)
    assert back.shape == shape
    assert back.dtype == (np.uint16 if dtype == "bfloat16" else storage)
    assert back.tobytes() == array.tobytes()


def test_strided_arrays_cross_in_the_order_of_their_elements() -> None:
    array = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(wire.unpack(wire.pack("float64", array)), array)


def test_what_is_unpacked_is_ours_to_write() -> None:
    value = wire.pack("float32", np.ones(2, np.float32))
    wire.unpack(value)[0] = 5
    assert wire.unpack(value).tolist() == [1, 1]


def test_every_bfloat16_has_its_value() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    expected = bits.view(BFLOAT16).astype(np.float32)
    np.testing.assert_array_equal(wire.bfloat16_values(bits), expected)


@pytest.mark.parametrize("storage", [ml_dtypes.bfloat16, np.float16, np.float32])
def test_the_cotangent_is_exact_in_every_dtype(storage: Any) -> None:
    drawn = wire.cotangent((500,), 0)
    assert drawn.dtype == np.float64
    np.testing.assert_array_equal(drawn.astype(storage).astype(np.float64), drawn)
    # All 16 magnitudes of either sign occur: neither a constant nor all of one sign would do.
    assert set(drawn) == {s * k / 8 for s in (-1, 1) for k in range(1, 17)}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cotangent_has_the_shape_asked_for(shape: tuple[int, ...]) -> None:
    assert wire.cotangent(shape, 3).shape == shape


def test_cotangents_are_fixed_and_differ_by_output() -> None:
    np.testing.assert_array_equal(wire.cotangent((9,), 1), wire.cotangent((9,), 1))
    assert (wire.cotangent((9,), 0) != wire.cotangent((9,), 1)).any()
