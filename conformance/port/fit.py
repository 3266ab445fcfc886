"""Whether a tensor of PyTorch can be a tensor of MindSpore, and by which transform."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.port.names import Named, family

_PATCHES = {"conv", "linear"}
"""A convolution whose kernel is its stride is a dense layer on patches."""


@dataclass(frozen=True)
class Layer:
    """A layer and the tensors it owns, in canonical order."""

    name: str
    kind: str
    type: str
    tensors: tuple[Named, ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """What decides which layers it can be; equal for layers that could be swapped."""
        return (self.kind, tuple((t.role if t.known else "", t.shape) for t in self.tensors))


def layers(tensors: Iterable[Named]) -> list[Layer]:
    """Return the layers that own `tensors`, in order of their first one's definition.

    Frameworks define the tensors of a layer in different order (MindSpore its statistics first), so
    known names come first, sorted; others stay in order of definition.
    """
    owned: dict[tuple[str, str], list[Named]] = {}
    for tensor in tensors:
        owned.setdefault((tensor.layer, tensor.kind), []).append(tensor)
    found = []
    for (name, kind), own in owned.items():
        own.sort(key=lambda t: (not t.known, t.role if t.known else "", t.index))
        found.append(Layer(name, kind, own[0].type, tuple(own)))
    return found


def kinds_agree(torch: str, mindspore: str) -> bool:
    """Tell whether layers of these kinds may be the same; a user's own may be anything."""
    ours, theirs = family(torch), family(mindspore)
    return not ours or not theirs or ours == theirs or {ours, theirs} == _PATCHES


def fit(torch: Named, mindspore: Named) -> str | None:
    """Return the transform by which shapes fit, None where they do not.

    Axes turn only where a layer is the user's own: nn.Linear and nn.Dense both keep (out, in).
    """
    ours, theirs = torch.shape, mindspore.shape
    if ours == theirs:
        return ""
    if len(ours) == 3 and theirs == (*ours[:2], 1, ours[2]):
        return "insert_axis_2"
    if len(theirs) == 3 and ours == (*theirs[:2], 1, theirs[2]):
        return "remove_axis_2"
    if [n for n in ours if n != 1] == [n for n in theirs if n != 1]:
        return "reshape"
    kinds = {family(torch.kind), family(mindspore.kind)}
    if kinds == _PATCHES and ours[0] == theirs[0] and math.prod(ours) == math.prod(theirs):
        return "reshape"
    if len(ours) == 2 and ours == theirs[::-1] and "" in kinds:
        return "transpose"
    return None


def square(torch: Named, mindspore: Named) -> bool:
    """Tell whether a transposed tensor would fit as well, and could be meant."""
    shape = min(torch.info.shape, mindspore.info.shape)
    custom = not torch.kind or not mindspore.kind
    alike = torch.shape == mindspore.shape and len(shape) == 2
    return custom and alike and shape[0] == shape[1] > 1


def roles_agree(torch: Named, mindspore: Named) -> bool:
    """Tell whether these may be the same tensor of their layers."""
    return torch.role == mindspore.role or not (torch.known and mindspore.known)


def together(torch: Sequence[Named], mindspore: Sequence[Named]) -> list[tuple[Named, Named]]:
    """Return which tensors of two layers belong together: by role, then by order and shape."""
    left = list(mindspore)
    pairs: list[tuple[Named, Named]] = []
    for same_role in (True, False):
        for tensor in torch:
            if any(tensor is taken for taken, _ in pairs):
                continue
            for other in left:
                agree = tensor.role == other.role if same_role else roles_agree(tensor, other)
                if agree and fit(tensor, other) is not None:
                    pairs.append((tensor, other))
                    left.remove(other)
                    break
    return pairs
