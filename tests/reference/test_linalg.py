"""The matrix product against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.reference.linalg import linear, matmul

Array = np.ndarray[Any, Any]


def dot(a: Array, b: Array) -> Fraction:
    products = (Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True))
    return sum(products, Fraction(0))


def exact(a: Array, b: Array) -> list[list[Fraction]]:
    return [[dot(row, column) for column in b.T] for row in a]


@pytest.mark.parametrize("real", [np.float64, np.longdouble])
def test_matmul_is_the_sum_of_products(real: type) -> None:
    random = np.random.RandomState(0)
    a, b = random.randn(3, 40), random.randn(40, 2)
    found = matmul(a.astype(real), b.astype(real))
    bound = 40 * float(np.finfo(real).eps) * (np.abs(a) @ np.abs(b)).max()
    for i, row in enumerate(exact(a, b)):
        for j, should in enumerate(row):
            assert abs(float(Fraction(*found[i, j].as_integer_ratio()) - should)) <= bound


def test_vectors_lose_the_axis_they_were_given() -> None:
    m, v = np.arange(6.0).reshape(2, 3), np.array([1.0, 10.0, 100.0])
    assert matmul(v, v).shape == ()
    assert float(matmul(v, v)) == 10101
    assert matmul(m, v).tolist() == [210, 543]
    assert matmul(np.array([1.0, 2.0]), m).tolist() == [6, 9, 12]


def test_batches_broadcast() -> None:
    a, b = np.arange(12.0).reshape(2, 1, 2, 3), np.arange(15.0).reshape(5, 3, 1)
    product = matmul(a, b)
    assert product.shape == (2, 5, 2, 1)
    assert product[1, 4].tolist() == (a[1, 0] @ b[4]).tolist()


def test_an_empty_sum_is_zero_and_integers_wrap_around() -> None:
    assert matmul(np.ones((2, 0)), np.ones((0, 3))).tolist() == [[0] * 3] * 2
    x, y = np.array([[2**31 - 1, 2]], np.int32), np.array([[2], [3]], np.int32)
    total = 2 * (2**31 - 1) + 6
    assert matmul(x, y).tolist() == [[(total + 2**31) % 2**32 - 2**31]]


def test_bfloat16_and_complex() -> None:
    x = np.array([[1, 2]], ml_dtypes.bfloat16)
    assert matmul(x, x.T).astype(float).tolist() == [[5]]
    z = np.array([[1 + 1j]], np.complex64)
    assert matmul(z, z).tolist() == [[2j]]


def test_what_cannot_be_multiplied() -> None:
    with pytest.raises(ValueError, match="dimension"):
        matmul(np.array(1.0), np.ones(3))
    with pytest.raises(ValueError, match="mismatch"):
        matmul(np.ones((2, 3)), np.ones((4, 2)))
    with pytest.raises(TypeError):
        matmul(np.ones((1, 1), bool), np.ones((1, 1), bool))
    with pytest.raises(TypeError):
        matmul(np.ones((1, 1), np.float32), np.ones((1, 1), np.float64))


def test_linear_is_the_sum_of_products_and_the_bias() -> None:
    random = np.random.RandomState(1)
    x, weight, bias = random.randn(2, 5, 3), random.randn(4, 3), random.randn(4)
    got = linear(x, weight, bias)
    assert got.shape == (2, 5, 4)
    for i, j, o in np.ndindex(2, 5, 4):
        should = dot(x[i, j], weight[o]) + Fraction(float(bias[o]))
        assert float(got[i, j, o]) == pytest.approx(float(should), rel=1e-13)
    one = linear(x[0, 0], weight)
    assert one.shape == (4,)
    for o in range(4):
        assert float(one[o]) == pytest.approx(float(dot(x[0, 0], weight[o])), rel=1e-13)


def test_linear_with_one_output_drops_the_axis() -> None:
    x, weight = np.arange(6.0).reshape(2, 3), np.array([1.0, 10.0, 100.0])
    assert linear(x, weight, np.array(0.5)).tolist() == [210.5, 543.5]
    assert linear(x, weight[None], np.array([0.5])).tolist() == [[210.5], [543.5]]


def test_linear_of_nothing_is_the_bias() -> None:
    assert linear(np.ones((2, 0)), np.ones((3, 0)), np.arange(3.0)).tolist() == [[0, 1, 2]] * 2
    assert linear(np.ones((0, 2)), np.ones((3, 2)), np.arange(3.0)).shape == (0, 3)


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        ((2, 5), (4, 3), None),
        ((), (4, 3), None),
        ((2, 3), (2, 4, 3), None),
        ((2, 3), (4, 3), (3,)),
        ((4,), (3, 4), (2, 3)),
    ],
)
def test_linear_refuses_shapes(
    x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        linear(np.ones(x), np.ones(weight), None if bias is None else np.ones(bias))


def test_linear_refuses_dtypes_that_differ() -> None:
    single = np.ones((1, 1), np.float32)
    with pytest.raises(TypeError):
        linear(single, single.astype(float))
    with pytest.raises(TypeError):
        linear(single, single, np.ones(1))
