"""Which items a run takes: ``--select`` expressions and plain selections."""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.schema import Pair
from conformance.errors import CallerError

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")


@dataclass(frozen=True)
class Selection:
    """An expression of words joined by ``and``, ``or``, ``not`` and parentheses.

    A word is looked for, without regard to case, in ``case id · pair id · target``.  The empty
    expression takes everything.  A `quick` selection keeps, of what the expression takes, the first
    case of each pair that returns a value.  A `covering` one keeps, of everything, what graph mode
    need compile; see `conformance.run.cover`.
    """

    expression: str = ""
    quick: bool = False
    covering: bool = False

    def __post_init__(self) -> None:
        if self.expression:
            try:
                _Parser(self.expression, "").parse()
            except RecursionError:
                raise CallerError("--select: nested too deeply") from None

    @property
    def everything(self) -> bool:
        """Whether no case and no pair is left out."""
        return not (self.expression or self.quick)

    def takes(self, case: ExpandedCase, pair: Pair, target: str) -> bool:
        """Tell whether the item is selected."""
        return (
            not self.expression
            or _Parser(self.expression, item_id(case.id, pair.id, target)).parse()
        )


def item_id(case: str, pair: str, target: str) -> str:
    """Return the readable id of an item."""
    return f"{case} · {pair} · {target}"


class _Parser:
    """Recursive descent over or, and, not; evaluates as it goes."""

    def __init__(self, expression: str, text: str) -> None:
        self.expression, self.text = expression, text.lower()
        self.tokens = _TOKEN.findall(expression)
        self.at = 0

    def parse(self) -> bool:
        value = self.either()
        if self.at < len(self.tokens):
            raise self.fail(f"{self.tokens[self.at]!r} was not expected")
        return value

    def fail(self, what: str) -> CallerError:
        return CallerError(f"--select {self.expression!r}: {what}; write words, and, or, not, ( )")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def either(self) -> bool:
        value = self.both()
        while self.peek() == "or":
            self.at += 1
            value = self.both() or value
        return value

    def both(self) -> bool:
        value = self.negated()
        while self.peek() == "and":
            self.at += 1
            value = self.negated() and value
        return value

    def negated(self) -> bool:
        if self.peek() == "not":
            self.at += 1
            return not self.negated()
        if self.peek() == "(":
            self.at += 1
            value = self.either()
            if self.peek() != ")":
                raise self.fail("a parenthesis is not closed")
            self.at += 1
            return value
        word = self.peek()
        if not word or word in (")", "and", "or"):
            raise self.fail("a word is missing")
        self.at += 1
        return word.lower() in self.text
