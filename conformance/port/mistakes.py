"""What is wrong with a port's value, read off the values: swapped, transposed, reordered, unset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from conformance.phrase import Phrase, number
from conformance.port.measure import ROUNDOFF, rms
from conformance.port.model import Array
from conformance.port.training import times

BLOCKS = {2: "halves", 3: "thirds, such as q, k and v", 4: "quarters, such as the gates i, f, g, o"}
"""Equal blocks of rows that frameworks order differently."""
HEADS = 64
"""Up to how many heads q, k and v are tried interleaved."""


@dataclass(frozen=True)
class Mistake:
    """A tensor of PyTorch's that the port holds otherwise; `words` say how, `partner` with whom.

    `what` is swapped, transposed, reordered, unset, flipped, scaled or other.
    """

    tensor: str
    what: str
    words: Phrase
    partner: str = ""


def mistakes(torch: Mapping[str, Array], port: Mapping[str, Array]) -> list[Mistake]:
    """Return what is wrong with the port's values, both sides in PyTorch's names and layout."""
    wrong = [name for name in torch if name in port and not _equal(torch[name], port[name])]
    if not wrong:
        return []
    known: dict[str, list[str]] = {}
    for name, value in torch.items():
        known.setdefault(_digest(value), []).append(name)
    return [_explain(name, torch, port, known) for name in wrong]


def _explain(
    name: str,
    torch: Mapping[str, Array],
    port: Mapping[str, Array],
    known: Mapping[str, list[str]],
) -> Mistake:
    value, held = np.asarray(torch[name]), np.asarray(port[name])
    if value.shape != held.shape:
        words = Phrase("has shape {port}, PyTorch's {torch}", port=held.shape, torch=value.shape)
        return Mistake(name, "other", words)
    if held.size and (held == held.flat[0]).all():
        words = Phrase(
            "was not set: it holds {value} everywhere", value=f"{held.flat[0] + 0.0:.6g}"
        )
        return Mistake(name, "unset", words)
    others = [other for other in known.get(_digest(held), ()) if other != name]
    if others:
        other = others[0]
        both = other in port and _equal(port[other], value)
        text = "is swapped with {other}" if both else "holds the values of {other}"
        return Mistake(name, "swapped", Phrase(text, other=other), other)
    for what, words, candidate in _layouts(value):
        if _equal(candidate, held):
            return Mistake(name, what, words)
    factor = times(held, value)
    if factor is not None:
        words = Phrase("is {factor} times PyTorch's", factor=number(factor))
        return Mistake(name, "scaled", words)
    return Mistake(name, "other", Phrase("holds other values than PyTorch's"))


def _layouts(value: Array) -> Iterator[tuple[str, Phrase, Array]]:
    """Yield wrong layouts of the same shape."""
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        yield "transposed", Phrase("is transposed: the matrix is square, so shapes fit"), value.T
    if value.ndim >= 3 and value.shape[-1] > 1:
        yield "flipped", Phrase("is reversed along its spatial axes"), np.flip(value, (-1, -2))
    rows = len(value) if value.ndim else 0
    for count, what in BLOCKS.items():
        if rows % count == 0 and rows > count:
            blocks = np.split(value, count)
            for order in permutations(range(count)):
                if order != tuple(range(count)):
                    words = Phrase(
                        "holds its {what}, in the order {order}",
                        what=Phrase(what),
                        order=", ".join(str(block + 1) for block in order),
                    )
                    yield "reordered", words, np.concatenate([blocks[n] for n in order])
    yield from _interleaved(value, rows)


def _interleaved(value: Array, rows: int) -> Iterator[tuple[str, Phrase, Array]]:
    """Yield q, k and v by head for q, k and v one after the other, and the other way round."""
    for heads in range(2, HEADS + 1):
        if rows % (3 * heads) == 0:
            words = Phrase("holds q, k and v interleaved by head ({heads} heads)", heads=heads)
            rest = value.shape[1:]
            for shape in ((3, heads), (heads, 3)):
                split = value.reshape(*shape, -1, *rest)
                yield "reordered", words, split.swapaxes(0, 1).reshape(value.shape)


def _equal(one: Array, other: Array) -> bool:
    """Whether two arrays are equal but for a rounding to float32."""
    if np.shape(one) != np.shape(other):
        return False
    if np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f"):
        return True
    gap = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return bool(np.isfinite(gap).all()) and rms(gap) <= ROUNDOFF * rms(one)


def _digest(array: Array) -> str:
    single = np.ascontiguousarray(array, dtype=np.float32)
    return hashlib.blake2b(single.tobytes() + str(single.shape).encode()).hexdigest()
