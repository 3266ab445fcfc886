"""Two signatures side by side, with the parameters that only one of them has marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from conformance.report.upgrade_views import Marked

_TOKEN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|,\s*|.""", re.DOTALL)
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")


def marked(before: str, after: str) -> tuple[Marked, Marked]:
    """Return both texts in pieces; what is no list of parameters is one piece, and not marked."""
    if not (before.startswith("(") and after.startswith("(")):
        return _whole(before), _whole(after)
    old, new = list(_pieces(before)), list(_pieces(after))
    a, b = ([text for text, parameter in side if parameter] for side in (old, new))
    same = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return (
        _marks(old, {block.a + i for block in same for i in range(block.size)}),
        _marks(new, {block.b + i for block in same for i in range(block.size)}),
    )


def _whole(text: str) -> Marked:
    return ((text, False),) if text else ()


def _marks(pieces: list[tuple[str, bool]], same: set[int]) -> Marked:
    """Mark the parameters whose numbers are not in `same`."""
    found = []
    number = 0
    for text, parameter in pieces:
        found.append((text, parameter and number not in same))
        number += parameter
    return tuple(found)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield (piece, whether it is a parameter): what brackets and commas of the list part."""
    piece, depth = "", 0
    for token in _TOKEN.findall(text):
        depth -= token in CLOSING
        bracket = token in OPENING or token in CLOSING
        if depth == (0 if bracket else 1) and (bracket or token.startswith(",")):
            if piece:
                yield piece, depth == 1 or token in CLOSING
            yield token, False
            piece = ""
        else:
            piece += token
        depth += token in OPENING
    if piece:
        yield piece, False
