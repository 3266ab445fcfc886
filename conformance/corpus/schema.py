"""The case file, as pydantic models.  This is its one definition; the JSON Schema is made from it.

Field descriptions are what an editor shows, so they are written for the author of a case file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from conformance.corpus.arrays import Input, Sequence
from conformance.corpus.difference import Box, Difference, Reason, SharedDifference
from conformance.corpus.model import CaseId, Model, Name, NumpyApi, Prose, Scalar, Text, matches
from conformance.corpus.published import Document, Expect, Source
from conformance.corpus.sides import Form, Side, side_id
from conformance.taxonomy import Dtype, Framework, Library


class Parameter(Model):
    """A canonical parameter, named as in PyTorch."""

    role: Literal["input", "option", "state"] = Field(
        description="input: passed to the call; option: to the constructor of a module, else to "
        "the call; state: assigned to the module before the call and read back after it."
    )
    default: Scalar | list[Scalar] = Field(None, description="PyTorch's default, for the reader.")
    type: Literal["any", "dtype"] = Field("any", description="'dtype': values name a dtype.")
    sequence: bool = Field(False, description="An input that is a list or tuple of tensors.")
    variadic: bool = Field(False, description="A sequence passed as `*tensors`.")
    note: Text | None = None


Convert = Literal["one_minus", "negate", "pair", "list", "tensor", "insert_axis_2"]


class Pair(Model):
    """One PyTorch API and the MindSpore API that performs the same operation.

    NumPy's API, if one is named, is called by the target ``numpy`` in place of the reference.
    """

    torch: Side | None = None
    mindspore: Side | None = None
    numpy: NumpyApi | None = Field(
        None, description="NumPy's function; without one the target numpy runs the reference."
    )
    call: Form | dict[Framework, Form] = "function"
    torch_names: dict[str, str] = Field(default_factory=dict)
    mindspore_names: dict[str, str] = Field(
        default_factory=dict, description="canonical: MindSpore's."
    )
    mindspore_convert: dict[str, Convert] = Field(default_factory=dict)
    torch_positional: list[str] | None = Field(
        None, description="Canonical names passed by position."
    )
    mindspore_positional: list[str] | None = None
    numpy_names: dict[str, str] = Field(default_factory=dict, description="canonical: NumPy's.")
    numpy_positional: list[str] | None = None
    numpy_fixed: dict[str, Any] = Field(default_factory=dict)
    mindspore_returns: list[int] | None = Field(
        None, min_length=1, description="For each of PyTorch's outputs, the number of MindSpore's."
    )
    torch_fixed: dict[str, Any] = Field(
        default_factory=dict, description="Always passed, by its own name."
    )
    mindspore_fixed: dict[str, Any] = Field(default_factory=dict)
    torch_only: dict[str, Text | Literal["deprecated", "absent"]] = Field(default_factory=dict)
    mindspore_only: dict[str, Text | Literal["deprecated", "absent"]] = Field(default_factory=dict)
    summary: Text | None = Field(None, description="The difference in a paragraph.")
    differences: list[Difference] = Field(default_factory=list)
    published: dict[str, str] = Field(
        default_factory=dict, description="Release of the mapping table: the claim it makes."
    )
    cases: list[str] | None = Field(
        None,
        description="Only these cases run through this pair: ids, or expanded ids with *.",
    )

    @model_validator(mode="after")
    def _a_side(self) -> Self:
        if self.torch is None and self.mindspore is None and self.numpy is None:
            raise ValueError("name at least one API: torch, mindspore or numpy")
        return self

    @model_validator(mode="after")
    def _numpy_side(self) -> Self:
        if self.numpy is None:
            if self.numpy_names or self.numpy_positional is not None or self.numpy_fixed:
                raise ValueError("numpy_names, numpy_positional and numpy_fixed speak of `numpy`")
            return self
        forms = set(self.call.values() if isinstance(self.call, dict) else [self.call])
        alone = self.torch is None and self.mindspore is None
        if alone and forms != {"function"}:
            raise ValueError("NumPy's APIs are called as functions")
        if other := sorted(forms & {"optimizer", "schedule", "random"}):
            raise ValueError(f"NumPy has no {other[0]} to call")
        return self

    def side(self, library: Library) -> Side | None:
        """Return the API or composite of `library`, or None when it has none."""
        return {"torch": self.torch, "mindspore": self.mindspore, "numpy": self.numpy}[library]

    def form(self, library: Library) -> Form:
        """Return how `library`'s side is called; NumPy's is a function."""
        if library == "numpy":
            return "function"
        return self.call[library] if isinstance(self.call, dict) else self.call

    def step_form(self, library: Library) -> Form:
        """Return how the API itself is called: draws come from a module, a method or a function."""
        form, api = self.form(library), self.side(library)
        if form != "random" or not isinstance(api, str):
            return form
        owner, name = api.split(".")[-2:]
        if owner == "Tensor":
            return "method"
        return "module" if name[0].isupper() else "function"

    def names(self, library: Library) -> dict[str, str]:
        """Return canonical name: name in `library`, for the names that differ."""
        names: dict[str, str] = getattr(self, f"{library}_names")
        return names

    def positional(self, library: Library) -> list[str] | None:
        """Return the canonical names passed by position, None for the inputs."""
        names: list[str] | None = getattr(self, f"{library}_positional")
        return names

    def fixed(self, library: Library) -> dict[str, Any]:
        """Return what is always passed, by `library`'s own names."""
        fixed: dict[str, Any] = getattr(self, f"{library}_fixed")
        return fixed

    @property
    def id(self) -> str:
        """``torch.abs=mindspore.ops.abs``; composites join their steps with ``+``.

        NumPy's API where it is alone: the one that other frameworks' pairs have beside them does
        not tell pairs apart.
        """
        if self.torch is None and self.mindspore is None:
            return str(self.numpy)
        return f"{side_id(self.torch)}={side_id(self.mindspore)}"


class Accuracy(Model):
    """An accuracy of its own, with the reason."""

    budget: float | None = Field(None, gt=0, description="In roundoffs.")
    rtol: float | None = Field(None, ge=0)
    atol: float | None = Field(None, ge=0)
    reason: Prose


def _written_as(value: Any) -> str:
    """Return which of `Given` a value of `inputs` is, so that errors speak of that one only."""
    if isinstance(value, Sequence):
        return "sequence"
    if isinstance(value, dict):
        return "array" if {"list", "tuple"}.isdisjoint(value) else "sequence"
    return "seed" if isinstance(value, int) else "array"


Given = Annotated[
    Annotated[Input, Tag("array")]
    | Annotated[Sequence, Tag("sequence")]
    | Annotated[int, Tag("seed")],
    Discriminator(_written_as),
]

AccuracyClass = Literal["exact", "elementwise", "accumulation", "statistical"]


class Case(Model):
    """One set of inputs and parameter values; runs through every pair of its operation."""

    id: CaseId
    title: Text | None = None
    source: Source | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Given] = Field(
        default_factory=dict, description="By canonical name; `seed` seeds the draws."
    )
    dtype: Dtype | None = None
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="Parameter, input or `dtype`: the values to run through."
    )
    training: bool = Field(False, description="Modules: train mode instead of eval mode.")
    gradients: list[str] | None = Field(
        None, description="Instead of the operation's; [] for none."
    )
    accuracy: AccuracyClass | Accuracy | None = None
    expect: Expect | None = None
    slip: dict[Framework, Text] = Field(
        default_factory=dict,
        description="Why the claim in `expect` does not hold for this framework. Must be shown.",
    )
    pairs: list[str] | None = Field(None, description="Only these pairs: ids, * as wildcard.")
    extra: dict[Library, dict[str, Any]] = Field(
        default_factory=dict, description="More arguments for one framework, by its own names."
    )
    signed_zero: bool = Field(False, description="-0.0 and 0.0 are told apart.")

    @model_validator(mode="before")
    @classmethod
    def _literals(cls, data: Any) -> Any:
        """Read `input: 5` as a literal input; only `seed` is a bare integer."""
        inputs = data.get("inputs") if isinstance(data, dict) else None
        if not isinstance(inputs, dict):
            return data
        wrapped = {
            k: v if k == "seed" or isinstance(v, dict) else {"value": v} for k, v in inputs.items()
        }
        return {**data, "inputs": wrapped}

    @property
    def seed(self) -> int:
        """Seed of the case's RandomState; 0 unless `inputs` gives one."""
        seed = self.inputs.get("seed", 0)
        return seed if isinstance(seed, int) else 0


class Operation(Model):
    """A case file: the mathematics an API performs, its pairs, and the cases that prove them."""

    operation: Name
    title: Text | None = None
    reference: Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")] | None = (
        Field(None, description="module.function under conformance.reference.")
    )
    no_reference: Text | None = Field(None, description="Why there is no oracle.")
    accuracy: AccuracyClass | Accuracy
    summary: Text | None = Field(None, description="Of the pairs that have none of their own.")
    gradients: list[str] = Field(default_factory=list)
    parameters: dict[str, Parameter]
    documents: list[Document] = Field(default_factory=list)
    differences: list[SharedDifference] = Field(
        default_factory=list, description="Differences of several pairs."
    )
    not_applicable: dict[Box, Reason] = Field(
        default_factory=dict,
        description="Boxes of `conformance coverage --depth` that this operation cannot tick.",
    )
    pairs: list[Pair] = Field(min_length=1)
    cases: list[Case] = Field(min_length=1)

    @model_validator(mode="after")
    def _oracle_or_reason(self) -> Self:
        if (self.reference is None) == (self.no_reference is None):
            raise ValueError("give a reference, or say in no_reference why there is none")
        return self

    def differences_of(self, pair: Pair) -> list[Difference]:
        """Return what is declared of `pair`: its own differences, then those it shares."""
        shared = [d for d in self.differences if any(matches(p, pair.id) for p in d.pairs)]
        return [*pair.differences, *shared]

    def summary_of(self, pair: Pair) -> Text | None:
        """Return the difference of `pair` in a paragraph."""
        return pair.summary or self.summary
