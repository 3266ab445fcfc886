"""Greatest and least elements against plain loops and the definitions of their gradients."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference import registry
from conformance.reference.dtypes import output_dtypes
from conformance.reference.extremum import amax, argmin
from conformance.reference.extremum import max as greatest

X = np.random.RandomState(0).permutation(60).reshape(3, 4, 5)
DTYPES = [np.int64, np.float16, ml_dtypes.bfloat16, np.float64, np.longdouble]


def lines(x: Any, axis: int) -> Any:
    return np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])


def vjp(name: str, *args: Any, g: Any, **options: Any) -> Any:
    gradient = registry.get(f"extremum.{name}").gradient
    assert gradient is not None
    return gradient(*args, **options, cotangents=[np.asarray(g, float)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_along_an_axis(dim: int, dtype: Any) -> None:
    x = X.astype(dtype)
    found, least = greatest(x, dim=dim), argmin(x, dim)
    for line, value, index, where in zip(
        lines(X, dim), found.values.ravel(), found.indices.ravel(), least.ravel(), strict=True
    ):
        assert value == builtin_max(line) == line[index]
        assert line[where] == min(line.tolist())
    assert np.array_equal(amax(x, dim), found.values)
    assert np.array_equal(
        amax(-x, dim), -np.take_along_axis(x, np.expand_dims(least, dim), dim).squeeze(dim)
    )


def builtin_max(line: Any) -> Any:
    best = line[0]
    for value in line:
        best = value if value > best else best
    return best


def test_several_axes_and_all() -> None:
    assert amax(X, [1]).tolist() == [[max(X[a, :, c]) for c in range(5)] for a in range(3)]
    assert amax(X, [0, 2]).tolist() == [X[:, b, :].max() for b in range(4)]
    assert amax(X) == amax(X, []) == greatest(X) == 59
    assert amax(X, keepdim=True).shape == amax(X, [0, 1, 2], True).shape == (1, 1, 1)
    assert argmin(X) == X.ravel().tolist().index(0)
    assert argmin(X, keepdim=True).shape == (1, 1, 1)
    assert argmin(X, 1, True).shape == greatest(X, dim=1, keepdim=True).values.shape == (3, 1, 5)


def test_not_a_number_beats_every_number() -> None:
    x = np.array([[1, np.nan, np.inf], [np.nan, -np.inf, 2]])
    assert np.isnan(amax(x, 1)).all()
    assert np.isnan(amax(x))
    assert greatest(x, dim=1).indices.tolist() == argmin(x, 1).tolist() == [1, 0]
    assert np.isnan(greatest(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))).all()


def test_of_equals_the_first_is_found() -> None:
    assert greatest(np.array([1, 3, 2, 3]), dim=0).indices == 1
    assert argmin(np.array([3, 1, 2, 1])) == 1


def test_integers_beyond_float64_keep_apart() -> None:
    x = np.array([2**53, 2**53 + 1])
    assert amax(x) == 2**53 + 1
    assert argmin(x[::-1], 0) == 1


def test_of_two_broadcast() -> None:
    found = greatest(np.array([[1.0], [4.0]]), np.array([2.0, 3.0, 5.0]))
    assert found.tolist() == [[2, 3, 5], [4, 4, 5]]


def test_zero_dimensional() -> None:
    x = np.array(2.5)
    assert amax(x, 0) == amax(x, -1) == amax(x) == greatest(x) == 2.5
    assert greatest(x, dim=-1).indices == argmin(x, 0) == argmin(x) == 0


def test_gradient_is_split_among_equals() -> None:
    x = np.array([[3.0, 1.0, 3.0], [2.0, 5.0, 4.0]])
    assert vjp("amax", x, 1, g=[8, 6])["input"].tolist() == [[4, 0, 4], [0, 6, 0]]
    assert vjp("amax", x, 1, True, g=[[8], [6]])["input"].tolist() == [[4, 0, 4], [0, 6, 0]]
    assert vjp("max", x - 2 * (x == 5), g=9)["input"].tolist() == [[0, 0, 0], [0, 0, 9]]
    assert vjp("max", np.ones(4), g=8)["input"].tolist() == [2, 2, 2, 2]


def test_gradient_of_a_selection_goes_to_the_index() -> None:
    x = np.array([[3.0, 1.0, 3.0], [2.0, 5.0, 4.0]])
    for keepdim, g in ((False, [8, 6]), (True, [[8], [6]])):
        found = vjp("max", x, dim=1, keepdim=keepdim, g=g)["input"]
        assert found.tolist() == [[8, 0, 0], [0, 6, 0]]
    assert vjp("max", np.array(1.0), dim=0, g=3)["input"] == 3


def test_gradient_of_two_is_halved_between_equals_and_summed_where_broadcast() -> None:
    x, y = np.array([[1.0], [4.0]]), np.array([1.0, 3.0, 5.0])
    found = vjp("max", x, y, g=[[2, 4, 8], [16, 32, 64]])
    assert found["input"].tolist() == [[1], [48]]
    assert found["other"].tolist() == [1, 4, 72]


@pytest.mark.parametrize(
    ("values", "count", "dtypes"),
    [
        ({"input": np.zeros(2, np.int8)}, 1, ["int8"]),
        ({"input": np.zeros(2, np.float16), "dim": 0}, 2, ["float16", "int64"]),
        ({"input": np.zeros(2, np.int64), "other": np.zeros(2, np.float16)}, 1, ["float16"]),
        ({"input": np.zeros(2, np.float32), "other": np.zeros((), np.float64)}, 1, ["float32"]),
        ({"input": np.zeros((), np.float64), "other": np.zeros(2, np.int8)}, 1, ["float64"]),
    ],
)
def test_output_dtypes_of_max(values: dict[str, Any], count: int, dtypes: list[str]) -> None:
    assert output_dtypes(registry.get("extremum.max"), values, count) == dtypes


Z, EMPTY = np.array([1j]), np.zeros((0, 3))


@pytest.mark.parametrize(
    ("function", "arguments", "error", "text"),
    [
        (amax, {"input": X, "dim": 3}, ValueError, "out of range"),
        (greatest, {"input": X, "dim": -4}, ValueError, "out of range"),
        (argmin, {"input": X, "dim": 3}, ValueError, "out of range"),
        (amax, {"input": X, "dim": [0, -3]}, ValueError, "twice"),
        (amax, {"input": EMPTY}, ValueError, "no elements"),
        (amax, {"input": EMPTY, "dim": 0}, ValueError, "no elements"),
        (greatest, {"input": EMPTY}, ValueError, "no elements"),
        (greatest, {"input": EMPTY, "dim": 0}, ValueError, "no elements"),
        (argmin, {"input": EMPTY}, ValueError, "no elements"),
        (argmin, {"input": EMPTY, "dim": 0}, ValueError, "no elements"),
        (amax, {"input": Z}, TypeError, "order"),
        (greatest, {"input": Z}, TypeError, "order"),
        (greatest, {"input": X, "other": Z}, TypeError, "order"),
        (argmin, {"input": Z}, TypeError, "order"),
        (argmin, {"input": np.array([True])}, TypeError, "least"),
        (greatest, {"input": X, "dim": 1.5}, TypeError, "integer"),
    ],
)
def test_invalid_arguments(function: Any, arguments: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        function(**arguments)


def test_an_empty_batch_has_an_empty_result() -> None:
    for found in (amax(EMPTY, 1), greatest(EMPTY, dim=1).indices, argmin(EMPTY, 1)):
        assert found.shape == (0,)
