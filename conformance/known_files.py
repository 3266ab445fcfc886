"""Which file of known differences goes with a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.corpus import loader
from conformance.errors import CallerError


def known_file(paths: Sequence[Path], known: Path | None) -> Path | None:
    """Return `known`, or the known.yaml of the first folder that has one."""
    if known is not None:
        if not known.is_file():
            raise CallerError(f"{known}: no such file")
        return known
    beside = [p / loader.KNOWN_FILE for p in paths if p.is_dir()]
    beside += [folder / loader.KNOWN_FILE for p in paths for folder in p.resolve().parents]
    return next((path for path in beside if path.is_file()), None)


def known_text(path: Path | None) -> list[str]:
    """Return name and text of a file of known differences, as a run file keeps them."""
    if path is not None and not path.is_file():
        raise CallerError(f"{path}: no such file")
    return [] if path is None else [str(path), loader.read(path)]
