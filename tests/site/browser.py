"""Chromium on pages of files: whatever a page reports, or asks of a network, is a problem."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

ROOT = Path(__file__).parents[2]
MODULES = Path(__file__).parent / "node_modules"
WIDE = {"width": 1280, "height": 900}
SPY = """
window.alerts = [];
for (const ask of ["alert", "confirm", "prompt"]) window[ask] = (said) => alerts.push(said);
"""


def chromium() -> str:
    """Return the browser's path: ``CHROMIUM``, or what Debian's package installs."""
    if found := os.environ.get("CHROMIUM") or shutil.which("chromium"):
        return found
    pytest.fail("no Chromium: apt-get install chromium, or set CHROMIUM to its path", pytrace=False)


def module(name: str) -> Path:
    """Return a file of an npm package."""
    if (path := MODULES / name).exists():
        return path
    pytest.fail(f"no {path.name}: npm ci --prefix tests/site", pytrace=False)


@dataclass
class Site:
    """A rendered site in `folder`, opened in one browser; `problems` collects what went wrong."""

    folder: Path
    browser: Browser
    problems: list[str] = field(default_factory=list)

    def url(self, path: str = "index.html") -> str:
        """Return the address of a page, with its query and fragment."""
        return f"{self.folder.as_uri()}/{path}"

    @property
    def pages(self) -> list[str]:
        """Every page, as a path from the folder."""
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*.html"))

    @contextmanager
    def visitor(self, **options: Any) -> Iterator[BrowserContext]:
        """Yield somebody's fresh browser, an English one unless `options` say otherwise."""
        context = self.browser.new_context(**{"locale": "en-US", "viewport": WIDE, **options})
        context.add_init_script(SPY)
        context.on("page", self._watch)
        context.on("request", self._requested)
        context.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        try:
            yield context
        finally:
            context.close()

    def _watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith("file://"):
            self.problems.append(f"asked for {request.url}")
