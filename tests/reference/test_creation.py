"""Arrays made from a shape, a dtype and at most one number."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.reference import dtypes, registry
from conformance.reference.creation import empty, full, full_like, ones, zeros


@pytest.mark.parametrize("size", [(), (0,), (2, 0, 3), (2, 3), [4], 5])
def test_shape_and_filling(size: int | tuple[int, ...] | list[int]) -> None:
    shape = (size,) if isinstance(size, int) else tuple(size)
    for make, number in ((zeros, 0), (ones, 1)):
        made = make(size)
        assert made.shape == shape
        assert np.all(made == number)
    assert empty(size).output.shape == shape
    assert empty(size).relations([]) == []


def test_shapes_that_are_none() -> None:
    for make in (zeros, ones, empty):
        with pytest.raises(ValueError, match="negative"):
            make((2, -1))
        for size in ((2, 1.5), "many", (True, 2)):
            with pytest.raises(TypeError):
                make(size)
    with pytest.raises(TypeError):
        full(3, np.array(1.0))


@pytest.mark.parametrize(
    ("number", "dtype", "filling"),
    [
        (1.75, "int32", 1), (-1.75, "int64", -1), (2, "bool", True), (0.0, "bool", False),
        (-1, "uint8", -1), (2**53 + 1, "int64", 2**53 + 1), (0.1, "float64", 0.1),
        (1.5 - 2j, "complex64", 1.5 - 2j), (np.inf, "float16", np.inf), (1.5, None, 1.5),
    ],
)  # fmt: skip
def test_the_number_as_the_dtype_takes_it(
    number: complex, dtype: str | None, filling: complex
) -> None:
    made = full((2, 1), np.array(number), dtype)
    assert made.shape == (2, 1)
    assert made.tolist() == [[filling], [filling]]


@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (300, "int8"),
        (-129, "int8"),
        (256, "uint8"),
        (-256, "uint8"),
        (1e5, "float16"),
        (1e39, "bfloat16"),
    ],
)
def test_numbers_beyond_the_range(number: float, dtype: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        full((2,), np.array(number), dtype)


@pytest.mark.parametrize(
    ("number", "dtype"),
    [(1, "int64"), (1.5, "float32"), (True, "bool"), (1j, "complex64")],
)
def test_the_dtype_of_a_python_number(number: complex, dtype: str) -> None:
    values = {"size": (2,), "fill_value": np.array(number), "dtype": None}
    entry = registry.get("creation.full")
    assert dtypes.output_dtypes(entry, values, 1, ["fill_value"]) == [dtype]
    assert dtypes.output_dtypes(entry, {**values, "dtype": "int8"}, 1) == ["int8"]
    assert dtypes.output_dtypes(registry.get("creation.ones"), {"size": (2,)}, 1) == ["float32"]


def test_like_another_array() -> None:
    entry = registry.get("creation.full_like")
    for given, number, filling in ((np.int8, 1.75, 1), (np.float16, 1.75, 1.75), (bool, 2, True)):
        like = np.zeros((2, 1), given)
        assert full_like(like, np.array(number)).tolist() == [[filling], [filling]]
        values = {"input": like, "fill_value": np.array(number)}
        assert dtypes.output_dtypes(entry, values, 1) == [np.dtype(given).name]
    assert full_like(np.array(2.5), np.array(1.75), "int32").tolist() == 1
    with pytest.raises(ValueError, match="out of range"):
        full_like(np.zeros(2, np.int8), np.array(300))
