"""The two sides of a pair, as pydantic models: an API, or several calls that do the same."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from conformance.corpus.model import Api, Model

Form = Literal["function", "method", "property", "module", "optimizer", "schedule", "random"]


class Step(Model):
    """One call of a composite.

    `args` are canonical names, numbers of earlier steps for their results, lists of these, or the
    APIs of functions to pass, such as ``mindspore.ops.exp``.
    A step with ``call: result`` has no API: it calls what its first argument is.
    """

    api: Api | None = None
    call: Form | Literal["result"] = "function"
    args: list[str | int | list[str | int]]
    kwargs: dict[str, str] = Field(default_factory=dict, description="framework name: canonical.")
    constructor: dict[str, str] = Field(default_factory=dict)
    fixed: dict[str, Any] = Field(
        default_factory=dict,
        description="Always passed, by its own name; {dtype: float64} stands for a dtype, "
        "{api: mindspore.ops.exp} for a function.",
    )

    @model_validator(mode="after")
    def _callee(self) -> Self:
        if (self.api is None) != (self.call == "result"):
            raise ValueError("give an api, or call: result to call what the first argument is")
        return self


class Composite(Model):
    """Several calls that together perform what one API of the other framework does."""

    steps: list[Step] = Field(min_length=1, max_length=16)
    returns: list[int] | None = Field(None, description="Step numbers; default: the last step.")
    name: Annotated[str, StringConstraints(pattern=r"^[\w.+ -]+$", max_length=80)] | None = Field(
        None, description="What the pair's id calls it; default: its APIs, joined by +."
    )

    def apis(self) -> list[str]:
        """Return the API of each step that has one."""
        return [step.api for step in self.steps if step.api is not None]


Side = Api | Composite


def apis(side: Side | None) -> list[str]:
    """Return the APIs of a side of a pair; none of a side that is not there."""
    if side is None:
        return []
    return [side] if isinstance(side, str) else side.apis()


def side_id(side: Side | None) -> str:
    """Return what the pair's id calls `side`; composites join their steps with ``+``."""
    if side is None:
        return "none"
    return side if isinstance(side, str) else side.name or "+".join(side.apis())
