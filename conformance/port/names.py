"""Names of tensors: which ones the two frameworks give the same thing, and how alike two are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.port.model import Array, LayerInfo, TensorInfo

_SCALE = {"gamma": "weight", "beta": "bias"}
_STATISTICS = {"moving_mean": "running_mean", "moving_variance": "running_var"}
# A BatchNorm2d that is the whole model keeps the names its constructor gave: mean and variance.
_BATCH = {**_SCALE, **_STATISTICS, "mean": "running_mean", "variance": "running_var"}

NAMES: dict[str, dict[str, str]] = {
    "batch_norm": _BATCH,
    "instance_norm": _BATCH,
    "layer_norm": _SCALE,
    "group_norm": _SCALE,
    "embedding": {"embedding_table": "weight"},
    # `w` inside a model, `a` when PReLU is the whole model.
    "prelu": {"w": "weight", "a": "weight"},
}
"""Family of kinds: MindSpore's name: PyTorch's, where they differ; as the corpus declares them."""

_ANY = {**_SCALE, **_STATISTICS, "embedding_table": "weight"}
COUNTER = "num_batches_tracked"
ROLES = ("weight", "bias", "running_mean", "running_var")
_RECURRENT = re.compile(r"(weight|bias)_[ih]h(_l\d+(_reverse)?)?")
_PROJECTION = re.compile(r"((?:in|q|k|v)_proj)_(weight|bias)")


def family(kind: str) -> str:
    """Return `kind` without its number of dimensions and what is fused to it.

    batch_norm2d is a batch_norm, and so is batch_norm2d+relu.
    """
    return re.sub(r"_?\dd$", "", kind.partition("+")[0])


@dataclass(frozen=True)
class Named:
    """A tensor and what its name says.  `role` is its name in its layer, in PyTorch's words.

    `parts` is the tensor itself, or q, k and v where they are to be seen as one (`fused.py`);
    `index` counts tensors in order of definition.
    """

    parts: tuple[TensorInfo, ...]
    index: int
    layer: str
    role: str
    kind: str
    type: str

    @property
    def info(self) -> TensorInfo:
        """The tensor, the first of several."""
        return self.parts[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all parts together, one below the other."""
        first = self.info.shape
        return first if len(self.parts) == 1 else (len(self.parts) * first[0], *first[1:])

    @property
    def canonical(self) -> str:
        """The name it would have in PyTorch."""
        return f"{self.layer}.{self.role}".lstrip(".")

    @property
    def known(self) -> bool:
        """Whether its role is a name that layers of both frameworks give."""
        return self.role in ROLES or bool(_RECURRENT.fullmatch(self.role))


def named(tensors: Sequence[TensorInfo], layers: Iterable[LayerInfo]) -> list[Named]:
    """Return what is known of each of `tensors`, in their order."""
    owners = {layer.name: layer for layer in layers}
    return [_named(info, k, owners.get(info.layer)) for k, info in enumerate(tensors)]


def _named(info: TensorInfo, index: int, owner: LayerInfo | None) -> Named:
    prefix = info.layer + "."
    inside = info.layer and info.name.startswith(prefix)
    leaf = info.name.removeprefix(prefix) if inside else info.name.rpartition(".")[2]
    kind, type_ = (owner.kind, owner.type) if owner else ("", "")
    whole = Named((info,), index, info.layer, leaf, kind, type_)
    if match := _PROJECTION.fullmatch(leaf):
        # torch.nn.MultiheadAttention holds what others write as layers of their own.
        layer = f"{info.layer}.{match[1]}".lstrip(".")
        return replace(whole, layer=layer, role=match[2], kind="linear")
    return replace(whole, role=NAMES.get(family(kind), _ANY).get(leaf, leaf))


def without_prefix(torch: Sequence[Named], mindspore: Sequence[Named]) -> dict[str, Named]:
    """Return the tensors of `mindspore` by canonical name.

    Where all names of one side begin with a path that no name of the other does, such as
    ``model.``, the names are the other side's.
    """
    ours, theirs = (_prefix([n.canonical for n in side]) for side in (torch, mindspore))
    if ours != theirs and not ours.startswith(theirs) and not theirs.startswith(ours):
        return {ours + n.canonical.removeprefix(theirs): n for n in mindspore}
    drop, add = theirs.removeprefix(ours), ours.removeprefix(theirs)
    return {add + n.canonical.removeprefix(drop): n for n in mindspore}


def _prefix(names: Sequence[str]) -> str:
    paths = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for steps in zip(*paths, strict=False):
        if len(set(steps)) > 1:
            break
        shared.append(steps[0])
    return "".join(step + "." for step in shared)


def words(name: str) -> frozenset[str]:
    """Return the words of a dotted name; numbers alone are positions, not words."""
    found: set[str] = set()
    for step in name.split("."):
        pieces = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", step).lower().split("_")
        for word in ("".join(pieces), *pieces, *(piece.rstrip("0123456789") for piece in pieces)):
            if word and not word.isdigit():
                found.add(word)
    return frozenset(found)


def positions(name: str) -> frozenset[str]:
    """Return the numbers of a dotted name, each with how many went before it."""
    numbers = [step for step in re.split(r"[._]", name) if step.isdigit()]
    return frozenset(f"{k}:{number}" for k, number in enumerate(numbers))


def similarity(torch: Sequence[frozenset[str]], mindspore: Sequence[frozenset[str]]) -> Array:
    """Return how many members each two sets share, from 0 to 1 (Dice's coefficient)."""
    members = {word: k for k, word in enumerate(sorted(set().union(*torch, *mindspore)))}
    marks = []
    for sets in (torch, mindspore):
        mark = np.zeros((len(sets), len(members)), np.float32)
        for row, held in enumerate(sets):
            mark[row, [members[word] for word in held]] = 1
        marks.append(mark)
    total = marks[0].sum(1)[:, None] + marks[1].sum(1)[None, :]
    return np.asarray(2 * (marks[0] @ marks[1].T) / np.maximum(total, 1))


def size(shape: Sequence[int]) -> int:
    """Return the number of elements."""
    return math.prod(shape)
