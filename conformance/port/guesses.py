"""Layers that the map of tensors could only guess at, tried the other way round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice

from conformance.phrase import Phrase
from conformance.port.both import Both
from conformance.port.holdings import certain
from conformance.port.result import Verdict, WeightRow
from conformance.port.values import usable

MOST = 8
"""So many exchanges are tried."""
Rows = tuple[WeightRow, ...]


def settle(both: Both, measure: Callable[[], Verdict]) -> Phrase | None:
    """Exchange two layers whose match is a guess, if only so the port agrees; return what was done.

    Names that do not tell are no mistake of the port's.  None where no exchange helps: then the map
    is what it was.  What a checkpoint or a converter brings is no guess, and nothing is tried.
    """
    if both.plan.loaded or both.plan.weights.convert:
        return None
    before = both.rows
    for rows, words in islice(exchanges(before), MOST):
        both.change(rows)
        if measure() in (Verdict.SAME, Verdict.UNRESOLVED):
            both.prepare()
            return words
    both.change(before)
    both.prepare()
    return None


def exchanges(rows: Rows) -> Iterator[tuple[Rows, Phrase]]:
    """Yield the rows with each two layers exchanged that are guesses of equal shapes."""
    layers: dict[str, list[WeightRow]] = defaultdict(list)
    for row in rows:
        layers[_layer(row.torch)].append(row)
    guessed = {name: own for name, own in layers.items() if name and all(map(_guess, own))}
    for one, other in combinations(guessed, 2):
        if _signature(guessed[one]) == _signature(guessed[other]):
            yield _exchanged(rows, guessed[one], guessed[other])


def _exchanged(
    rows: Rows, one: Sequence[WeightRow], other: Sequence[WeightRow]
) -> tuple[Rows, Phrase]:
    partners = {a.torch: b for a, b in zip(_sorted(one), _sorted(other), strict=True)}
    partners |= {b.torch: a for a, b in zip(_sorted(one), _sorted(other), strict=True)}
    why = Phrase("by what the models compute: names do not tell, order of definition is another")
    changed = tuple(
        replace(row, mindspore=partners[row.torch].mindspore, rule=why, problem="")
        if row.torch in partners
        else row
        for row in rows
    )
    words = Phrase(
        "{one} is {first} and {other} is {second} in the port: the map of tensors was a guess, and "
        "only so do outputs agree",
        one=_layer(one[0].torch),
        first=_layer(other[0].mindspore),
        other=_layer(other[0].torch),
        second=_layer(one[0].mindspore),
    )
    return changed, words


def _guess(row: WeightRow) -> bool:
    return usable(row) and bool(row.problem) and not certain(row.problem)


def _layer(tensor: str) -> str:
    return tensor.rpartition(".")[0]


def _sorted(rows: Sequence[WeightRow]) -> list[WeightRow]:
    return sorted(rows, key=lambda row: row.torch.rpartition(".")[2])


def _signature(rows: Sequence[WeightRow]) -> list[tuple[object, ...]]:
    return [
        (row.torch.rpartition(".")[2], row.torch_shape, row.mindspore_shape, row.transform)
        for row in _sorted(rows)
    ]
