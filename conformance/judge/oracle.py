"""What must come out of a case: the reference in higher precision, and how well it is conditioned.

One Expectation serves every pair and target of its case, so everything dear in it is lazy.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array
from conformance.judge import gradient, structure
from conformance.judge.dtypes import ROUNDOFF, inexact, output_dtypes
from conformance.judge.expected import Derivative, Expected
from conformance.reference import registry
from conformance.reference.distribution import Distribution
from conformance.reference.registry import Identities, Result, scattered
from conformance.worker import wire

PERTURBATIONS = 8
OWN_ROUNDOFFS = 4.0
"""Roundoffs a float64 reference may itself be off by, where float64 is what it judges."""

_WIDE = ("float64", "complex128")
Values = dict[str, Any]


class Expectation:
    """What the reference says of one case.

    `raised` is the reference's exception, or None; then `outputs`, `state` and `mutated` are what
    must come out, and `structure` says in which form.  Where `identities` must hold instead, the
    output only has the dtypes and shapes of `forms`.  `precise` is False where the reference could
    not run beyond the precision of what it judges; `Expected.error` then makes up for it.
    """

    def __init__(self, case: ExpandedCase) -> None:
        if case.operation.reference is None:
            raise ValueError(f"{case.id} has no reference")
        self.case = case
        self.reference = registry.get(case.operation.reference)
        self.raised: Exception | None = None
        self.precise = True
        self.structure = ""
        self.outputs: list[Expected] = []
        self.state: dict[str, Expected] = {}
        self.mutated: dict[str, Expected] = {}
        self.distribution: Distribution | None = None
        self.identities: Identities | None = None
        self.forms: list[Expected] = []
        self.wide = any(a.dtype.name in _WIDE for a in case.arrays.values())
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._evaluate()

    def parts(self) -> list[Expected]:
        """Return all that is compared within a budget: outputs, state, then mutated inputs."""
        return [*self.outputs, *self.state.values(), *self.mutated.values()]

    @cached_property
    def sensitivity(self) -> dict[str, Array]:
        """By place, the largest change of y over perturbations of the inputs by one roundoff.

        A change to or from NaN or infinity is no measure of rounding and is left out.
        """
        parts = self.parts()
        largest = [np.zeros(p.y.shape, _real(p.y.dtype)) for p in parts]
        arrays = self.case.arrays
        rounds = PERTURBATIONS if any(map(inexact, arrays.values())) else 0
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for moves, _ in gradient.directions(arrays, 65_537, rounds):
                for s, part, moved in zip(largest, parts, self._perturbed(moves), strict=False):
                    if moved.shape == s.shape and inexact(part.y):
                        change = np.abs(moved - part.y)
                        np.maximum(s, np.where(np.isfinite(change), change, 0), out=s)
        return {part.where: s for part, s in zip(parts, largest, strict=True)}

    @cached_property
    def gradients(self) -> dict[str, Derivative]:
        """By canonical name, the vector-Jacobian products for ``wire.cotangent`` of each output."""
        if not any(inexact(e.y) for e in self.outputs):
            return {}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.reference.gradient is not None:
                return self._analytic()
            try:
                return self._numeric(self._cast(np.longdouble))
            except (TypeError, ValueError, NotImplementedError, np.linalg.LinAlgError):
                return self._numeric(self._cast(np.float64))

    def cotangents(self) -> list[Array]:
        """Return the cotangent of each output: zero for integers and booleans."""
        return [
            _cotangent(e.y.shape, i) if inexact(e.y) else np.zeros(e.y.shape)
            for i, e in enumerate(self.outputs)
        ]

    def _evaluate(self) -> None:
        try:
            self.values = self._cast(np.longdouble if self.wide else np.float64)
            result = self._run(self.values)
        except Exception as error:
            try:
                if not self.wide:
                    raise
                self.values = self._cast(np.float64)
                result = self._run(self.values)
            except Exception:
                self.raised = error
                return
        self._take(result)

    def _take(self, result: Result) -> None:
        if isinstance(result.output, Distribution):
            self.distribution = result.output
            self.dtypes = output_dtypes(self.reference, self.case, 1)
            return
        output = result.output
        if isinstance(output, Identities):
            self.identities, output = output, output.output
        leaves = structure.flatten(output)
        self.structure = structure.describe(output)
        dtypes = output_dtypes(self.reference, self.case, len(leaves))
        self.forms = [
            self._expected(where, y, dtype)
            for where, y, dtype in zip(structure.labels(len(leaves)), leaves, dtypes, strict=True)
        ]
        self.outputs = [] if self.identities else self.forms
        self.state = self._named(structure.state, result.state)
        self.mutated = self._named(structure.mutated, result.mutated)

    def _named(self, called: Callable[[str], str], values: Values) -> dict[str, Expected]:
        arrays = self.case.arrays
        return {
            name: self._expected(called(name), value, arrays[name].dtype.name)
            for name, value in values.items()
        }

    def _expected(self, where: str, value: Any, dtype: str) -> Expected:
        y = np.asarray(value)
        if dtype in _WIDE and y.dtype not in (np.longdouble, np.clongdouble, object):
            self.precise = False
            error = OWN_ROUNDOFFS * ROUNDOFF[dtype] * np.abs(y)
            return Expected(where, y, dtype, np.where(np.isfinite(error), error, 0.0))
        return Expected(where, y, dtype)

    def _cast(self, real: type[np.floating[Any]]) -> Values:
        """Return the arguments with inexact arrays upcast: the values their own dtype holds."""
        values = self.case.values
        cast = {n: _upcast(v, real) if isinstance(v, np.ndarray) else v for n, v in values.items()}
        if "training" not in cast:
            cast["training"] = self.case.case.training
        return cast

    def _run(self, values: Values) -> Result:
        return self.reference(**values)

    def _perturbed(self, moves: gradient.Moves) -> list[Array]:
        """Return all parts at inputs perturbed by `moves`; nothing where the reference refuses.

        An input at the edge of the domain (a probability of 1) may only move inwards, so a refused
        perturbation is tried once more towards zero.
        """
        for way in (moves, {n: -np.abs(move) for n, move in moves.items()}):
            try:
                result = self._run(self._moved(way))
            except Exception:
                continue
            unique = () if self.identities else structure.flatten(result.output)
            ordered = [*unique, *result.state.values()]
            return [np.asarray(y) for y in (*ordered, *result.mutated.values())]
        return []

    def _moved(self, moves: gradient.Moves) -> Values:
        return {
            n: v * (1 + moves[n].astype(_real(v.dtype))) if n in moves else v
            for n, v in self.values.items()
        }

    def _analytic(self) -> dict[str, Derivative]:
        def vjp(values: Values, cotangents: list[Array]) -> dict[str, Array]:
            assert self.reference.gradient is not None
            taken = self.reference.taken(values)
            return scattered(self.reference.gradient(**taken, cotangents=cotangents))

        names, arrays = self.case.gradients, self.case.arrays
        cotangents = self.cotangents()
        base = vjp(self.values, cotangents)
        spread = {n: np.zeros(arrays[n].shape, _real(self.values[n].dtype)) for n in names}
        unit = max(ROUNDOFF[a.dtype.name] for a in arrays.values() if inexact(a))
        for moves, signs in gradient.directions(arrays, 65_539, PERTURBATIONS, cotangents):
            shaken = [ct * (1 + sign * unit) for ct, sign in zip(cotangents, signs, strict=True)]
            try:
                products = vjp(self._moved(moves), shaken)
            except Exception:  # outside the domain: no measure of conditioning from this one
                continue
            for n, product in products.items():
                if n in spread:
                    change = np.abs(product - base[n])
                    spread[n] = np.maximum(spread[n], np.where(np.isfinite(change), change, 0))
        return {
            n: Derivative(
                self._expected(structure.gradient(n), base[n], arrays[n].dtype.name), spread[n]
            )
            for n in names
        }

    def _numeric(self, values: Values) -> dict[str, Derivative]:
        weights = [
            (i, ct)
            for i, (ct, e) in enumerate(zip(self.cotangents(), self.outputs, strict=True))
            if inexact(e.y)
        ]

        def weighted(arguments: Values) -> Array:
            leaves = structure.flatten(self._run(arguments).output)
            return np.concatenate([(ct * np.real(leaves[i])).ravel() for i, ct in weights])

        return gradient.differentiate(
            weighted, values, self.case.gradients, self.case.arrays, PERTURBATIONS
        )


@lru_cache(maxsize=64)
def _cotangent(shape: tuple[int, ...], number: int) -> Array:
    """Return the cotangent of output `number`; cases of one shape share it."""
    drawn = wire.cotangent(shape, number)
    drawn.setflags(write=False)
    return drawn


def _upcast(array: Array, real: type[np.floating[Any]]) -> Array:
    if not inexact(array):
        return array
    if array.dtype.kind == "c":
        return array.astype(np.clongdouble if real is np.longdouble else np.complex128)
    return array.astype(real)


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the modulus of `dtype`; float64 for anything that is not extended."""
    return np.dtype(np.longdouble if dtype in (np.longdouble, np.clongdouble) else np.float64)
