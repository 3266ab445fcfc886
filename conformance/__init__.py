"""Executable API mapping between PyTorch and MindSpore."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from conformance.notebook import verify_port as verify_port

__version__ = "0.1.0"


def results(*runs: str | PathLike[str]) -> pd.DataFrame:
    """Return the verdicts of one or more run files as a table, one row for each item.

    `runs` are judged together, as ``conformance report`` does: of one corpus, each with targets of
    its own.  The columns are `conformance.report.tables.COLUMNS`; `status` is ordered from the best
    to the worst.  Raises CallerError for a file that is no run file, for no file at all, and for
    runs that do not go together.
    """
    # What reads a run takes half a second to import; the package itself is light.
    from datetime import date  # noqa: PLC0415

    from conformance.errors import CallerError  # noqa: PLC0415
    from conformance.judge.run import judge_runs  # noqa: PLC0415
    from conformance.report import tables  # noqa: PLC0415
    from conformance.run.store import RunFile  # noqa: PLC0415

    if not runs:
        raise CallerError("results of no run: give at least one run file")
    files: list[RunFile] = []
    try:
        for run in runs:
            files.append(RunFile.open(Path(run)))
        return tables.verdicts(judge_runs(files, today=date.today()))
    finally:
        for file in files:
            file.close()


def __getattr__(name: str) -> Any:
    """Import `verify_port` when it is asked for: what it needs takes a second."""
    if name != "verify_port":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from conformance.notebook import verify_port  # noqa: PLC0415

    return verify_port


def __dir__() -> list[str]:
    return sorted([*globals(), "verify_port"])
