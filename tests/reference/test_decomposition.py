"""Singular values against LAPACK, and the factors against what defines them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.reference.decomposition import SVD, svd, svdvals
from conformance.reference.registry import Identities, all_references

R = np.random.RandomState(0)
MATRICES = {
    "wide": R.randn(3, 5),
    "tall": R.randn(5, 3),
    "batch": R.randn(2, 3, 4, 3),
    "complex": R.randn(4, 3) + 1j * R.randn(4, 3),
    "rank one": np.outer([1.0, -2, 3], [2.0, 0, 1, 1]),
    "zero": np.zeros((3, 2)),
    "repeated": np.diag([2.0, 2.0, 1.0]) @ np.linalg.qr(R.randn(3, 3))[0],
    "empty": np.zeros((0, 3)),
    "empty batch": np.zeros((0, 2, 3)),
}


def violations(found: Identities, outputs: list[Any], tolerance: float) -> list[str]:
    return [
        relation.name
        for relation in found.relations(outputs)
        if np.any(np.abs(relation.got - relation.should) > tolerance * (1 + relation.scale))
    ]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", MATRICES)
def test_its_own_factors_and_lapacks_fulfil_the_identities(name: str, whole: bool) -> None:
    matrix = MATRICES[name]
    found = svd(matrix, some=not whole)
    own = SVD(*found.output)
    u, s, vh = np.linalg.svd(matrix, full_matrices=whole)
    assert [a.shape for a in own] == [u.shape, s.shape, np.swapaxes(vh, -1, -2).shape]
    assert np.allclose(own.S, s, atol=1e-14)
    assert not violations(found, list(own), 1e-14)
    assert not violations(found, [u, s, np.conj(np.swapaxes(vh, -1, -2))], 1e-13)


def test_long_double_is_better_than_double() -> None:
    matrix = MATRICES["tall"].astype(np.longdouble)
    if np.finfo(np.longdouble).eps < 1e-18:
        found = svd(matrix)
        assert found.output.U.dtype == np.longdouble
        assert not violations(found, list(found.output), 1e-17)


def test_wrong_factors_do_not_fulfil_them() -> None:
    matrix = MATRICES["complex"]
    found = svd(matrix)
    u, s, v = found.output
    assert "U diag(S) V^H" in violations(found, [u, s, np.conj(v)], 1e-6)
    assert "U diag(S) V^H" in violations(found, [-u, s, v], 1e-6)
    assert "U^H U" in violations(found, [2 * u, s, v / 2], 1e-6)
    assert "the order of S" in violations(found, [u[:, ::-1], s[::-1], v[:, ::-1]], 1e-6)
    assert "S, not negative and not increasing" in violations(found, [-u, -s, v], 1e-6)
    assert not violations(found, [1j * u, s, 1j * v], 1e-13)


def test_without_vectors() -> None:
    matrix = MATRICES["tall"]
    alone = svd(matrix, compute_uv=False)
    assert [a.shape for a in alone] == [(5, 5), (3,), (3, 3)]
    assert not alone.U.any()
    assert not alone.V.any()
    assert np.allclose(alone.S, np.linalg.svd(matrix, compute_uv=False))
    assert np.array_equal(svdvals(matrix), alone.S)


@pytest.mark.parametrize("name", ["wide", "tall", "batch"])
def test_the_gradient_of_the_singular_values_is_that_of_differences(name: str) -> None:
    matrix = MATRICES[name]
    gradient = all_references()["decomposition.svdvals"].gradient
    assert gradient is not None
    cotangent = R.randn(*np.linalg.svd(matrix, compute_uv=False).shape)
    slope = gradient(matrix, cotangents=[cotangent])["input"]
    move = R.randn(*matrix.shape)
    step = 1e-6
    up, down = (np.linalg.svd(matrix + h * move, compute_uv=False) for h in (step, -step))
    assert np.isclose(np.sum(slope * move), np.sum(cotangent * (up - down)) / (2 * step))


def test_what_has_no_decomposition() -> None:
    with pytest.raises(TypeError):
        svd(np.ones((2, 2), int))
    with pytest.raises(ValueError, match="two dimensions"):
        svd(np.ones(3))
    with pytest.raises(ValueError, match="finite"):
        svd(np.array([[np.nan, 1.0]]))
