"""Reductions that ask for truth: numbers are true unless they are zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.reduction import Dim, axes_of
from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="bool")
def all(input: Array, dim: Dim = None) -> Array:
    """Whether every element along `dim` is true; along all axes for None.  True of none.

    NaN is not zero, so it is true.  Source: the array API standard, all.
    """
    return np.asarray(np.logical_and.reduce(input != 0, axis=axes_of(dim, input.ndim)))


@reference(dtype="bool")
def any(input: Array, dim: Dim = None) -> Array:
    """Whether some element along `dim` is true, by De Morgan not all of them false.

    Source: the array API standard, any.
    """
    return np.asarray(np.logical_or.reduce(input != 0, axis=axes_of(dim, input.ndim)))
