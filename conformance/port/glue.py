"""What the code between two layers computes on either side, where it is a usual formula."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from conformance.phrase import Phrase
from conformance.port.capture import Pair, Pass
from conformance.port.formulas import ROWS, Guess, attention, fits, sums
from conformance.port.model import Array, CallKey, Captured
from conformance.port.result import Divergence
from conformance.port.side import Side

NEAR = 12
"""So many calls before the glue may give what it takes: a block's shortcut begins there."""
EXACT, SINGLE = 1e-8, 1e-4
"""Relative errors up to which a formula is the one: of PyTorch in float64, of the port."""


AFTERWARDS: Mapping[Phrase, Callable[[Array], Array]] = {
    Phrase("{value}"): lambda x: x,
    Phrase("the spatial mean of ({value})"): lambda x: (
        x.mean(tuple(range(2, x.ndim))) if x.ndim > 2 else x[:, :0]
    ),
    Phrase("the mean over axis 1 of ({value})"): lambda x: x.mean(1) if x.ndim > 2 else x[:, :0],
    Phrase("the mean over the height of ({value}), as a sequence"): lambda x: (
        x.mean(2).swapaxes(1, 2) if x.ndim == 4 else x[:, :0]
    ),
    Phrase("the first along axis 1 of ({value})"): lambda x: x[:, 0] if x.ndim > 2 else x[:, :0],
    Phrase("({value}) flattened"): lambda x: x.reshape(len(x), -1),
}
"""What may be done last, before a layer of another shape."""


def _shape(after: Callable[[Array], Array], value: Array) -> tuple[int, ...]:
    return after(value).shape if value.ndim > 1 else ()


def _of_one_or_two(items: Sequence[tuple[str, Array]], last: Collection[str]) -> Iterator[Guess]:
    """Yield formulas of one tensor, and of two of one shape; one is an output named in `last`."""
    for item in items:
        if item[0] in last or not last:
            yield from sums(item, None)
    for one, other in combinations(items, 2):
        if one[1].shape == other[1].shape and (not last or {one[0], other[0]} & set(last)):
            yield from sums(one, other)


@dataclass(frozen=True, eq=False)
class _View:
    """One side: named tensors before the glue, the latest first, and what it makes of them.

    `ends` are the outputs of the layers that end where the glue begins, `last` their names.
    """

    named: dict[str, Array]
    last: frozenset[str]
    ends: list[Array]
    target: Array
    tolerance: float

    def fitting(self, guesses: Iterator[Guess]) -> Iterator[str]:
        """Yield the words of the formulas that fit."""
        with np.errstate(all="ignore"):
            yield from (g.words for g in guesses if fits(g.value, self.target, self.tolerance))

    def said(self) -> str:
        """Return what the glue computes, or "".

        What fits the first input is tried on all: one input may be all positive, or all masked.
        """
        one = self._of(1)
        for words in one.fitting(one._sums()):
            alike = (guess for guess in self._sums() if guess.words == words)
            if any(self.fitting(alike)):
                return words
        row = _first(self)
        return next(row.fitting(row._attention()), "")

    def _of(self, count: int) -> _View:
        """Return the view of the first inputs."""
        named = {name: value[:count] for name, value in self.named.items()}
        return replace(self, named=named, target=self.target[:count])

    def _sums(self) -> Iterator[Guess]:
        """Yield formulas of tensors, one of which ends where the glue begins."""
        items = list(self.named.items())
        for words, after in AFTERWARDS.items():
            fitting = [(n, v) for n, v in items if _shape(after, v) == self.target.shape]
            for guess in _of_one_or_two(fitting, self.last):
                yield Guess(words.filled(value=guess.words), after(guess.value))

    def _attention(self) -> Iterator[Guess]:
        width = [end.shape[-1] for end in self.ends if end.ndim == 2]
        if len(self.ends) == len(width) and len(width) in (1, 3):
            yield from attention(self.ends, self.target)


def _first(view: _View) -> _View:
    """Return the view of the first input's first queries."""
    ends = [end[0] for end in view.ends if end.ndim > 1]
    target = view.target[0][..., :ROWS, :] if view.target.ndim > 2 else view.target
    return _View({}, frozenset(), ends, target, view.tolerance)


def explain(
    torch: Side, port: Side, pairs: Sequence[Pair], divergence: Divergence, on: Pass
) -> Phrase | None:
    """Return what the glue computes in PyTorch and in the port; None where that is not known.

    It costs one more forward pass of each side.
    """
    near = _near(pairs, divergence)
    if not near:
        return None
    exact = _view(
        torch, [pair.torch[-1].key for pair in near], divergence.torch, near, divergence, on
    )
    if exact is None or not (ours := exact.said()):
        return None
    keys = [pair.mindspore[-1].key for pair in near]
    single = _view(port, keys, divergence.mindspore, near, divergence, on)
    theirs = single.said() if single is not None else ""
    if theirs == ours:
        return None
    words = "PyTorch computes {ours}; the port {theirs}"
    return Phrase(words, ours=ours, theirs=theirs or Phrase("something else"))


def _near(pairs: Sequence[Pair], divergence: Divergence) -> list[Pair]:
    """Return the pairs before the glue, the nearest first."""
    both = [pair for pair in pairs if pair.torch and pair.mindspore]
    keys = [pair.torch[0].key for pair in both]
    if divergence.torch is None:
        end = len(both)
    elif divergence.torch in keys:
        end = keys.index(divergence.torch)
    else:
        return []
    return both[max(end - NEAR, 0) : end][::-1]


def _view(
    side: Side,
    keys: Sequence[CallKey],
    before: CallKey | None,
    near: Sequence[Pair],
    divergence: Divergence,
    on: Pass,
) -> _View | None:
    exact = side.framework == "torch"
    wanted = [*keys, *([before] if before else [])]
    forward = side.run(
        on.inputs,
        training=on.training,
        precision="float64" if exact else "float32",
        capture=wanted,
        graph=on.graph and not exact,
    )
    target = forward.outputs[:1] if before is None else _of(forward.captured.get(before)).inputs[:1]
    if not target or not target[0].ndim:
        return None
    named: dict[str, Array] = {}
    ends: list[Array] = []
    for key, pair in zip(keys, near, strict=True):
        captured = _of(forward.captured.get(key))
        # Both sides speak in PyTorch's names, or equal formulas would not read equal.
        name = str(pair.torch[-1].key)
        if captured.outputs:
            _add(named, name, captured.outputs[0])
            if pair.torch[0].key in divergence.after:
                ends.insert(0, _wide(captured.outputs[0]))
        if captured.inputs:
            _add(named, Phrase("the input of {layer}", layer=name), captured.inputs[0])
    last = frozenset(map(str, divergence.after))
    return _View(named, last, ends, _wide(target[0]), EXACT if exact else SINGLE)


def _add(named: dict[str, Array], name: str, value: Array) -> None:
    """Keep a tensor that is none of those there are."""
    wide = _wide(value)
    if all(wide.shape != v.shape or not np.array_equal(wide, v) for v in named.values()):
        named[name] = wide


def _of(captured: Captured | None) -> Captured:
    return captured or Captured((), ())


def _wide(array: Array) -> Array:
    return np.asarray(array, dtype=np.float64)
