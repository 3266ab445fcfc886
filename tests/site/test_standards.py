"""Accessibility by axe-core, HTML by html-validate, on every kind of page."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.site.browser import Site, module

OPEN = "for (const d of document.querySelectorAll('details')) d.open = true"
AXE = "async () => (await axe.run({resultTypes: ['violations'], preload: false})).violations"


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(site: Site, scheme: str, lang: str) -> None:
    axe = module("axe-core/axe.min.js").read_text(encoding="utf-8")
    with site.visitor(color_scheme=scheme) as visitor:
        page = visitor.new_page()
        for path in site.pages:
            page.goto(site.url(f"{path}?lang={lang}"))
            page.evaluate(OPEN)
            page.evaluate(axe)
            found = [
                f"{violation['impact']}: {violation['id']}: {violation['nodes'][0]['html'][:200]}"
                for violation in page.evaluate(AXE)
                if violation["impact"] in ("serious", "critical")
            ]
            assert found == [], path


def test_axe_finds_what_it_should(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text("<!doctype html><title>x</title><img src='data:,'><p style='color:#ddd'>faint")
    with site.visitor() as visitor:
        page = visitor.new_page()
        page.goto(file.as_uri())
        page.evaluate(module("axe-core/axe.min.js").read_text(encoding="utf-8"))
        found = {violation["id"] for violation in page.evaluate(AXE)}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= found
    site.problems.clear()


def errors(*files: Path) -> list[str]:
    """What html-validate says of `files`."""
    tool = module("html-validate/bin/html-validate.mjs")
    config = Path(__file__).parent / ".htmlvalidate.json"
    command = ["node", str(tool), "--config", str(config), "--formatter", "json"]
    # Into a file: the tool exits before a pipe has taken a long answer.
    with TemporaryFile() as answer:
        ran = subprocess.run(
            [*command, *map(str, files)], stdout=answer, stderr=subprocess.PIPE, check=False
        )
        answer.seek(0)
        said = answer.read()
    assert said, ran.stderr.decode()
    return [
        f"{Path(result['filePath']).name}:{one['line']} {one['ruleId']}: {one['message']}"
        for result in json.loads(said)
        for one in result["messages"]
    ]


def test_every_page_is_valid_html(folder: Path) -> None:
    assert errors(*sorted(folder.rglob("*.html"))) == []


def test_invalid_html_is_noticed(folder: Path, tmp_path: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    file = tmp_path / "bad.html"
    file.write_text(page.replace("</h1>", "<div></div></h1>"), encoding="utf-8")
    assert any("element-permitted-content" in error for error in errors(file))
