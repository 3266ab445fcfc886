"""Which file of known differences goes with a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.corpus import loader
from conformance.errors import CallerError

PROJECT = (".git", "pyproject.toml")
"""What the topmost folder of a project holds."""


def known_file(paths: Sequence[Path], known: Path | None) -> Path | None:
    """Return `known`, or the known.yaml in the first folder that has one.

    Those are the folders of `paths` and those above them, up to the project's (with ``.git`` or
    ``pyproject.toml``) or the current one: what lies beyond is not of these cases.
    """
    if known is not None:
        if not known.is_file():
            raise CallerError(f"{known}: no such file")
        return known
    found = [folder / loader.KNOWN_FILE for path in paths for folder in _folders(path)]
    return next((path for path in found if path.is_file()), None)


def _folders(path: Path) -> list[Path]:
    own = path if path.is_dir() else path.parent
    here = Path.cwd()
    above = [own.resolve(), *own.resolve().parents]
    for count, folder in enumerate(above):
        if folder == here or any((folder / mark).exists() for mark in PROJECT):
            return [own, *above[1 : count + 1]]
    return [own]


def known_text(path: Path | None) -> list[str]:
    """Return name and text of a file of known differences, as a run file keeps them."""
    if path is not None and not path.is_file():
        raise CallerError(f"{path}: no such file")
    return [] if path is None else [str(path), loader.read(path)]
