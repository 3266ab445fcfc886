from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from conformance.gate import formats, words
from conformance.gate.gate import Result, gate
from conformance.judge.known import parse
from conformance.judge.verdict import Status
from tests.gate.records import CONFORMS, differs, record, side

HOSTILE = "</td><script>alert(1)</script> | `x` ::error:: %0A \x1b[31m\x00 \u202e \n# heading"
TEXT = """\
operation: absolute
cases:
  - id: some
    inputs: {}
  - {id: other, inputs: {}}
"""
KNOWN = """
- {cases: absolute/excused, target: mindspore, kinds: [value], reason: being rewritten, owner: me,
   link: https://example.org, expires: "2999-01-01"}
"""


def result() -> Result:
    names = ("some", "other", "excused", "good", "drifts")
    before = [record(case=f"absolute/{name}", hash=name * 4, call=name * 8) for name in names]
    wrong = [
        differs(case=f"absolute/{name}", hash=name * 4, call=name * 8, detail=HOSTILE)
        for name in names[:3]
    ]
    drifts = record(**{**vars(before[4]), "behaviour": "dddddddddd", "ratio": 2.5})
    after = side(
        [*wrong, before[3], drifts], version="2.0.0", documents={"cases/absolute.yaml": TEXT}
    )
    return gate(side(before), after, known=parse(KNOWN, "known.yaml"), today=date(2026, 6, 1))


def test_json_holds_everything() -> None:
    told = json.loads(formats.as_json(result()))
    assert told["exit_code"] == 1
    assert told["compared"] == {"mindspore": 5}
    assert {k: v for k, v in told["counts"].items() if v} == {"broken": 2, "known": 1, "drifted": 1}
    places = {(c["case"], c["file"], c["line"]) for c in told["changes"]}
    assert ("absolute/some", "cases/absolute.yaml", 3) in places
    assert ("absolute/other", "cases/absolute.yaml", 5) in places
    broken = next(c for c in told["changes"] if c["case"] == "absolute/some")
    assert broken["regression"]
    assert broken["kinds"] == ["value"]
    assert (broken["before"], broken["after"]) == ("conforms", "differs (value)")


def test_junit_fails_where_something_broke() -> None:
    tree = ElementTree.fromstring(formats.as_junit(result()))
    (suite,) = tree.iter("testsuite")
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("mindspore", "1", "1")
    (case,) = tree.iter("testcase")
    assert (case.get("name"), case.get("classname")) == ("mindspore.ops.abs", "absolute")
    (failure,) = case.iter("failure")
    assert (failure.text or "").count("absolute/") == 2
    assert {p.get("name"): p.get("value") for p in tree.iter("property")} == {
        "baseline": "1.0.0",
        "candidate": "2.0.0",
    }


def test_junit_counts_what_did_not_break() -> None:
    tree = ElementTree.fromstring(formats.as_junit(same()))
    (suite,) = tree.iter("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")


def same() -> Result:
    return gate(side([CONFORMS]), side([CONFORMS]), today=date(2026, 6, 1))


def test_markdown_is_a_page_whose_text_is_text() -> None:
    page = formats.as_markdown(result())
    assert page.startswith("# Gate: mindspore 1.0.0 → 2.0.0\n")
    assert "**2 regressions (2 broken); 1 known, 1 drifted; 5 items compared**" in page
    assert "<script>" not in page
    assert "\n# heading" not in page
    rows = [line for line in page.splitlines() if "absolute/some" in line]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 7
    assert "error 0.5 → 2.5 roundoffs" in page


def test_annotations_point_at_the_case() -> None:
    told = list(formats.github_annotations(result()))
    assert len(told) == 2
    start = (
        "::error file=cases/absolute.yaml,line=3,title=broken%3A mindspore.ops.abs::absolute/some"
    )
    assert told[0].startswith(start)
    assert all("\n" not in line and line.count("::") >= 2 for line in told)


def test_a_hostile_path_stays_in_its_field() -> None:
    after = side([differs()], documents={"a,line=9::x%\n.yaml": TEXT})
    (told,) = formats.github_annotations(gate(side([CONFORMS]), after, today=date.min))
    assert told.startswith("::error file=a%2Cline=9%3A%3Ax%25%0A.yaml,line=3,")


def test_nothing_compared_is_told_in_every_format(tmp_path: Path) -> None:
    outputs = {name: tmp_path / "deep" / name for name in formats.WRITERS}
    formats.write(same(), outputs)
    formats.write_failure("target torch did not start: <gone>", outputs)
    assert json.loads(outputs["json"].read_text())["exit_code"] == 3
    tree = ElementTree.parse(outputs["junit"])
    assert [e.get("message") for e in tree.iter("error")] == ["target torch did not start: <gone>"]
    page = outputs["markdown"].read_text()
    assert "nothing was compared" in page
    assert "&lt;gone&gt;" in page


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([CONFORMS], "no regression; 1 items compared"),
        ([differs()], "1 regression (1 broken); 1 items compared"),
        (
            [
                CONFORMS,
                differs(case="absolute/new", hash="f" * 16, status=Status.DECLARED, open=()),
            ],
            "no regression; 1 new; 1 items compared",
        ),
    ],
)
def test_summary(after: list[Any], told: str) -> None:
    assert words.summary(gate(side([CONFORMS]), side(after), today=date.min)) == told


def test_a_terminal_shows_each_regression_and_the_summary_last() -> None:
    lines = list(words.lines(result()))
    assert lines[0] == "mindspore 1.0.0 → 2.0.0"
    assert sum(line.startswith("FAIL  broken: mindspore.ops.abs") for line in lines) == 1
    assert lines[-1].startswith("2 regressions")
