"""Fragment identifiers: readable, stable while their neighbours change, unique on a page."""

from __future__ import annotations

import re


class Anchors:
    """The identifiers of one page."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, text: str) -> str:
        """Return an identifier made of `text`; a number is added to one that is taken."""
        base = re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or "item"
        found, number = base, 1
        while found in self._taken:
            number += 1
            found = f"{base}-{number}"
        self._taken.add(found)
        return found
