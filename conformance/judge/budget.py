"""How large an error may be: in roundoffs of the inputs, by class of operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.corpus.schema import Accuracy
from conformance.judge.dtypes import ROUNDOFF, SUBNORMAL

Array = np.ndarray[Any, Any]

CLASSES: dict[str, float] = {
    "exact": 0.0,
    "elementwise": 16.0,
    "accumulation": 16.0,
    "statistical": 0.0,
}
"""Budget of each accuracy class, in roundoffs; `statistical` is judged by tests instead."""

PEER_RTOL = {
    "float16": 1e-3,
    "bfloat16": 1.6e-2,
    "float32": 1.3e-6,
    "float64": 1e-7,
    "complex64": 1.3e-6,
    "complex128": 1e-7,
}
PEER_ATOL = {name: 1e-7 if name in ("float64", "complex128") else 1e-5 for name in PEER_RTOL}
"""What torch.testing.assert_close allows between peers, where there is no oracle."""


@dataclass(frozen=True)
class Budget:
    """What is allowed: `roundoffs`, or ``atol + rtol |y|`` where the case gives these."""

    roundoffs: float = 0.0
    rtol: float | None = None
    atol: float | None = None

    @property
    def exact(self) -> bool:
        """Whether no error is allowed at all."""
        return self.rtol is None and self.atol is None and self.roundoffs == 0

    @property
    def in_roundoffs(self) -> float | None:
        """The budget as the report states it; None when a tolerance replaces it."""
        return self.roundoffs if self.rtol is None and self.atol is None else None

    def allowed(self, unit: Array, magnitude: Array) -> Array:
        """Return the greatest absolute error: `unit` is one roundoff's, `magnitude` is |y|."""
        if self.rtol is None and self.atol is None:
            return np.asarray(self.roundoffs * unit)
        return np.asarray((self.atol or 0.0) + (self.rtol or 0.0) * magnitude)

    def for_gradients(self) -> Budget:
        """Return the budget of gradients: data movement backwards is accumulation."""
        return Budget(CLASSES["accumulation"]) if self.exact else self


def budget_of(accuracy: str | Accuracy) -> Budget:
    """Return the budget of an accuracy class or of a case's own accuracy."""
    if isinstance(accuracy, str):
        return Budget(CLASSES[accuracy])
    if accuracy.budget is None and accuracy.rtol is None and accuracy.atol is None:
        return Budget(CLASSES["elementwise"])
    return Budget(accuracy.budget or 0.0, accuracy.rtol, accuracy.atol)


def peer_budget(dtype: str) -> Budget:
    """Return what ``torch.testing.assert_close`` allows between peers for `dtype`."""
    if dtype not in PEER_RTOL:
        return Budget()
    return Budget(rtol=PEER_RTOL[dtype], atol=PEER_ATOL[dtype])


def unit_error(y: Array, s: Array | float, dtype: str, error: Array | float = 0.0) -> Array:
    """Return the absolute error that one roundoff of the inputs explains, elementwise.

    ``u |y| + s + error``, no less than the smallest subnormal of `dtype`, whose unit roundoff is u.
    `s` is the change of y under a roundoff of the inputs, `error` the uncertainty of y itself.
    """
    return np.maximum(ROUNDOFF[dtype] * np.abs(y) + s + error, SUBNORMAL[dtype])


def error_in_roundoffs(
    out: Array, y: Array, s: Array | float, dtype: str, error: Array | float = 0.0
) -> float:
    """Return ``max |out - y| / (u |y| + s)``: the number of input roundoffs that explain the error.

    `out` and `y` are finite and of one shape; complex numbers count by modulus; 0 when empty.
    """
    if y.size == 0:
        return 0.0
    wide = out.astype(np.result_type(y, np.float64))
    return float(np.max(np.abs(wide - y) / unit_error(y, s, dtype, error)))
