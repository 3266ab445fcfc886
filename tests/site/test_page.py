"""What every page does: languages, copying, links, widths, colour schemes, paper."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from conformance.judge.verdict import Status
from conformance.report import views
from tests.site.browser import Site

OPERATION = "operations/shrink.html"
HAN = re.compile(r"[\u4e00-\u9fff]")
BODY = "getComputedStyle(document.body).backgroundColor"
CLIPBOARD = ["clipboard-read", "clipboard-write"]
STATES = """[...document.querySelectorAll("details")].map((d) => d.open)"""


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def labels(page: Page) -> list[str]:
    """What only assistive technology and the tab of the browser read, and the options."""
    attributes = "[...document.querySelectorAll('[aria-label]')].map((e) => e.ariaLabel)"
    options = page.locator("option:not([value=''])").all_inner_texts()
    return [page.title(), *page.evaluate(attributes), *options]


def test_languages_change_in_place(site: Site, page: Page) -> None:
    page.goto(site.url())
    page.evaluate("window.kept = true")
    page.get_by_role("searchbox").fill("add")
    english = [heading(page), *labels(page)]
    names = {"cpu", "ascend", "eager", "graph", "pynative", "PyTorch", "MindSpore"}
    assert heading(page) == "Differences between PyTorch and MindSpore"
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    chinese = [heading(page), *labels(page)]
    assert len(chinese) == len(english) > 20
    for before, after in zip(english, chinese, strict=True):
        assert HAN.search(after) or after in names, f"{before!r} became {after!r}"
    assert page.evaluate("window.kept"), "the page was loaded anew"
    assert "lang=zh" in page.url
    assert page.url.endswith("#q=add")
    expect(page.get_by_role("button", name="中文")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="English").click()
    assert [heading(page), *labels(page)] == english


def test_no_word_is_shown_twice_or_in_the_other_language(site: Site, page: Page) -> None:
    for path in site.pages:
        page.goto(site.url(f"{path}?lang=en"))
        shown = page.locator("main").inner_text()
        assert "仅用于测试" not in shown
        assert not HAN.search(re.sub(r"中文", "", page.locator("header").inner_text()))
        page.goto(site.url(f"{path}?lang=zh"))
        assert not page.locator(".l:lang(en)").filter(visible=True).count()
        assert page.locator(".l:lang(zh)").filter(visible=True).count()


def test_a_language_is_remembered(site: Site, page: Page) -> None:
    page.goto(site.url())
    page.get_by_role("button", name="中文").click()
    page.goto(site.url(OPERATION))
    assert heading(page) == "收缩 <b>hard</b>"
    other = page.context.new_page()
    other.goto(site.url())
    expect(other.locator("html")).to_have_attribute("lang", "zh-CN")


def test_an_address_asks_for_a_language_while_its_tab_is_open(site: Site, page: Page) -> None:
    page.goto(site.url("index.html?lang=zh"))
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.locator(".operations a").first.click()
    page.wait_for_url("**/operations/*")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    other = page.context.new_page()
    other.goto(site.url())
    expect(other.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize(
    ("locale", "lang"), [("zh-CN", "zh-CN"), ("zh-TW", "zh-CN"), ("de-DE", "en"), ("en-GB", "en")]
)
def test_a_page_opens_in_the_language_of_the_browser(site: Site, locale: str, lang: str) -> None:
    early = """new MutationObserver((_, o) => { if (document.body) {
        window.first = document.documentElement.lang; o.disconnect(); } })
        .observe(document, {childList: true, subtree: true});"""
    with site.visitor(locale=locale) as visitor:
        visitor.add_init_script(early)
        page = visitor.new_page()
        for path in ("index.html", "index.html?lang=fr", OPERATION):
            page.goto(site.url(path))
            expect(page.locator("html")).to_have_attribute("lang", lang)
            assert page.evaluate("window.first") == lang, "shown in the wrong language first"


@pytest.mark.parametrize("api", [True, False], ids=["clipboard", "no-clipboard"])
def test_copy_takes_the_program_and_nothing_else(
    site: Site, visitor: BrowserContext, api: bool
) -> None:
    visitor.grant_permissions(CLIPBOARD)
    reader = visitor.new_page()
    reader.goto(site.url())
    if not api:
        visitor.add_init_script("delete Navigator.prototype.clipboard")
    page = visitor.new_page()
    page.goto(site.url(OPERATION))
    buttons = page.locator("figure .copy")
    assert buttons.count() == page.locator("pre.code").count() > 4
    for number in (0, buttons.count() - 1):
        page.bring_to_front()
        buttons.nth(number).click()
        expect(buttons.nth(number)).to_have_attribute("data-state", "done")
        program = page.locator("pre.code").nth(number).text_content()
        reader.bring_to_front()
        assert reader.evaluate("navigator.clipboard.readText()") == program
    assert program is not None
    assert "import" in program
    assert "Copy" not in program


def test_copy_says_when_it_failed(site: Site, page: Page) -> None:
    page.add_init_script(
        "delete Navigator.prototype.clipboard; document.execCommand = () => false;"
    )
    page.goto(site.url(OPERATION))
    page.locator("figure .copy").first.click()
    expect(page.locator("figure .copy").first).to_have_attribute("data-state", "failed")


def test_a_link_into_closed_details_opens_them(
    site: Site, page: Page, view: views.SiteView
) -> None:
    page.goto(site.url(OPERATION))
    inside = page.locator("details:not([open]) tr[id]").last.get_attribute("id")
    for follow in (
        lambda: page.goto(site.url(f"{OPERATION}#{inside}")),
        # As in a browser that does not open them by itself.
        lambda: page.evaluate(
            f"history.replaceState(null, '', '#{inside}'); dispatchEvent(new Event('hashchange'))"
        ),
    ):
        page.goto("about:blank")
        page.goto(site.url(OPERATION))
        assert not page.locator(f"id={inside}").is_visible()
        follow()
        expect(page.locator(f"id={inside}")).to_be_in_viewport()


def test_what_differs_and_the_first_case_are_unfolded(
    site: Site, page: Page, view: views.SiteView
) -> None:
    seen = set()
    cases = "[...document.querySelectorAll('details.case')]"
    for shown in view.pages:
        page.goto(site.url(f"operations/{shown.operation}.html"))
        wanted = [
            [case.anchor, number == 0 or case.status is Status.DIFFERS]
            for pair in shown.pairs
            for number, case in enumerate(pair.cases)
        ]
        found = f"{cases}.map((d) => [d.querySelector('h4').id, d.open])"
        assert page.evaluate(found) == wanted
        for anchor, unfolded in wanted:
            if not unfolded:
                page.locator(f"id={anchor}").click()
                expect(page.locator(f"details.case:has([id='{anchor}'])")).to_have_attribute(
                    "open", ""
                )
            seen.add(unfolded)
    assert seen == {True, False}


def test_a_phone_shows_every_cell_of_the_parameter_table(site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site.url(OPERATION))
    cells = page.locator("table.parameters").first.locator("th, td").all()
    assert len(cells) > 10
    for cell in cells:
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 360
        assert cell.evaluate("(e) => e.scrollWidth <= e.clientWidth + 1"), cell.inner_text()


def test_every_link_resolves(site: Site, page: Page) -> None:
    ids: dict[str, set[str]] = {}
    links: set[tuple[str, str]] = set()
    for path in site.pages:
        page.goto(site.url(path))
        ids[site.url(path)] = set(
            page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        )
        hrefs = page.evaluate(
            "[...document.querySelectorAll('[href]')].map((e) => e.getAttribute('href'))"
        )
        links |= {(path, urljoin(site.url(path), href)) for href in hrefs}
    assert len(links) > 40
    for path, link in links:
        if link.startswith("https://"):
            continue  # Sources and issues of others; nothing here asks whether they are there.
        file, fragment = urldefrag(link)
        assert file.startswith(site.folder.as_uri()), f"{path} leads to {link}"
        assert Path(unquote(file.removeprefix("file://"))).is_file(), f"{path} leads to {link}"
        assert not fragment or unquote(fragment) in ids[file], f"{path} leads to {link}"


@pytest.mark.parametrize("width", [360, 800, 1280, 2560])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_page_scrolls_sideways(
    site: Site, page: Page, screenshots: Path, width: int, lang: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in site.pages:
        page.goto(site.url(f"{path}?lang={lang}"))
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.screenshot(path=screenshots / f"{Path(path).stem}-{lang}-{width}.png")


def brightness(page: Page, script: str) -> int:
    return sum(map(int, re.findall(r"\d+", str(page.evaluate(script)))[:3]))


def test_dark_where_the_reader_prefers_it(site: Site, page: Page, screenshots: Path) -> None:
    for path in site.pages:
        page.emulate_media(color_scheme="light")
        page.goto(site.url(path))
        assert brightness(page, BODY) > 700
        page.emulate_media(color_scheme="dark")
        assert brightness(page, BODY) < 120
        assert brightness(page, BODY.replace("backgroundColor", "color")) > 600
        page.screenshot(path=screenshots / f"{Path(path).stem}-dark.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_everything_but_what_is_clicked(
    site: Site, page: Page, screenshots: Path, scheme: str
) -> None:
    page.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]
    for path in site.pages:
        page.goto(site.url(path))
        assert brightness(page, BODY) > 700
        assert brightness(page, "getComputedStyle(document.querySelector('.c, h1')).color") < 330
        for unwanted in ("form", "button", "nav", ".skip"):
            assert not page.locator(unwanted).filter(visible=True).count(), f"{unwanted} on {path}"
        page.screenshot(path=screenshots / f"{Path(path).stem}-print-{scheme}.png")
    page.goto(site.url(OPERATION))
    assert not all(page.evaluate(STATES))
    rows = page.locator("details tr")
    assert rows.count() == rows.filter(visible=True).count() > 5


def test_the_first_tab_skips_to_the_content(site: Site, page: Page) -> None:
    for path in site.pages:
        page.goto(site.url(path))
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_in_viewport()
        assert page.url.endswith("#main")


def test_what_pages_report_and_ask_for_is_noticed(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text(
        "<script>console.error('said'); addEventListener('load', () => { throw Error('thrown') });"
        "</script><img src='http://127.0.0.1:9/x.png'><link rel=stylesheet href=missing.css>"
    )
    with site.visitor() as visitor:
        visitor.new_page().goto(file.as_uri())
    found, site.problems = "\n".join(site.problems), []
    for part in ("said", "thrown", "asked for http://127.0.0.1:9/", "missing.css"):
        assert part in found
