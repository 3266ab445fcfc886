"""The gradient oracle where no analytic one is written: central differences along probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from conformance.corpus.inputs import Array
from conformance.judge import structure
from conformance.judge.dtypes import ROUNDOFF, inexact
from conformance.judge.expected import Derivative, Expected, Probes

_SMALLEST_SCALE = 1e-2
"""Length over which a function is taken to bend, at least; it grows as |x|, above 1 as √|x|."""

_CONDITION_STEP = 1e-5
"""Relative move of the inputs that shows the conditioning of a derivative above its own error."""

Values = dict[str, Any]
Weighted = Callable[[Values], Array]


Moves = Mapping[str, Array]
"""For each inexact array a perturbation of ±u, u the roundoff of its dtype."""


def directions(
    arrays: Mapping[str, Array], seed: int, rounds: int, beside: Sequence[Array] = ()
) -> Sequence[tuple[Moves, tuple[Array, ...]]]:
    """Return random perturbations of `arrays`, drawn `rounds` times after one `seed`.

    With each come random signs in the shapes of the arrays `beside`.
    """
    inputs = tuple((n, a.shape, ROUNDOFF[a.dtype.name]) for n, a in arrays.items() if inexact(a))
    return _directions(inputs, seed, rounds, tuple(a.shape for a in beside))


@lru_cache(maxsize=64)
def _directions(
    inputs: tuple[tuple[str, tuple[int, ...], float], ...],
    seed: int,
    rounds: int,
    beside: tuple[tuple[int, ...], ...],
) -> tuple[tuple[Moves, tuple[Array, ...]], ...]:
    """Draw them once for all cases whose arrays look alike: that is dearer than to use them."""
    random = np.random.RandomState(seed)

    def signs(shape: tuple[int, ...]) -> Array:
        drawn = np.asarray(random.randint(0, 2, shape) * 2.0 - 1.0)
        drawn.setflags(write=False)
        return drawn

    return tuple(
        ({n: signs(shape) * unit for n, shape, unit in inputs}, tuple(map(signs, beside)))
        for _ in range(rounds)
    )


def differentiate(
    weighted: Weighted, values: Values, names: list[str], arrays: Mapping[str, Array], rounds: int
) -> dict[str, Derivative]:
    """Return the derivatives of ``sum(weighted(values))`` by each of `names`.

    `weighted` returns the outputs times their cotangents, flat, in the precision it runs in; the
    change of the derivatives under a roundoff of `arrays` is sampled `rounds` times.  The cotangent
    is an argument of a vector-Jacobian product like any other: a roundoff of it moves the sum of
    independent terms by the root of their squares.
    """
    base = weighted(values)
    finite = np.isfinite(base)
    stencil = _Stencil(lambda v: weighted(v)[finite], base[finite], values)
    stencil.shift(arrays, rounds)
    return {
        name: _derivative(
            stencil, name, arrays[name].dtype.name, _reached(weighted, values, arrays, name, finite)
        )
        for name in names
    }


def _reached(
    weighted: Weighted, values: Values, arrays: Mapping[str, Array], name: str, finite: Array
) -> Array | bool:
    """Tell along which probes of `name` an output moves that is not finite.

    Asked where every input is finite, so that what depends on what can be seen.
    """
    if finite.all():
        return False
    clean = dict(values)
    for n, array in arrays.items():
        if inexact(array):
            v = values[n]
            clean[n] = np.where(np.isfinite(v), v, v.dtype.type(0.5))
    plan = Probes.of(clean[name])
    try:
        base = weighted(clean)
        reached = []
        for k in range(plan.count):
            moved = weighted({**clean, name: clean[name] + plan.direction(k) / 64})
            reached.append(np.any((moved != base)[~finite]))
    except Exception:  # the reference refuses these inputs: nothing is known, so nothing is asked
        return True
    found = np.asarray(reached, dtype=bool)
    return found.reshape(clean[name].shape) if plan.single else found


def _derivative(stencil: _Stencil, name: str, dtype: str, singular: Array | bool) -> Derivative:
    x = stencil.values[name]
    plan = Probes.of(x)
    y, error, spread = (np.full(plan.count, fill, x.dtype) for fill in (np.nan, 0, 0))
    for k in range(plan.count):
        try:
            slope = stencil.slope(name, plan.direction(k).astype(x.dtype))
        except Exception:  # a step left the domain: the derivative is one-sided here
            continue
        if slope is not None:
            y[k], error[k], spread[k] = slope
    uncompared = int(np.sum(np.isnan(y)[plan.group])) if plan.group.size else 0
    if plan.single:
        y, error, spread = (a.reshape(x.shape) for a in (y, error, spread))
    expected = Expected(structure.gradient(name), y, dtype, error)
    probes = None if plan.single else plan
    return Derivative(expected, spread, probes, True, uncompared, singular)


class _Slope(NamedTuple):
    """A derivative, its uncertainty, and its largest change under a roundoff of the inputs."""

    value: Any
    error: Any
    spread: Any


class _Shift(NamedTuple):
    """Perturbed arguments, the function there, and how many roundoffs they moved."""

    values: Values
    base: Array
    roundoffs: float


class _Stencil:
    """Fourth-order central differences, ``(4 D(h) - D(2h)) / 3``, D(h) = (f(x+h) - f(x-h)) / 2h.

    Source: Abramowitz & Stegun 25.3.21 (one step of Richardson's extrapolation).
    """

    def __init__(self, function: Weighted, base: Array, values: Values) -> None:
        self.function, self.base, self.values = function, base, values
        extended = base.dtype == np.longdouble
        self.eps = float(np.finfo(np.longdouble if extended else np.float64).eps)
        self.step = 2e-4 if extended else 1e-3
        self.shifts: list[_Shift] = []
        self.unit = 0.0

    def shift(self, arrays: Mapping[str, Array], rounds: int) -> None:
        """Move all inputs by a multiple of a roundoff that differences can resolve."""
        self.unit = max(ROUNDOFF[a.dtype.name] for a in arrays.values() if inexact(a))
        for seed in range(rounds):
            ((moves, _),) = directions(arrays, 65_551 + seed, 1)
            factor = max(1.0, _CONDITION_STEP / self.unit)
            moved = {
                n: v * (1 + factor * moves[n]).astype(v.real.dtype) if n in moves else v
                for n, v in self.values.items()
            }
            try:
                self.shifts.append(_Shift(moved, self.function(moved), factor))
            except Exception:  # outside the domain: no measure of conditioning from this one
                continue

    def slope(self, name: str, direction: Array) -> _Slope | None:
        """Return the derivative along `direction`, or None where the function is not smooth.

        A kink that a step merely crosses is stepped around; one at the point itself stays.
        """
        return self._slope(name, direction, 1.0) or self._slope(name, direction, 1 / 64)

    def _slope(self, name: str, direction: Array, shrink: float) -> _Slope | None:
        x = self.values[name]
        members = np.abs(x[direction != 0])
        if not np.all(np.isfinite(members)):
            return None
        size = max(np.mean(members), _SMALLEST_SCALE)
        h = shrink * self.step * min(size, np.sqrt(size))
        right, left, far_right, far_left = (
            self.function({**self.values, name: x + t * h * direction}) for t in (1, -1, 2, -2)
        )
        near = np.sum(right - left) / (2 * h)
        far = np.sum(far_right - far_left) / (4 * h)
        noise = self.eps * np.sum(np.abs(self.base) * (right != left)) / h
        bend = np.sum(np.abs(right + left - 2 * self.base)) / h
        far_bend = np.sum(np.abs(far_right + far_left - 2 * self.base)) / (2 * h)
        steep = np.sum(np.abs(right - left)) / (2 * h)
        if not np.isfinite(near + far) or not _smooth(bend, far_bend, steep, 8 * noise):
            return None
        best = (4 * near - far) / 3
        gap = abs(best - near)
        # D(h) is off by about ε relative, so the extrapolated value by about ε².
        error = gap * ((min(gap / abs(best), 1) if best else 1) + 4 * self.step**2) + 4 * noise
        by_cotangent = self.unit * float(np.sqrt(np.sum(np.square((right - left) / (2 * h)))))
        return _Slope(best, error, max(by_cotangent, self._spread(name, h * direction, right, h)))

    def _spread(self, name: str, move: Array, right: Array, h: Any) -> float:
        here = np.sum(right - self.base) / h
        largest = 0.0
        for values, base, roundoffs in self.shifts:
            moved = self.function({**values, name: values[name] + move})
            change = float(abs(np.sum(moved - base) / h - here)) / roundoffs
            largest = max(largest, change) if np.isfinite(change) else largest
        return largest


def _smooth(bend: Any, far_bend: Any, steep: Any, noise: Any) -> bool:
    """Tell whether the slopes to the right and left approach each other as the step shrinks.

    `bend` is the gap between them with step h, `far_bend` with 2h.  A smooth function halves it
    with the step, or does better where it is small; a kink keeps it.
    """
    if far_bend <= noise or abs(far_bend - 2 * bend) <= 0.25 * far_bend:
        return True
    return bool(far_bend > 2 * bend and far_bend <= 1e-3 * steep)
