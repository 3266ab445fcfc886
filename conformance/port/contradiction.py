"""Layers that order of definition pairs and whose names would have it otherwise."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy.optimize import linear_sum_assignment

from conformance.phrase import Phrase
from conformance.port.fit import Layer
from conformance.port.model import Array
from conformance.port.names import words
from conformance.port.order import Pairs

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
    likeness: Array,
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
        gain = likeness[np.ix_(rows, columns)]
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


def exchangeable(
    pairs: Pairs, torch: Sequence[Layer], mindspore: Sequence[Layer]
) -> dict[int, str]:
    """Return for the number of each pair why it is a guess: neighbours that could change places.

    They are equal in kind and shapes, siblings on both sides, and neither words nor numbers of
    their names say which is which.
    """
    doubts: dict[int, str] = {}
    for k in range(len(pairs) - 1):
        (i, j), (m, n) = pairs[k], pairs[k + 1]
        names = (torch[i].name, torch[m].name), (mindspore[j].name, mindspore[n].name)
        equal = torch[i].signature == torch[m].signature
        equal = equal and mindspore[j].signature == mindspore[n].signature
        beside = (m, n) == (i + 1, j + 1) and all(map(_siblings, names))
        if equal and beside and not (_numbered(names) or _alike(*names)):
            for one, other in ((k, k + 1), (k + 1, k)):
                fits, taken = torch[pairs[other][0]].name, mindspore[pairs[one][1]].name
                doubts[one] = (
                    f"ambiguous: {fits} would fit {taken} as well, and names do not tell; "
                    "say which by a rule of weights.rules"
                )
    return doubts


def _siblings(names: tuple[str, str]) -> bool:
    return names[0].rpartition(".")[0] == names[1].rpartition(".")[0]


def _numbered(names: Sequence[tuple[str, str]]) -> bool:
    """Whether numbers at the ends of names put layers in order on both sides."""
    numbers = [[re.search(r"\d+$", name) for name in side] for side in names]
    return all(a and b and int(a[0]) < int(b[0]) for a, b in numbers)


def _alike(torch: tuple[str, str], mindspore: tuple[str, str]) -> bool:
    """Whether a name likens its partner's: words of one begin or end words of the other.

    Words that both siblings have tell nothing.
    """
    for pair in zip(_own(torch), _own(mindspore), strict=True):
        for a, b in product(*pair):
            if a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a):
                return True
    return False


def _own(names: tuple[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    one, other = (words(name.rpartition(".")[2]) for name in names)
    return one - other, other - one


def _cycles(likeness: Array, numbers: Array) -> list[list[tuple[int, int]]]:
    """Return which members names would have change places, as cycles of (from, to)."""
    count = len(likeness)
    if count < 2 or np.all(likeness.max(axis=1) <= likeness.diagonal()):
        return []
    # Among equal names: those with equal numbers, then those nearest in order.
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / count
    _, to = linear_sum_assignment(likeness + 0.01 * numbers - 0.001 * distance, maximize=True)
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
