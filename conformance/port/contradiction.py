"""Layers that order of definition pairs and whose names would have it otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from conformance.port.fit import Layer
from conformance.port.model import Array
from conformance.port.order import Pairs
from conformance.port.phrase import Phrase

_CLEARLY = 0.1
"""By how much (of 1 for equal words) names must gain before they are said to speak otherwise."""


_OTHERWISE = (
    "ambiguous: by its name it would be {name}, by order of definition {order}; "
    "say which by a rule of weights.rules"
)


def resolve(
    pairs: Pairs,
    torch: Sequence[Layer],
    mindspore: Sequence[Layer],
    words: Array,
    numbers: Array,
) -> tuple[Pairs, dict[int, str]]:
    """Return the pairs, and for the number of each doubtful one why it is.

    Only layers of equal kind and shapes on both sides can be swapped.  Where the names of all that
    change places would gain, names are followed; where some would lose, order is.  Either is said.
    """
    groups: dict[tuple[object, object], list[int]] = defaultdict(list)
    for k, (i, j) in enumerate(pairs):
        groups[torch[i].signature, mindspore[j].signature].append(k)
    resolved, doubts = list(pairs), dict[int, str]()
    for members in groups.values():
        rows, columns = (np.array([pairs[k][side] for k in members]) for side in (0, 1))
        gain = words[np.ix_(rows, columns)]
        for cycle in _cycles(gain, numbers[np.ix_(rows, columns)]):
            changed = [gain[a, b] - gain[a, a] for a, b in cycle]
            if sum(changed) <= _CLEARLY:
                continue
            follow = min(changed) > 0
            for a, b in cycle:
                by_order = mindspore[columns[a]].name
                by_name = mindspore[columns[b]].name
                if follow:
                    resolved[members[a]] = (int(rows[a]), int(columns[b]))
                doubts[members[a]] = Phrase(_OTHERWISE, name=by_name, order=by_order)
    return resolved, doubts


def _cycles(words: Array, numbers: Array) -> list[list[tuple[int, int]]]:
    """Return which members names would have change places, as cycles of (from, to)."""
    count = len(words)
    if count < 2 or np.all(words.max(axis=1) <= words.diagonal()):
        return []
    # Among equal names: those with equal numbers, then those nearest in order.
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / count
    _, to = linear_sum_assignment(words + 0.01 * numbers - 0.001 * distance, maximize=True)
    cycles, seen = [], set[int]()
    for start in range(count):
        cycle, at = [], start
        while at not in seen:
            seen.add(at)
            cycle.append((at, int(to[at])))
            at = int(to[at])
        if len(cycle) > 1:
            cycles.append(cycle)
    return cycles
