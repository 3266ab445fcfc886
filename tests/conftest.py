"""Which tests come first; and where all are asked for, none may be skipped.

A green that did not run is none.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Take interrupts, which are ignored in a shell's background: tests send some."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that may take long go first, so that no process ends with a long one alone."""
    longest: dict[Path, float] = defaultdict(float)
    for item in items:
        timeout = item.get_closest_marker("timeout")
        longest[item.path] = max(longest[item.path], timeout.args[0] if timeout else 0)
    items.sort(key=lambda item: -longest[item.path])


def _skipped(config: pytest.Config) -> int:
    """Return how many tests or files were skipped, 0 where only a part was asked for."""
    if config.option.markexpr or config.option.keyword:
        return 0
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter is not None else 0


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when something was skipped."""
    if session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why."""
    if count := _skipped(config):
        words = f"{count} skipped, which counts as failed: `make` installs what the tests need"
        terminalreporter.write_line(words, red=True)
