"""What frameworks, case files and machines say stays text, whatever it says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from conformance.corpus.model import Text
from conformance.phrase import Phrase
from conformance.report import build, pages, port_pages, views
from tests.report import handmade, ported
from tests.site.browser import Site
from tests.site.test_standards import errors

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"
    "</title></option></style></script><!-- {{7*7}} %s %(x)s ${alert(4)} javascript:alert(5)"
    " \x1b[31mred\x00 \u202egnirts\u2066 \ufeff &lt; & "
)
UNSEEN = re.compile("[\x00\x1b\u202e\u2066\ufeff]")
SHOWN = pages.visible(HOSTILE)
LONG = HOSTILE + "A" * 2**20
OURS = {
    "anchor", "framework", "frameworks", "name", "operation", "outcome", "outcomes", "target",
    "targets", "unknown",
    "Divergence.kind", "TensorRow.what",
    "GroupView.about", "GroupView.title", "ParameterRowView.category", "TallyView.of",
    "TallyView.what",
}  # fmt: skip
"""Fields with words of ours, names of files and targets among them: nobody else writes them."""


def poisoned(value: Any, said: str) -> Any:
    """Return a view in which every text that others may write is `said`."""
    if type(value) in (str, Phrase):
        return said
    if isinstance(value, Text):
        return Text(en=said[: pages.LONGEST], zh=said[: pages.LONGEST])
    if isinstance(value, tuple):
        return tuple(poisoned(item, said) for item in value)
    if isinstance(value, views.CodeView):
        said = said[: pages.LONGEST]  # Programs are ours, what they print is a few lines.
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = {
            f.name: found if _ours(value, f.name) else poisoned(found, said)
            for f in dataclasses.fields(value)
            if (found := getattr(value, f.name)) is not None
        }
        return dataclasses.replace(value, **given)
    return value


def _ours(view: object, name: str) -> bool:
    given = getattr(view, name)
    words = given if isinstance(given, tuple) else (given,)
    views_own = any(dataclasses.is_dataclass(word) for word in words)
    return bool({name, f"{type(view).__name__}.{name}"} & OURS) and not views_own


@pytest.fixture(scope="module")
def plain() -> views.SiteView:
    return build.site(*handmade.several())


@pytest.fixture(scope="module")
def poison(plain: views.SiteView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile")
    port = poisoned(dataclasses.replace(ported.differing(), config=None), HOSTILE)
    port_pages.keep(dataclasses.replace(port, config={HOSTILE: [HOSTILE]}), out)
    pages.write(dataclasses.replace(poisoned(plain, HOSTILE), ports=True), out, ["en", "zh"])
    return port_pages.refresh(out, ["en", "zh"]).parent


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_that_is_said_runs(poison: Path, browser: Browser, lang: str) -> None:
    site = Site(poison, browser)
    with site.visitor() as visitor:
        page = visitor.new_page()
        for path in site.pages:
            page.goto(site.url(f"{path}?lang={lang}"))
            scripts = page.evaluate("[...document.scripts].map((s) => s.getAttribute('src'))")
            assert scripts, path
            assert all(src and "assets/" in src for src in scripts), path
            assert not page.locator("img, svg[onload], iframe").count(), path
            assert not page.locator("a[href^=javascript]").count(), path
            assert SHOWN.strip() in text(page), path
            assert not UNSEEN.search(text(page) + page.title()), path
            touch(page)
            assert page.evaluate("alerts") == [], path
    assert site.problems == []


def text(page: Page) -> str:
    return str(page.evaluate("document.body.textContent"))


def touch(page: Page) -> None:
    """Use what a page has: filters with hostile words and options, languages."""
    for button in ("中文", "English"):
        page.get_by_role("button", name=button).click()
    for select in page.locator("select").all():
        for value in select.locator("option").all():
            select.select_option(value.get_attribute("value"))
    if page.get_by_role("searchbox").count():
        page.get_by_role("searchbox").fill(HOSTILE)
        page.reload()


def test_hostile_pages_are_valid_html(poison: Path) -> None:
    found = errors(*sorted(poison.rglob("*.html")))
    assert [error for error in found if "long-title" not in error] == []


def test_a_megabyte_said_is_a_small_page(plain: views.SiteView, tmp_path: Path) -> None:
    short = pages.write(poisoned(plain, "x" * 1000), tmp_path / "short", ["en", "zh"]).parent
    pages.write(poisoned(plain, LONG), tmp_path / "long", ["en", "zh"])
    for file in short.rglob("*.html"):
        long = tmp_path / "long" / file.relative_to(short)
        # A text is cut at `pages.LONGEST`; escapes are longer than what they stand for.
        assert long.stat().st_size < 10 * file.stat().st_size, file.name
        assert "1,048," in long.read_text(encoding="utf-8")
