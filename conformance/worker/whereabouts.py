"""What an API that is going, or gone, tells of it.

Runs inside a framework's interpreter: standard library only.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable
from typing import Any

MOST = 3
_DIRECTIVE = re.compile(r"^\.\. deprecated:: *(.*(?:\n[ \t]+\S.*)?)", re.MULTILINE)
_SAYS_SO = re.compile(
    r"(\bThis (interface|API|function|operator|class|method|module)|[`'][\w.]+[`']+|\w+(\.\w+)+)"
    r" (is|has been|will be) (now )?deprecated",
    re.IGNORECASE,
)
"""A sentence whose subject is the API, and not one of its arguments."""


def obsolete(target: Any) -> str:
    """Return what `target` says of its own deprecation, empty when it is not deprecated.

    It may say so by ``__deprecated__`` (PEP 702), by a ``.. deprecated::`` directive, or in the
    first paragraph of its docstring.
    """
    said = getattr(target, "__deprecated__", None)
    if isinstance(said, str):
        return _short(said) or "deprecated"
    doc = getattr(target, "__doc__", None)
    text = inspect.cleandoc(doc) if isinstance(doc, str) else ""
    if directive := _DIRECTIVE.search(text):
        return _short(f"deprecated {directive[1]}")
    paragraphs = [p for p in text.split("\n\n") if p.strip()][:2]
    return next((_short(p) for p in paragraphs if _SAYS_SO.search(p)), "")


def elsewhere(resolve: Callable[[str], Any], api: str) -> list[str]:
    """Return other public APIs of the same name, shortest first, three at most.

    Only modules that are loaded are looked into; `resolve` decides what is public.
    """
    root, name = api.split(".", maxsplit=1)[0], api.rpartition(".")[2]
    found: dict[str, None] = {}
    for module, loaded in sorted(sys.modules.items(), key=_depth):
        public = module.split(".")[0] == root and not re.search(r"(^|\.)_", module)
        if public and isinstance(loaded, types.ModuleType) and name in vars(loaded):
            path = f"{module}.{name}"
            if path != api and _resolves(resolve, path):
                found[path] = None
    return list(found)[:MOST]


def _resolves(resolve: Callable[[str], Any], api: str) -> bool:
    try:
        return callable(resolve(api))
    except Exception:
        return False


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _depth(item: tuple[str, Any]) -> tuple[int, str]:
    return item[0].count("."), item[0]
