"""Arrays that must come out, and derivatives that must: plain values the judge compares with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
PROBES = 16


@dataclass(frozen=True)
class Expected:
    """One array that must come out: its value in working precision and its dtype by name.

    `error` is the absolute uncertainty of `y` itself, elementwise.
    """

    where: str
    y: Array
    dtype: str
    error: Array | float = 0.0


@dataclass(frozen=True)
class Probes:
    """Directions along which an input of `shape` is differentiated: groups, and ±1 in each.

    An input of up to `PROBES` elements is differentiated by each of them.  A larger one is split at
    random into `PROBES` groups, and the derivative along a random ±1 direction of each group is
    compared with the same projection of the framework's gradient: every element still counts.
    """

    shape: tuple[int, ...]
    group: Array
    sign: Array

    @classmethod
    def of(cls, array: Array) -> Probes:
        """Return the directions for `array`: its elements, or random groups of them."""
        if array.size <= PROBES:
            return cls(array.shape, np.arange(array.size), np.ones(array.size))
        random = np.random.RandomState(65_543)
        group = random.permutation(array.size) % PROBES
        return cls(array.shape, group, random.randint(0, 2, array.size) * 2.0 - 1.0)

    @property
    def count(self) -> int:
        """Number of directions."""
        return min(self.group.size, PROBES)

    @property
    def single(self) -> bool:
        """Whether each direction is one element."""
        return self.group.size <= PROBES

    def direction(self, k: int) -> Array:
        """Return direction `k` as an array of the input's shape."""
        return np.where(self.group == k, self.sign, 0.0).reshape(self.shape)

    def project(self, gradient: Array) -> Array:
        """Return the derivatives along all directions that `gradient` gives."""
        parts = np.zeros(self.count, gradient.dtype)
        np.add.at(parts, self.group, gradient.ravel() * self.sign.astype(gradient.dtype))
        return parts

    def total(self, magnitude: Array) -> Array:
        """Return for each direction the sum of `magnitude` over its elements."""
        return np.bincount(self.group, magnitude.ravel().astype(float), self.count)


@dataclass(frozen=True)
class Derivative:
    """A vector-Jacobian product: ``expected.y`` per element, or per direction of `probes`.

    `sensitivity` is its change under a roundoff of the inputs.  A `numeric` one is NaN where the
    function is not smooth: nothing is compared there, and `uncompared` counts these elements.
    `singular` says along which probes an output moves that is not finite: there the gradient need
    not be finite either.
    """

    expected: Expected
    sensitivity: Array
    probes: Probes | None = None
    numeric: bool = False
    uncompared: int = 0
    singular: Array | bool = False
