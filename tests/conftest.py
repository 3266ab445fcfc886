"""Where all tests are asked for, none may be skipped: a green that did not run is none."""

from __future__ import annotations

import pytest


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
