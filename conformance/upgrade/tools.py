"""The programs that build environments: how they are started, and why one failed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

REASON_LENGTH = 500
"""In characters; a resolver's proof of a conflict may be a screen long."""

_OF_THE_CALLER = (
    "VIRTUAL_ENV",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
)
"""Variables that say where packages go, or who may install.  Indexes and proxies are kept."""

_QUIET = {"NO_COLOR": "1", "PYTHONNOUSERSITE": "1", "UV_PYTHON_DOWNLOADS": "never"}
_PATIENCE_SECONDS = 5.0
_NOISE = re.compile(r"(warning|hint|\[notice\]|deprecation|ERROR: ResolutionImpossible)", re.I)
_CAUSE = re.compile(r"^\s*(?:cause:|caused by:|╰─▶|error:|×)\s*", re.IGNORECASE)
_SECRET = re.compile(r"//[^/@\s]+@")


class ToolFailed(Exception):
    """A program did not do its work; the message is one line that says why."""


def run(command: Sequence[str | Path], *, held: int | None = None) -> str:
    """Run `command` apart from this interpreter's surroundings and return what it wrote to stdout.

    `held` is a file descriptor that it keeps open as long as it lives: a lock outlives a harness
    that is killed.  Whatever ends the wait, Ctrl-C too, ends the program and its children.  Raises
    ToolFailed.
    """
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings(os.environ),
            encoding="utf-8",
            errors="replace",
            pass_fds=() if held is None else (held,),
            start_new_session=True,
        )
    except OSError as error:
        raise ToolFailed(str(error)) from None
    try:
        out, err = process.communicate()
    except BaseException:
        _end(process)
        raise
    if process.returncode != 0:
        raise ToolFailed(reason(f"{out}\n{err}") or f"exit code {process.returncode}")
    return out


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and its children; pip works in a child of the pip that was started."""
    with process, contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


def surroundings(outer: Mapping[str, str]) -> dict[str, str]:
    """Return `outer` without what would lead a builder, or Python, out of the environment."""
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith("PYTHON") and name not in _OF_THE_CALLER
    }
    return kept | _QUIET


def reason(output: str) -> str:
    """Return the line of a failed program's `output` that says most; empty when nothing does.

    That is pip's last ``ERROR:``, uv's innermost cause, or else the last line.  Passwords in
    addresses are left out.
    """
    lines = [line for line in output.splitlines() if line.strip() and not _noise(line)]
    errors = [line for line in lines if line.startswith("ERROR:")]
    causes = [index for index, line in enumerate(lines) if _CAUSE.match(line)]
    if errors:
        said = errors[-1].removeprefix("ERROR:")
    elif causes:
        said = " ".join(lines[causes[-1] :])
    else:
        said = lines[-1] if lines else ""
    line = _SECRET.sub("//***@", " ".join(_CAUSE.sub("", said).split()))
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 2] + " …"


def _noise(line: str) -> bool:
    return _NOISE.match(line.strip()) is not None
