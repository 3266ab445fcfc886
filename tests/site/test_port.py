"""The page of a verified port in a browser: what its plots and marks say to whom."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from conformance.report import build_port
from tests.report import ported
from tests.site.browser import Site

PORT, LARGE = "ports/small-cnn.html", "ports/large.html"
MARKS = "(b) => getComputedStyle(b, '::before').content"


def test_the_sentence_is_seen_first(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(site.url(PORT))
    sentence = page.locator("main .verdict")
    expect(sentence).to_be_in_viewport()
    assert sentence.inner_text().endswith(ported.differing().sentence)


@pytest.mark.parametrize(
    ("lang", "name", "description"),
    [
        ("en", "Difference of each layer's output", "It parts first at 6 norm1."),
        ("zh", "各层输出与float64的偏差", "最先在6 norm1处出现分歧。"),
    ],
)
def test_a_plot_has_words_for_those_who_do_not_see_it(
    site: Site, page: Page, lang: str, name: str, description: str
) -> None:
    page.goto(site.url(f"{PORT}?lang={lang}"))
    plot = page.locator("#layers ~ figure svg[role=img]")
    expect(plot).to_have_count(1)
    caption = page.locator(f"#{plot.get_attribute('aria-labelledby')}")
    assert name in caption.inner_text()
    told = page.locator(f"#{plot.get_attribute('aria-describedby')}")
    assert description in told.inner_text()


def test_lines_can_be_told_apart_without_colour(site: Site, page: Page) -> None:
    page.goto(site.url(PORT))
    dashes = page.locator("#training ~ figure svg[role=img] path.line").evaluate_all(
        "(lines) => lines.map((line) => getComputedStyle(line).strokeDasharray)"
    )
    assert len(set(dashes)) == len(dashes) == 3


@pytest.mark.parametrize(("lang", "words"), [("en", "✓ same"), ("zh", "✓ 一致")])
def test_folded_verdicts_are_words(site: Site, page: Page, lang: str, words: str) -> None:
    page.goto(site.url(f"{LARGE}?lang={lang}"))
    folded = page.locator("#layers ~ details").first
    folded.locator("summary").click()
    marks = folded.locator("b.w")
    assert marks.count() > build_port.WORDS
    assert marks.first.evaluate(MARKS) == f'"{words}"'


def test_a_port_leads_to_the_site_and_back(site: Site, page: Page) -> None:
    page.goto(site.url())
    page.get_by_role("link", name="Ports", exact=True).click()
    page.get_by_role("link", name="small-cnn", exact=True).click()
    expect(page.locator("h1")).to_have_text("small-cnn")
    page.get_by_role("link", name="Run", exact=True).click()
    page.wait_for_url("**/run.html*")
