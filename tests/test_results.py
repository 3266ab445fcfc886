"""`conformance.results`: a run as a table, for notebooks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance.errors import CallerError
from conformance.report import tables
from tests import fakes

ROOT = Path(__file__).parents[1]


def run(path: Path, name: str, framework: str) -> None:
    corpus = fakes.abs_corpus([0.5, -2.0])
    _, _, file = fakes.run(corpus, [fakes.fake(name, framework)], path)
    file.close()


def test_one_row_for_each_item(tmp_path: Path) -> None:
    run(tmp_path / "run.sqlite", "wrong", "torch")
    table = conformance.results(tmp_path / "run.sqlite")
    assert table.dtypes.to_dict() == tables.COLUMNS
    assert table["case"].tolist() == ["abs/c0", "abs/c1"]
    assert set(table["framework"]) == {"torch"}
    assert set(table["dtype"]) == {"float32"}
    assert table["version"].notna().all()
    assert conformance.results(str(tmp_path / "run.sqlite")).equals(table)


def test_several_runs_are_judged_together(tmp_path: Path) -> None:
    one, other = tmp_path / "one.sqlite", tmp_path / "other.sqlite"
    run(one, "right", "torch")
    run(other, "wrong", "mindspore")
    table = conformance.results(one, other)
    assert table["target"].unique().tolist() == ["torch", "mindspore"]
    assert (table.loc[table["target"] == "mindspore", "status"] == "differs").all()
    with pytest.raises(CallerError, match="both hold target torch"):
        conformance.results(one, one)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="no such run file"):
        conformance.results(tmp_path / "none.sqlite")
    with pytest.raises(CallerError, match="at least one"):
        conformance.results()


def test_the_examples_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    for name in ("reports/run.sqlite", "old.sqlite", "new.sqlite"):
        run(tmp_path / name, "wrong", "mindspore")
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    found: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, found)
    assert len(found["both"]) == 2 * len(found["mindspore"])  # type: ignore[arg-type]
    assert all(f"`{column}`" in text for column in tables.COLUMNS)
    assert " < ".join(f"`{status}`" for status in tables.STATUS.categories) in text


def test_the_package_imports_nothing_heavy() -> None:
    code = "import conformance, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "conformance" in done.stdout.split()
    assert not {"pandas", "numpy", "pydantic"} & set(done.stdout.split())
