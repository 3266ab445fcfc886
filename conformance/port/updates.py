"""What the first updates of two optimizers tell of their rate, weight decay and eps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.port.measure import ROUNDOFF, rms
from conformance.port.model import Array

UPHILL = 8
"""Fewer elements than this whose update follows their gradient show no decay."""
STRAY = 0.05
"""How many of those may be where the decay does not put them."""
EXPLAINED = 0.05
"""What a fit may leave of the difference of two updates, relative to it, to count as its reason."""
FEW = 4
"""Of fewer elements two factors explain nearly anything."""
LINEAR = 1e-2
"""What gradient and parameter may leave of an update, relative to it, that is linear in both."""
DAMPED = 1e-3
"""An element whose first update falls short of Adam's rate by more than this tells of eps."""


@dataclass(frozen=True)
class Reading:
    """What one side's first update tells of its optimizer; None for what it does not tell.

    `decay` is the weight decay of an optimizer whose update is linear in gradient and parameter, as
    SGD's; `coupled` that which one such as Adam adds to the gradient; `eps` see `epsilon`.
    """

    decay: float | None = None
    coupled: float | None = None
    eps: float | None = None


@dataclass(frozen=True)
class Fit:
    """The port's update as `scale` times PyTorch's plus `decay` times the parameter.

    `left` is what this leaves, relative to the difference of both updates.
    """

    scale: float
    decay: float
    left: float
    torch: Reading = Reading()
    port: Reading = Reading()

    @property
    def explains(self) -> bool:
        """Whether scale and decay are the reason of the difference."""
        return self.left <= EXPLAINED


def fit(port: Array, torch: Array, parameter: Array) -> Fit:
    """Return the least-squares fit of one update by another and the parameter itself.

    Elements that the two move in opposite directions are left to `coupled`.
    """
    y, a, p = (np.ravel(array).astype(np.float64) for array in (port, torch, parameter))
    along = (y * a > 0) if 2 * (y * a > 0).sum() > y.size else np.ones(y.shape, bool)
    y, a, p = y[along], a[along], p[along]
    gap = rms(y - a)
    if not gap:
        return Fit(1.0, 0.0, 0.0)
    scale, decay = _least_squares(y, a, p)
    return Fit(scale, decay, rms(y - scale * a - decay * p) / gap)


def read(update: Array, gradient: Array, parameter: Array, rate: float = 0.0) -> Reading:
    """Return what an update tells; `rate` is the learning rate, 0 where nobody knows it."""
    u, g, p = (np.ravel(array).astype(np.float64) for array in (update, gradient, parameter))
    if u.size < FEW or not u.any() or not g.any():
        return Reading()
    slope, decay = _least_squares(u, g, p)
    if slope < 0 and rms(u - slope * g - decay * p) <= LINEAR * rms(u):
        # Neither what one rounding of the parameter makes of it nor what adds to it is a decay.
        pull = decay / slope if abs(decay) > 4 * ROUNDOFF else 0.0
        return Reading(decay=pull if pull >= 0 else None)
    return Reading(coupled=coupled(u, g, p), eps=epsilon(u, g, rate))


def coupled(update: Array, gradient: Array, parameter: Array) -> float | None:
    """Return the weight decay that was added to the gradient before the optimizer used it.

    Adam's first update has the sign of -(gradient + decay * parameter), so it runs uphill just
    where the parameter is larger than the gradient / decay and of the other sign.  None where no
    decay tells those elements from the others; a lower bound where all run uphill that can.
    """
    u, g, p = (np.ravel(array).astype(np.float64) for array in (update, gradient, parameter))
    live = (u != 0) & (g != 0) & (p != 0)
    uphill, against = (u * g > 0)[live], (g * p < 0)[live]
    if uphill.sum() < UPHILL or (uphill & ~against).sum() > STRAY * uphill.sum():
        return None
    size = np.abs(p[live][against] / g[live][against])
    order = np.argsort(size)
    size, up = size[order], uphill[against][order]
    # Errors of the rule "uphill from this element on", for every element and for none.
    errors = np.append(0, np.cumsum(up)) + np.append(np.cumsum(~up[::-1])[::-1], 0)
    at = int(errors.argmin())
    if errors[at] > STRAY * min(len(up), 2 * up.sum()):
        return None
    edges = [size[max(at - 1, 0)], size[min(at, len(size) - 1)]]
    return float(1 / np.sqrt(edges[0] * edges[1]))


def epsilon(update: Array, gradient: Array, rate: float) -> float | None:
    """Return the eps of Adam's first update, -rate * g / (|g| + eps), 0 where it damps nothing.

    None where that is not the update: it goes farther, or damped elements do not agree on one eps.
    """
    live = (update != 0) & (gradient != 0)
    u, g = np.abs(update[live]), np.abs(gradient[live])
    if not rate or (u > (1 + DAMPED) * rate).any():
        return None
    damped = u < (1 - DAMPED) * rate
    if not damped.any():
        return 0.0
    found = np.sort(g[damped] * (rate / u[damped] - 1))
    low, middle, high = found[[len(found) // 4, len(found) // 2, 3 * len(found) // 4]]
    return float(middle) if high - low <= 2 * STRAY * middle else None


def _least_squares(y: Array, a: Array, p: Array) -> tuple[float, float]:
    """Return the factors of `a` and `p` whose sum is nearest to `y`."""
    units = [rms(a) or 1.0, rms(p) or 1.0]
    columns = np.stack([a / units[0], p / units[1]], axis=1)
    one, other = np.linalg.lstsq(columns, y, rcond=1e-6)[0] / units
    return float(one), float(other)
