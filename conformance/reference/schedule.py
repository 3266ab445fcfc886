"""Learning-rate schedules: the rate before each step, from the numbers a caller writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="float64")
def cosine_annealing_lr(
    base_lr: float,
    steps: int,
    T_max: int,  # noqa: N803
    eta_min: float = 0.0,
    last_epoch: int = -1,
) -> Array:
    """Rate before each step t, of shape (steps,): half a cosine from base_lr down, and up again.

    ``eta_min + (base_lr - eta_min) (1 + cos(π t / T_max)) / 2``, of period ``2 T_max``.  It is
    evaluated as ``base_lr - (base_lr - eta_min) sin²(π t / 2 T_max)`` in the first half of the way
    down and as ``eta_min + (base_lr - eta_min) cos²(π t / 2 T_max)`` in the second, which lose no
    digits.  Raises ZeroDivisionError for a `T_max` of 0, and KeyError for a `last_epoch` other than
    -1: a schedule that resumes needs the initial rate, which a fresh optimizer has not recorded.
    Source: PyTorch documentation of torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and
    Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, equation 5.
    """
    _check_fresh(last_epoch)
    if T_max == 0:
        raise ZeroDivisionError("T_max must not be 0")
    high, low = np.longdouble(base_lr), np.longdouble(eta_min)
    half_pi = 2 * np.arctan(np.longdouble(1))
    period = 2 * abs(T_max)
    folded = [min(t % period, period - t % period) for t in range(steps)]
    angle = np.asarray(folded, np.longdouble) * half_pi / abs(T_max)
    down = high - (high - low) * np.sin(angle) ** 2
    # At T_max itself the rounded π would leave a cosine of 1e-20 where there is none.
    cosine = np.where(np.asarray(folded) == abs(T_max), 0, np.cos(angle))
    return np.where(2 * np.asarray(folded) <= abs(T_max), down, low + (high - low) * cosine**2)


@reference(dtype="float64")
def exponential_lr(base_lr: float, steps: int, gamma: float, last_epoch: int = -1) -> Array:
    """Rate before each step t, of shape (steps,): ``base_lr · gammaᵗ``.

    Raises KeyError for a `last_epoch` other than -1, as `cosine_annealing_lr` does.
    Source: PyTorch documentation of torch.optim.lr_scheduler.ExponentialLR.
    """
    _check_fresh(last_epoch)
    return np.asarray(np.longdouble(base_lr) * np.longdouble(gamma) ** np.arange(steps))


def _check_fresh(last_epoch: int) -> None:
    if last_epoch != -1:
        raise KeyError("initial_lr")
