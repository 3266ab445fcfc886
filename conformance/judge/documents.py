"""What published pages claim of signatures, held against the installed frameworks.

Three kinds of claim: a signature as the page prints it, a row of its parameter table, and a
heading over a text that describes another API.  A claim the installed releases refute needs a
`refuted` note in the case file that says why, and such a note on a claim that holds is stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.corpus.model import Text
from conformance.corpus.published import Document, HeadingClaim, RowClaim, SignatureClaim
from conformance.corpus.schema import Operation
from conformance.judge.introspected import Argument, Signature, arguments, signature_of
from conformance.judge.signature import NOT_INTROSPECTABLE, ParameterRow, compare, same_default
from conformance.judge.words import said
from conformance.taxonomy import Kind
from conformance.worker import describe

Messages = Mapping[str, Mapping[str, Any]]
NOT_SAID_BY_ROWS = frozenset({Kind.ORDER, Kind.CALL_FORM})
"""A row speaks of one parameter by itself: not of its place among others, nor of the call."""


@dataclass(frozen=True)
class DocumentClaim:
    """One claim of a published page beside what is installed.

    `holds` is None where it could not be checked, and `installed` then says why: not comparable,
    never green.  `problem` is why the author must change the case file for it to be checked.
    """

    document: str
    what: str
    published: str
    installed: str
    holds: bool | None
    note: Text | None
    problem: str = ""


def check(operation: Operation, messages: Messages) -> tuple[list[DocumentClaim], list[str]]:
    """Return every claim of the operation's documents, and a line for each its author must touch.

    `messages` are replies of `conformance.worker.describe.describe` by API.  A line tells of a
    refuted claim without a `refuted` note, of a note on a claim that holds after all, and of a
    claim that cannot be read or proven.
    """
    claims = [c for d in operation.documents for c in _claims(operation, d, messages)]
    lines = [f"{operation.operation}: {line}" for line in map(_line, claims) if line]
    return claims, lines


def fits(printed: str, signature: Signature) -> bool:
    """Tell whether `printed` is one of the overloads of `signature`: names, order and defaults.

    A second pair of parentheses, ``(reduction='mean')(logits, labels)``, is a class's own call.
    Annotations and ``-> Tensor`` are not compared.  Raises ValueError when it cannot be read.
    """
    first, *rest = _read(printed)
    if len(rest) > 1 or (rest and signature.call is None):
        return False
    called = all(_same(r, signature.call or ()) for r in rest)
    return called and any(_same(first, form) for form in signature.forms)


def _claims(
    operation: Operation, document: Document, messages: Messages
) -> Iterator[DocumentClaim]:
    for signature in document.signatures:
        yield _signature(document, signature, messages)
    rows = _rows(operation, document, messages) if document.rows else []
    for row in document.rows:
        yield _row(document, row, rows, _undescribed(operation, document, messages))
    for heading in document.headings:
        yield _heading(document, heading, messages)


def _line(claim: DocumentClaim) -> str | None:
    about = f"document {claim.document}: {claim.what}"
    if claim.problem:
        return f"{about}: {claim.problem}"
    if claim.holds is False and claim.note is None:
        return (
            f"{about}: prints {claim.published}, installed is {claim.installed}; "
            "say why in `refuted`"
        )
    if claim.holds and claim.note is not None:
        return f"{about}: `refuted` is stale, {claim.published} holds"
    return None


def _signature(document: Document, claim: SignatureClaim, messages: Messages) -> DocumentClaim:
    what = said("signature of {api}", api=claim.api)
    holds, installed, problem = _held(claim.prints, signature_of(claim.api, messages))
    return DocumentClaim(document.id, what, claim.prints, installed, holds, claim.refuted, problem)


def _heading(document: Document, claim: HeadingClaim, messages: Messages) -> DocumentClaim:
    """A heading is wrong when the signature printed under it is not that of the API it names."""
    what = said("heading {names} over {describes}", names=claim.names, describes=claim.describes)
    printed = next((s.prints for s in document.signatures if s.api == claim.describes), None)
    if printed is None:
        problem = f"not proven: the document has no printed signature of {claim.describes}"
        return DocumentClaim(document.id, what, "", "", None, claim.refuted, problem)
    holds, installed, problem = _held(printed, signature_of(claim.names, messages))
    if claim.names == claim.describes:
        problem = "it describes the very API it names"
    return DocumentClaim(document.id, what, printed, installed, holds, claim.refuted, problem)


def _undescribed(operation: Operation, document: Document, messages: Messages) -> bool:
    """Tell whether a side of the document's pair was described by nobody: it did not run."""
    sides = (s for p in operation.pairs if p.id == document.pair for s in (p.torch, p.mindspore))
    return any(isinstance(side, str) and side not in messages for side in sides)


def _row(
    document: Document, claim: RowClaim, rows: list[ParameterRow], undescribed: bool
) -> DocumentClaim:
    published = _said(claim.torch, claim.mindspore, claim.says)
    what = said(
        "row {torch} | {mindspore}", torch=claim.torch or "-", mindspore=claim.mindspore or "-"
    )
    found = _find(claim, rows)
    holds: bool | None = False
    installed: str = NOT_INTROSPECTABLE
    if undescribed:
        holds = None
    elif found is None:
        installed = said("no such parameter")
    elif found.unknown:
        holds, installed = None, found.note
    else:
        names = _name(found.torch), _name(found.mindspore)
        kinds = [k for k in found.kinds if k not in NOT_SAID_BY_ROWS]
        installed = _said(*names, kinds)
        says = set(claim.says) - NOT_SAID_BY_ROWS
        holds = names == (claim.torch, claim.mindspore) and set(kinds) == says
    return DocumentClaim(document.id, what, published, installed, holds, claim.refuted)


def _held(printed: str, signature: Signature | None) -> tuple[bool | None, str, str]:
    """Return (holds, the installed signature, why it cannot be read)."""
    try:
        calls = len(_read(printed)) > 1
    except ValueError as error:
        return None, "", f"{printed!r} cannot be read: {error}"
    if signature is None or not signature.known:
        return None, NOT_INTROSPECTABLE, ""
    installed = signature.texts[0] + (signature.call_text or "" if calls else "")
    return fits(printed, signature), installed, ""


def _read(printed: str) -> list[tuple[Argument, ...]]:
    groups, rest = describe.groups(printed)
    if not groups or (rest and not rest.startswith("->")):
        raise ValueError("a signature is one or two parameter lists in parentheses")
    return [arguments(describe.parse(group)) for group in groups]


def _same(printed: tuple[Argument, ...], installed: tuple[Argument, ...]) -> bool:
    return [a.name for a in printed] == [a.name for a in installed] and all(
        same_default(a.default, b.default) for a, b in zip(printed, installed, strict=True)
    )


def _rows(operation: Operation, document: Document, messages: Messages) -> list[ParameterRow]:
    pair = next((p for p in operation.pairs if p.id == document.pair), None)
    if pair is None:  # the loader has told the author already
        return []
    sides = (signature_of(side, messages) for side in (pair.torch, pair.mindspore))
    return compare(operation, pair, *sides)


def _find(claim: RowClaim, rows: list[ParameterRow]) -> ParameterRow | None:
    """Return the row of the parameter the claim is about: by PyTorch's name where it gives one."""
    if claim.torch is not None:
        own = [row for row in rows if claim.torch in (_name(row.torch), row.name)]
    else:
        own = [row for row in rows if claim.mindspore in (_name(row.mindspore), row.name)]
    return next(iter(own), None)


def _name(argument: Argument | None) -> str | None:
    return None if argument is None else argument.name


def _said(torch: str | None, mindspore: str | None, kinds: list[Kind]) -> str:
    return said(
        "{torch} | {mindspore} | {kinds}",
        torch=torch or "-",
        mindspore=mindspore or "-",
        kinds=kinds or said("same"),
    )
