"""What a random operation's reference returns: the law its draws follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Distribution:
    """The law of a draw.

    `rv` is a frozen ``scipy.stats`` distribution, or a function of ``transform(draw)`` that
    returns None when the draw fits and else why it does not.  The parameters of a frozen
    distribution may be arrays that broadcast against ``transform(draw)``.  `support` is the closed
    interval of ``transform(draw)``, or a predicate of the draw itself, elementwise.  `shape` is
    the shape of the draw.  `restore` turns values of a frozen distribution into the draw they stand
    for, which `sample` needs where `transform` is not the identity.
    """

    rv: Any
    shape: tuple[int, ...]
    support: tuple[float, float] | Callable[[Array], Array] = (-np.inf, np.inf)
    transform: Callable[[Array], Array] = np.asarray
    restore: Callable[[Array], Array] = np.asarray

    def sample(self, random: np.random.RandomState) -> Array:
        """Return a draw of this law, for the target ``numpy``."""
        return self.restore(np.asarray(self.rv.rvs(size=self.shape, random_state=random)))
