"""Oracles of activations: against mpmath and identities."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference.activation import (
    elu,
    hardshrink,
    leaky_relu,
    prelu,
    relu,
    relu_,
    sigmoid,
    softmax,
    softshrink,
)
from conformance.reference.registry import Result, get

Array = np.ndarray[Any, Any]
POINTS = [-700.0, -37.0, -2.5, -1e-12, 0.0, 1e-12, 0.5, 3.0, 20.0]


def exact(value: complex) -> complex:
    with mpmath.workdps(60):
        return complex(1 / (1 + mpmath.exp(-mpmath.mpmathify(value))))


def test_sigmoid_follows_the_definition_to_the_last_digits() -> None:
    should = [exact(x).real for x in POINTS]
    np.testing.assert_allclose(sigmoid(np.array(POINTS)), should, rtol=4e-16)


def test_sigmoid_of_complex_numbers() -> None:
    points = [1 + 2j, -3 + 0.5j, 2j, -700 - 1j, 0.25]
    np.testing.assert_allclose(sigmoid(np.array(points)), [exact(z) for z in points], rtol=1e-14)


def test_sigmoid_of_x_and_of_minus_x_add_to_one() -> None:
    x = np.array(POINTS)
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1, rtol=3e-16)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_sigmoid_saturates_without_overflow(dtype: type) -> None:
    with np.errstate(over="raise", invalid="raise"):
        y = sigmoid(np.array([-np.inf, -6e4, 6e4, np.inf], dtype))
    assert y.tolist() == pytest.approx([0, 0, 1, 1], abs=1e-300)
    assert y.dtype == dtype


@pytest.mark.parametrize("shape", [(), (3,), (2, 0)])
def test_sigmoid_keeps_dtype_and_shape(shape: tuple[int, ...]) -> None:
    y = sigmoid(np.zeros(shape, np.float32))
    assert (y.dtype, y.shape) == (np.dtype(np.float32), shape)
    assert (y == 0.5).all()


def test_sigmoid_of_nan_is_nan() -> None:
    assert np.isnan(sigmoid(np.array([np.nan]))).all()


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_sigmoid_reads_integers_and_truth_values_as_real_numbers(dtype: type) -> None:
    x: Array = np.array([0, 1], dtype)
    np.testing.assert_allclose(sigmoid(x), [0.5, exact(1).real], rtol=4e-16)
    rule: Any = get("activation.sigmoid").dtype
    assert rule(input=x) == "float32"


def test_softmax_of_two_is_a_sigmoid_of_their_difference() -> None:
    x = np.array([[0.25, -1.5], [3.0, 40.0]])
    np.testing.assert_allclose(softmax(x, dim=1)[:, 0], sigmoid(x[:, 0] - x[:, 1]), rtol=1e-14)


def defined(name: str, x: float, p: float) -> float:
    """One element by the text of PyTorch's documentation, in plain Python."""
    with mpmath.workdps(40):
        return {
            "relu": max(0.0, x),
            "leaky_relu": max(0.0, x) + p * min(0.0, x),
            "elu": x if x > 0 else float(p * mpmath.expm1(x)),
            "hardshrink": x if x > p or x < -p else 0.0,
            "softshrink": x - p if x > p else x + p if x < -p else 0.0,
        }[name]


PIECES: list[tuple[Any, list[float]]] = [
    (relu, [0.0]),
    (leaky_relu, [0.01, -0.5, 0.0, 1.0, 2.5]),
    (elu, [1.0, 0.25, -2.0]),
    (hardshrink, [0.5, 0.0, 2.0, -0.5]),
    (softshrink, [0.5, 0.0, 2.0]),
]
RAMP = np.array([-50.0, -2.0, -0.75, -0.5, -1e-9, 0.0, 1e-9, 0.5, 0.5000001, 2.0, 700.0])


@pytest.mark.parametrize(("function", "parameters"), PIECES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
def test_pieces_follow_their_definition(function: Any, parameters: list[float], dtype: Any) -> None:
    for p in parameters:
        x: Array = RAMP.astype(dtype).reshape(1, -1)
        y = function(x) if function is relu else function(x, p)
        should = [[defined(function.__name__, float(v), p) for v in x[0]]]
        assert (y.dtype, y.shape) == (x.dtype, x.shape)
        np.testing.assert_allclose(y.astype(float), should, rtol=2e-7, atol=0)


@pytest.mark.parametrize("function", [relu, leaky_relu, elu, hardshrink, softshrink])
def test_nan_stays_infinities_keep_their_side_and_shapes_are_kept(function: Any) -> None:
    y = function(np.array([np.nan, np.inf, -np.inf]))
    assert np.isnan(y[0])
    assert y[1] == np.inf
    assert y[2] == {"relu": 0.0, "elu": -1.0}.get(function.__name__, -np.inf)
    assert function(np.array(-1.5)).shape == ()
    assert function(np.zeros((0, 3))).shape == (0, 3)


def test_relu_keeps_integers_and_the_sign_of_zero() -> None:
    assert relu(np.array([-3, 0, 2**60 + 1])).tolist() == [0, 0, 2**60 + 1]
    assert np.signbit(relu(np.array([-0.0, 0.0]))).tolist() == [True, False]


def test_in_place_forms_say_what_the_input_holds() -> None:
    x = np.array([-2.0, 3.0])
    for result in (relu_(x), relu(x, True), leaky_relu(x, 0.0, True), elu(x, 0.0, True)):
        assert isinstance(result, Result)
        assert result.output.tolist() == result.mutated["input"].tolist() == [0.0, 3.0]
    assert x.tolist() == [-2.0, 3.0]


def test_prelu_has_a_weight_for_each_channel() -> None:
    random = np.random.RandomState(0)
    x, w = random.randn(2, 3, 4), np.array([0.5, -1.0, 2.0])
    y = prelu(x, w)
    for n, c, i in np.ndindex(x.shape):
        assert y[n, c, i] == (x[n, c, i] if x[n, c, i] > 0 else w[c] * x[n, c, i])
    np.testing.assert_array_equal(prelu(x, np.array(0.5)), leaky_relu(x, 0.5))
    np.testing.assert_array_equal(prelu(x, num_parameters=3, init=0.5), prelu(x, np.full(3, 0.5)))
    assert prelu(np.array([-2.0]), np.array([0.5])).tolist() == [-1.0]


GRADED: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("leaky_relu", {"negative_slope": -0.5}),
    ("elu", {"alpha": 2.5}),
    ("hardshrink", {"lambd": 0.75}),
    ("softshrink", {"lambd": 0.75}),
    ("prelu", {"weight": np.array([0.5, -1.0, 2.0])}),
    ("prelu", {"weight": np.array([0.5])}),
]


@pytest.mark.parametrize(("name", "options"), GRADED)
def test_gradients_are_those_of_central_differences(name: str, options: dict[str, Any]) -> None:
    reference = get(f"activation.{name}")
    random = np.random.RandomState(1)
    values = {"input": random.randn(4, 3, 2), **options}
    g = random.randn(4, 3, 2)
    assert reference.gradient is not None
    found = reference.gradient(**values, cotangents=[g])
    for argument in found:
        should = np.zeros_like(values[argument])
        for i in np.ndindex(should.shape):
            step = np.zeros_like(should)
            step[i] = 1e-6
            up = reference(**{**values, argument: values[argument] + step}).output
            down = reference(**{**values, argument: values[argument] - step}).output
            should[i] = np.sum(g * (up - down)) / 2e-6
        np.testing.assert_allclose(found[argument], should, rtol=1e-7, atol=1e-8)


def test_at_the_kink_the_derivative_is_the_left_one() -> None:
    kinks = {"relu": 0.0, "leaky_relu": 0.01, "elu": 1.0}
    for name, should in kinks.items():
        gradient: Any = get(f"activation.{name}").gradient
        found = gradient(np.array([0.0, -0.0]), cotangents=[np.ones(2)])["input"]
        assert found.tolist() == [should, should]


@pytest.mark.parametrize("function", [leaky_relu, elu, hardshrink, softshrink, prelu])
@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64])
def test_other_than_floating_dtypes_are_refused(function: Any, dtype: Any) -> None:
    with pytest.raises(TypeError):
        function(np.zeros(2, dtype))


def test_other_invalid_arguments() -> None:
    with pytest.raises(TypeError):
        relu(np.array([True]))
    with pytest.raises(ValueError, match="negative"):
        softshrink(np.ones(2), -0.5)
    for weight in (np.ones(2), np.ones((1, 3))):
        with pytest.raises(ValueError, match="do not fit"):
            prelu(np.ones((2, 3)), weight)
    with pytest.raises(TypeError):
        prelu(np.ones(2), np.ones(1, np.float32))
