"""Where in the case files a change shows, for those who review them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from conformance.corpus import yamlmarks
from conformance.gate.change import Change

Place = tuple[str, int]
"""A case file and a line in it (1-based)."""
_OPERATION = re.compile(r"^operation\s*:\s*['\"]?(\w+)", re.MULTILINE)


def operation_of(text: str) -> str:
    """Return the operation that a case file's `text` names, without parsing it."""
    found = _OPERATION.search(text)
    return found[1] if found else ""


class Places:
    """Finds cases in case files given as texts by path; each is parsed when it is asked for."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._documents = documents
        self._paths = {operation_of(text): path for path, text in documents.items()}
        self._lines: dict[str, dict[str, int]] = {}

    def of(self, change: Change) -> Place | None:
        """Return where the case of `change` is written; None for what belongs to no case file."""
        path = self._paths.get(change.operation)
        if path is None:
            return None
        if path not in self._lines:
            self._lines[path] = self._cases(path)
        return path, self._lines[path].get(change.stem, 1)

    def _cases(self, path: str) -> dict[str, int]:
        marked = yamlmarks.parse(self._documents[path], path)
        return {
            str(case["id"]): marked.place(("cases", i, "id"))[0]
            for i, case in enumerate(marked.data["cases"])
        }
