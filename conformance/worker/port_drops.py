"""What a model drops in one pass in training: where, which share, and how.

Runs inside a framework's interpreter: standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.worker.port_calls import Recorder, Shape, flatten

Drop = tuple[str, "float | None", str, tuple[Shape, ...]]
"""Layer, share that is dropped (None where it is no plain number), HOW, the shapes of its inputs
(of a layer alone)."""
ELEMENTS, CHANNELS, OWN = "elements", "channels", "own"
"""HOW: each element alone, whole channels, or as code that is not the framework's does it."""
PARAMETERS = ("input", "p", "training")
"""What the frameworks' dropout functions take first."""


def how(name: str) -> str:
    """Return how a class or function of a framework's drops, by its name."""
    plain = name.lower().removesuffix("_").removesuffix("ext").removesuffix("_")
    if "alpha" in plain:
        return "feature alpha" if "feature" in plain else "alpha"
    return CHANNELS if re.search(r"\dd$|feature", plain) else ELEMENTS


def share(value: Any) -> float | None:
    """Return a probability as a number; None for what is none."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else None


@dataclass
class Listener(Recorder):
    """Told of calls as a `Recorder` is, it writes down those that drop something.

    `droppers` are layers that do, with (share, HOW); what is called inside of one is its affair.
    """

    droppers: Mapping[str, tuple[float | None, str]] = field(default_factory=dict)
    drops: list[Drop] = field(default_factory=list)

    def enter(self, layer: str, args: Any, kwargs: Any) -> None:
        """A layer is about to be called."""
        if layer in self.droppers and not self._inside:
            given = flatten((args, kwargs), self.tensors.is_tensor)
            shapes = tuple(tuple(int(n) for n in tensor.shape) for tensor in given)
            self.drops.append((layer, *self.droppers[layer], shapes))
        super().enter(layer, args, kwargs)

    def hear(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], on: bool) -> None:
        """A dropout function is called; `on` is whether it drops when nothing is said."""
        given = {"p": 0.5, "training": on} | dict(zip(PARAMETERS, args, strict=False))
        given |= kwargs
        if given.get("train", given["training"]):
            self.heard(given["p"], how(name))

    def heard(self, probability: Any, kind: str) -> None:
        """A function drops a share."""
        dropped = share(probability)
        if dropped != 0 and not self._inside:
            self.drops.append((self.running[-1] if self.running else "", dropped, kind, ()))

    @property
    def _inside(self) -> bool:
        return any(layer in self.droppers for layer in self.running)
