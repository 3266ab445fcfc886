"""Calls that belong together, by their positions, and the reasons there are to believe it."""

from __future__ import annotations

from typing import NamedTuple

BY_NAME = "aligned by the configuration"
BY_TENSORS = "own tensors that are mapped to each other"
FUSED = "what one side fuses follows on the other"
PADDED = "one side pads in a layer of its own"
BY_PARENT = "the same kind in the same place of layers that correspond"
BY_KIND = "the same kind between the same aligned layers"
BY_PLACE = "what runs between the same aligned layers, with outputs of the same shape"


class Match(NamedTuple):
    """Positions of calls of both sides, and why they belong together."""

    torch: tuple[int, ...]
    mindspore: tuple[int, ...]
    why: str
    problem: str = ""
