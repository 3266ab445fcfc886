"""Signatures as the installed frameworks give them: what `conformance.worker.describe` replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from conformance.corpus.sides import Side
from conformance.worker import describe


@dataclass(frozen=True)
class Argument:
    """A parameter as one framework has it; `default` is its repr, None for no default.

    `position` counts from 0 within the constructor or the call; None where it has none: a
    keyword-only parameter, module state, a step of a composite.
    """

    name: str
    kind: str = describe.POSITIONAL
    default: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class Signature:
    """What introspection says of one API: `forms` are its overloads, `call` a class's own call."""

    api: str
    source: str
    error: str
    forms: tuple[tuple[Argument, ...], ...]
    texts: tuple[str, ...]
    call: tuple[Argument, ...] | None
    call_text: str | None
    deprecated: frozenset[str]

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Return the signature in a reply of `conformance.worker.describe.describe`."""
        first = {"text": message["text"], "parameters": message["parameters"]}
        overloads = [first, *message["overloads"]]
        called = message["call_parameters"]
        return cls(
            api=message["api"],
            source=message["source"],
            error=message["error"],
            forms=tuple(arguments(o["parameters"]) for o in overloads),
            texts=tuple(o["text"] for o in overloads),
            call=None if called is None else arguments(called),
            call_text=message["call_text"],
            deprecated=frozenset(message["deprecated"]),
        )

    @property
    def known(self) -> bool:
        """Whether introspection found a signature at all."""
        return self.source != "none"

    @property
    def text(self) -> str:
        """The first form; for a class, constructor and call: ``(reduction='mean')(input)``."""
        return self.texts[0] + (self.call_text or "")


def arguments(parameters: list[dict[str, Any]]) -> tuple[Argument, ...]:
    """Return the arguments of a parameter list as `describe` gives it."""
    keyword = (describe.KEYWORD_ONLY, describe.VAR_KEYWORD)
    return tuple(
        Argument(p["name"], p["kind"], p["default"], None if p["kind"] in keyword else i)
        for i, p in enumerate(parameters)
    )


def signature_of(side: Side | None, messages: Mapping[str, Mapping[str, Any]]) -> Signature | None:
    """Return the signature of a side; None for a composite, no side, or an API nobody described."""
    message = messages.get(side) if isinstance(side, str) else None
    return None if message is None else Signature.from_message(message)
