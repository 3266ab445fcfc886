"""What goes wrong with a user's model, told in one line; and importing what a user names.

Runs inside a framework's interpreter: standard library only.
"""

from __future__ import annotations

import importlib
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MOST = 400
_LIBRARIES = tuple({sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib")})
_OURS = str(Path(__file__).parent)
_MEMORY = re.compile(
    r"can't allocate memory|out of memory|not enough memory|bad_alloc|memory (is )?not enough|"
    r"Allocate .*memory failed|alloc(ate)? memory fail",
    re.IGNORECASE,
)


class SessionError(Exception):
    """What a session says itself: `kind` names the failure, `layer` where it happened."""

    def __init__(self, kind: str, message: str, layer: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.layer = kind, layer


def import_callable(named: str) -> Callable[..., Any]:
    """Return what ``module:callable`` names; the callable may be dotted.

    Raises SessionError with kind ``Import``; what the module itself raises passes through.
    """
    module, colon, path = named.partition(":")
    if not (module and colon and path):
        raise SessionError("Import", f"{named!r} is not module:callable")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise SessionError(
            "Import", f"{named}: no module {error.name!r} here; is its folder in `path`?"
        ) from None
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            where = getattr(found, "__file__", None) or getattr(found, "__name__", module)
            raise SessionError("Import", f"{named}: {where} has no {step!r}") from None
    if not callable(found):
        raise SessionError("Import", f"{named} is not callable, but of type {type(found).__name__}")
    called: Callable[..., Any] = found
    return called


def failure(
    error: BaseException,
    layer: str | None,
    folders: Sequence[str] = (),
    unsupported: Sequence[tuple[str, re.Pattern[str]]] = (),
) -> dict[str, Any]:
    """Return what happened as ``{"type", "message", "layer", "where"}``, the message one line.

    `layer` is the innermost layer that was being called, None when none was.  `where` is
    ``file:line`` of the user's own code, in one of `folders` when there is any, or "".
    """
    if isinstance(error, SessionError):
        layer = error.layer if error.layer is not None else layer
        return {"type": error.kind, "message": _line(error), "layer": layer, "where": ""}
    kind, message = type(error).__name__, f"{type(error).__name__}: {_line(error)}".rstrip(": ")
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        kind, message = "OutOfMemory", f"out of memory: {_line(error)}".rstrip(": ")
    elif any(pattern.search(str(error)) for _, pattern in unsupported):
        kind, message = "NoKernel", f"no kernel for this: {_line(error)}"
    where = _place(error, folders)
    return {"type": kind, "message": message, "layer": layer, "where": where}


def _line(error: BaseException) -> str:
    """Return an exception's text on one line, without what a framework appends for its makers."""
    text = re.split(r"\n-{20,}\n", str(error).strip(), maxsplit=1)[0]
    text = " ".join(text.split())
    text = text if len(text) <= MOST else text[:MOST] + " …"
    return text.encode(errors="replace").decode()


def _place(error: BaseException, folders: Sequence[str]) -> str:
    """Return file and line of the innermost frame in `folders`, else of the innermost user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 1}"
    frames = [(f.filename, f.lineno or 1) for f in traceback.extract_tb(error.__traceback__)]
    frames = [f for f in frames if not f[0].startswith((_OURS, "<"))]
    own = [f for f in frames if _inside(f[0], folders)]
    own = own or [f for f in frames if not _inside(f[0], _LIBRARIES)]
    return f"{own[-1][0]}:{own[-1][1]}" if own else ""


def _inside(file: str, folders: Sequence[str]) -> bool:
    libraries = ("site-packages", "dist-packages")
    inside = any(Path(file).is_relative_to(folder) for folder in folders)
    return inside and (folders is _LIBRARIES or not any(p in Path(file).parts for p in libraries))
