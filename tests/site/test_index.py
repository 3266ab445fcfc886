"""Search, filters and map of the index, as their user has them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from conformance.report import views
from conformance.report.offers import offers
from tests.site.browser import Site

FILTERS = {
    "area": "areas",
    "framework": "frameworks",
    "device": "devices",
    "mode": "modes",
    "verdict": "verdicts",
    "kind": "kinds",
    "claim": "claims",
}
TOGETHER: list[dict[str, str]] = [
    {"framework": "torch", "verdict": "x"},
    {"device": "ascend", "verdict": "x", "kind": "crash"},
    {"mode": "graph", "kind": "value"},
    {"area": "math", "claim": "refuted", "verdict": "d"},
    {"q": "ADD mint"},
    {"q": "torch.msort"},
    {"q": "refuted"},
    {"q": "tensor", "verdict": "k"},
    {"area": "math", "device": "ascend", "mode": "graph"},
]


def wanted(view: views.SiteView, **chosen: str) -> list[str]:
    """The pairs that the filters leave, by the meaning of each and not as the script finds them."""

    def holds(target: views.TargetView, pair: views.PairView) -> bool:
        counts = pair.on(target.name)
        return (
            bool(counts)
            and all(
                chosen.get(name, "") in ("", getattr(target, name))
                for name in ("framework", "device", "mode")
            )
            and chosen.get("verdict", "") in ("", *(views.CODES[status] for status in counts))
            and chosen.get("kind", "") in ("", *(str(kind) for kind in pair.kinds(target.name)))
        )

    return [
        pair.title
        for area in sorted({page.area for page in view.pages})
        for page in view.pages
        for pair in page.pairs
        if page.area == area
        and chosen.get("area", "") in ("", page.area)
        and chosen.get("claim", "") in ("", pair.held)
        and all(
            word in f"{page.title.en} {page.title.zh} {pair.title}".lower()
            for word in chosen.get("q", "").lower().split()
        )
        and any(holds(target, pair) for target in view.targets)
    ]


def listed(page: Page) -> list[str]:
    rows = page.locator(".operation tbody th")
    # Text of what is not in view is not laid out, and has no `inner_text`.
    return [str(row.text_content()) for row in rows.all() if row.is_visible()]


def choose(page: Page, **chosen: str) -> None:
    for name, value in chosen.items():
        if name == "q":
            page.get_by_role("searchbox").press_sequentially(value)
        else:
            page.locator(f"select[name={name}]").select_option(value)


def lit(page: Page) -> list[str]:
    return page.locator(".map a:not(.out) .hidden").all_text_contents()


def test_every_filter_shows_exactly_the_pairs_it_should(
    site: Site, page: Page, view: views.SiteView
) -> None:
    page.goto(site.url())
    everything = wanted(view)
    assert listed(page) == lit(page) == everything
    assert len(everything) == sum(len(p.pairs) for p in view.pages)
    offered = offers(view)
    for name, options in FILTERS.items():
        select = page.locator(f"select[name={name}]")
        values = [o.get_attribute("value") for o in select.locator("option").all()]
        assert values == ["", *(value for value, _ in getattr(offered, options))]
        assert len(values) > 2, f"the site of these tests does not try {name}"
        for value in values[1:]:
            choose(page, **{name: str(value)})
            expected = wanted(view, **{name: str(value)})
            assert expected, (name, value)
            assert listed(page) == lit(page) == expected, (name, value)
            expect(page.locator("output .shown")).to_have_text(str(len(expected)))
        select.select_option("")


@pytest.mark.parametrize("chosen", TOGETHER, ids=lambda c: "&".join(map("=".join, c.items())))
def test_filters_hold_together_and_a_permalink_restores_them(
    site: Site, page: Page, view: views.SiteView, chosen: dict[str, str]
) -> None:
    expected = wanted(view, **chosen)
    page.goto(site.url())
    choose(page, **chosen)
    assert listed(page) == lit(page) == expected
    assert page.locator(".empty").is_visible() is not bool(expected)
    said = parse_qs(urlsplit(page.url).fragment)
    assert said == {name: [value] for name, value in chosen.items()}

    again = page.context.new_page()
    again.goto(page.url)
    assert listed(again) == expected
    for name, value in chosen.items():
        expect(again.locator(f"[name={name}]")).to_have_value(value)


def line_up(page: Page) -> None:
    """The heads stand above the columns of every table."""
    heads = [h.bounding_box() for h in page.locator(".heads span:not(.l)").all() if h.is_visible()]
    row = page.locator(".operation:not([hidden]) tbody tr:not([hidden])").last
    row.evaluate("(row) => row.scrollIntoView()")
    cells = [cell.bounding_box() for cell in row.locator("> *").all() if cell.is_visible()]
    assert len(heads) == len(cells) > 2
    for head, cell in zip(heads, cells, strict=True):
        assert head is not None
        assert cell is not None
        assert abs(head["x"] - cell["x"]) < 2


def test_heads_stand_above_their_columns(site: Site, page: Page) -> None:
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(site.url())
        line_up(page)


def test_columns_of_other_targets_leave(site: Site, page: Page, view: views.SiteView) -> None:
    page.goto(site.url())
    choose(page, framework="mindspore", mode="pynative")
    heads = page.locator(".heads span:not(.l)")
    shown = [head.inner_text() for head in heads.all() if head.is_visible()]
    assert shown == ["Pair", "mindspore", "mindspore:ascend"]
    line_up(page)
    square = page.locator(".map a").first
    assert sum(part.is_visible() for part in square.locator("i").all()) == 2


def test_search_answers_every_keystroke(site: Site, page: Page, view: views.SiteView) -> None:
    page.goto(site.url())
    history = page.evaluate("history.length")
    typed = ""
    for key in "mint":
        typed += key
        page.get_by_role("searchbox").press(key)
        assert listed(page) == wanted(view, q=typed)
    assert page.evaluate("history.length") == history
    assert len(listed(page)) == 1


def test_reset_clears_everything(site: Site, page: Page, view: views.SiteView) -> None:
    page.goto(site.url("index.html#q=torch&verdict=x&area=sort"))
    assert listed(page) == wanted(view, q="torch", verdict="x", area="sort") != wanted(view)
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("output .shown")).to_have_text(str(len(wanted(view))))
    assert listed(page) == wanted(view)
    assert "#" not in page.url
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_back_returns_to_what_was_filtered(site: Site, page: Page, view: views.SiteView) -> None:
    page.goto(site.url())
    choose(page, q="add", claim="refuted")
    before = listed(page)
    page.locator(".operations tbody a", has_text="mindspore.mint.add").click()
    page.wait_for_url("**/operations/add.html#*")
    page.go_back()
    assert listed(page) == before == wanted(view, q="add", claim="refuted")
    page.evaluate("location.hash = 'area=sort'")
    expect(page.locator("output .shown")).to_have_text(str(len(wanted(view, area="sort"))))
    page.go_back()
    expect(page.locator("output .shown")).to_have_text(str(len(before)))
    assert listed(page) == before


@pytest.mark.parametrize("fragment", ["q=%", "%", "area=nowhere&verdict=%22", "main"])
def test_a_strange_address_is_no_error(
    site: Site, page: Page, view: views.SiteView, fragment: str
) -> None:
    page.goto(site.url(f"index.html#{fragment}"))
    assert listed(page) == wanted(view, q="%" if fragment == "q=%" else "")


def focused(page: Page) -> str:
    """The pair whose square has the focus, empty when none has."""
    square = "document.activeElement.closest('.map a')"
    return str(page.evaluate(f"{square}?.querySelector('.hidden').textContent ?? ''"))


def test_the_map_is_one_tab_stop_that_arrow_keys_walk(
    site: Site, page: Page, view: views.SiteView
) -> None:
    page.goto(site.url())
    titles = wanted(view)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Tab")
    assert focused(page) == titles[0]
    for key, at in [("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 1), ("ArrowUp", 0),
                    ("ArrowLeft", 0), ("End", -1), ("ArrowRight", -1), ("Home", 0)]:  # fmt: skip
        page.keyboard.press(key)
        assert focused(page) == titles[at], key
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    assert focused(page) == ""
    page.keyboard.press("Shift+Tab")
    assert focused(page) == titles[1]
    page.keyboard.press("Alt+ArrowDown")
    assert focused(page) == titles[1], "keys with Alt are the browser's own"


def test_arrow_keys_keep_to_what_the_filters_leave(
    site: Site, page: Page, view: views.SiteView
) -> None:
    page.goto(site.url("index.html#area=sort"))
    left = wanted(view, area="sort")
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Tab")
    assert focused(page) == left[0]
    page.keyboard.press("ArrowLeft")
    assert focused(page) == left[0]
    page.keyboard.press("End")
    assert focused(page) == left[-1]


def test_a_square_leads_to_its_pair(site: Site, page: Page, view: views.SiteView) -> None:
    for operation in view.pages:
        for pair in operation.pairs:
            page.goto(site.url())
            page.locator(".map a", has_text=pair.title).first.click()
            page.wait_for_url(f"**/operations/{operation.operation}.html#*")
            at = page.locator(":target")
            assert at.get_attribute("id") == pair.anchor
            assert at.is_visible()
            for name in filter(None, (pair.torch, pair.mindspore)):
                assert name in at.inner_text()


def test_without_scripts_everything_is_there(site: Site, view: views.SiteView) -> None:
    with site.visitor(java_script_enabled=False) as visitor:
        page = visitor.new_page()
        page.goto(site.url())
        assert listed(page) == wanted(view)
        assert not page.locator("form.filters").is_visible()
        assert not page.locator(".languages").is_visible()


def test_a_total_leads_to_the_pairs_it_counts(site: Site, page: Page, view: views.SiteView) -> None:
    page.goto(site.url())
    page.locator(".totals .d a").click()
    expect(page.get_by_role("combobox", name="Verdict")).to_have_value("d")
    expect(page.locator("#operations")).to_be_in_viewport()
    assert "verdict=d" in urlsplit(page.url).fragment
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#operations")).to_be_in_viewport()
    assert other.evaluate("scrollY") > 100
    expect(page.locator(".filters .shown")).to_have_text(str(len(wanted(view, verdict="d"))))
