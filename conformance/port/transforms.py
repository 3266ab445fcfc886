"""How PyTorch's array becomes MindSpore's: a closed list of transforms, each with its inverse.

`weights.rules` and WeightRow.transform name them, several joined by ``+`` and applied left to
right, as in ``q_of_qkv+transpose``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from conformance.port.model import Array

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Transform:
    """A change of layout that loses nothing.

    `shape` gives the shape of the result, None where the transform does not take such an array.
    `forward` and `inverse` take an array and the shape wanted; both return views where NumPy can.
    """

    words: str
    shape: Callable[[Shape, Shape], Shape | None]
    forward: Callable[[Array, Shape], Array]
    inverse: Callable[[Array, Shape], Array]


@dataclass(frozen=True)
class Part:
    """Rows of an array (axis 0): block `index` of `count` equal ones."""

    index: int
    count: int

    def rows(self, extent: int) -> slice:
        """Return which rows of `extent` these are."""
        size = extent // self.count
        return slice(self.index * size, (self.index + 1) * size)

    def shape(self, whole: Shape) -> Shape | None:
        """Return the shape of the part, None where `whole` has no such parts."""
        if not whole or whole[0] % self.count:
            return None
        return (whole[0] // self.count, *whole[1:])

    def overlaps(self, other: Part) -> bool:
        """Tell whether some rows are in both."""
        starts = self.index * other.count, other.index * self.count
        return starts[0] < starts[1] + self.count and starts[1] < starts[0] + other.count


WHOLE = Part(0, 1)


def _reversed(shape: Shape, _: Shape) -> Shape | None:
    return (shape[1], shape[0]) if len(shape) == 2 else None


def _with_axis(shape: Shape, _: Shape) -> Shape | None:
    return (*shape[:2], 1, *shape[2:]) if len(shape) == 3 else None


def _without_axis(shape: Shape, _: Shape) -> Shape | None:
    return (*shape[:2], shape[3]) if len(shape) == 4 and shape[2] == 1 else None


def _reshaped(shape: Shape, wanted: Shape) -> Shape | None:
    return wanted if math.prod(shape) == math.prod(wanted) else None


def _reshape(array: Array, wanted: Shape) -> Array:
    return array.reshape(wanted)


def _transpose(array: Array, _: Shape) -> Array:
    return array.T


TRANSFORMS: dict[str, Transform] = {
    "transpose": Transform("the transpose", _reversed, _transpose, _transpose),
    "insert_axis_2": Transform(
        "with an axis of extent 1 inserted as axis 2", _with_axis, _reshape, _reshape
    ),
    "remove_axis_2": Transform("without axis 2, of extent 1", _without_axis, _reshape, _reshape),
    "reshape": Transform(
        "the same numbers in the same order in another shape", _reshaped, _reshape, _reshape
    ),
}
"""Transforms of a whole array.  With PARTS and ``blocks_<order>`` these are all there are."""

PARTS: dict[str, tuple[Part, str]] = {
    f"{name}_{link}_{whole}": (Part(index, len(whole)), link)
    for whole in ("qkv", "kv")
    for link in ("of", "into")
    for index, name in enumerate(whole)
}
"""``q_of_qkv``: MindSpore's tensor is the first third of the rows of PyTorch's; ``q_into_qkv``:
PyTorch's is the first third of MindSpore's."""

_BLOCKS = re.compile(r"blocks_([0-9]{2,10})")


@lru_cache(maxsize=256)
def find(name: str) -> Transform | None:
    """Return the transform of whole arrays called `name`.

    ``blocks_120`` reorders rows in as many equal blocks as it has digits: MindSpore's first block
    is PyTorch's block 1, its second block 2, its third block 0.
    """
    match = _BLOCKS.fullmatch(name)
    if match is None:
        return TRANSFORMS.get(name)
    order = [int(digit) for digit in match[1]]
    if sorted(order) != list(range(len(order))):
        return None
    back = [order.index(k) for k in range(len(order))]
    return Transform(
        f"with its {len(order)} blocks of rows in the order {', '.join(map(str, order))}",
        lambda shape, _: shape if shape and shape[0] % len(order) == 0 else None,
        lambda array, _: _reordered(array, order),
        lambda array, _: _reordered(array, back),
    )


def _reordered(array: Array, order: list[int]) -> Array:
    blocks = array.reshape(len(order), -1, *array.shape[1:])
    return blocks[order].reshape(array.shape)


@dataclass(frozen=True)
class Chain:
    """Transforms joined: a part of PyTorch's array, steps, and a part of MindSpore's."""

    source: Part
    steps: tuple[Transform, ...]
    target: Part
    words: str

    def between(self, torch: Shape, mindspore: Shape) -> list[Shape] | None:
        """Return the shapes before, between and after the steps; None where they do not fit."""
        shape, wanted = self.source.shape(torch), self.target.shape(mindspore)
        if shape is None or wanted is None:
            return None
        shapes = [shape]
        for step in self.steps:
            if (shape := step.shape(shapes[-1], wanted)) is None:
                return None
            shapes.append(shape)
        return shapes if shapes[-1] == wanted else None

    def forward(self, array: Array, mindspore: Shape) -> Array:
        """Return the part of MindSpore's array that `array` of PyTorch becomes."""
        shapes = self._shapes(array.shape, mindspore)
        part = array[self.source.rows(len(array))] if self.source != WHOLE else array
        for step, shape in zip(self.steps, shapes[1:], strict=True):
            part = step.forward(part, shape)
        return part

    def inverse(self, array: Array, torch: Shape) -> Array:
        """Return the part of PyTorch's array that `array` of MindSpore was made of."""
        shapes = self._shapes(torch, array.shape)
        part = array[self.target.rows(len(array))] if self.target != WHOLE else array
        for step, shape in zip(reversed(self.steps), reversed(shapes[:-1]), strict=True):
            part = step.inverse(part, shape)
        return part

    def _shapes(self, torch: Shape, mindspore: Shape) -> list[Shape]:
        if (shapes := self.between(torch, mindspore)) is None:
            raise ValueError(f"{self.words or 'as it is'}: {torch} does not become {mindspore}")
        return shapes


@lru_cache(maxsize=1024)
def chain(names: str) -> Chain:
    """Return the chain that `names` spells, "" for the array as it is.

    Raises ValueError with one line for a name that is none, and for parts in the wrong place.
    """
    source = target = WHOLE
    steps: list[Transform] = []
    words: list[str] = []
    listed = names.split("+") if names else []
    for place, name in enumerate(listed):
        if name in PARTS:
            part, link = PARTS[name]
            words.append(_part_words(name))
            if link == "of" and place == 0:
                source = part
            elif link == "into" and place == len(listed) - 1:
                target = part
            else:
                raise ValueError(f"{name} must come {'first' if link == 'of' else 'last'}")
        elif (transform := find(name)) is not None:
            steps.append(transform)
            words.append(transform.words)
        else:
            raise ValueError(f"no transform {name!r}; there are {', '.join(spellings())}")
    if TRANSFORMS["reshape"] in steps[:-1]:
        # It takes the shape that is wanted in the end, so nothing may turn the array after it.
        raise ValueError("reshape must be the last change of a whole array")
    return Chain(source, tuple(steps), target, ", ".join(words))


def _part_words(name: str) -> str:
    part, link, whole = name.split("_")
    if link == "of":
        return f"the rows of {part} in a tensor that holds {', '.join(whole)}"
    return f"as the rows of {part} in a tensor that holds {', '.join(whole)}"


def spellings() -> list[str]:
    """Return the names of all transforms, for messages and the schema."""
    return [*TRANSFORMS, *PARTS, "blocks_<order>"]
