"""What is judged: a case through a pair on a target."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.schema import Pair
from conformance.run.target import framework_of


@dataclass(frozen=True, eq=False)
class Item:
    """A case through a pair on a target, such as ``mindspore:cpu:graph``."""

    case: ExpandedCase
    pair: Pair
    target: str

    @property
    def framework(self) -> str:
        """``torch``, ``mindspore`` or ``numpy``."""
        return framework_of(self.target)

    @property
    def of_reference(self) -> bool:
        """Whether the target runs our reference: ``numpy``, where the pair names no API of it."""
        return self.framework == "numpy" and self.pair.numpy is None

    def lacks(self, name: str) -> bool:
        """Tell whether the pair gives this framework no parameter of that canonical name."""
        return self.framework == "mindspore" and name in self.pair.torch_only
