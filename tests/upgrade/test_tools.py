"""Programs are run apart from their surroundings, ended with their children, and say why."""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from conformance.upgrade import tools
from conformance.upgrade.tools import REASON_LENGTH, ToolFailed, reason, run, surroundings


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "WARNING: Location 'x' is ignored: it is neither a file nor a directory.\n"
            "ERROR: Could not find a version that satisfies foo (from versions: none)\n"
            "ERROR: No matching distribution found for foo\n\n"
            "[notice] A new release of pip is available\n",
            "No matching distribution found for foo",
        ),
        (
            "ERROR: Cannot install a and b because they conflict.\n"
            "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/\n",
            "Cannot install a and b because they conflict.",
        ),
        (
            "warning: odd\nerror: No solution found when resolving dependencies\n"
            "  cause: Because there is no a\n         And because you require a, no.\n"
            "  hint: try harder\n",
            "Because there is no a And because you require a, no.",
        ),
        (
            "  × No solution found:\n  ╰─▶ Because there is no a\n      and you require a, no.\n",
            "Because there is no a and you require a, no.",
        ),
        (
            "error: Failed to fetch: `u`\n  Caused by: outer\n  Caused by: dns error\n",
            "dns error",
        ),
        ("error: unexpected argument '--x'\n", "unexpected argument '--x'"),
        ("Traceback:\n  File x\nOSError: disk full\n", "OSError: disk full"),
        ("ERROR: 404 from https://me:pw@example.org/a", "404 from https://***@example.org/a"),
        ("WARNING: only a warning\n", ""),
        ("", ""),
    ],
)
def test_the_reason_is_one_line(output: str, expected: str) -> None:
    assert reason(output) == expected


def test_a_long_reason_is_cut() -> None:
    assert len(reason("ERROR: " + "x" * 2000)) == REASON_LENGTH


def test_surroundings_keep_indexes_and_lose_what_leads_out() -> None:
    kept = {"PATH": "p", "PIP_INDEX_URL": "i", "PIP_EXTRA_INDEX_URL": "e", "UV_INDEX": "u"}
    lost = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV")
    found = surroundings(kept | dict.fromkeys((*lost, "PIP_TARGET", "UV_PYTHON"), "x"))
    assert kept.items() <= found.items()
    assert not set(found) & {*lost, "PIP_TARGET", "UV_PYTHON"}


def test_failures_say_why_in_one_line(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "print(1)"]) == "1\n"
    with pytest.raises(ToolFailed, match=r"^no$"):
        run([sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(ToolFailed, match=r"^exit code 4$"):
        run([sys.executable, "-c", "raise SystemExit(4)"])
    with pytest.raises(ToolFailed, match="No such file"):
        run([tmp_path / "nothing"])


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_an_interrupt_ends_the_children_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_PATIENCE_SECONDS", 0.2)
    note = tmp_path / "pid"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["sh", "-c", f"trap '' INT; sleep 60 & echo $! > {note}; wait; wait"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    pid = int(note.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(pid)


def test_a_lock_is_held_as_long_as_a_program_lives(tmp_path: Path) -> None:
    lock, started, end = (tmp_path / name for name in ("lock", "started", "end"))
    script = f"touch {started}; while ! test -e {end}; do sleep 0.02; done"
    with lock.open("a", encoding="utf-8") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=run, args=(["sh", "-c", script],), kwargs={"held": ours.fileno()}
        )
        thread.start()
        while not started.exists():
            time.sleep(0.01)
    with lock.open("a", encoding="utf-8") as theirs:
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            end.touch()
            thread.join()
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
