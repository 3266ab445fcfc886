"""How a case file writes an array: a literal or one generator."""

from __future__ import annotations

from math import prod
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from conformance.corpus.model import MAX_ELEMENTS, Model, Shape
from conformance.taxonomy import Dtype


class Integers(Model):
    """Bounds and shape of ``numpy.random.RandomState.randint``; `high` is exclusive."""

    low: int = 0
    high: int | None = None
    size: Shape


class Filled(Model):
    """A constant array."""

    size: Shape
    value: float | str


GENERATORS = (
    "value",
    "rand",
    "randn",
    "randint",
    "zeros",
    "ones",
    "full",
    "arange",
    "linspace",
    "npy",
)


class Sequence(Model):
    """Several arrays passed as one argument."""

    list_: list[Input] | None = Field(None, alias="list", max_length=64)
    tuple_: list[Input] | None = Field(None, alias="tuple", max_length=64)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.list_ is None) == (self.tuple_ is None):
            raise ValueError("give list or tuple")
        return self

    @property
    def kind(self) -> Literal["list", "tuple"]:
        """What the frameworks are given."""
        return "tuple" if self.list_ is None else "list"

    @property
    def members(self) -> list[Input]:
        """The arrays."""
        return (self.tuple_ if self.list_ is None else self.list_) or []


class Generated(Model):
    """An array that is drawn or constant; a port's inputs are such, too."""

    rand: Shape | None = Field(None, description="Uniform draws in [0, 1) of this shape.")
    randn: Shape | None = Field(None, description="Standard normal draws of this shape.")
    randint: Integers | None = None
    zeros: Shape | None = None
    ones: Shape | None = None
    full: Filled | None = None
    scale: float | None = Field(None, description="Multiply the draw by this, before the cast.")
    shift: float | None = Field(None, description="Then add this.")

    @property
    def shape(self) -> list[int] | None:
        """The declared shape, None for what is not generated."""
        for sized in (self.randint, self.full):
            if sized is not None:
                return list(sized.size)
        plain = (self.rand, self.randn, self.zeros, self.ones)
        return next((shape for shape in plain if shape is not None), None)


class Input(Generated):
    """One array: a literal `value` or one generator, with its dtype and the form it is passed in.

    Random draws come from one legacy ``np.random.RandomState`` per case, in the order written.
    """

    value: Any = Field(None, description="Literal number or nested list; '1+2j' for complex.")
    arange: int | None = Field(None, ge=0, le=MAX_ELEMENTS, description="0, 1, … n-1.")
    linspace: tuple[float, float, int] | None = Field(None, description="[start, stop, number].")
    npy: str | None = Field(None, description="A .npy file beside this case file.")
    reshape: Shape | None = None
    dtype: Dtype | None = Field(None, description="Wins over the dtype of the case.")
    layout: Literal["contiguous", "transposed"] = Field(
        "contiguous", description="'transposed': same values, last two axes strided in memory."
    )
    as_: Literal["tensor", "parameter", "ndarray", "list", "scalar"] = Field(
        "tensor", alias="as", description="What the frameworks are given."
    )

    @model_validator(mode="before")
    @classmethod
    def _literal(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"value": data}

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in GENERATORS if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of {', '.join(GENERATORS)}; found {given or 'none'}"
            )
        if (count := self.elements()) > MAX_ELEMENTS:
            raise ValueError(f"{count:,} elements; the limit is {MAX_ELEMENTS:,}")
        return self

    def elements(self) -> int:
        """Return the number of elements this input declares (0 for literals and files)."""
        if self.arange is not None:
            return self.arange
        if self.linspace is not None:
            return self.linspace[2]
        return 0 if self.shape is None else prod(self.shape)
