import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.errors import CallerError
from conformance.judge.run import Verdicts
from conformance.judge.verdict import Status
from conformance.report import build, formats, shown, tables
from conformance.run.outcome import Outcome, Raised, Returned
from tests.report import handmade


def verdicts() -> Verdicts:
    info = handmade.run_info()
    return Verdicts(
        handmade.judgement(),
        dict(info.manifest),
        {k: dict(v) for k, v in info.targets.items()},
        {k: dict(v) for k, v in info.signatures.items()},
        {k: list(v) for k, v in info.claims.items()},
        paths={"shrink": "cases/activation/shrink.yaml"},
    )


def test_every_format_is_written(tmp_path: Path) -> None:
    written = formats.render(verdicts(), tmp_path, formats=list(formats.FORMATS))
    assert {p.suffix for p in written} == {".html", ".md", ".csv", ".json"}
    assert all(p.stat().st_size > 0 for p in written)


@pytest.mark.parametrize(
    "wrong", [{"formats": ["pdf"]}, {"languages": ["xx"]}, {"formats": []}, {"languages": []}]
)
def test_unknown_format_or_language(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="choose from"):
        formats.render(verdicts(), tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_table_has_one_row_an_item() -> None:
    table = tables.verdicts(verdicts())
    assert list(table.columns) == list(tables.COLUMNS)
    assert len(table) == len(handmade.judgement().judged)
    first = table.iloc[0]
    assert (first["operation"], first["target"], first["status"]) == ("shrink", "torch", "conforms")
    assert (first["ratio"], first["gradient_ratio"], first["budget"]) == (0.5, 0.25, 16.0)
    assert table["ratio"].isna().any()


def test_rows_tell_where_they_ran() -> None:
    table = tables.verdicts(verdicts()).set_index("target")
    columns = ["framework", "version", "device", "mode", "dtype", "area"]
    assert table.loc["mindspore:cpu:graph", columns].drop_duplicates().to_numpy().tolist() == [
        ["mindspore", "2.10.0", "cpu", "graph", "float32", "activation"]
    ]
    absent = table.loc["torch:cuda", columns].iloc[0]
    assert absent.isna().tolist() == [False, True, False, False, False, False]
    assert (absent["device"], absent["mode"]) == ("cuda", "eager")


def test_the_greatest_status_is_the_worst() -> None:
    table = tables.verdicts(verdicts())
    worst = table.groupby("target", observed=True)["status"].max()
    assert worst["mindspore"] == "differs"
    assert worst["torch"] == "conforms"
    assert (table["status"] > "conforms").sum() == (table["status"] != "conforms").sum()


def test_tables_do_not_make_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError("nobody asked for the site")

    monkeypatch.setattr(build, "site", unwanted)
    assert len(formats.render(verdicts(), tmp_path, formats=["csv", "json"])) == 3


def test_summary_counts_every_status() -> None:
    table = tables.verdicts(verdicts())
    summary = tables.summary(table).set_index(["operation", "target"])
    assert set(summary.columns) == {status.value for status in Status} | {"total"}
    assert summary.loc[("shrink", "torch"), "conforms"] == 18
    assert summary.loc[("shrink", "torch:cuda"), "not comparable"] == 18
    assert summary["total"].sum() == len(table)


def test_empty_table_has_its_columns() -> None:
    table = tables.verdicts(verdicts()).iloc[:0]
    assert len(tables.summary(table)) == 0


def test_csv_starts_no_formula() -> None:
    table = tables.verdicts(verdicts()).assign(why="=HYPERLINK('x')")
    rows = list(csv.DictReader(io.StringIO(tables.csv(table))))
    assert rows[0]["why"] == "'=HYPERLINK('x')"
    assert float(rows[0]["ratio"]) == 0.5


def test_json_holds_findings_and_is_strict(tmp_path: Path) -> None:
    judgement = handmade.judgement()
    [path] = formats.render(verdicts(), tmp_path, formats=["json"])

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["problems"] == judgement.problems
    assert len(content["verdicts"]) == len(judgement.judged)
    raised = next(v for v in content["verdicts"] if v["outcome"] == "raised")
    assert raised["findings"][0]["detail"] == handmade.HOSTILE
    assert set(tables.COLUMNS) < set(raised)
    assert (raised["framework"], raised["dtype"]) == ("mindspore", "float32")


def returned(*values: float) -> Outcome:
    return Returned(output=np.array(values))


def test_peers_differ_by_the_greatest_pair() -> None:
    view = shown.peers(
        {
            "torch": returned(1.0, np.nan),
            "mindspore": returned(1.0, np.nan),
            "mindspore:cpu:graph": returned(1.5, np.nan),
            "numpy": returned(9.0, 9.0),
        }
    )
    assert view is not None
    assert (view.absolute, view.targets) == (0.5, ("torch", "mindspore:cpu:graph"))
    assert view.relative == pytest.approx(1 / 3)


def test_peers_of_special_values_and_of_nothing() -> None:
    apart = shown.peers({"torch": returned(np.inf), "mindspore": returned(np.nan)})
    assert apart is not None
    assert apart.absolute == np.inf
    same = shown.peers({"torch": returned(np.inf, 0.0), "mindspore": returned(np.inf, -0.0)})
    assert same is not None
    assert (same.absolute, same.relative) == (0.0, 0.0)
    assert shown.peers({"torch": returned(1.0), "mindspore": returned(1.0, 2.0)}) is None
    assert shown.peers({"torch": returned(1.0), "mindspore": Raised(types=("E",))}) is None


def test_long_output_is_cut() -> None:
    text = shown.printed(Returned(output=tuple(np.arange(50.0) for _ in range(9))))
    assert text.endswith("…")
    assert len(text.splitlines()) == shown.MAX_LINES
