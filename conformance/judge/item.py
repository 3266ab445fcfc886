"""What is judged: a case through a pair on a target."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.schema import Pair

EAGER = {"mindspore": "pynative"}
"""A framework's default mode, where it is not called eager."""


@dataclass(frozen=True, eq=False)
class Item:
    """A case through a pair on a target, such as ``mindspore:cpu:graph``."""

    case: ExpandedCase
    pair: Pair
    target: str

    @property
    def framework(self) -> str:
        """``torch``, ``mindspore`` or ``numpy``."""
        return parts(self.target)[0]

    def lacks(self, name: str) -> bool:
        """Tell whether the pair gives this framework no parameter of that canonical name."""
        return self.framework == "mindspore" and name in self.pair.torch_only


def parts(target: str) -> tuple[str, str, list[str]]:
    """Return framework, version (or nothing), and the rest (device, mode) of a target."""
    head, *rest = target.split(":")
    framework, _, version = head.partition("@")
    return framework, version, rest


def place(target: str) -> list[str]:
    """Return device and mode of a target, the defaults where it leaves them out."""
    framework, _, rest = parts(target)
    return rest + ["cpu", EAGER.get(framework, "eager")][len(rest) :]


def covers(spec: str, target: str) -> bool:
    """Tell whether `spec` speaks of `target`: what it gives must be equal, what it leaves matches.

    ``mindspore`` covers ``mindspore@2.9.0`` and ``mindspore:cpu:graph``; ``mindspore:cpu:pynative``
    covers ``mindspore``, which runs there.
    """
    framework, version, rest = parts(spec)
    its_framework, its_version, _ = parts(target)
    return (
        framework == its_framework
        and version in ("", its_version)
        and rest == place(target)[: len(rest)]
    )


def plainest(spec: str, target: str) -> bool:
    """Tell whether `target` is what `spec` covers with device and mode left at their defaults."""
    given = len(parts(spec)[2])
    return covers(spec, target) and place(target)[given:] == place(spec)[given:]
