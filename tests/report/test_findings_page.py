import itertools
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conformance.judge.judge import Judged, Judgement
from conformance.judge.known import stale
from conformance.judge.verdict import Finding, Status, Verdict
from conformance.report import build, build_findings, build_known, pages, views
from conformance.report.build import RunInfo
from conformance.report.views_findings import FindingsView, GroupView
from conformance.run.outcome import Raised, Returned
from conformance.taxonomy import Kind
from tests.report import handmade
from tests.report.test_pages import Page


@pytest.fixture(scope="module")
def site() -> views.SiteView:
    return build.site(handmade.judgement(), handmade.run_info())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    out = tmp_path_factory.mktemp("findings")
    pages.render(handmade.judgement(), handmade.run_info(), out, languages=("en",))
    return {str(path.relative_to(out)): Page(path) for path in out.rglob("*.html")}


@pytest.fixture(scope="module")
def page(written: dict[str, Page]) -> Page:
    return written["findings.html"]


def group(findings: FindingsView, name: str) -> GroupView:
    return next(one for one in findings.groups if one.name == name)


def of(judged: list[Judged]) -> FindingsView:
    return build.site(Judgement(judged, []), handmade.run_info()).findings


def showing(*findings: Finding, ratio: float | None = None) -> list[Judged]:
    """The judgement, where every item of MindSpore shows `findings` and returns."""
    return [
        replace(
            j,
            outcome=Returned(output=1.0),
            verdict=replace(j.verdict, status=Status.DIFFERS, findings=findings, ratio=ratio),
        )
        if j.item.framework == "mindspore"
        else replace(j, verdict=replace(j.verdict, findings=()))
        for j in handmade.judgement().judged
    ]


def test_every_item_of_a_kind_is_found_once(site: views.SiteView) -> None:
    judged = handmade.judgement().judged
    for name, kinds in (
        ("deaths", {Kind.CRASH, Kind.HANG}),
        ("gradients", {Kind.GRADIENT}),
        ("special-values", {Kind.SPECIAL_VALUES}),
    ):
        defects = group(site.findings, name).defects
        shown = {
            (j.item.pair.mindspore, j.item.case.id) for j in judged if kinds & set(j.verdict.kinds)
        }
        assert shown
        assert {api for d in defects for api in d.apis} == {api for api, _ in shown}
        assert len({case for _, case in shown}) <= sum(d.cases for d in defects)


def test_a_declared_note_is_the_sentence(site: views.SiteView, page: Page) -> None:
    noted = [d for d in group(site.findings, "gradients").defects if d.note]
    (defect,) = noted
    assert defect.apis == ("mindspore.nn.HShrink",)
    assert defect.status is Status.DECLARED
    assert defect.ratio == 7e8
    assert "Its <s>gradient</s> is lost." in page.text
    assert "up to 7.0e+08 roundoffs" in page.text


def test_both_languages_are_there(tmp_path: Path) -> None:
    pages.render(handmade.judgement(), handmade.run_info(), tmp_path)
    page = Page(tmp_path / "findings.html").text
    for words in ("<s>梯度</s>丢失。", "标题有误<heading>。", "剩余10天", "10 days left"):
        assert words in page


def test_without_a_note_the_evidence_speaks(page: Page) -> None:
    assert f"output: is 0, should be NaN {handmade.HOSTILE}" in page.text
    assert f"ValueError: {handmade.HOSTILE}" in page.text


def test_new_findings_come_before_declared_ones() -> None:
    told = of(showing(Finding(Kind.GRADIENT, "gradient of input", "is 0", 3.0)))
    defects = group(told, "gradients").defects
    assert [d.status for d in defects] == [Status.DIFFERS] * len(defects)
    # A declaration speaks for the items it covers, and the others are another finding.
    assert [bool(d.note) for d in defects].count(True) == 1
    greater = [
        replace(j, verdict=replace(j.verdict, status=Status.DECLARED))
        if j.item.case.case.id == "grid"
        else j
        for j in showing(Finding(Kind.GRADIENT, "gradient of input", "is 0", 3.0))
    ]
    statuses = [d.status for d in group(of(greater), "gradients").defects]
    assert statuses == sorted(statuses, key=[Status.DIFFERS, Status.DECLARED].index)
    assert len(set(statuses)) == 2


def test_an_exception_counts_where_the_other_framework_returns() -> None:
    judged = handmade.judgement().judged
    raised = {
        (j.item.pair.id, j.item.case.id)
        for j in judged
        if j.item.framework == "mindspore" and j.outcome.kind == "raised"
    }
    assert raised
    defects = group(of(judged), "exceptions").defects
    # What is not supported raised as well, and is not counted.
    assert sum(d.cases for d in defects) == len(raised)
    assert {d.place.case for d in defects} <= {case for _, case in raised}
    assert all(d.frameworks == ("mindspore",) for d in defects)
    both = [
        replace(j, outcome=Raised(types=("ValueError",), message="alike"))
        if j.item.framework == "torch"
        else j
        for j in judged
        if j.outcome.kind in ("raised", "unsupported") or j.item.framework == "torch"
    ]
    assert group(of(both), "exceptions").defects == ()
    # One mode beside another of the same framework is no other framework.
    modes = [
        replace(j, outcome=Returned(output=1.0)) if j.item.target == "mindspore" else j
        for j in judged
        if j.item.framework == "mindspore"
    ]
    assert group(of(modes), "exceptions").defects == ()


def test_the_largest_errors_are_of_each_api(site: views.SiteView, page: Page) -> None:
    errors = site.findings.errors
    assert [e.greatest for e in errors] == sorted((e.greatest for e in errors), reverse=True)
    named = [api for e in errors for api in e.apis]
    assert len(named) == len(set(named)) == 2
    module = next(e for e in errors if "mindspore.nn.HShrink" in e.apis)
    assert module.gradient is not None
    assert module.gradient.ratio == 7e8
    assert module.value is not None
    assert module.value.ratio == 1e7
    assert module.value.budget is None
    for error in (module.value, module.gradient):
        assert f"operations/shrink.html#{error.place.anchor}" in page.links


def test_only_the_worst_of_an_api_counts_and_the_list_is_bounded() -> None:
    judged: list[Judged] = []
    for number in range(build_findings.ERRORS + 5):
        renamed = handmade.YAML.replace("shrink", f"shrink{number}").replace(
            "HShrink", f"H{number}"
        )
        for case, pair in itertools.product(handmade.cases(renamed)[:2], [0]):
            one = handmade.judged(case, case.pairs()[pair], "mindspore", "known")
            ratio = 100.0 * number + (case.case.id == "grid")
            found = (Finding(Kind.VALUE, "output", "off", ratio),)
            judged.append(replace(one, verdict=replace(one.verdict, findings=found), known=()))
    told = of(judged)
    assert len(told.errors) == build_findings.ERRORS
    assert told.errors_left == 5
    assert told.errors[0].greatest == 100.0 * (build_findings.ERRORS + 4) + 1


def test_random_numbers_have_no_error() -> None:
    drawn = handmade.YAML.replace("    call: module\n", "    call: random\n")
    judged = [
        handmade.judged(case, pair, "mindspore", "known")
        for case in handmade.cases(drawn)
        for pair in case.pairs()
    ]
    apis = [api for error in of(judged).errors for api in error.apis]
    assert apis == ["mindspore.ops.hardshrink"]


def test_claims_are_counted_and_the_refuted_are_listed(site: views.SiteView, page: Page) -> None:
    claims = [claim for p in site.pages for claim in p.claims]
    counted = {tally.what: tally for tally in site.findings.tallies}
    documents = counted["Signatures, parameter rows and headings of documents"]
    assert (documents.upheld, documents.refuted, documents.undecided) == (0, 1, 1)
    assert len(claims) == 2
    printed = counted["Printed values and documented exceptions"]
    # Two pairs quote the example of each framework; only MindSpore's was checked.
    assert (printed.upheld, printed.refuted, printed.undecided) == (0, 2, 2)
    table = counted["Mapping table of release"]
    assert (table.of, table.upheld, table.refuted, table.undecided) == ("r2.0", 1, 0, 0)
    assert {s.what for s in site.findings.statements} == {"row of lambd", "literal"}
    assert "(lambd=0.5)" in page.text
    assert "Wrong <heading>." in page.text
    assert "operations/shrink.html#published" in page.links
    assert not any("javascript:" in link for link in page.links)


def test_a_grid_of_one_point_is_found_by_its_case(tmp_path: Path) -> None:
    text = handmade.YAML.replace("[0, 1, 2, 3, 4, 5, 6, 7]", "[2]")
    case = handmade.cases(text)[1]
    judged = [handmade.judged(case, case.pairs()[0], "mindspore", "declared")]
    pages.render(Judgement(judged, []), RunInfo(), tmp_path, languages=("en",))
    links = [link for link in Page(tmp_path / "findings.html").links if "#torch.nn" in link]
    ids = Page(tmp_path / "operations/shrink.html").ids
    assert links
    assert all(link.partition("#")[2] in ids for link in links)


def test_what_nobody_published_is_no_claim() -> None:
    text = handmade.YAML.replace("    source: {document: page, example: 2}\n", "")
    case = handmade.cases(text)[0]
    told = of([handmade.judged(case, case.pairs()[1], "mindspore", "declared")])
    assert {tally.what for tally in told.tallies} == {
        "Signatures, parameter rows and headings of documents"
    }
    assert [statement.what for statement in told.statements] == ["row of lambd"]


def test_a_table_entry_is_refuted_once_for_all_releases(tmp_path: Path) -> None:
    text = handmade.YAML.replace(
        'published: {r2.0: "consistent <s>"}', "published: {r2.0: consistent, r2.7: consistent}"
    )
    judged = [
        handmade.judged(case, case.pairs()[0], target, name)
        for case in handmade.cases(text)
        for target, name in (("torch", "conforms"), ("mindspore", "declared"))
    ]
    site = build.site(Judgement(judged, []), RunInfo())
    (entry,) = site.findings.entries
    assert entry.releases == ("r2.0", "r2.7")
    assert Kind.GRADIENT in entry.against
    pages.write(site, tmp_path, ["en"])
    page = Page(tmp_path / "findings.html")
    assert f"operations/shrink.html#{entry.anchor}" in page.links
    assert "consistent r2.0, r2.7" in page.text


def test_known_differences_say_whose_and_until_when(site: views.SiteView, page: Page) -> None:
    known = site.findings.known
    assert [(k.expires, k.days) for k in known] == [
        ("2026-01-02", 0), ("2026-01-12", 10), ("2027-01-01", 364),
    ]  # fmt: skip
    excused = [j for j in handmade.judgement().judged if j.known]
    assert [k.excused for k in known] == [0, 0, len(excused)]
    assert {place.case for place in known[2].places} <= {j.item.case.id for j in excused}
    for words in (
        "✗ expired 2026-01-02", "10 days left 2026-01-12", "364 days left 2027-01-01",
        f"reason {handmade.HOSTILE}", "numerics <team>", "issue 3", "javascript:alert(1)", ">=2.9",
        f"Excuses {len(excused)} results:", "Excuses nothing in this run.",
    ):  # fmt: skip
        assert words in page.text
    assert handmade.TRACKER in page.links


def test_known_differences_stand_on_the_page_of_their_pair(
    site: views.SiteView, written: dict[str, Page]
) -> None:
    module, function = site.pages[0].pairs
    assert [k.owner for k in module.known] == ["nobody", "numerics <team>"]
    assert [k.owner for k in function.known] == ["numerics <team>"]
    for pair in (module, function):
        excused = [j for j in handmade.judgement().judged if j.known and j.item.pair.id == pair.id]
        assert pair.known[-1].excused == len(excused) > 0
    page = written["operations/shrink.html"]
    assert page.text.count("Owner numerics <team>") == 2
    assert page.text.count("Owner nobody") == 1
    assert "somebody" not in page.text
    assert handmade.TRACKER in page.links


def test_an_entry_links_to_a_bounded_number_of_cases() -> None:
    text = handmade.YAML.replace("[0, 1, 2, 3, 4, 5, 6, 7]", str(list(range(8, 30))))
    judged = [
        handmade.judged(case, pair, target, "known")
        for case in handmade.cases(text)[1:]
        for pair in case.pairs()
        for target in ("mindspore", "mindspore:cpu:graph")
    ]
    told = of(judged).known[-1]
    assert told.excused == len(judged) == 22 * 4
    assert len(told.places) == len({place.case for place in told.places}) == build_known.SHOWN
    assert told.cases_left == 22 - build_known.SHOWN


@pytest.mark.parametrize(
    ("cases", "spoken"),
    [
        ("*", 1),
        ("*/literal", 1),
        ("shr*", 1),
        ("shrink/lit*", 1),
        ("shrink/none", 0),
        ("shrin/*", 0),
    ],
)
def test_entries_are_found_by_their_pattern(cases: str, spoken: int) -> None:
    entry = handmade.KNOWN[0].model_copy(update={"cases": cases})
    judged = handmade.judgement().judged[:1]
    assert len(build_known.spoken_of([entry], judged)) == spoken


def test_a_run_without_a_date_counts_no_days() -> None:
    info = RunInfo(known=handmade.KNOWN)
    assert {k.days for k in build.site(handmade.judgement(), info).findings.known} == {None}


def test_nothing_found_says_so(tmp_path: Path) -> None:
    pages.render(Judgement([], []), RunInfo(), tmp_path, languages=("en",))
    page = Page(tmp_path / "findings.html")
    sections: Any = [*build_findings.GROUPS, "errors", "claims", "known"]
    assert page.text.count("None in this run.") == len(sections)
    assert {f"#{name}" for name in sections} <= set(page.links)


def conforming(**facts: Any) -> views.SiteView:
    """Return a site on which everything that was judged conforms."""
    judged = [
        replace(j, outcome=Returned(output=1.0), verdict=Verdict(Status.CONFORMS))
        for j in handmade.judgement().judged
        if j.item.target in ("torch", "mindspore")
    ]
    targets = {"torch": {"version": "2.13.0"}, "mindspore": {"version": "2.10.0"}}
    made = build.site(Judgement(judged, []), RunInfo(handmade.MANIFEST, targets))
    return replace(made, **facts)


@pytest.mark.parametrize(
    ("site", "told"),
    [
        (conforming(), ""),
        (conforming(run=replace(conforming().run, finished=False)), "This run did not finish."),
        (
            conforming(targets=(views.TargetView("mindspore", "mindspore", unavailable="gone"),)),
            "Not available in this run: mindspore.",
        ),
        (conforming(pages=()), ""),
    ],
    ids=["whole", "unfinished", "absent", "nothing judged"],
)
def test_nothing_found_is_good_news_only_where_all_ran(
    site: views.SiteView, told: str, tmp_path: Path
) -> None:
    pages.write(site, tmp_path, ["en"])
    html = (tmp_path / "findings.html").read_text(encoding="utf-8")
    green = html.count('<li class="c">')
    assert (green > 0) == site.whole == (not told and bool(site.pages))
    for name in (
        "findings.html",
        "index.html",
        *(f"operations/{p.operation}.html" for p in site.pages),
    ):
        assert told in Page(tmp_path / name).text
    lived = "every worker lived to the end" in Page(tmp_path / "run.html").text
    assert lived == site.whole


def test_no_claim_decided_is_no_claim_upheld(tmp_path: Path) -> None:
    site = conforming()
    none = replace(site.findings, tallies=(), entries=(), statements=())
    pages.write(replace(site, findings=none), tmp_path, ["en"])
    html = (tmp_path / "findings.html").read_text(encoding="utf-8")
    assert '<li class="n"><a href="#claims">' in html


@pytest.mark.parametrize(
    ("kind", "ratio", "name"),
    [
        (Kind.VALUE, None, "values"),
        (Kind.DISTRIBUTION, None, "values"),
        (Kind.RETURN_SHAPE, None, "forms"),
        (Kind.MUTATION, 9.0, "forms"),
        (Kind.EXCEPTION, None, "undeclared"),
        (Kind.DTYPE_SUPPORT, None, "undeclared"),
        (Kind.CLAIM, None, "undeclared"),
        (Kind.VALUE, 9.0, None),
    ],
)
def test_whatever_differs_is_on_the_page_once(
    kind: Kind, ratio: float | None, name: str | None
) -> None:
    told = of(showing(Finding(kind, "output", "is another", ratio)))
    listed = {one.name: one.defects for one in told.groups if one.defects}
    assert set(listed) == {name} - {None}
    assert {api for found in listed.values() for d in found for api in d.apis} == (
        {"mindspore.nn.HShrink", "mindspore.ops.hardshrink"} if name else set()
    )
    assert bool(told.errors) == (name is None)


def test_what_is_declared_is_not_called_undeclared() -> None:
    judged = [
        replace(j, verdict=replace(j.verdict, status=Status.DECLARED))
        for j in showing(Finding(Kind.DTYPE_SUPPORT, "output", "is declared"))
    ]
    assert group(of(judged), "undeclared").defects == ()


def test_wrong_values_of_random_numbers_are_found() -> None:
    drawn = handmade.YAML.replace("    call: module\n", "    call: random\n")
    judged = [
        handmade.judged(case, case.pairs()[0], "mindspore", "known")
        for case in handmade.cases(drawn)
    ]
    defects = group(of(judged), "values").defects
    assert sum(defect.cases for defect in defects) == len(judged)
    assert {api for defect in defects for api in defect.apis} == {"mindspore.nn.HShrink"}


def test_what_has_expired_since_the_run_has_no_days_left() -> None:
    """The judge looks at a calendar, the page only at the run: it must not contradict him."""
    entry = handmade.KNOWN[2]
    line = f"{entry}: expired on {entry.expires.isoformat()}"
    assert build_known.expired(handmade.KNOWN, []) == []
    assert build_known.expired(handmade.KNOWN, [line]) == [entry]
    last = handmade.KNOWN[0]
    line = f"{last}: expired on {last.expires.isoformat()}"
    site = build.site(Judgement(handmade.judgement().judged, [line]), handmade.run_info())
    assert [k.days for k in site.findings.known] == [0, 10, 0]
    assert site.pages[0].pairs[1].known[0].days == 0


def test_the_judge_says_of_an_expired_entry_what_the_page_looks_for() -> None:
    lines = stale(handmade.KNOWN, [], {}, date(2999, 1, 1), complete=False)
    assert build_known.expired(handmade.KNOWN, lines) == list(handmade.KNOWN)
