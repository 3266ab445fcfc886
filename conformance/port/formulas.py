"""Formulas that the code between layers usually is: sums with an activation, and attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.special import erf, expit

from conformance.phrase import Phrase
from conformance.port.measure import rms
from conformance.port.model import Array

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * expit(x),
    "sigmoid": expit,
    "tanh": np.tanh,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
}
MASKED = -1e3
"""Scores below this are masked: frameworks and people add -inf, -1e9 or -10000."""
MASKS: Mapping[Phrase, Callable[[Array, Array], Array]] = {
    Phrase("no mask"): lambda i, j: i + j < 0,
    Phrase("a causal mask"): lambda i, j: j > i,
    Phrase("a causal mask that hides the present, too"): lambda i, j: j >= i,
    Phrase("a causal mask that shows one of the future"): lambda i, j: j > i + 1,
}
ROWS = 16
"""So many of the first input's queries are enough to know attention by."""


@dataclass(frozen=True)
class Guess:
    """A formula in words, and the value it gives; NaN where the formula leaves it open."""

    words: str
    value: Array


def fits(guess: Array, target: Array, tolerance: float) -> bool:
    """Whether a value is the target up to a relative root mean square error."""
    if guess.shape != target.shape:
        return False
    known = ~np.isnan(guess)
    scale = rms(target[known])
    return bool(known.any()) and scale > 0 and rms((guess - target)[known]) <= tolerance * scale


def sums(one: tuple[str, Array], other: tuple[str, Array] | None) -> Iterator[Guess]:
    """Yield what residual blocks make of one tensor, or of two of the same shape, with names."""
    a, x = one
    if other is None:
        yield Guess(a, x)
        for name, act in ACTIVATIONS.items():
            yield Guess(Phrase("{act}({a})", act=name, a=a), act(x))
        return
    b, y = other
    yield Guess(Phrase("{a} + {b}", a=a, b=b), x + y)
    yield Guess(Phrase("{a} - {b}", a=a, b=b), x - y)
    yield Guess(Phrase("{a} * {b}", a=a, b=b), x * y)
    for name, act in ACTIVATIONS.items():
        names = {"act": name, "a": a, "b": b}
        yield Guess(Phrase("{act}({a} + {b})", **names), act(x + y))
        yield Guess(Phrase("{act}({a}) + {b}", **names), act(x) + y)
        yield Guess(Phrase("{a} + {act}({b})", **names), x + act(y))
        yield Guess(Phrase("{act}({a}) * {b}", **names), act(x) * y)
        yield Guess(Phrase("{a} * {act}({b})", **names), x * act(y))
        yield Guess(Phrase("{act}({a}) + {act}({b})", **names), act(x) + act(y))


_ATTENTION = "{heads} heads, {order}, {scaled}, {mask}"


def attention(projected: list[Array], target: Array) -> Iterator[Guess]:
    """Yield attention of the first input for q, k and v in one tensor (n, 3 c) or three (n, c).

    `target` has at most the first ROWS queries: their attended values (rows, c), or their scores
    (heads, rows, n) before softmax, whose masked places are left open.
    """
    for order, heads, q, k, v in _split(projected, target):
        size = q.shape[-1]
        raw = q @ k.swapaxes(-1, -2)
        for scaled, scale in _scales(size, heads):
            words = {"heads": heads, "order": order, "scaled": scaled}
            if target.ndim == 3:
                shown = np.where(target <= MASKED, np.nan, raw * scale)
                yield Guess(Phrase(_ATTENTION, **words, mask=_mask_of(target)), shown)
                continue
            for masked, hidden in MASKS.items():
                i, j = np.indices(raw.shape[-2:])
                scores = np.where(hidden(i, j), -np.inf, raw * scale)
                top = scores.max(-1, keepdims=True)
                weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
                total = weights.sum(-1, keepdims=True)
                out = (weights / np.where(total == 0, 1, total)) @ v
                if (total == 0).any():
                    out = np.where(total == 0, np.nan, out)
                attended = out.swapaxes(0, 1).reshape(target.shape)
                yield Guess(Phrase(_ATTENTION, **words, mask=masked), attended)


def _scales(size: int, heads: int) -> Iterator[tuple[Phrase, float]]:
    yield Phrase("scores over the root of the head's size"), size**-0.5
    yield Phrase("scores not scaled"), 1.0
    yield Phrase("scores over the root of the model's size"), (size * heads) ** -0.5
    yield Phrase("scores over the head's size"), 1 / size


def _split(projected: list[Array], target: Array) -> Iterator[tuple[str, int, Array, Array, Array]]:
    """Yield q, k and v of shape (heads, n, size) for every order and number of heads."""
    n, width = projected[0].shape
    fused = len(projected) == 1
    scores = target.ndim == 3
    if (fused and width % 3) or (not scores and width // (3 if fused else 1) != target.shape[-1]):
        return  # It is no projection to q, k and v that this came of.
    width //= 3 if fused else 1
    rows = target.shape[-2]
    for order in permutations(range(3)):
        names = ", ".join("qkv"[order.index(m)] for m in range(3))
        for heads in [target.shape[0]] if scores else range(1, width + 1):
            if width % heads:
                continue
            for parts, by_head in _parts(projected, n, heads):
                q, k, v = (parts[m].swapaxes(0, 1) for m in order)
                told = Phrase("{names} by head", names=names) if by_head else names
                yield told, heads, q[:, :rows], k, v


def _parts(projected: list[Array], n: int, heads: int) -> Iterator[tuple[list[Array], bool]]:
    """Yield the three parts, each (n, heads, size), in both layouts of a single tensor, and whether
    it is the one by head."""
    if len(projected) == 3:
        yield [part.reshape(n, heads, -1) for part in projected], False
        return
    yield list(np.moveaxis(projected[0].reshape(n, 3, heads, -1), 1, 0)), False
    if heads > 1:
        yield list(np.moveaxis(projected[0].reshape(n, heads, 3, -1), 2, 0)), True


def _mask_of(scores: Array) -> Phrase:
    hidden = scores <= MASKED
    i, j = np.indices(scores.shape[-2:])
    for words, mask in MASKS.items():
        if np.array_equal(hidden, np.broadcast_to(mask(i, j), hidden.shape)):
            return words
    return Phrase("a mask of its own")
