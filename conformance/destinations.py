"""Files and folders that a command will write, tried before the work of which they keep the fruit.

Nothing is left behind: what does not exist yet is tried by a nameless file beside it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from conformance.errors import CallerError


def file(option: str, path: Path) -> None:
    """Raise CallerError, led by `option`, where no file can be written at `path`.

    Folders on the way to it may be missing: whoever writes it makes them.
    """
    if path.is_dir():
        raise CallerError(f"{option} {path}: this is a folder; name a file in it")
    if path.exists():
        if not os.access(path, os.W_OK):
            raise CallerError(f"{option} {path}: this file may not be written")
        return
    _inside(f"{option} {path}", path.parent)


def folder(option: str, path: Path) -> None:
    """Raise CallerError, led by `option`, where no files can be written into the folder `path`."""
    _inside(f"{option} {path}", path)


def _inside(what: str, path: Path) -> None:
    nearest = next(above for above in (path, *path.parents) if above.exists())
    if not nearest.is_dir():
        raise CallerError(f"{what}: {nearest} is a file, not a folder")
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise CallerError(f"{what}: nothing can be written into {nearest}: {why}") from None
