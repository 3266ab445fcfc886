"""Alignment against every alignment there is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conformance.port.order import align


def _all(rows: int, columns: int) -> list[list[tuple[int, int]]]:
    return [
        list(zip(i, j, strict=True))
        for size in range(min(rows, columns) + 1)
        for i in combinations(range(rows), size)
        for j in combinations(range(columns), size)
    ]


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(0, 3))
    )
)
def test_best_and_forced(scores: np.ndarray) -> None:  # type: ignore[type-arg]
    usable = [a for a in _all(*scores.shape) if all(scores[p] > 0 for p in a)]
    best = max(sum(scores[p] for p in a) for a in usable)
    optimal = [set(a) for a in usable if sum(scores[p] for p in a) == best]
    found = align(scores)
    assert set(found.pairs) in optimal
    assert found.forced == frozenset(set.intersection(*optimal))


def test_empty() -> None:
    assert align(np.zeros((0, 3), np.int64)).pairs == []
