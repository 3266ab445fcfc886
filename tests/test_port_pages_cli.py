"""Where the command line leaves pages of verified ports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from conformance import porting
from conformance.port.result import PortResult
from conformance.report import port_pages
from tests.project import TARGETS, Project
from tests.report import ported

PORT_YAML = """\
port: small-cnn
torch: models_torch:SmallCNN
mindspore: models_mindspore:SmallCNN
inputs: {x: {randn: [8, 3, 33, 33]}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    assert made.run("run", *TARGETS)[0] == 0
    return made


def test_a_report_takes_ports_in(project: Project) -> None:
    kept = port_pages.keep(ported.differing(), project.folder / "elsewhere")
    port_pages.keep(ported.agreeing(), project.folder / "elsewhere")
    given = ["--port", str(kept), "--port", str(kept.with_name("resnet18.json"))]
    code, out, err = project.run("report", "reports/run.sqlite", *given)
    assert (code, err) == (0, "")
    assert "wrote reports/ports.html" in out
    site = project.folder / "reports"
    for name in ("small-cnn", "resnet18"):
        assert (site / f"ports/{name}.html").is_file()
        assert f"ports/{name}.html" in (site / "ports.html").read_text(encoding="utf-8")
    assert '<a href="ports.html">' in (site / "index.html").read_text(encoding="utf-8")
    # They are of the site now: the next one has them, too.
    code, out, _ = project.run("report", "reports/run.sqlite")
    assert code == 0
    assert "wrote reports/ports.html" in out
    assert '<a href="ports.html">' in (site / "run.html").read_text(encoding="utf-8")


def test_a_report_without_ports_has_no_such_page(project: Project) -> None:
    code, out, _ = project.run("report", "reports/run.sqlite")
    assert code == 0
    assert "ports.html" not in out
    assert not (project.folder / "reports/ports.html").exists()


def test_what_is_no_port_is_2_in_one_line(project: Project) -> None:
    project.write("torn.json", "{")
    for args, message in (
        (("--port", "torn.json"), "torn.json: not what `conformance port` writes"),
        (("--port", "none.json"), "none.json: No such file"),
        (("--port", "torn.json", "-f", "csv"), "its page is one of the format html"),
    ):
        code, _, err = project.run("report", "reports/run.sqlite", *args)
        assert code == 2
        assert message in err
        assert "Traceback" not in err


@pytest.mark.parametrize("out", [None, Path("elsewhere")])
def test_verifying_leaves_a_page_and_its_json(
    out: Path | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextlib.contextmanager
    def sides(*_: object) -> Iterator[tuple[None, None]]:
        yield None, None

    def compare(*_: object) -> PortResult:
        return ported.differing()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(porting, "sides", sides)
    monkeypatch.setattr(porting, "compare", compare)
    Path("port.yaml").write_text(PORT_YAML)
    with pytest.raises(typer.Exit) as ended:
        porting.verify(
            Path("port.yaml"), out=out, json_path=Path("deep/all.json"), cases=None,
            seeds=None, timeout=1.0, save=None,
        )  # fmt: skip
    assert ended.value.exit_code == 1
    page = (out or porting.OUT) / "ports/small-cnn.html"
    assert f"wrote {page}" in capsys.readouterr().err
    assert "models_mindspore:SmallCNN" in page.read_text(encoding="utf-8")
    assert page.with_suffix(".json").read_text() == Path("deep/all.json").read_text()
