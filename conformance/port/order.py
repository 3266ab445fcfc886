"""Two sequences aligned in order, and which pairs no other best alignment could do without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.port.model import Array

Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class Alignment:
    """Pairs in rising order, of the greatest total score; `forced` are in every best alignment."""

    pairs: Pairs
    forced: frozenset[tuple[int, int]]


def align(scores: Array) -> Alignment:
    """Align rows and columns of `scores` (integers; 0 for pairs that cannot be).

    Weighted longest common subsequence: members may be left out freely, and pairs never cross.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return Alignment([], frozenset())
    before = _best(scores)
    after = _best(scores[::-1, ::-1])[::-1, ::-1]
    best = before[-1, -1]
    usable = (scores > 0) & (before[:-1, :-1] + scores + after[1:, 1:] == best)
    row_spare = (before[:-1, :] + after[1:, :] == best).any(axis=1)
    column_spare = (before[:, :-1] + after[:, 1:] == best).any(axis=0)
    alone = usable & (usable.sum(axis=1) == 1)[:, None] & (usable.sum(axis=0) == 1)[None, :]
    alone &= ~row_spare[:, None] & ~column_spare[None, :]
    forced = frozenset((int(i), int(j)) for i, j in np.argwhere(alone))
    return Alignment(_walk(scores, before), forced)


def _best(scores: Array) -> Array:
    """Return the greatest total of the first i rows and j columns, for each i and j."""
    rows, columns = scores.shape
    best = np.zeros((rows + 1, columns + 1), np.int64)
    for i in range(rows):
        taken = np.maximum(best[i, 1:], best[i, :-1] + scores[i])
        best[i + 1, 1:] = np.maximum.accumulate(taken)
    return best


def _walk(scores: Array, best: Array) -> Pairs:
    i, j = scores.shape
    pairs: Pairs = []
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
