"""The case file, as pydantic models.  This is its one definition; the JSON Schema is made from it.

Field descriptions are what an editor shows, so they are written for the author of a case file.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from conformance.taxonomy import Dtype, Framework, Kind

Form = Literal["function", "method", "property", "module", "optimizer", "schedule", "random"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=80)]
CaseId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
Api = Annotated[
    str,
    StringConstraints(pattern=r"^(torch|mindspore)(\.[A-Za-z_][A-Za-z0-9_]*)+$", max_length=120),
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Scalar = None | bool | int | float | str
Shape = Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=16)]
MAX_ELEMENTS = 4_000_000
"""Elements an input may have.  Checked on the declared shape, before anything is allocated."""


class Model(BaseModel):
    """Closed and frozen: an unknown key is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True)


class Text(Model):
    """The same statement in both languages of the report."""

    en: Prose
    zh: Prose


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


class Input(Model):
    """One array: a literal `value` or one generator, with its dtype and the form it is passed in.

    Random draws come from one legacy ``np.random.RandomState`` per case, in the order written.
    """

    value: Any = Field(None, description="Literal number or nested list; '1+2j' for complex.")
    rand: Shape | None = Field(None, description="Uniform draws in [0, 1) of this shape.")
    randn: Shape | None = Field(None, description="Standard normal draws of this shape.")
    randint: Integers | None = None
    zeros: Shape | None = None
    ones: Shape | None = None
    full: Filled | None = None
    arange: int | None = Field(None, ge=0, le=MAX_ELEMENTS, description="0, 1, … n-1.")
    linspace: tuple[float, float, int] | None = Field(None, description="[start, stop, number].")
    npy: str | None = Field(None, description="A .npy file beside this case file.")
    scale: float | None = Field(None, description="Multiply the draw by this, before the cast.")
    shift: float | None = Field(None, description="Then add this.")
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
        shape = self.rand or self.randn or self.zeros or self.ones
        if self.randint is not None:
            shape = self.randint.size
        if self.full is not None:
            shape = self.full.size
        count = 1
        for extent in shape or [0]:
            count *= extent
        return count


class Parameter(Model):
    """A canonical parameter, named as in PyTorch."""

    role: Literal["input", "option", "state"] = Field(
        description="input: passed to the call; option: to the constructor of a module, else to "
        "the call; state: assigned to the module before the call and read back after it."
    )
    default: Scalar | list[Scalar] = Field(None, description="PyTorch's default, for the reader.")
    type: Literal["any", "dtype"] = Field("any", description="'dtype': values name a dtype.")
    note: Text | None = None


class Step(Model):
    """One call of a composite.  `args` are canonical names, or the number of an earlier step."""

    api: Api
    call: Form = "function"
    args: list[str | int]
    kwargs: dict[str, str] = Field(default_factory=dict, description="framework name: canonical.")
    constructor: dict[str, str] = Field(default_factory=dict)


class Composite(Model):
    """Several calls that together perform what one API of the other framework does."""

    steps: list[Step] = Field(min_length=1, max_length=8)
    returns: list[int] | None = Field(None, description="Step numbers; default: the last step.")


Side = Api | Composite
Convert = Literal["one_minus", "negate", "pair", "list", "tensor"]
Target = Annotated[
    str, StringConstraints(pattern=r"^(numpy|torch|mindspore)(@[\w.+]+)?(:\w+){0,2}$")
]


class Difference(Model):
    """What differs for good.  Documentation that the named cases must show."""

    kind: Kind
    cases: list[str] = Field(
        default_factory=list, description="Case ids, or expanded ids with * as wildcard."
    )
    parameters: list[str] = Field(
        default_factory=list, description="For signature kinds: the parameters that differ."
    )
    targets: list[Target] = Field(
        default_factory=lambda: ["mindspore"],
        description="Targets it holds for; 'mindspore' covers its devices and modes.",
    )
    note: Text
    instead: Text | None = Field(None, description="What a porter should write instead.")


class Pair(Model):
    """One PyTorch API and the MindSpore API that performs the same operation."""

    torch: Side | None = None
    mindspore: Side | None = None
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
    cases: list[str] | None = Field(None, description="Only these case ids run through this pair.")

    @model_validator(mode="after")
    def _a_side(self) -> Self:
        if self.torch is None and self.mindspore is None:
            raise ValueError("name at least one API: torch or mindspore")
        return self

    def side(self, framework: Framework) -> Side | None:
        """Return the API or composite of `framework`, or None when it has none."""
        return self.torch if framework == "torch" else self.mindspore

    def form(self, framework: Framework) -> Form:
        """Return how `framework`'s side is called."""
        return self.call[framework] if isinstance(self.call, dict) else self.call

    def step_form(self, framework: Framework) -> Form:
        """Return how the API itself is called: draws come from a module, a method or a function."""
        form, api = self.form(framework), self.side(framework)
        if form != "random" or not isinstance(api, str):
            return form
        owner, name = api.split(".")[-2:]
        if owner == "Tensor":
            return "method"
        return "module" if name[0].isupper() else "function"

    def names(self, framework: Framework) -> dict[str, str]:
        """Return canonical name: name in `framework`, for the names that differ."""
        return self.torch_names if framework == "torch" else self.mindspore_names

    @property
    def id(self) -> str:
        """``torch.abs=mindspore.ops.abs``; composites join their steps with ``+``."""
        return f"{_side_id(self.torch)}={_side_id(self.mindspore)}"


def _side_id(side: Side | None) -> str:
    if side is None:
        return "none"
    return side if isinstance(side, str) else "+".join(step.api for step in side.steps)


class Source(Model):
    """Where a claim was published."""

    document: str = Field(description="Id of an entry of `documents`.")
    example: int | None = Field(None, ge=1)


Printed = str | list[Any]


class Raises(Model):
    """Exception type per framework; null where the call must return."""

    torch: str | None = None
    mindspore: str | None = None


class Expect(Model):
    """What was published: printed values (quoted, their digits are their tolerance), exceptions.

    A list of printed values stands for an array; `outputs` names one output of several by number.
    """

    torch: Printed | None = None
    mindspore: Printed | None = None
    both: Printed | None = None
    raises: Raises | None = None
    output: int = Field(0, ge=0, description="Which output the printed values are of.")


class Accuracy(Model):
    """An accuracy of its own, with the reason."""

    budget: float | None = Field(None, gt=0, description="In roundoffs.")
    rtol: float | None = Field(None, ge=0)
    atol: float | None = Field(None, ge=0)
    reason: Prose


AccuracyClass = Literal["exact", "elementwise", "accumulation", "statistical"]


class Case(Model):
    """One set of inputs and parameter values; runs through every pair of its operation."""

    id: CaseId
    title: Text | None = None
    source: Source | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, Input | int] = Field(
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
    extra: dict[Framework, dict[str, Any]] = Field(
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

    def arrays(self) -> dict[str, Input]:
        """Return the inputs without the seed."""
        return {name: spec for name, spec in self.inputs.items() if isinstance(spec, Input)}


class RowClaim(Model):
    """One row of a published parameter table: what it says of this parameter."""

    torch: str | None
    mindspore: str | None
    says: list[Kind] = Field(description="Kinds the row states; [] for 'same'.")
    refuted: Text | None = Field(None, description="Why the installed releases say otherwise.")


class SignatureClaim(Model):
    """A signature as a page prints it."""

    api: Api
    prints: str = Field(description='Parameter list in Python syntax: "(input, weight=None)".')
    refuted: Text | None = None


class HeadingClaim(Model):
    """A heading, and the API the text under it describes."""

    names: Api
    describes: Api
    refuted: Text


class Document(Model):
    """A published page, and the claims it makes that are not numbers."""

    id: CaseId
    title: str
    release: str | None = None
    url: str | None = None
    pair: str | None = Field(None, description="Pair whose parameters `rows` speaks of.")
    signatures: list[SignatureClaim] = Field(default_factory=list)
    rows: list[RowClaim] = Field(default_factory=list)
    headings: list[HeadingClaim] = Field(default_factory=list)
    note: Text | None = None


class Operation(Model):
    """A case file: the mathematics an API performs, its pairs, and the cases that prove them."""

    operation: Name
    title: Text | None = None
    reference: Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")] | None = (
        Field(None, description="module.function under conformance.reference.")
    )
    no_reference: Text | None = Field(None, description="Why there is no oracle.")
    accuracy: AccuracyClass | Accuracy
    gradients: list[str] = Field(default_factory=list)
    parameters: dict[str, Parameter]
    documents: list[Document] = Field(default_factory=list)
    pairs: list[Pair] = Field(min_length=1)
    cases: list[Case] = Field(min_length=1)

    @model_validator(mode="after")
    def _oracle_or_reason(self) -> Self:
        if (self.reference is None) == (self.no_reference is None):
            raise ValueError("give a reference, or say in no_reference why there is none")
        return self


def matches(pattern: str, text: str) -> bool:
    """Tell whether `text` matches `pattern`, where only ``*`` is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
