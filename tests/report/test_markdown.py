"""The Markdown pages: a parser and the usual rules of linters, and text that stays text."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conformance.judge.judge import Judgement
from conformance.judge.verdict import Status
from conformance.report import build, examples, markdown, markup, official, templating, views
from conformance.taxonomy import Kind
from tests.report import handmade

PARSER = MarkdownIt("commonmark").enable("table")
FIRST = "torch.nn.Hardshrink=mindspore.nn.HShrink.md"
SPECIAL = st.text(alphabet="ab1 \\`*_{}[]<>()#+-.!|~&;=$\"'中：", max_size=12)


def site() -> views.SiteView:
    return build.site(handmade.judgement(), handmade.run_info())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("markdown")
    markdown.write(site(), out, ("en", "zh"))
    return out


def said(tokens: list[Token]) -> str:
    """Everything a reader sees, without markup."""
    words = []
    for token in tokens:
        for part in token.children or [token]:
            words.append(part.content if part.type in ("text", "code_inline", "fence") else "")
    return "\n".join(words)


def cells(line: str) -> int:
    return len(re.split(r"(?<!\\)\|", line.strip())) - 2


def lint(document: str) -> list[Token]:
    """Assert what linters ask by default; return the tokens."""
    tokens = PARSER.parse(document)
    lines = document.split("\n")
    assert document.endswith("\n")
    assert not document.endswith("\n\n")
    levels = [int(t.tag[1]) for t in tokens if t.type == "heading_open"]
    assert tokens[0].tag == "h1"
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    titles = [b.content for a, b in pairwise(tokens) if a.tag in ("h2", "h3")]
    headings = [title for title in titles if title]
    assert len(headings) == len(set(headings))
    fenced: set[int] = set()
    for token in tokens:
        assert token.type not in ("html_block", "hr", "code_block")
        assert not any(c.type == "html_inline" for c in token.children or [])
        if token.type == "fence":
            assert token.info in ("python", "text")
            assert token.map
            fenced |= set(range(*token.map))
        if token.level == 0 and token.map and token.nesting >= 0 and token.type != "inline":
            start, end = token.map
            assert start == 0 or not lines[start - 1], lines[start]
            assert end >= len(lines) or not lines[end] or not lines[end - 1], lines[end]
        if token.type == "table_open":
            assert token.map
            rows = [lines[i] for i in range(*token.map) if lines[i]]
            assert len({cells(row) for row in rows}) == 1, rows
    for i, line in enumerate(lines):
        assert i in fenced or line == line.rstrip(), line
        assert i in fenced or i == 0 or line or lines[i - 1] or i == len(lines) - 1
    return tokens


def test_pages_pass_a_linter_and_links_lead_somewhere(folder: Path) -> None:
    pages = sorted(folder.rglob("*.md"))
    assert len(pages) == 2 * (1 + 2)
    checked = 0
    for path in pages:
        for token in lint(path.read_text(encoding="utf-8")):
            for part in token.children or []:
                if part.type == "link_open":
                    target = str(part.attrs["href"])
                    inside = target.startswith("https://")
                    assert inside or (path.parent / unquote(target)).is_file(), target
                    checked += 1
    assert checked >= 2 * (2 + 2 * 2)


def test_layout_is_that_of_the_official_pages(folder: Path) -> None:
    expected = {
        "en": (
            "# Differences with torch.nn.Hardshrink",
            "## torch.nn.Hardshrink",
            "For more information, see [torch.nn.Hardshrink]"
            "(https://pytorch.org/docs/2.13/generated/torch.nn.Hardshrink.html).",
            "## mindspore.nn.HShrink",
            "For more information, see [mindspore.nn.HShrink](https://www.mindspore.cn/docs/en/"
            "r2.10.0/api_python/nn/mindspore.nn.HShrink.html).",
            "## Differences",
            "PyTorch: Shrink \\<b>hard\\</b>.",
            "MindSpore: The `same` \\<u>function\\</u>.",
            "| Categories | Subcategories | PyTorch | MindSpore | Difference |",
            "| Inputs | Input 1 | input | input_x | Same function, different parameter names |",
            "### Code Example 1",
            "## Evidence",
            "## Declared differences",
            "## Differences nobody declared",
            "## Known differences",
            "## What published documents claim",
        ),
        "zh": (
            "# 比较与torch.nn.Hardshrink的差异",
            "## torch.nn.Hardshrink",
            "更多内容详见[torch.nn.Hardshrink]"
            "(https://pytorch.org/docs/2.13/generated/torch.nn.Hardshrink.html)。",
            "## mindspore.nn.HShrink",
            "更多内容详见[mindspore.nn.HShrink](https://www.mindspore.cn/docs/zh-CN/"
            "r2.10.0/api_python/nn/mindspore.nn.HShrink.html)。",
            "## 差异对比",
            "PyTorch：收缩 \\<b>hard\\</b>。",
            "MindSpore：功能`一致`\\<u>。\\</u>",
            "| 分类 | 子类 | PyTorch | MindSpore | 差异 |",
            "| 输入 | 输入1 | input | input_x | 功能一致，参数名不同 |",
            "### 代码示例1",
            "## 执行证据",
            "## 差异说明",
            "## 未声明的差异",
            "## 已知差异",
            "## 已发布文档的声明与验证",
        ),
    }
    for language, parts in expected.items():
        lines = (folder / language / FIRST).read_text(encoding="utf-8").splitlines()
        at = [lines.index(part) for part in parts]
        assert at == sorted(at)


def test_code_of_both_frameworks_with_outputs_as_comments(folder: Path) -> None:
    page = (folder / "en" / FIRST).read_text(encoding="utf-8")
    code = next(t.content for t in PARSER.parse(page) if t.info == "python")
    first, second = code.split("\n# MindSpore")
    assert first.startswith("# PyTorch\nimport numpy as np\nimport torch\n")
    assert "print(output)\n# [0.1 0.2]\n" in first
    assert "import mindspore\n" in second


def test_hostile_text_is_shown_and_never_markup(folder: Path) -> None:
    for language in ("en", "zh"):
        page = said(PARSER.parse((folder / language / FIRST).read_text(encoding="utf-8")))
        assert page.count(handmade.HOSTILE) >= 3
        assert f"no CUDA {handmade.HOSTILE}" in page
        index = said(PARSER.parse((folder / language / "index.md").read_text(encoding="utf-8")))
        assert f"stale declaration {handmade.HOSTILE}" in index


def test_every_case_is_counted(folder: Path) -> None:
    page = (folder / "en" / FIRST).read_text(encoding="utf-8")
    pair = site().pages[0].pairs[0]
    shown = len(examples.examples(pair))
    assert f"9 cases of this pair ran; examples above: {shown}." in page
    assert page.count("### Code Example") == shown
    for target in site().targets:
        row = next(line for line in page.splitlines() if line.startswith(f"| {target.name} |"))
        counts = [pair.on(target.name)[status] for status in reversed(views.SEVERITY)]
        assert row.endswith(f" {' | '.join(map(str, counts))} |")


def test_what_never_ran_is_not_said_to_have_run(tmp_path: Path) -> None:
    case = handmade.cases()[0]
    judged = [
        handmade.judged(case, case.pairs()[0], target, "unavailable")
        for target in ("torch", "mindspore")
    ]
    markdown.write(build.site(Judgement(judged, []), handmade.run_info()), tmp_path, ["en"])
    assert "0 cases of this pair ran" in (tmp_path / "en" / FIRST).read_text(encoding="utf-8")


def test_any_folder_may_be_an_area(tmp_path: Path) -> None:
    info = replace(handmade.run_info(), paths={"shrink": "cases/50%off %s/shrink.yaml"})
    markdown.write(build.site(handmade.judgement(), info), tmp_path, ["en", "zh"])
    for language in ("en", "zh"):
        assert "\n## 50%off %s\n" in (tmp_path / language / "index.md").read_text(encoding="utf-8")


def test_a_pair_that_ran_on_fewer_targets_keeps_its_columns(tmp_path: Path) -> None:
    judgement = handmade.judgement()
    left = [
        j for j in judgement.judged if j.item.target != "torch" or j.item.pair.id + ".md" == FIRST
    ]
    fewer = build.site(replace(judgement, judged=left), handmade.run_info())
    assert all(len(a.cells) == 4 for pair in fewer.pages[0].pairs for a in pair.aspects)
    assert {a.cells[0].count for a in fewer.pages[0].pairs[1].aspects} == {0}
    for path in markdown.write(fewer, tmp_path, ("en",)):
        lint(path.read_text(encoding="utf-8"))


def test_a_declared_difference_has_an_example_that_shows_it() -> None:
    pair = site().pages[0].pairs[0]
    difference = pair.differences[0]
    point = next(p for c in pair.cases for p in c.points if p.label == "lambd=2")
    declared = replace(difference, shown=point, code=pair.cases[1].code)
    found = examples.examples(replace(pair, differences=(declared, declared)))
    assert [e.shows for e in found if e.shows] == [(1, 2)]
    assert found[-1].point == point
    assert found[-1].case.id == "grid"


def test_published_examples_come_before_differences_and_a_plain_one_before_all() -> None:
    pair = site().pages[0].pairs[0]
    literal, grid = pair.cases
    assert literal.source
    first, *others = examples.examples(pair)
    assert (first.case.id, first.shows) == ("literal", ())
    assert others
    assert all(example.shows for example in others)
    pair = replace(pair, differences=())
    verdicts = tuple(replace(v, status=Status.CONFORMS) for v in grid.shown.verdicts)
    plain = replace(grid, shown=replace(grid.shown, verdicts=verdicts))
    found = examples.examples(replace(pair, cases=(literal, plain)))
    assert [e.case.id for e in found] == ["grid", "literal"]


def test_long_and_equal_names_make_files_of_their_own() -> None:
    view = site()
    page = view.pages[0]
    pair = page.pairs[0]
    ids = ("torch.a=mindspore.B", "torch.A=mindspore.b", "x" * 300 + "1", "x" * 300 + "2", "index")
    page = replace(page, pairs=tuple(replace(pair, id=name) for name in ids))
    names = list(markdown.filenames(replace(view, pages=(page,))).values())
    assert names[:2] == ["torch.a=mindspore.B.md", "shrink.torch.A=mindspore.b.md"]
    assert len({name.casefold() for name in names} - {"index.md"}) == len(ids)
    assert max(map(len, names)) < 140


@given(SPECIAL, SPECIAL)
@settings(deadline=None, max_examples=300)
def test_any_text_survives_a_table_a_heading_and_a_paragraph(one: str, other: str) -> None:
    one, other = (" ".join(value.split()) or "x" for value in (one, other))
    table = f"| a | b |\n| --- | --- |\n| {markup.text(one)} | {markup.cell(other)} |\n"
    tokens = PARSER.parse(table)
    found = [t for t in tokens if t.type == "inline"][2:]
    assert [said([t]).replace("\n", "") for t in found] == [one, other]
    for start, tag in (("# ", "h1"), ("", "p"), ("- ", "p"), ("> ", "p")):
        tokens = PARSER.parse(f"{start}{markup.text(one)}\n")
        [inline] = [t for t in tokens if t.type == "inline"]
        assert said([inline]).replace("\n", "") == one
        assert next(t.tag for t in tokens if t.tag in ("h1", "h2", "p")) == tag
        assert not any(t.tag in ("ol", "hr", "code") for t in tokens)


@given(SPECIAL)
@settings(deadline=None, max_examples=200)
def test_code_and_prose_survive(value: str) -> None:
    value = " ".join(value.split()) or "x"
    [inline] = [t for t in PARSER.parse(f"a {markup.code(value)} b") if t.type == "inline"]
    assert [c.content for c in inline.children or [] if c.type == "code_inline"] == [value]
    for table in (False, True):
        row = f"| {markup.prose(value, table)} |" if table else str(markup.prose(value))
        document = f"| a |\n| - |\n{row}\n" if table else f"{row}\n"
        found = [t for t in PARSER.parse(document) if t.type == "inline"][-1]
        shown = said([found]).replace("\n", "").replace("`", "").replace(" ", "")
        assert shown == value.replace("`", "").replace(" ", "")


@pytest.mark.parametrize(
    ("given", "span"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("", ""), ("a\nb", "`a b`")],
)
def test_code_spans(given: str, span: str) -> None:
    assert markup.code(given) == span


def test_fenced_code_is_left_alone() -> None:
    block = markup.fenced("a\n\n\n```\n\n\nb\n")
    assert markup.tidy(f"x\n\n\n\n{block}\n\n\n\ny\n\n") == f"x\n\n{block}\n\ny\n"
    assert block.startswith("````python\n")


@pytest.mark.parametrize(
    ("framework", "api", "version", "address"),
    [
        ("torch", "torch.nn.ReLU", "2.13.0+cpu", "2.13/generated/torch.nn.ReLU.html"),
        ("torch", "torch.special.entr", "2.13.0", "2.13/special.html#torch.special.entr"),
        ("torch", "torch.Tensor.T", "2.13.0", "2.13/tensors.html#torch.Tensor.T"),
        ("torch", "torch.Tensor.Tx", "2.13.0", "2.13/generated/torch.Tensor.Tx.html"),
        ("torch", "torch.abs", "2.14.0a0+git12", "main/generated/torch.abs.html"),
        ("torch", "torch.abs", "", "main/generated/torch.abs.html"),
        ("mindspore", "mindspore.ops.abs", "2.10.0", "r2.10.0/api_python/ops/mindspore.ops.abs"),
        ("mindspore", "mindspore.grad", "2.9.0", "r2.9.0/api_python/mindspore/mindspore.grad"),
        (
            "mindspore",
            "mindspore.Tensor.abs",
            "2.9.0",
            "r2.9.0/api_python/mindspore/Tensor/mindspore.Tensor.abs",
        ),
        (
            "mindspore",
            "mindspore.mint.nn.functional.elu",
            "2.10.0",
            "r2.10.0/api_python/mint/mindspore.mint.nn.functional.elu",
        ),
        (
            "mindspore",
            "mindspore.experimental.optim.lr_scheduler.StepLR",
            "2.11.0.dev20260101",
            "master/api_python/experimental/optim/mindspore.experimental.optim.lr_scheduler.StepLR",
        ),
        ("numpy", "numpy.add", "1.26.4", "1.26/reference/generated/numpy.add.html"),
    ],
)
def test_official_addresses(framework: str, api: str, version: str, address: str) -> None:
    found = official.address(framework, api, version, "zh")
    assert found.startswith("https://")
    assert address in found
    assert ("/zh-CN/" in found) == (framework == "mindspore")


def test_the_output_beside_a_difference_is_of_a_target_that_shows_it() -> None:
    text = handmade.YAML.replace('"grid[lambd=2]", "grid[lambd=0]"', '"grid[lambd=6]"')
    graph = "mindspore:cpu:graph"
    found = [
        handmade.judged(case, pair, target, "declared" if target == graph else "conforms")
        for case in handmade.cases(text)
        for pair in case.pairs()
        for target in handmade.TARGETS
    ]
    pair = build.site(Judgement(found, []), handmade.run_info()).pages[0].pairs[0]
    [difference] = (d for d in pair.differences if d.kind is Kind.VALUE)
    assert difference.shown
    assert difference.shown.label == "lambd=6"
    printed = {code.framework: (code.target, code.output) for code in difference.code}
    assert printed == {"torch": ("torch", "[0.1 0.2]"), "mindspore": (graph, "[0.1 0.3]")}
    assert "# MindSpore (mindspore:cpu:graph)\n" in markdown.programs(difference.code)


def test_what_a_program_prints_stands_under_each_line_that_prints() -> None:
    code = views.CodeView("torch", "print(output)\nprint(gradients)\n", "1", "torch", "2\n3")
    assert templating.program(code) == "print(output)\n# 1\nprint(gradients)\n# 2\n# 3"


@pytest.mark.parametrize("value", [r"a\|b", r"\\|", r"(?:a\|)`b`"])
def test_no_parser_takes_a_bar_in_a_cell_for_its_end(value: str) -> None:
    """GitHub's reads two backslashes before a bar as one backslash and the end of the cell."""
    before = re.findall(r"(\\*)\|", markup.cell(value))
    assert before
    assert all(len(backslashes) % 2 for backslashes in before)
