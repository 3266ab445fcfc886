"""What a case file says of differences: which are declared, and which boxes do not apply."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from conformance.corpus.model import Model, Text
from conformance.taxonomy import Kind

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
        min_length=1,
        description="Targets it holds for; 'mindspore' covers its devices and modes.",
    )
    where: list[str] = Field(
        default_factory=list,
        description="Only here: output, output 1, gradient of weight, state bias; * as wildcard.",
    )
    at_most: float | None = Field(
        None, gt=0, description="Greatest error in roundoffs it excuses; a greater one is new."
    )
    sometimes: bool = Field(
        False,
        description="It rests on memory that was never written, so a run may not show it.",
    )
    since: str | None = Field(
        None, min_length=1, max_length=60, description="Release that first shows it, as published."
    )
    note: Text
    instead: Text | None = Field(None, description="What a porter should write instead.")
    replacement: str | None = Field(
        None,
        description="Id of the pair of this file to write instead.  It must not show the "
        "difference on the cases that do.",
    )


class SharedDifference(Difference):
    """A difference of several pairs of an operation, written once."""

    pairs: list[str] = Field(
        default_factory=lambda: ["*"], min_length=1, description="Pair ids, * as wildcard."
    )


class Reason(Text):
    """Why a box of the depth table cannot be ticked."""

    pairs: list[str] = Field(default_factory=lambda: ["*"], min_length=1)


Box = Annotated[
    str,
    StringConstraints(
        pattern=r"^(published-value|value|gradient|dtypes|special-values|exceptions|modes"
        r"|parameter [A-Za-z]\w*)$"
    ),
]
