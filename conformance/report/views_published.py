"""What is said of an API: by its signature, by documents and by mapping tables."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.corpus.model import Text
from conformance.taxonomy import Kind


@dataclass(frozen=True)
class SourceView:
    """Where a claim was published."""

    title: str
    release: str = ""
    url: str = ""
    example: int | None = None


@dataclass(frozen=True)
class ExpectedView:
    """What was published for a framework, and whether execution upholds it (None: nothing ran).

    `got` is what came instead; `slip` says why the document is wrong.
    """

    framework: str
    text: str
    raises: bool = False
    holds: bool | None = None
    got: str = ""
    slip: Text | None = None


@dataclass(frozen=True)
class PublishedView:
    """What a release's mapping table claims of a pair, and whether it is upheld.

    `holds` is None where MindSpore gave no result; `against` are the kinds that contradict it.
    """

    release: str
    claim: str
    holds: bool | None = None
    against: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class ClaimView:
    """A published statement, what the installed release does, and whether the statement holds.

    `holds` is None where nothing that ran decides it; `pair` is the one its document speaks of, if
    it speaks of one.
    """

    source: SourceView
    what: str
    published: str
    installed: str
    holds: bool | None
    note: Text | None = None
    pair: str = ""


@dataclass(frozen=True)
class SignatureView:
    """A signature as introspected; `error` says why there is none."""

    framework: str
    api: str
    text: str = ""
    version: str = ""
    error: str = ""


@dataclass(frozen=True)
class ParameterRowView:
    """One row of the five-column table.  A side without the parameter is None.

    `kinds` are the differences found by introspection; defaults are Python text, None for "no
    default".  `unknown` names the frameworks whose signature introspection cannot read.
    """

    category: str
    """``input``, ``option`` or ``state``."""
    number: int
    torch: str | None
    mindspore: str | None
    torch_default: str | None = None
    mindspore_default: str | None = None
    kinds: tuple[Kind, ...] = ()
    unknown: tuple[str, ...] = ()
    note: Text | None = None
