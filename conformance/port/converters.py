"""What a converter did: its tensors, or a converted checkpoint's, held against the map.

A converter is the user's code, so nothing is assumed of it: each tensor it gives is compared with
what the map would give, and where they differ, what was done instead is looked for and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.phrase import Phrase, joined, parts
from conformance.port.holdings import certain
from conformance.port.model import Array
from conformance.port.result import WeightRow
from conformance.port.transforms import TRANSFORMS
from conformance.port.values import apply

_TOLERANCE = 1e-6
"""Relative to the greatest value of a tensor: a converter may compute in another precision."""


@dataclass(frozen=True)
class Converted:
    """Values for the port by its names, and the rows of the map with what is wrong with each."""

    values: dict[str, Array]
    rows: tuple[WeightRow, ...]


def compare(
    rows: Iterable[WeightRow],
    torch: Mapping[str, Array],
    given: Mapping[str, Array],
    built: Mapping[str, Array],
) -> Converted:
    """Hold `given`, MindSpore's tensors by name, against the map of PyTorch's values.

    `built` are the port's own values, which stay where nothing is given.  A row without a partner
    in PyTorch's model is no concern of the map and keeps its problem.
    """
    rows = list(rows)
    expected = apply(rows, torch)
    compared = [_compared(row, expected, given, built) for row in rows]
    told = {row.mindspore for row in rows}
    told |= {row.torch for row in rows if row.mindspore or not row.problem}
    for name in given:
        if name not in told:
            problem = Phrase("the converter gives it, and the port has no tensor of this name")
            shape = tuple(np.shape(given[name]))
            compared.append(WeightRow("", name, None, shape, rule=Phrase("given"), problem=problem))
    fitting = {
        name: np.asarray(value)
        for name, value in given.items()
        if name in built and np.shape(value) == built[name].shape
    }
    return Converted(fitting, tuple(compared))


TRANSPOSED = Phrase("transposed")


def _compared(
    row: WeightRow,
    expected: Mapping[str, Array],
    given: Mapping[str, Array],
    built: Mapping[str, Array],
) -> WeightRow:
    name = row.mindspore
    if name not in expected:
        if name in given and row.torch == "":
            return replace(row, rule=Phrase("given by the converter alone"), problem="")
        return row
    problem = difference(name, expected, given, built)
    if name not in given and row.torch in given and problem:
        words = "never set: the converter gives it under PyTorch's name, {name}"
        problem = Phrase(words, name=row.torch)
    if not problem:
        # Whoever wrote the converter knew what the map could only suppose.
        rule = joined([row.rule, Phrase("the converter gives the same")])
        return replace(row, rule=rule, problem=certain(row.problem))
    if problem == TRANSPOSED and row.problem.startswith("ambiguous") and not row.transform:
        rule = joined([row.rule, Phrase("the converter transposes it")])
        return replace(row, transform="transpose", rule=rule, problem="")
    return replace(row, problem=joined([*parts(row.problem), problem]))


def difference(
    name: str,
    expected: Mapping[str, Array],
    given: Mapping[str, Array],
    built: Mapping[str, Array],
) -> str:
    """Return in words what was done to the tensor `name` instead of what the map does, or "".

    Looks, in this order, for: never given, another shape, transposed, blocks of rows reordered,
    another tensor's values, the value it was built with, a constant, negated or scaled values.
    """
    wanted = expected[name]
    if name not in given:
        same = name in built and equal(built[name], wanted)
        return "" if same else Phrase("never set: the converter does not give it")
    found = np.asarray(given[name])
    if found.shape != wanted.shape:
        words = "shape changed: {found} where the port has {wanted}"
        changed = Phrase(words, found=found.shape, wanted=wanted.shape)
        return joined([changed, *_reshaping(found, wanted)])
    if equal(found, wanted):
        return ""
    return (
        _turned(found, wanted)
        or _swapped(name, found, expected)
        or _untouched(name, found, built)
        or _scaled(found, wanted)
        or _apart(found, wanted)
    )


def equal(a: Array, b: Array) -> bool:
    """Tell whether values are equal, but for a rounding on the way."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind not in "fc" or b.dtype.kind not in "fc":
        return bool(np.array_equal(a, b))
    scale = float(np.max(np.abs(b), initial=0.0))
    return bool(np.allclose(a, b, rtol=0.0, atol=_TOLERANCE * scale, equal_nan=True))


def _reshaping(found: Array, wanted: Array) -> Iterator[Phrase]:
    for name, words in _RESHAPED.items():
        transform = TRANSFORMS[name]
        if transform.shape(wanted.shape, found.shape) == found.shape and equal(
            transform.forward(wanted, found.shape), found
        ):
            yield Phrase(words)
            return


_RESHAPED = {"transpose": "it is the transpose", "reshape": "the numbers are right"}


def _turned(found: Array, wanted: Array) -> str:
    if wanted.ndim == 2 and wanted.shape[0] == wanted.shape[1] and equal(found, wanted.T):
        return TRANSPOSED
    if order := block_order(wanted, found):
        blocks = order.removeprefix("blocks_")
        words = "rows reordered: with its {count} blocks of rows in the order {order} ({name})"
        return Phrase(words, count=len(blocks), order=", ".join(blocks), name=order)
    flipped = [axis for axis in range(wanted.ndim) if equal(np.flip(found, axis), wanted)]
    return Phrase("flipped along axis {axis}", axis=flipped[0]) if flipped else ""


def block_order(given: Array, found: Array) -> str:
    """Return ``blocks_<order>`` by which `found` is `given` with its blocks of rows reordered.

    Tries 3 blocks (q, k, v; a GRU's gates), 4 (an LSTM's gates), then 2; "" for none.
    """
    if given.shape != found.shape or not given.ndim:
        return ""
    for count in (3, 4, 2):
        if not given.shape[0] or given.shape[0] % count:
            continue
        before, after = np.split(given, count), np.split(found, count)
        order = [_index(before, block) for block in after]
        if sorted(order) == list(range(count)) and order != list(range(count)):
            return "blocks_" + "".join(map(str, order))
    return ""


def _index(blocks: Sequence[Array], wanted: Array) -> int:
    return next((k for k, block in enumerate(blocks) if equal(wanted, block)), -1)


def _swapped(name: str, found: Array, expected: Mapping[str, Array]) -> str:
    """Name the tensor whose values these are.  Constants are nobody's values."""
    if _constant(found):
        return ""
    others = [other for other, value in expected.items() if other != name and equal(found, value)]
    words = "swapped: these are the values of {others}"
    return Phrase(words, others=", ".join(others)) if others else ""


def _untouched(name: str, found: Array, built: Mapping[str, Array]) -> str:
    if name in built and equal(found, built[name]):
        return Phrase("never set: it is what the port was built with")
    if _constant(found):
        return Phrase("constant: {value} everywhere", value=f"{found.flat[0]:g}")
    return ""


def _constant(array: Array) -> bool:
    return bool(array.size > 1 and np.all(array == array.flat[0]))


def _scaled(found: Array, wanted: Array) -> str:
    if not wanted.size or wanted.dtype.kind != "f" or not np.all(np.isfinite(found)):
        return ""
    at = int(np.argmax(np.abs(wanted)))
    factor = float(found.flat[at] / wanted.flat[at]) if wanted.flat[at] else 0.0
    if factor and equal(found, np.asarray(wanted * factor)):
        return Phrase("scaled: {factor} times the values", factor=f"{factor:g}")
    if wanted.size > 1 and np.ptp(shift := found.astype(np.float64) - wanted) <= (
        _TOLERANCE * float(np.max(np.abs(wanted)))
    ):
        return Phrase("shifted: {value} everywhere", value=f"{float(shift.flat[0]):+g}")
    return ""


def _apart(found: Array, wanted: Array) -> str:
    if found.dtype.kind not in "fiub" or not wanted.size:
        return Phrase("other values")
    apart = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    differ = int(np.sum(apart > 0))
    words = "other values: {differ} of {size}, by {most} at most"
    most = f"{np.max(apart):.3g}"
    return Phrase(words, differ=f"{differ:,}", size=f"{apart.size:,}", most=most)


__all__ = ["Converted", "block_order", "compare", "difference", "equal"]
