"""An input specification as the NumPy expression or literal that a person would write for it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from conformance.corpus.arrays import GENERATORS, Input
from conformance.corpus.expand import ExpandedCase
from conformance.corpus.inputs import Array, draw

LINE = 62
"""A call longer than this takes several lines, so that two programs fit side by side on a page."""


@dataclass(frozen=True)
class Expression:
    """Python text of an array before its cast.

    `literal` tells numbers from NumPy code, `compound` whether the text needs parentheses.
    """

    text: str
    literal: bool
    compound: bool = False

    @property
    def atom(self) -> str:
        """The text, safe to be followed by a dot."""
        return f"({self.text})" if self.compound else self.text


@lru_cache(maxsize=4096)
def expression(case: ExpandedCase, name: str) -> Expression:
    """Return the array `name` of `case` as text, before its cast to `dtype_of`.

    Every pair and framework of a case has the same arrays on its page.
    """
    spec, array = case.specs[name], case.arrays[name]
    if spec.value is not None:
        return _written(case, spec, array)
    text, compound = _generator(spec), False
    for operator, number in (("*", spec.scale), ("+", spec.shift)):
        if number is not None:
            negative = operator == "+" and number < 0
            text += f" - {-number!r}" if negative else f" {operator} {number!r}"
            compound = True
    if spec.reshape is not None:
        text = f"{f'({text})' if compound else text}.reshape({_arguments(spec.reshape)})"
        compound = False
    return Expression(text, literal=False, compound=compound)


def draws(spec: Input) -> bool:
    """Tell whether `spec` takes numbers from the case's RandomState."""
    return not {"rand", "randn", "randint"}.isdisjoint(spec.model_fields_set)


def literal(array: Array) -> str:
    """Return `array` as nested lists, each number in the fewest digits that give it back."""
    if array.size == 0:
        return f"np.zeros({array.shape!r})"
    options: dict[str, Any] = {
        "nanstr": "np.nan",
        "infstr": "np.inf",
        "floatmode": "unique",
        "threshold": array.size,
        "formatter": {"complex_kind": _complex} if array.dtype.kind == "c" else None,
    }
    with np.printoptions(**options):
        text = np.array2string(array, separator=", ", max_line_width=LINE)
    # Columns line up over several lines; on one line the padding is only in the way.
    return text if "\n" in text else re.sub(r"\[ +", "[", re.sub(r", +", ", ", text))


def scalar(value: Any) -> str:
    """Return a Python number, string or None as text that gives it back, NaN and Inf included."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return _complex(value) if isinstance(value, complex) else repr(value)


def dtype_of(array: Array) -> str:
    """Return the dtype's name in the vocabulary of the corpus."""
    return str(array.dtype.name)


def _written(case: ExpandedCase, spec: Input, array: Array) -> Expression:
    """The author's own digits: read in the widest dtype, so that 0.1 stays 0.1 in any dtype."""
    if array.size == 0:
        return Expression(literal(array), literal=False)
    kind = dtype_of(array)
    wide = "complex128" if kind.startswith("complex") else "float64" if "float" in kind else kind
    given = draw(
        spec.model_copy(update={"dtype": wide}), np.random.RandomState(0), wide, case.folder
    )
    return Expression(literal(given), literal=True)


def _generator(spec: Input) -> str:
    """The call that makes the values, before scale, shift and reshape."""
    name = next(name for name in GENERATORS if getattr(spec, name) is not None)
    given: Any = getattr(spec, name)
    match name:
        case "rand" | "randn":
            draw = f"random.{name}({_arguments(given)})"
            text = draw if given else f"np.array({draw})"
        case "randint":
            low, high = (0, given.low) if given.high is None else (given.low, given.high)
            bounds = f"{high}" if low == 0 else f"{low}, {high}"
            text = f"random.randint({bounds}, size={tuple(given.size)})"
        case "zeros" | "ones":
            text = f"np.{name}({tuple(given)})"
        case "full":
            text = f"np.full({tuple(given.size)}, {scalar(float(given.value))})"
        case "linspace":
            text = f"np.linspace({_arguments(given)})"
        case _:
            text = f"np.{'load' if name == 'npy' else name}({given!r})"
    return text


def _arguments(values: Any) -> str:
    return ", ".join(scalar(value) for value in values)


def _complex(value: complex) -> str:
    number = complex(value)
    parts = (number.real, number.imag)
    # -0.0 + 1j is 0.0 + 1j in Python: a sum does not keep a negative zero.
    if all(math.isfinite(part) and str(part) != "-0.0" for part in parts):
        text = repr(number).strip("()")
        # -4j negates its real zero too; 0-4j does not.
        return f"0{text}" if text.startswith("-") and number.real == 0 else text
    return f"complex({scalar(number.real)}, {scalar(number.imag)})"
