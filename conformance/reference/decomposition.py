"""Factors of matrices, in any precision: LAPACK knows no long double."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from conformance.reference.registry import Identities, Relation, reference

Array = np.ndarray[Any, Any]
SWEEPS = 60


class SVD(NamedTuple):
    """Left singular vectors, singular values, right singular vectors, as torch.svd returns them."""

    U: Array
    S: Array
    V: Array


def _real(input: Array) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(input.dtype.name, "=input")


def _svdvals_gradient(input: Array, *, cotangents: list[Array]) -> dict[str, Array]:
    """``U diag(cotangent) V^H``, where no singular value is repeated or zero."""
    u, _, v = _factors(input, False)
    return {"input": (u * cotangents[0][..., None, :]) @ _adjoint(v)}


@reference(dtype=_real, gradient=_svdvals_gradient)
def svdvals(input: Array) -> Array:
    """The singular values of each matrix of a batch: S of `svd`, which raises the same.

    Source: PyTorch documentation of torch.linalg.svdvals.
    """
    _check(input)
    return _factors(input, False)[1]


def _svd_dtypes(input: Array, **_: Any) -> tuple[str, ...]:
    return ("=input", _real(input), "=input")


@reference(dtype=_svd_dtypes)
def svd(input: Array, some: bool = True, compute_uv: bool = True) -> SVD | Identities:
    """The factors of ``input = U diag(S) V^H``, of each matrix of a batch (..., m, n).

    U (..., m, k) and V (..., n, k) have orthonormal columns, S (..., k) is real, not negative and
    does not increase; k is the lesser of m and n.  With ``some=False`` U is (..., m, m) and V
    (..., n, n); without `compute_uv` they are these, filled with zeros.  The columns are unique
    only up to a common phase, those of equal singular values up to a rotation.  Raises TypeError
    for integers, ValueError for less than two dimensions and for what is not finite.
    Source: PyTorch documentation of torch.svd; Golub and Van Loan, Matrix Computations, 2.4.
    """
    _check(input)
    u, s, v = _factors(input, not some)
    if not compute_uv:
        m, n = input.shape[-2:]
        zeros = [np.zeros((*input.shape[:-2], k, k), input.dtype) for k in (m, n)]
        return SVD(zeros[0], s, zeros[1])
    return Identities(SVD(u, s, v), lambda found: _relations(input, s, *found))


def _check(input: Array) -> None:
    if input.dtype.kind not in "fc":
        raise TypeError(f"no decomposition of {input.dtype}")
    if input.ndim < 2:
        raise ValueError(f"a matrix has two dimensions, not {input.ndim}")
    if not np.isfinite(input).all():
        raise ValueError("the matrix is not finite")


def _relations(input: Array, values: Array, u: Array, s: Array, v: Array) -> list[Relation]:
    """What holds of all right factors of `input`, whose singular values are `values`."""
    k = s.shape[-1]
    norm = values[..., :1]
    product = (u[..., :k] * s[..., None, :]) @ _adjoint(v[..., :k])
    return [
        Relation("S, not negative and not increasing", s, values, norm),
        Relation("the order of S", np.sort(-s.real, axis=-1), -s.real, 0.0),
        Relation("U^H U", _adjoint(u) @ u, _identity(u), 1.0),
        Relation("V^H V", _adjoint(v) @ v, _identity(v), 1.0),
        Relation("U diag(S) V^H", product, input, norm[..., None]),
    ]


def _factors(input: Array, whole: bool) -> tuple[Array, Array, Array]:
    """Return U, S, V of each matrix; U and V square if `whole`."""
    *batch, m, n = input.shape
    k = min(m, n)
    u = np.zeros((*batch, m, m if whole else k), input.dtype)
    v = np.zeros((*batch, n, n if whole else k), input.dtype)
    s = np.zeros((*batch, k), input.real.dtype)
    for at in np.ndindex(*batch):
        if m >= n:
            left, s[at], right = _jacobi(input[at])
        else:
            right, s[at], left = _jacobi(_adjoint(input[at]))
        u[at] = _completed(left, u.shape[-1])
        v[at] = _completed(right, v.shape[-1])
    return u, s, v


def _jacobi(matrix: Array) -> tuple[Array, Array, Array]:
    """Return U, S, V of a matrix with no more columns than rows; zero columns of U where S is zero.

    One-sided Jacobi: rotate pairs of columns until all are orthogonal; their lengths are S.
    Source: Golub and Van Loan, Matrix Computations, 8.6.3.
    """
    a, v = matrix.copy(), np.eye(matrix.shape[1], dtype=matrix.dtype)
    eps = np.finfo(a.real.dtype).eps
    for _ in range(SWEEPS):
        turned = False
        for p, q in itertools.combinations(range(a.shape[1]), 2):
            alpha, beta = (np.sum(np.abs(a[:, j]) ** 2) for j in (p, q))
            gamma = np.vdot(a[:, p], a[:, q])
            if np.abs(gamma) <= eps * np.sqrt(alpha) * np.sqrt(beta):
                continue
            turned = True
            zeta = (beta - alpha) / (2 * np.abs(gamma))
            t = (1 if zeta >= 0 else -1) / (np.abs(zeta) + np.sqrt(1 + zeta**2))
            c = 1 / np.sqrt(1 + t**2)
            phase = np.conj(gamma) / np.abs(gamma)
            for x in (a, v):
                left, right = x[:, p].copy(), x[:, q] * phase
                x[:, p], x[:, q] = c * left - c * t * right, c * t * left + c * right
        if not turned:
            break
    s = np.sqrt(np.sum(np.abs(a) ** 2, axis=0))
    order = np.argsort(-s, kind="stable")
    s = s[order]
    small = s <= eps * max(matrix.shape) * (s[0] if s.size else 0)
    u = np.where(small, 0, a[:, order] / np.where(small, 1, s))
    return u.astype(matrix.dtype), s, v[:, order]


def _completed(columns: Array, count: int) -> Array:
    """Return `columns` with zero and missing ones replaced, so that all `count` are orthonormal."""
    size = columns.shape[0]
    done = np.zeros((size, count), columns.dtype)
    done[:, : columns.shape[1]] = columns
    for j in np.flatnonzero(np.sum(np.abs(done) ** 2, axis=0) < 0.5):
        rest = np.eye(size, dtype=columns.dtype)
        for _ in range(2):  # twice is enough
            rest = rest - done @ (_adjoint(done) @ rest)
        lengths = np.sqrt(np.sum(np.abs(rest) ** 2, axis=0))
        done[:, j] = rest[:, np.argmax(lengths)] / np.max(lengths)
    return done


def _adjoint(x: Array) -> Array:
    return np.asarray(np.conj(np.swapaxes(x, -1, -2)))


def _identity(x: Array) -> Array:
    size = x.shape[-1]
    return np.broadcast_to(np.eye(size, dtype=x.dtype), (*x.shape[:-2], size, size))
