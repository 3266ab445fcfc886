"""Optimizers and learning-rate schedules: trajectories under given gradients.

The hyperparameters are the doubles a caller writes.  What depends on them alone is computed in
float64 or better, as frameworks do it on the host, and rounded once to the dtype of `params`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="=params")
def sgd(
    params: Array,
    grads: Array,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Array:
    """Stochastic gradient descent with momentum μ, dampening τ and L2 penalty λ.

    With ``g = ±grads[t] + λ θ`` (minus to maximize): ``b = g`` at the first step and then
    ``b = μ b + (1 - τ) g``; ``θ -= γ (g + μ b)`` if `nesterov`, else ``θ -= γ b``; without momentum
    ``θ -= γ g``.  `params` has any shape S and `grads` (steps, *S); the result, of the shape of
    `grads`, holds θ after each step.  Raises ValueError for a negative `lr`, `momentum` or
    `weight_decay`, for `nesterov` without momentum or with dampening, and for other shapes.
    Source: PyTorch documentation of torch.optim.SGD, algorithm; Sutskever et al., "On the
    importance of initialization and momentum in deep learning", 2013, in PyTorch's form.
    """
    _check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (momentum <= 0 or dampening != 0):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    as_params = params.dtype.type
    kept, fresh = as_params(momentum), as_params(1 - dampening)
    buffer: Array | None = None

    def update(gradient: Array, _: int) -> Array:
        nonlocal buffer
        if momentum == 0:
            return np.asarray(as_params(lr) * gradient)
        buffer = gradient if buffer is None else kept * buffer + fresh * gradient
        step = gradient + kept * buffer if nesterov else buffer
        return np.asarray(as_params(lr) * step)

    return _trajectory(params, grads, update, weight_decay, maximize)


@reference(dtype="=params")
def adam(
    params: Array,
    grads: Array,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Array:
    """Adam with decay rates β, L2 penalty λ and, with `amsgrad`, the running maximum of v.

    With ``g = ±grads[t-1] + λ θ`` (minus to maximize): ``m = β₁ m + (1 - β₁) g``,
    ``v = β₂ v + (1 - β₂) g²``, ``θ -= γ / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε)``; `amsgrad` takes
    the maximum of all v so far for v.  ε is added after the bias correction.  Shapes as in `sgd`.
    Raises ValueError for a negative `lr`, `eps` or `weight_decay`, for betas outside [0, 1), and
    for other shapes.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1; Reddi
    et al., "On the convergence of Adam and beyond", 2018; PyTorch documentation of
    torch.optim.Adam.
    """
    _check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must lie in [0, 1), not {betas}")
    as_params, exact = params.dtype.type, _host(params)
    beta1, beta2 = map(exact, betas)
    m = v = largest = np.zeros_like(params)

    def update(gradient: Array, step: int) -> Array:
        nonlocal m, v, largest
        m = as_params(beta1) * m + as_params(1 - beta1) * gradient
        v = as_params(beta2) * v + as_params(1 - beta2) * gradient * gradient
        largest = np.maximum(largest, v) if amsgrad else v
        root = as_params(np.sqrt(1 - beta2**step))
        rate = as_params(exact(lr) / (1 - beta1**step))
        return np.asarray(rate * m / (np.sqrt(largest) / root + as_params(eps)))

    return _trajectory(params, grads, update, weight_decay, maximize)


@reference(dtype="float64")
def step_lr(
    base_lr: float, steps: int, step_size: int, gamma: float = 0.1, last_epoch: int = -1
) -> Array:
    """Learning rate before each step, of shape (steps,): ``base_lr · gamma^⌊t / step_size⌋``.

    Raises ZeroDivisionError for a `step_size` of 0, and KeyError for a `last_epoch` other than -1:
    a schedule that resumes needs the initial rate, which a fresh optimizer has not recorded.
    Source: PyTorch documentation of torch.optim.lr_scheduler.StepLR.
    """
    if last_epoch != -1:
        raise KeyError("initial_lr")
    decays = [t // step_size for t in range(steps)]
    return np.asarray(np.longdouble(base_lr) * np.longdouble(gamma) ** np.asarray(decays))


def _trajectory(
    params: Array,
    grads: Array,
    update: Callable[[Array, int], Array],
    weight_decay: float,
    maximize: bool,
) -> Array:
    """Return the parameters after each step of ``θ -= update(g, t)``, t counted from 1."""
    if grads.ndim == 0 or grads.shape[1:] != params.shape:
        raise ValueError(f"grads {grads.shape} must be (steps, *{params.shape})")
    decay = params.dtype.type(weight_decay)
    result = np.empty(grads.shape, params.dtype)
    current = params
    for i, given in enumerate(grads):
        gradient = -given if maximize else given
        if weight_decay:
            gradient = gradient + decay * current
        current = result[i] = current - update(gradient, i + 1)
    return result


def _host(params: Array) -> Callable[[Any], Any]:
    """Return the scalar type for what depends on hyperparameters alone."""
    return np.longdouble if params.dtype == np.longdouble else np.float64


def _check_not_negative(**values: float) -> None:
    for name, value in values.items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, not {value}")
