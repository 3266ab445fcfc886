"""One exception class per kind of failure; each carries the exit code it means."""

from __future__ import annotations

from dataclasses import dataclass


class ConformanceError(Exception):
    """A failure that is reported as one line."""

    exit_code = 3


class CallerError(ConformanceError):
    """The caller's mistake: a bad case file, a bad option."""

    exit_code = 2


class CaseError(CallerError):
    """Something in a case that cannot be; the loader adds where."""


@dataclass(frozen=True)
class Problem:
    """One error in one file, with its place (1-based)."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class CorpusError(CallerError):
    """One or more problems in case files."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class HarnessError(ConformanceError):
    """The harness could not do its job: no target started, nothing executed, a broken run file."""


class PortFailed(HarnessError):
    """One side of a port could not do what was asked of it; one line that says which and what.

    `kind` names the failure where there is a name for it: ``NaN``, ``OutOfMemory``, ``NoKernel``,
    ``Import``, ``Arguments``, ``Build``, ``Checkpoint``, ``Random``, ``Died``, ``Hung``, or an
    exception's class.
    `layer` is the layer in which it happened, None when in none; `said` is the line without who
    and where.
    """

    def __init__(
        self, message: str, *, side: str = "", method: str = "", kind: str = "",
        layer: str | None = None, said: str = "",
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.said = said or message
        self.side, self.method, self.kind, self.layer = side, method, kind, layer

    @property
    def fatal(self) -> bool:
        """Whether the side is gone: nothing can be asked of it any more."""
        return self.kind in ("Died", "Hung")
