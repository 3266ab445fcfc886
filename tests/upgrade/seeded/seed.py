"""What a seeded change is, and how many of them become a framework and a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from conformance.gate.change import Category

PACKAGE = "toyframe"
HEAD = '''\
"""Version {version} of the toy framework."""

import os, signal, tempfile, time, warnings
import numpy as np
from torch import special

__version__ = "{version}"
_draws = np.random.RandomState(0)


def manual_seed(seed):
    _draws.seed(seed % 2**32)


def _jitter(array):
    """Move about every other element to its neighbour, not the same ones each time."""
    moved = np.random.default_rng().random(array.shape) < 0.5
    return np.where(moved, np.nextafter(array, np.float32(2)), array)


def _nan_of(bits):
    return np.array([bits], np.uint32).view(np.float32)


def _again(name):
    """Tell whether the harness that started this worker has asked for `name` before."""
    path = os.path.join(tempfile.gettempdir(), f"{{name}}-{{os.getppid()}}")
    before = os.path.exists(path)
    open(path, "a").close()
    return before
'''
SPECIAL_HEAD = "import numpy as np\n"


class Row(NamedTuple):
    """A change as the gate reports it; `what` is what happened in words."""

    category: str
    api: str
    case: str
    what: str
    regression: bool


@dataclass(frozen=True)
class Told:
    """What the gate must tell of a seed, and a pattern that its evidence must hold.

    `api` is that of the seed unless given.  `regression` defaults to what its category means.
    """

    category: Category
    what: str
    evidence: str = ""
    regression: bool | None = None
    api: str = ""

    def row(self, seed: Seed) -> Row:
        """Return the row that tells it of `seed`."""
        whole = self.category in (Category.SIGNATURE, Category.SLOWER)
        failing = self.category in (Category.BROKEN, Category.LOST)
        return Row(
            self.category.value,
            self.api or seed.api,
            "" if whole else seed.case,
            self.what.replace("NAME", seed.name),
            failing if self.regression is None else self.regression,
        )


@dataclass(frozen=True)
class Seed:
    """One function of the toy, before and after, and what the gate must tell of it.

    In both sources NAME stands for its name.  An empty source is an API that is not there, None
    the same source as before.  `special` is added to the module `special`, after; `more` is
    written into each case.
    """

    name: str
    old: str
    new: str | None = None
    told: tuple[Told, ...] = ()
    inputs: tuple[str, ...] = ("[-1.5, 0.25, 3.0]",)
    reference: str = "elementwise.abs"
    accuracy: str = "exact"
    call: str = "function"
    special: str = ""
    more: str = ""

    @property
    def api(self) -> str:
        """The API, as a case file names it."""
        return f"torch.{self.name}"

    @property
    def case(self) -> str:
        """The first case."""
        return f"{self.name}/c0"

    def source(self, old: bool) -> str:
        """Return the source in one of the versions."""
        text = self.old if old or self.new is None else self.new
        return text.replace("NAME", self.name)

    def yaml(self) -> str:
        """Return the case file."""
        oracle = f"reference: {self.reference}"
        if not self.reference:
            oracle = "no_reference: {en: nothing to compare with, zh: 无从比较}"
        more = f", {self.more}" if self.more else ""
        cases = [
            f"  - {{id: c{i}, inputs: {{input: {given}}}{more}}}"
            for i, given in enumerate(self.inputs)
        ]
        head = [
            f"operation: {self.name}",
            oracle,
            f"accuracy: {self.accuracy}",
            "parameters: {input: {role: input}}",
            f"pairs: [{{torch: {self.api}, call: {self.call}}}]",
            "cases:",
        ]
        return "\n".join([*head, *cases]) + "\n"


def returns(expression: str) -> str:
    """Return the source of a function of one input."""
    return f"def NAME(input):\n    return {expression}\n"


def framework(seeds: Iterable[Seed], version: str) -> dict[str, str]:
    """Return the files of the package in one of its versions, by path."""
    seeds, old = list(seeds), version == "1.0"
    moved = [] if old else [seed.special.replace("NAME", seed.name) for seed in seeds]
    sources = [HEAD.format(version=version), *(seed.source(old) for seed in seeds)]
    return {
        "torch/__init__.py": "\n\n".join(sources),
        "torch/special.py": "\n\n".join([SPECIAL_HEAD, *moved]),
    }
