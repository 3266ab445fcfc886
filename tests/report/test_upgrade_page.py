"""The upgrade page: changes of every category written by hand, and the command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest

from conformance.gate.change import MEANING, Category, Change
from conformance.gate.gate import Result
from conformance.gate.join import Joined
from conformance.gate.record import Record
from conformance.report import build, pages, text
from conformance.report.build_upgrade import upgrade_view
from conformance.report.marked import marked
from conformance.report.views import SiteView
from conformance.run.outcome import Crashed, Outcome, Raised
from conformance.run.store import RunFile
from tests.fakes import FAKES
from tests.gate.records import declared, differs, raised, record, side
from tests.project import Project
from tests.report import handmade
from tests.report.test_pages import Page

PAIR = "torch.nn.Hardshrink=mindspore.nn.HShrink"
API = "mindspore.nn.HShrink"
HOSTILE = handmade.HOSTILE
SIGNATURES = ("(lambd=0.5, inplace=False)", "(lambd=0.7, *, inplace=False)")


class Outcomes:
    """A run file's outcomes; a call that failed said `message`."""

    def __init__(self, message: str) -> None:
        self.message = message

    def outcome(self, target: str, call: str) -> Outcome | None:
        if call.startswith("crash"):
            return Crashed(signal="SIGFPE", stderr=self.message)
        return Raised(types=("ValueError",), message=self.message)


def item(name: str, **given: Any) -> dict[str, Any]:
    """Return where a record is: a case of the handmade site, unless `given` says otherwise."""
    return {"case": f"shrink/{name}", "pair": PAIR, **given}


def changed(category: Category, old: Record | None, new: Record | None, **given: Any) -> Change:
    some = new or old
    assert some is not None
    detail = "" if new is None else new.detail
    known = {"before": "", "after": "", "detail": detail, "operation": "shrink", "api": API}
    place = {"case": some.case, "pair": some.pair, "target": some.target}
    return Change(category, **{**known, **place, **given})


def pairs() -> dict[Category, tuple[Record | None, Record | None]]:
    """Return what both sides showed of an item, for each category that is about items."""

    def point(number: int) -> dict[str, Any]:
        return item(f"grid[lambd={number}]")

    return {
        Category.BROKEN: (record(**item("literal")), raised(**item("literal", detail=HOSTILE))),
        Category.LOST: (record(**point(0)), None),
        Category.KNOWN: (record(**point(1)), differs(**point(1))),
        Category.FIXED: (differs("crash", label="crashed SIGFPE", call="crash", **point(2)),
                         record(ratio=0.25, gradient_ratio=0.75, **point(2))),
        Category.DRIFTED: (record(**point(3)), record(ratio=2.5, **point(3))),
        Category.NEW: (None, declared(**point(4))),
        Category.CHANGED: (record(**point(5)), record(hash="other", **point(5))),
        Category.REMOVED: (record(**item("no-longer-there")), None),
        Category.VARIES: (record(**point(6)), record(variants=(("value",),), **point(6))),
    }  # fmt: skip


def changes() -> list[Change]:
    regressions = (Category.BROKEN, Category.LOST)
    details = {
        Category.KNOWN: "until 2999-01-01: being rewritten",
        Category.DRIFTED: "output: 1 of 3 elements, by at most 1 spacing",
    }
    found = [
        changed(c, old, new, regression=c in regressions, **({"detail": d} if d else {}))
        for c, (old, new) in pairs().items()
        for d in [details.get(c)]
    ]
    what = "default of lambd changed from 0.5 to 0.7"
    return [
        *found,
        Change(Category.SIGNATURE, "mindspore", API, *SIGNATURES, what, regression=True),
        Change(Category.SIGNATURE, "mindspore", "UserWarning", "", "", f"new warning: {HOSTILE}"),
        Change(Category.SLOWER, "mindspore", API, "1 ms", "3 ms", "3.0 times as long"),
    ]


def result(
    found: list[Change] | None = None,
    more: Mapping[Category, Any] | None = None,
    packages: Mapping[str, Any] | None = None,
) -> Result:
    """Return what a gate found, between runs of 1.0.0 and 2.0.0."""
    both = {**pairs(), **(more or {})}
    sides = []
    for number, version in enumerate(("1.0.0", "2.0.0")):
        records = [two[number] for two in both.values() if two[number] is not None]
        manifest = {"packages": (packages or {}).get(version)}
        made = side(records, version=version, manifest=manifest, name=f"{version} & more")
        sides.append(replace(made, run=cast(Any, Outcomes(f"said in {version}: {HOSTILE}"))))
    joined = Joined()
    for old, new in both.values():
        if old is None:
            joined.new.append(new)
        elif new is None:
            joined.gone.append(old)
        else:
            (joined.common if old.hash == new.hash else joined.changed).append((old, new))
    listed = changes() if found is None else found
    before, after = sides
    return Result(before, after, listed, joined, Counter(mindspore=1234), [f"a fact {HOSTILE}"])


def site(given: Result | None = None) -> SiteView:
    made = build.site(handmade.judgement(), handmade.run_info())
    return replace(made, upgrade=upgrade_view(given or result()))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    pages.write(site(), out, ["en", "zh"])
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written / "upgrade.html")


def english(path: Path) -> str:
    """Return the words of a page written in English alone."""
    return Page(path).text


def cells(given: Result, tmp_path: Path, category: Category) -> list[str]:
    """Return the words of each cell of the first change of `category`, in English."""
    pages.write(site(given), tmp_path, ["en"])
    html = (tmp_path / "upgrade.html").read_text(encoding="utf-8")
    section = html.partition(f'<h2 id="{category.value.replace(" ", "-")}"')[2]
    row = section.partition("<tbody>")[2].partition("</tr>")[0]
    found = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]*>", " ", cell)).split()) for cell in found]


def test_every_category_has_words_of_its_own() -> None:
    assert {c: c.value for c in Category} == text.CHANGE
    assert text.CHANGE_MEANING == MEANING


def test_every_category_is_counted_and_has_a_section(page: Page, written: Path) -> None:
    view = upgrade_view(result())
    assert {s.category for s in view.sections} == set(Category)
    assert {s.anchor for s in view.sections} <= set(page.ids)
    html = (written / "upgrade.html").read_text(encoding="utf-8")
    for section in view.sections:
        assert page.links.count(f"#{section.anchor}") == 2, "contents and table of counts"
        assert html.count(f'id="{section.anchor}"') == 1
    counts = page.text.partition("Means")[2]
    told = text.translator("zh").gettext(text.CHANGE[Category.SIGNATURE])
    assert f"signature drift {told} ✗ 1 regression 1个回归问题 2 2 " in counts


def test_what_failed_the_gate_comes_first() -> None:
    found = changes()
    newest = replace(found[5], regression=True)
    calm = replace(found[0], regression=False, api="mindspore.nn.Another")
    view = upgrade_view(result([calm, *found[:5], newest, *found[6:]]))
    order = [s.category for s in view.sections]
    assert order[:4] == [Category.BROKEN, Category.LOST, Category.SIGNATURE, Category.NEW]
    assert [g.api for g in view.sections[0].groups] == [API, "mindspore.nn.Another"]
    assert view.regressions == 4


def test_the_verdict_is_one_sentence(page: Page, tmp_path: Path) -> None:
    assert "3 regressions among 1,234 items compared." in page.text
    assert "对比了1,234个检查项，发现3个回归问题。" in page.text
    pages.write(site(result([])), tmp_path, ["en"])
    assert "No regression among 1,234 items compared." in english(tmp_path / "upgrade.html")


def test_an_edited_case_that_differs_now_is_not_passed_over(tmp_path: Path) -> None:
    """The gate fails for it although it is no regression: so does the page."""
    calm = [c for c in changes() if not c.regression]
    found = [replace(c, unexpected=c.category is Category.CHANGED) for c in calm]
    given = result(found)
    assert given.exit_code == 1
    view = upgrade_view(given)
    assert (view.regressions, view.unexpected) == (0, 1)
    assert view.sections[0].category is Category.CHANGED
    pages.write(site(given), tmp_path, ["en"])
    told = english(tmp_path / "upgrade.html")
    assert "1 edited case differs now, and the gate fails for it." in told
    assert "changed case ✗ 1 edited case differs now 1 1 " in told.partition("Means")[2]
    html = (tmp_path / "upgrade.html").read_text(encoding="utf-8")
    row = html.partition('id="changed-case"')[2].partition("shrink/grid[lambd=5]")[0]
    assert "<details>" not in row, "what fails is not folded away"
    operation = (tmp_path / "operations/shrink.html").read_text(encoding="utf-8")
    since = operation.partition('<div class="since">')[2].partition("</li>")[0]
    assert "chip x" in since
    assert "changed case" in since


def test_a_broken_case_before_and_after(tmp_path: Path) -> None:
    case, before, after = cells(result(), tmp_path, Category.BROKEN)
    assert case == "shrink/literal mindspore"
    assert before == "✓ conforms Error: 0.50 roundoffs"
    assert after == (
        f"✗ differs exceptions raised ValueError {HOSTILE} ValueError: said in 2.0.0: {HOSTILE}"
    )


def test_a_message_that_the_finding_quotes_is_not_shown_twice(tmp_path: Path) -> None:
    quoted = raised(**item("literal", detail=f"raises: said in 2.0.0: {HOSTILE}"))
    more = {Category.BROKEN: (record(**item("literal")), quoted)}
    *_, after = cells(result(more=more), tmp_path, Category.BROKEN)
    assert after.count("said in 2.0.0") == 1


def test_evidence_that_a_side_shows_is_not_shown_again() -> None:
    view = upgrade_view(result())
    told = {c: view.by_category[c].groups[0].changes[0].evidence for c in Category}
    assert told[Category.BROKEN] == ""
    assert told[Category.DRIFTED].startswith("output: 1 of 3 elements")


def test_a_fixed_crash_before_and_after(tmp_path: Path) -> None:
    _, before, after = cells(result(), tmp_path, Category.FIXED)
    assert before.startswith("✗ differs crash crashed SIGFPE Error: 10,000 roundoffs crash: off")
    assert before.endswith(f"SIGFPE: said in 1.0.0: {HOSTILE}")
    assert after == "✓ conforms Error: 0.25 roundoffs Gradient's error: 0.75 roundoffs"


def test_what_one_side_lacks_is_said_to_be_lacking(tmp_path: Path) -> None:
    for category, place in ((Category.LOST, 2), (Category.REMOVED, 2), (Category.NEW, 1)):
        row = cells(result(), tmp_path, category)
        assert row[place] == "not there"
        assert row[3 - place].split()[0] in "✓≈"


def test_a_known_difference_is_called_known_with_its_reason(tmp_path: Path) -> None:
    _, before, after = cells(result(), tmp_path, Category.KNOWN)
    assert (before.split()[0], after.split()[0]) == ("✓", "◷")
    assert "until 2999-01-01: being rewritten" in english(tmp_path / "upgrade.html")


def test_drift_says_by_how_much(tmp_path: Path) -> None:
    _, before, after = cells(result(), tmp_path, Category.DRIFTED)
    assert (before, after) == (
        "✓ conforms Error: 0.50 roundoffs",
        "✓ conforms Error: 2.5 roundoffs",
    )
    assert "by at most 1 spacing" in english(tmp_path / "upgrade.html")


def test_what_varies_is_said_to(tmp_path: Path) -> None:
    _, before, after = cells(result(), tmp_path, Category.VARIES)
    assert "not always the same" in after
    assert "not always the same" not in before


def test_a_change_of_the_peer_tells_what_the_gate_says(tmp_path: Path) -> None:
    found = [
        replace(changes()[0], before=f"returned; {API} conforms", after="conforms, and more said")
    ]
    _, before, after = cells(result(found), tmp_path, Category.BROKEN)
    assert f"returned; {API} conforms" in before
    assert "conforms, and more said" in after


def test_slower_and_signatures_side_by_side(tmp_path: Path) -> None:
    what, before, after = cells(result(), tmp_path, Category.SLOWER)
    assert (what, before, after) == ("3.0 times as long mindspore", "1 ms", "3 ms")
    what, before, after = cells(result(), tmp_path, Category.SIGNATURE)
    assert what == "default of lambd changed from 0.5 to 0.7 mindspore"
    html = (tmp_path / "upgrade.html").read_text(encoding="utf-8")
    assert "<code>(<del>lambd=0.5</del>, inplace=False)</code>" in html
    assert "<code>(<ins>lambd=0.7</ins>, <ins>*</ins>, inplace=False)</code>" in html


@pytest.mark.parametrize(
    ("before", "after", "gone", "came"),
    [
        ("(a, b=1)", "(a, b=1)", [], []),
        ("(a, b=1)", "(a, b=2)", ["b=1"], ["b=2"]),
        ("(a, b)", "(b, a)", ["b"], ["b"]),
        ("(a)", "(a, *, out=None) -> Tensor", [], ["*", "out=None"]),
        ("(a='x, y')", "(a='x, z')", ["a='x, y'"], ["a='x, z'"]),
        ("(a=(1, 2), b=[3, 4])", "(a=(1, 2), b=[3, 5])", ["b=[3, 4]"], ["b=[3, 5]"]),
        ("(a) | (a, b)", "(a) | (a, c)", ["b"], ["c"]),
        ("(a='", "(a=')]", [], ["a='"]),
        ("no such API", "(a)", [], []),
        ("1 ms", "2 ms", [], []),
        ("", "(a)", [], []),
    ],
)
def test_changed_parameters_are_marked(
    before: str, after: str, gone: list[str], came: list[str]
) -> None:
    old, new = marked(before, after)
    assert "".join(piece for piece, _ in old) == before
    assert "".join(piece for piece, _ in new) == after
    shown = [[piece for piece, mark in side if mark] for side in (old, new)]
    if before != "(a, b)":
        assert shown == [gone, came]
    else:
        assert [len(side) for side in shown] == [1, 1], "one of the two has moved"


def test_a_baseline_in_text_shows_what_it_keeps_and_says_what_not(tmp_path: Path) -> None:
    made = result(more={Category.FIXED: (raised(detail="", **item("grid[lambd=2]")),
                                         record(**item("grid[lambd=2]")))})  # fmt: skip
    kept = replace(made, baseline=replace(made.baseline, run=None))
    _, before, _ = cells(kept, tmp_path, Category.FIXED)
    assert before == (
        "✗ differs exceptions raised ValueError "
        "What was found, in words, is not kept in the baseline."
    )
    told = english(tmp_path / "upgrade.html")
    assert "said in 1.0.0" not in told
    assert "said in 2.0.0" in told
    _, before, _ = cells(kept, tmp_path, Category.BROKEN)
    assert before == "✓ conforms Error: 0.50 roundoffs", "of what conforms nothing is missing"


def test_versions_of_everything_and_what_is_not_known_of_them(tmp_path: Path) -> None:
    packages = {"1.0.0": {"numpy": "1.26", "gone": "3"}, "2.0.0": {"numpy": "2.4"}}
    view = upgrade_view(result(packages=packages))
    assert [(m.name, m.before, m.after) for m in view.moved] == [("mindspore", "1.0.0", "2.0.0")]
    rows = [(p.name, p.before, p.after) for p in view.packages]
    assert rows == [("gone", "3", ""), ("numpy", "1.26", "2.4")]
    view = upgrade_view(result(packages={"2.0.0": {"numpy": "2.4"}}))
    assert [(p.name, p.before, p.after) for p in view.packages] == [("numpy", None, "2.4")]
    made = result()
    more = replace(made.candidate, targets={**made.candidate.targets, "torch": {"version": "3"}})
    view = upgrade_view(replace(made, candidate=more))
    assert [(t.name, t.before, t.after, t.compared) for t in view.targets] == [
        ("mindspore", "1.0.0", "2.0.0", 1234),
        ("torch", "", "3", 0),
    ]
    assert [m.name for m in view.moved] == ["mindspore"]
    pages.write(replace(site(), upgrade=view), tmp_path, ["en"])
    assert "torch not run 3 0" in english(tmp_path / "upgrade.html")


def test_long_groups_fold(tmp_path: Path) -> None:
    found = [change for change in changes() if change.category is Category.DRIFTED] * 9
    new = [change for change in changes() if change.category is Category.NEW] * 2
    pages.write(site(result([*found, *new])), tmp_path, ["en"])
    told = english(tmp_path / "upgrade.html")
    assert "6 more changes" in told
    assert "2 changes" in told
    html = (tmp_path / "upgrade.html").read_text(encoding="utf-8")
    assert html.count("shrink/grid[lambd=3]") == 9
    assert html.count("<details>") == 2


def test_links_resolve_both_ways(written: Path, page: Page) -> None:
    operation = Page(written / "operations" / "shrink.html")
    cases = [link for link in page.links if link.startswith("operations/")]
    assert len(cases) == len(pairs()) - 1, "all but the removed one"
    for link in cases:
        assert link.removeprefix("operations/shrink.html#") in operation.ids
    assert "shrink/no-longer-there" in page.text
    back = [link for link in operation.links if link.startswith("../upgrade.html#")]
    assert {link.partition("#")[2] for link in back} <= set(page.ids)
    groups = [g for s in upgrade_view(result()).sections for g in s.groups if g.api == API]
    assert {link.partition("#")[2] for link in back} == {g.anchor for g in groups}
    assert operation.text.count("Changed since MindSpore 1.0.0") == 1, "the other pair is as it was"
    own = {link[1:] for link in page.links if link.startswith("#")}
    assert own <= set(page.ids)


def test_regressions_lead_the_list_of_a_pair(written: Path) -> None:
    told = (written / "operations" / "shrink.html").read_text(encoding="utf-8")
    listed = told.partition('<div class="since">')[2].partition("</div>")[0]
    assert [("chip x" in line) for line in listed.splitlines() if "<li>" in line] == (
        [True] * 3 + [False] * 8
    )


def test_the_page_is_sound_and_hostile_text_is_text(page: Page, written: Path) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert all(cell.get("scope") for cell in page.cells)
    assert page.scripts == 1
    assert page.text.count(HOSTILE) >= 4, "a fact, a finding, a message, a warning"
    assert "javascript:" not in " ".join(page.links)
    assert "<script>alert" not in (written / "upgrade.html").read_text(encoding="utf-8")


def test_a_site_of_one_run_has_no_such_page(tmp_path: Path) -> None:
    pages.write(site(), tmp_path, ["en"])
    assert "upgrade.html" in Page(tmp_path / "index.html").links
    pages.write(replace(site(), upgrade=None), tmp_path, ["en"])
    assert not (tmp_path / "upgrade.html").exists()
    for path in tmp_path.rglob("*.html"):
        assert "upgrade.html" not in path.read_text(encoding="utf-8")


def test_the_same_changes_give_the_same_bytes(tmp_path: Path, written: Path) -> None:
    pages.write(site(), tmp_path, ["en", "zh"])
    for path in written.rglob("*.html"):
        assert path.read_bytes() == (tmp_path / path.relative_to(written)).read_bytes()


# Through the command line --------------------------------------------------------------------

CASES = """\
operation: magnitude
reference: elementwise.abs
accuracy: elementwise
gradients: []
parameters: {input: {role: input}}
pairs: [{torch: torch.abs, mindspore: mindspore.ops.abs}]
cases:
  - {id: breaks, inputs: {input: [1.0, -13.0]}}
  - {id: mends, inputs: {input: [2.0, -14.0]}}
  - {id: drifts, inputs: {input: [3.0, -15.0]}}
  - {id: stays, inputs: {input: [4.0, -16.0]}}
"""
FAKE = '''\
"""A framework of version {version} that fails on {unlucky}."""

import numpy as np
from conformance.worker.adapters.right import RightAdapter


def absolute(input, *, out={default}):
    if (input == {unlucky}).any():
        raise ValueError("<b>{unlucky}</b> brings bad luck")
    found = np.abs(input)
    return np.nextafter(found, np.float32({towards})) if (input == -15).any() else found


class Fake(RightAdapter):
    def info(self):
        return {{**super().info(), "version": "{version}"}}

    def resolve(self, api):
        return absolute


ADAPTER = Fake
'''
OLD = {"version": "1.0.0", "unlucky": -14, "default": "None", "towards": 0}
NEW = {"version": "2.0.0", "unlucky": -13, "default": "True", "towards": 99}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the runs of two versions, and a baseline in text of the first."""
    made = Project(tmp_path_factory.mktemp("upgrade"))
    (made.folder / "cases/absolute.yaml").unlink()
    made.write("cases/magnitude.yaml", CASES)
    made.write("right.py", (FAKES / "right.py").read_text(encoding="utf-8"))
    adapters = {"torch": "right.py", "mindspore": "fake.py"}
    made.write(
        "conformance.toml",
        "".join(f'[targets.{name}]\nadapter = "{file}"\n' for name, file in adapters.items()),
    )
    for name, version in (("old", OLD), ("new", NEW)):
        made.write("fake.py", FAKE.format(**version))
        made.run("run", "-t", "torch", "-t", "mindspore", "--out", f"{name}.sqlite")
    assert made.run("baseline", "old.sqlite", "--out", "base")[0] == 0
    return made


def test_report_against_a_run_shows_each_change_before_and_after(project: Project) -> None:
    code, out, err = project.run(
        "report", "new.sqlite", "--against", "old.sqlite", "--out", "site", "--lang", "en"
    )
    assert (code, err) == (0, "")
    assert "wrote site/upgrade.html" in out
    told = english(project.folder / "site/upgrade.html")
    assert "MindSpore 1.0.0 → 2.0.0" in told
    assert "2 regressions among 8 items compared." in told
    for case, before, after in (
        ("breaks", "✓ conforms Error: 0 roundoffs", "✗ differs exceptions raised ValueError"),
        ("mends", "✗ differs exceptions raised ValueError", "✓ conforms Error: 0 roundoffs"),
        ("drifts", "✓ conforms Error: ", "✓ conforms Error: "),
    ):
        row = told.partition(f"magnitude/{case} mindspore ")[2]
        assert row.startswith(before)
        assert after in row.removeprefix(before)
    assert "<b>-13</b> brings bad luck" in told
    assert "magnitude/stays" not in told
    html = (project.folder / "site/upgrade.html").read_text(encoding="utf-8")
    assert "<code>(input, *, <del>out=None</del>)</code>" in html
    assert "<code>(input, *, <ins>out=True</ins>)</code>" in html
    operation = Page(project.folder / "site/operations/magnitude.html")
    assert "Changed since MindSpore 1.0.0" in operation.text
    assert "../upgrade.html#broken-mindspore.ops.abs" in operation.links


def test_gate_leaves_the_same_site(project: Project) -> None:
    code, out, _ = project.run("gate", "base", "new.sqlite", "--html", "gated")
    assert code == 1
    assert "wrote gated/upgrade.html" in out
    told = english(project.folder / "gated/upgrade.html")
    assert "2 regressions among 8 items compared." in told
    assert "is not kept in the baseline" in told
    assert "<b>-13</b> brings bad luck" in told
    assert "<b>-14</b> brings bad luck" not in told


@pytest.mark.parametrize("command", ["gate", "report"])
def test_all_pages_are_judged_by_the_known_differences_given(
    project: Project, command: str
) -> None:
    project.write(
        "excuses.yaml",
        "- {cases: magnitude/breaks, target: mindspore, kinds: [exception], reason: r, owner: o, "
        "link: https://tracker.example/1, expires: 2999-01-01}\n",
    )
    before = RunFile.open(project.folder / "new.sqlite").manifest.get("known")
    out = f"excused-{command}"
    arguments = {
        "gate": ["gate", "old.sqlite", "new.sqlite", "--html", out],
        "report": ["report", "new.sqlite", "--against", "old.sqlite", "--out", out],
    }
    project.run(*arguments[command], "--known", "excuses.yaml")
    folder = project.folder / out
    assert "broken, and excused" in english(folder / "upgrade.html")
    assert "Excuses 1 result:" in english(folder / "findings.html")
    html = (folder / "operations/magnitude.html").read_text(encoding="utf-8")
    assert '<span class="chip x"><span aria-hidden="true">✗</span> differs' not in html
    after = RunFile.open(project.folder / "new.sqlite").manifest.get("known")
    assert after == before, "evidence is read, not edited"


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["report", "new.sqlite", "--against", "nowhere.sqlite"], 2, "no such run file"),
        (["report", "nowhere.sqlite", "--against", "old.sqlite"], 2, "no such run file"),
        (["report", "new.sqlite", "--against", "cases"], 2, "no baseline here"),
        (["report", "new.sqlite", "old.sqlite", "--against", "base"], 2, "one run file, not 2"),
        (["report", "new.sqlite", "--against", "base", "-f", "csv"], 2, "the format html"),
        (["report", "new.sqlite", "--against", "base", "-o", "base"], 2, "is used already"),
        (["report", "new.sqlite", "--against", "cut.sqlite"], 3, "damaged or truncated"),
        (["report", "new.sqlite", "--against", "cut.sqlite", "-o", "stale"], 3, "damaged"),
        (["gate", "base", "new.sqlite", "--html", "base"], 2, "is used already"),
        (["gate", "old.sqlite", "base", "--html", "x"], 2, "made from a run file"),
        (["gate", "cut.sqlite", "new.sqlite", "--html", "stale"], 3, "damaged or truncated"),
        (["gate", "base", "new.sqlite", "--html", "fake.py"], 2, "Not a directory"),
    ],
)
def test_mistakes_and_damage(project: Project, arguments: list[str], code: int, why: str) -> None:
    whole = (project.folder / "old.sqlite").read_bytes()
    (project.folder / "cut.sqlite").write_bytes(whole[: len(whole) // 2])
    (project.folder / "stale").mkdir(exist_ok=True)
    project.write("stale/upgrade.html", "all is well, said an earlier gate")
    ended, _, err = project.run(*arguments)
    assert (ended, len(err.strip().splitlines())) == (code, 1), err
    assert why in err
    assert not (project.folder / "reports").exists()
    if "stale" in arguments:
        assert not (project.folder / "stale/upgrade.html").exists()


def test_help_names_the_options(project: Project) -> None:
    assert "--against" in project.run("report", "--help")[1]
    assert "--html" in project.run("gate", "--help")[1]
