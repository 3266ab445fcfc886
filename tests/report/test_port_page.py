"""The page of a verified port, made of results written by hand."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

import pytest

from conformance.errors import CallerError
from conformance.phrase import Phrase
from conformance.port import sentence
from conformance.port.budget import FARTHER
from conformance.port.result import (
    ForwardRow,
    LayerRow,
    PortResult,
    TensorRow,
    Verdict,
    WeightRow,
)
from conformance.port.result_json import as_json, from_json
from conformance.report import build, build_port, pages, port_pages, port_plot, text, views
from conformance.report.build import RunInfo
from conformance.report.port_text import relative, times
from tests.report import handmade, ported
from tests.report.test_pages import Page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> \x1b[31m\u202e {0} %s {x.y}"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ports")
    port_pages.write(ported.agreeing(), folder)
    port_pages.write(ported.differing(), folder)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("english")
    return Page(port_pages.write(ported.differing(), folder, ["en"]))


def english(result: PortResult, folder: Path) -> str:
    return Page(port_pages.write(result, folder, ["en"])).text


def section(page: Path, name: str) -> str:
    html = page.read_text(encoding="utf-8")
    return html.partition(f'<section aria-labelledby="{name}">')[2].partition("</section>")[0]


# The page ---------------------------------------------------------------------------------------


def test_the_verdict_comes_first_in_one_sentence(page: Page) -> None:
    result = ported.differing()
    head = page.text.partition("3 causes")[0]
    assert f"✗ differs {result.sentence}" in head
    assert page.text.index(result.sentence) < page.text.index("Where it parts")
    assert sorted(page.headings) == [1] + [2] * (len(page.headings) - 1)


def test_causes_say_what_proves_them_and_what_changing_only_that_showed(page: Page) -> None:
    told = page.text
    assert "confirmed: with this alone changed, the verdict turned Evidence: alone on" in told
    assert "changing this alone does not suffice Evidence: the port's values" in told
    assert "not tried alone" in told
    for cause in ported.differing().causes:
        assert f"{cause.words} Where: {cause.where}" in told


def test_outputs_are_told_by_size_pass_and_mode(page: Page) -> None:
    rows = ported.differing().forward
    for row in rows:
        seen = row.measures
        low, high = (times(edge(m.ratio for m in seen)) for edge in (min, max))
        values = [
            relative(median(m.port for m in seen)),
            relative(median(m.torch for m in seen)),
            times(median(m.ratio for m in seen)),
        ]
        passed = "train" if row.training else "eval"
        head = f"{row.size} {passed} {row.mode} {row.output} {' '.join(values)} {low} – {high}"
        assert f"{head} {'✗' if row.problem else '✓'} {row.verdict}" in page.text


def test_where_it_parts_is_marked_in_the_table_and_the_plot(out: Path) -> None:
    found = section(out / "ports/small-cnn.html", "layers")
    (marked,) = re.findall(r'<tr class="first">(.*?)</tr>', found)
    assert "norm1" in marked
    assert "parts here" in marked
    assert found.count('class="parts"') == 1
    assert ">6 norm1</text>" in found
    assert 'class="parts"' not in section(out / "ports/resnet18.html", "layers")


def test_code_before_a_layer_is_marked_as_such(tmp_path: Path) -> None:
    result = ported.differing()
    glue = replace(result.divergences[0], kind="glue")
    told = english(replace(result, divergences=(glue,)), tmp_path)
    assert "parts right before" in told
    assert "parts here" not in told


def test_the_end_of_the_model_marks_no_layer_that_is_missing_on_both_sides() -> None:
    result = ported.differing()
    lone = LayerRow(None, None, "", None, None, None, Verdict.NOT_COMPARED)
    view = build_port.port(
        replace(result, layers=(lone, *result.layers), divergences=result.divergences[1:])
    )
    assert [layer.first for layer in view.layers.shown] == [""] * (len(result.layers) + 1)


def test_layers_tell_what_came_in_went_out_and_the_layer_alone(page: Page) -> None:
    for number, row in enumerate(ported.differing().layers, 1):
        cells = [
            f"{times(m.ratio)} {relative(m.port)}" if m else "–"
            for m in (row.came_in, row.went_out, row.replayed)
        ]
        names = " ".join(str(key) if key else "–" for key in (row.torch, row.mindspore))
        assert f"{number} {names} {row.kind} ".replace("  ", " ") + " ".join(cells) in page.text


def test_lines_differ_by_more_than_colour(out: Path) -> None:
    found = section(out / "ports/small-cnn.html", "training")
    style = (out / "assets/site.css").read_text(encoding="utf-8")
    for kind, shape in (("port", "circle"), ("torch", "rect"), ("perturbed", "path")):
        assert found.count(f'<{shape} class="{kind}"') == 9  # One in the key.
        assert (f".line.{kind} {{ stroke-dasharray" in style) == (kind != "port")
    assert 'role="img"' in found
    assert 'aria-describedby="training-told"' in found
    assert 'id="training-told"' in found


def test_a_plot_says_in_words_what_it_shows(page: Page) -> None:
    known = [row.went_out for row in ported.differing().layers if row.went_out]
    assert (
        f"The port's difference is {relative(known[0].port)} after the first of {len(known)} "
        f"layers and {relative(known[-1].port)} after the last, at most "
        f"{relative(max(m.port for m in known))}, after out ; float32 alone stays between "
        f"{relative(min(m.torch for m in known))} and {relative(max(m.torch for m in known))}. "
        "It parts first at 6 norm1 ." in page.text
    )


def test_settings_that_differ_alike_are_one_row(page: Page, out: Path) -> None:
    assert "eps 1e-06 1e-07 norm0 / cells.norm0 , norm1 / cells.norm1 ," in page.text
    assert "norm2 / cells.norm2 and 2 more" in page.text
    assert "p shows in training only .1 .9" in page.text
    assert section(out / "ports/small-cnn.html", "settings").count("<tr>") == 3


def test_problems_of_weights_come_first_and_the_rest_is_folded(out: Path, page: Page) -> None:
    assert "Weights ✗ 1 problem ✓ 8 rows in order" in page.text
    shown, _, hidden = section(out / "ports/small-cnn.html", "weights").partition("<details>")
    assert "not mapped: cells.head.fc has no bias" in shown
    assert shown.count("<tr>") == 2
    assert hidden.count("<tr>") == 9
    assert "64×3×3" in hidden


@pytest.mark.parametrize(
    ("anchor", "heading", "wrong", "right"),
    [
        ("gradients", "Gradients ✗ 2 differs ✓ 6 same", 2, 6),
        ("state", "Running statistics ✗ 1 differs ✓ 3 same", 1, 3),
        ("step", "One optimizer step ✓ 8 same", 0, 8),
    ],
)
def test_tensors_that_are_not_the_same_come_first(
    out: Path, page: Page, anchor: str, heading: str, wrong: int, right: int
) -> None:
    assert heading in page.text
    shown, _, hidden = section(out / "ports/small-cnn.html", anchor).partition("<details>")
    assert shown.count('<th scope="row">') == wrong
    assert hidden.count('<th scope="row">') == right


def test_what_differs_most_is_read_first() -> None:
    rows = [
        TensorRow(str(verdict), "", "gradient", (), verdict) for verdict in reversed(list(Verdict))
    ]
    (view,) = build_port.port(replace(ported.agreeing(), gradients=tuple(rows))).tensors
    assert [row.torch for row in view.rows.shown] == ["differs", "unresolved", "not compared"]
    assert [row.torch for row in view.rows.folded] == ["same"]


def test_a_table_does_not_say_its_ratio_again(out: Path) -> None:
    said = FARTHER.partition("} ")[2]
    for name in ("outputs", "layers", "gradients"):
        assert said not in section(out / "ports/small-cnn.html", name).replace("&#39;", "'")
    assert said in section(out / "ports/small-cnn.html", "parts").replace("&#39;", "'")


def test_training_shows_losses_and_rates(page: Page) -> None:
    for row in ported.differing().trajectory:
        told = [f"{v:.6g}" for v in (row.torch_loss, row.port_loss, row.torch_rate, row.port_rate)]
        told += [relative(v) for v in (row.port, row.torch, row.perturbed)]
        assert f"{row.step} {' '.join(told)}" in page.text


def test_notes_versions_and_configuration_are_there(page: Page) -> None:
    for note in ported.differing().notes:
        assert note in page.text
    assert "PyTorch 2.13.0 MindSpore 2.10.0" in page.text
    assert "inputs: x: randn: [8, 3, 33, 33]" in page.text


def test_what_was_not_measured_has_no_section(tmp_path: Path) -> None:
    bare = PortResult("bare", Verdict.NOT_COMPARED, "Nothing.", {})
    path = port_pages.write(bare, tmp_path, ["en"])
    ids = [one for one in Page(path).ids if one not in ("main", "copy")]
    assert ids == ["outputs", "about"]


def test_numbers_that_are_none_do_no_harm(tmp_path: Path) -> None:
    path = port_pages.write(ported.broken(), tmp_path, ["en"])
    told = Page(path).text
    assert "unresolved" in told
    html = path.read_text(encoding="utf-8")
    for drawn in re.findall(r' (?:d|x|y|cx|cy)="([^"]*)"', html):
        assert "nan" not in drawn
        assert "inf" not in drawn


# Languages --------------------------------------------------------------------------------------


def chinese(path: Path) -> str:
    html = re.sub(r'<span class="l" lang="en">[^<]*</span>', "", path.read_text(encoding="utf-8"))
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_sentences_are_chinese_after_json(out: Path) -> None:
    told = chinese(out / "ports/small-cnn.html")
    assert (
        "不是同一函数：norm1处出现分歧（LayerNorm的eps为1e-07，PyTorch为1e-06：两个框架的默认值不同）"
        "；仅修正eps，移植模型即一致。" in told
    )
    assert "head.fc.bias未被赋值：所有元素均为0" in told
    assert "训练模式下关闭的层：drop" in told
    assert "共3个原因" in told


def test_a_part_that_says_nothing_says_nothing_in_chinese() -> None:
    result = ported.differing()
    causes = tuple(replace(cause, confirmed=None) for cause in result.causes)
    said = sentence.sentence(Verdict.DIFFERS, result.forward, result.divergences[0], causes)
    told = said.translated(text.translator("zh").gettext)
    assert told.endswith("两个框架的默认值不同）。")


def test_one_language_is_enough(tmp_path: Path) -> None:
    path = port_pages.write(ported.differing(), tmp_path, ["zh"])
    html = path.read_text(encoding="utf-8")
    assert 'lang="zh-CN"' in html
    assert "Not the same function" not in html


# JSON -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result", [ported.differing(), ported.agreeing(), ported.broken()], ids=lambda r: r.name
)
def test_json_is_read_back_as_it_was(result: PortResult) -> None:
    text = as_json(result)
    back = from_json(text)
    assert as_json(back) == text
    assert repr(back) == repr(result)  # NaN is not equal to itself.
    assert json.loads(text)["exit_code"] == result.exit_code


def test_phrases_survive_json_to_the_last_part() -> None:
    inner = Phrase("has shape {port}, PyTorch's {torch}", port=(1, 2), torch=(3,))
    note = Phrase("{tensor} {what}", tensor="no tensors", what=inner)
    result = replace(ported.agreeing(), notes=(inner, note, "no tensors", Phrase("no tensors")))
    back = from_json(as_json(result)).notes
    zh = text.translator("zh").gettext
    told = [n.translated(zh) if isinstance(n, Phrase) else n for n in back]
    assert told[:2] == [n.translated(zh) for n in (inner, note)]
    assert told[1] == "no tensors的shape为(1, 2)，PyTorch为(3,)"


def test_a_layer_that_is_called_like_a_sentence_stays_a_name() -> None:
    result = ported.differing()
    rows = tuple(replace(r, problem=Phrase("no tensors"), kind="no tensors") for r in result.layers)
    back = from_json(as_json(replace(result, layers=rows)))
    assert isinstance(back.layers[0].problem, Phrase)
    assert not isinstance(back.layers[0].kind, Phrase)


@pytest.mark.parametrize(
    ("template", "values", "said"),
    [("{x.__class__}", {"x": "1"}, "<class 'str'>"), ("{x:>3}", {"x": "1"}, "  1"),
     ("{x!r}", {"x": "1"}, "'1'"), ("{x[0]}", {"x": "1"}, "1"), ("{y}", {"x": "1"}, "1"),
     ("{", {"x": "1"}, "{"), ("{0}", {"x": "1"}, "1"), ("other", {}, "one")],
)  # fmt: skip
def test_templates_of_others_are_not_run(template: str, values: dict[str, str], said: str) -> None:
    content = json.loads(as_json(ported.agreeing()))
    content["sentence"] = said
    content["phrases"] = {said: {"template": template, "values": values}}
    back = from_json(json.dumps(content))
    assert back.sentence == said
    assert not isinstance(back.sentence, Phrase)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 99}, "layout 99"),
        ({"verdict": "perhaps"}, "'perhaps' is not a valid Verdict"),
        ({"layers": {}}, "layers is no list"),
        ({"layers": [1]}, "layers[0] is no dict"),
        ({"forward": [{"size": 1}]}, "forward[0].size is no str"),
        ({"trajectory": [{"torch_loss": "much"}]}, "trajectory[0].torch_loss: 'much' is no number"),
        ({"divergences": [{"kind": "air"}]}, "divergences[0].kind: 'air' is none of layer, glue"),
        ({"versions": {"torch": 2}}, "versions.torch is no str"),
        ({"sentence": None}, "sentence is no str"),
        ({"phrases": 3}, "not what"),
    ],
)
def test_what_is_no_port_is_one_line(change: dict[str, object], why: str) -> None:
    content = {**json.loads(as_json(ported.agreeing())), **change}
    with pytest.raises(CallerError) as caught:
        from_json(json.dumps(content), "x.json")
    assert str(caught.value).startswith("x.json: not what `conformance port` writes: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "[" * 100_000])
def test_what_is_no_json_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(CallerError, match=r"x\.json"):
        port_pages.read(path)
    with pytest.raises(CallerError, match="No such file"):
        port_pages.read(tmp_path / "none.json")


# Hostile and large ------------------------------------------------------------------------------


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    result = ported.differing(HOSTILE)
    layers = tuple(
        replace(
            r, kind=HOSTILE, problem=Phrase("{layer}: {problem}", layer=HOSTILE, problem="\ud800")
        )
        for r in result.layers
    )
    nasty = replace(
        result,
        sentence=HOSTILE,
        versions={"torch": HOSTILE, "mindspore": HOSTILE},
        layers=layers,
        forward=(ForwardRow(HOSTILE, True, HOSTILE, 0, (), Verdict.DIFFERS, HOSTILE),),
        weights=(WeightRow(HOSTILE, HOSTILE, (1,), (), HOSTILE, HOSTILE, HOSTILE),),
        causes=tuple(replace(c, what=HOSTILE, where=HOSTILE, page=HOSTILE) for c in result.causes),
        notes=(HOSTILE,),
        config={HOSTILE: [HOSTILE, {"deep": HOSTILE}]},
    )  # fmt: skip
    path = port_pages.write(nasty, tmp_path)
    assert path.parent == tmp_path / "ports"
    assert re.fullmatch(r"[\w.-]+", path.name)
    for file in (path, tmp_path / "ports.html"):
        page = Page(file)
        assert page.scripts == 1
        html = file.read_text(encoding="utf-8")
        assert "<img" not in html
        assert not re.search("[\x1b\u202e]", html)
        assert "\\x1b[31m\\u202e {0} %s {x.y}" in page.text
    assert not any("operations/" in link for link in Page(path).links)


@pytest.mark.parametrize(
    ("name", "file"),
    [("small-cnn", "small-cnn"), ("../../etc/x", "etc-x"), ("..", "port"), ("", "port"),
     ("a b/ü", "a-b-"), (".hidden", "hidden"), ("x" * 500, "x" * 80)],
)  # fmt: skip
def test_a_name_becomes_a_file_in_its_folder(name: str, file: str) -> None:
    assert build_port.filename(name) == file


@pytest.mark.parametrize("count", [200, 1000, 2000])
def test_a_large_model_is_a_readable_page(count: int, tmp_path: Path) -> None:
    result = ported.large(count)
    path = port_pages.write(result, tmp_path)
    assert path.stat().st_size < 1e6
    shown, _, hidden = section(path, "layers").partition("<details>")
    assert 2 * build_port.AROUND + 1 <= shown.count('<th scope="row">') <= build_port.FEW
    assert shown.count("parts here") == 1
    assert hidden.count('<th scope="row">') == min(count, build_port.LAYERS)
    assert (f"{count - build_port.LAYERS} more rows are in" in hidden) == (count == 2000)
    drawn = re.findall(r'<path class="line \w+" d="([^"]{99,})"', shown)
    assert [line.count("L") + 1 for line in drawn] == 2 * [min(count, build_port.LAYERS)]
    given = section(path, "gradients")
    told = given.count('<th scope="row">')
    assert f"{2 * count - told} more rows are in the JSON file." in given or told == 2 * count
    assert len(json.loads((tmp_path / "ports/large.json").read_text())["gradients"]) == 2 * count


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    results = [ported.differing(), ported.agreeing()]
    for name, order in (("a", results), ("b", results[::-1])):
        for result in order:
            port_pages.write(result, tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 8
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_page_of_json_is_the_page_of_the_result(tmp_path: Path) -> None:
    made = port_pages.write(ported.differing(), tmp_path / "a")
    back = port_pages.write(port_pages.read(made.with_suffix(".json")), tmp_path / "b")
    assert made.read_bytes() == back.read_bytes()


# Plots ------------------------------------------------------------------------------------------


def test_a_decade_is_a_decade() -> None:
    plot = port_plot.lines({"port": [1e-6, 1e-4, None, 1e-2]}, list("abcd"), 3)
    assert plot is not None
    ys = [y for _, y, _ in plot.lines[0].points]
    xs = [x for x, _, _ in plot.lines[0].points]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2])
    assert (xs[2] - xs[1]) == pytest.approx(2 * (xs[1] - xs[0]), abs=0.2)
    assert (ys[0], ys[2]) == (port_plot.BOTTOM, port_plot.TOP)
    assert dict(plot.ticks)[ys[1]] == "10⁻⁴"
    assert plot.mark == (xs[2], "d")


def test_nothing_is_drawn_outside() -> None:
    values = [0.0, math.nan, math.inf, -1.0, 1e-30, 1e300]
    plot = port_plot.lines({"port": values}, [str(n) for n in range(6)])
    assert plot is not None
    ys = [y for _, y, _ in plot.lines[0].points]
    assert all(port_plot.TOP <= y <= port_plot.BOTTOM for y in ys)
    assert ys[0] == port_plot.BOTTOM
    assert ys[1] == ys[2] == port_plot.TOP
    assert len(plot.ticks) <= port_plot.TICKS + 1


def test_no_value_no_plot() -> None:
    assert port_plot.lines({"port": [None, None]}, ["a", "b"]) is None
    assert port_plot.lines({"port": []}, []) is None


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(1.234, "1.2"), (41.4, "41.4"), (9700, "9,700"), (1.23e6, "1.23e+06"), (math.inf, "∞")],
)
def test_times(ratio: float, shown: str) -> None:
    assert times(ratio) == shown


# In a site --------------------------------------------------------------------------------------


def links(folder: Path) -> dict[str, list[str]]:
    return {str(p.relative_to(folder)): Page(p).links for p in folder.rglob("*.html")}


def assert_alive(folder: Path, found: dict[str, list[str]]) -> None:
    for name, targets in found.items():
        for target in targets:
            parts = urlsplit(target)
            if parts.path and not parts.scheme:
                path = (folder / name).parent / unquote(parts.path)
                assert path.is_file(), f"{name}: {target}"


def test_alone_no_link_is_dead(out: Path) -> None:
    found = links(out)
    assert set(found) == {"ports.html", "ports/resnet18.html", "ports/small-cnn.html"}
    assert_alive(out, found)
    assert "ports/small-cnn.html" in found["ports.html"]
    assert not any("index.html" in link for page in found.values() for link in page)


def test_the_overview_has_every_port_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    port_pages.write(ported.differing(), tmp_path, ["en"])
    (tmp_path / "ports/torn.json").write_text("{")
    port_pages.write(ported.agreeing(), tmp_path, ["en"])
    told = Page(tmp_path / "ports.html").text
    assert f"resnet18 ✓ same {ported.agreeing().sentence}" in told
    assert f"small-cnn ✗ differs {ported.differing().sentence}" in told
    assert "1 file could not be read torn.json" in told
    assert not (tmp_path / "ports/torn.html").exists()


def test_a_folder_may_be_called_like_ours(tmp_path: Path) -> None:
    folder = tmp_path / "ports"
    port_pages.write(ported.agreeing(), folder, ["en"])
    assert_alive(folder, links(folder))


def test_in_a_site_everything_is_linked(tmp_path: Path) -> None:
    port_pages.keep(with_page("shrink"), tmp_path)
    site = replace(handmade_site(), ports=True)
    pages.write(site, tmp_path, ["en"])
    port_pages.refresh(tmp_path, ["en"])
    found = {name: urls for name, urls in links(tmp_path).items() if "operations" not in name}
    assert {"index.html", "run.html", "ports.html", "ports/small-cnn.html"} <= set(found)
    assert "ports.html" in found["index.html"]
    assert "../index.html" in found["ports/small-cnn.html"]
    assert "../operations/shrink.html" in found["ports/small-cnn.html"]
    assert not any("layer_norm" in url or "dropout" in url for url in found["ports/small-cnn.html"])
    assert_alive(tmp_path, {n: u for n, u in found.items() if n.startswith("ports")})


def with_page(operation: str) -> PortResult:
    result = ported.differing()
    first, *others = result.causes
    return replace(result, causes=(replace(first, page=operation), *others))


def handmade_site() -> views.SiteView:
    return build.site(handmade.judgement(), RunInfo(manifest=handmade.MANIFEST))


def test_a_site_without_ports_does_not_speak_of_them(tmp_path: Path) -> None:
    pages.write(handmade_site(), tmp_path, ["en"])
    assert not any("ports" in link for found in links(tmp_path).values() for link in found)


def test_a_page_of_somebody_else_is_not_linked(tmp_path: Path) -> None:
    tmp_path.joinpath("index.html").write_text("<!doctype html><title>Mine</title>")
    path = port_pages.write(ported.agreeing(), tmp_path, ["en"])
    assert "../index.html" not in Page(path).links


def test_two_ports_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [port_pages.keep(ported.agreeing(), tmp_path / name) for name in "ab"]
    with pytest.raises(CallerError, match="resnet18"):
        port_pages.read_all(paths)
    assert [r.name for r in port_pages.read_all([paths[0], paths[0]])] == ["resnet18"]
