"""Published pages and the claims they make."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from conformance.corpus.model import Api, CaseId, Model, Text
from conformance.taxonomy import Kind


class Source(Model):
    """Where a claim was published."""

    document: str = Field(description="Id of an entry of `documents`.")
    example: int | None = Field(None, ge=1)


Printed = str | list[Any]


Exception_ = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(: \S.*)?$", max_length=200)]


class Raises(Model):
    """Exception per framework; null where the call must return.

    ``RuntimeError``, or with words that the message must contain: ``RuntimeError: size mismatch``.
    """

    torch: Exception_ | None = None
    mindspore: Exception_ | None = None
    mindspore_graph: Exception_ | None = Field(
        None, description="In graph mode, where it is not what PyNative does; null to return there."
    )
    numpy: Exception_ | None = Field(
        None, description="Of the API in `numpy`; a reference does not check arguments."
    )

    @model_serializer(mode="wrap")
    def _without_numpy(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `numpy` out where it is not given: no hash of a case changes by the new key."""
        found: dict[str, Any] = dump(self)
        return found if self.numpy is not None else {k: v for k, v in found.items() if k != "numpy"}


class Expect(Model):
    """What was published: printed values (quoted, their digits are their tolerance), exceptions.

    A list of printed values stands for an array; `outputs` names one output of several by number.
    """

    torch: Printed | None = None
    mindspore: Printed | None = None
    both: Printed | None = None
    raises: Raises | None = None
    output: int = Field(0, ge=0, description="Which output the printed values are of.")


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
