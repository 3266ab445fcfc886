from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from conformance.report import build, pages, port_pages, views
from conformance.report.build_upgrade import upgrade_view
from tests.report import handmade, ported, test_upgrade_page
from tests.site.browser import ROOT, Site, chromium

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def view() -> views.SiteView:
    """What the pages under test show."""
    made = build.site(*handmade.several())
    return replace(made, upgrade=upgrade_view(test_upgrade_page.result()), ports=True)


@pytest.fixture(scope="package")
def folder(view: views.SiteView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    for port in (ported.differing(), ported.agreeing(), ported.broken(), ported.large(300)):
        port_pages.keep(port, out)
    pages.write(view, out, ["en", "zh"])
    return port_pages.refresh(out, ["en", "zh"]).parent


@pytest.fixture
def site(folder: Path, browser: Browser) -> Iterator[Site]:
    """The site under test; nothing may be reported and no network asked."""
    opened = Site(folder, browser)
    yield opened
    assert opened.problems == []


@pytest.fixture
def visitor(site: Site) -> Iterator[BrowserContext]:
    with site.visitor() as context:
        yield context


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: ``reports/screenshots`` when ``CONFORMANCE_SCREENSHOTS`` is set."""
    if not os.environ.get("CONFORMANCE_SCREENSHOTS"):
        return tmp_path_factory.mktemp("screenshots")
    kept = ROOT / "reports" / "screenshots"
    kept.mkdir(parents=True, exist_ok=True)
    return kept
