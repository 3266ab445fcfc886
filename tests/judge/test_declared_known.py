"""Declared differences must be shown; known ones must still apply."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase
from conformance.errors import CorpusError
from conformance.judge import known
from conformance.judge.judge import judge
from conformance.judge.known import Known
from conformance.judge.verdict import Status
from conformance.run.outcome import Crashed, Outcome, TimedOut, Unavailable
from conformance.run.target import covers
from tests.judge.toys import TODAY, cases, gives, run

BODY = """
  - {id: good, inputs: {input: [0.0, 1.0]}}
  - {id: bad, grid: {dtype: [float32, float64]}, inputs: {input: [1.0, 2.0]}}
"""


def declaring(difference: str) -> list[ExpandedCase]:
    head = f"    differences: [{{{difference}, note: {{en: n, zh: n}}}}]" if difference else ""
    return cases("exp", BODY, pair=head)


def right(case: ExpandedCase) -> Outcome:
    return gives(np.exp(case.arrays["input"]))


def wrong(case: ExpandedCase) -> Outcome:
    return gives(np.exp(case.arrays["input"]) * 2)


def judged(
    difference: str,
    *,
    fault: Any = wrong,
    target: str = "mindspore",
    faulty: str = "bad",
    **how: Any,
) -> Any:
    given = declaring(difference)
    outcomes = [
        (case, {"torch": right(case), target: (fault if case.case.id == faulty else right)(case)})
        for case in given
    ]
    return run(outcomes, **how)


def statuses(judgement: Any, target: str = "mindspore") -> list[Status]:
    return [j.verdict.status for j in judgement.judged if j.item.target == target]


OK, DECLARED, DIFFERS, KNOWN = Status.CONFORMS, Status.DECLARED, Status.DIFFERS, Status.KNOWN


@pytest.mark.parametrize(
    ("difference", "expected", "problems"),
    [
        ("kind: value, cases: [bad]", [OK, DECLARED, DECLARED], 0),
        ("kind: value, cases: ['bad*']", [OK, DECLARED, DECLARED], 0),
        ("kind: value, cases: ['bad[dtype=float32]']", [OK, DECLARED, DIFFERS], 0),
        ("kind: value, cases: ['*float64*']", [OK, DIFFERS, DECLARED], 0),
        ("kind: gradient, cases: [bad]", [OK, DIFFERS, DIFFERS], 1),
        ("kind: value, cases: [good, bad]", [OK, DECLARED, DECLARED], 1),
        ("kind: value, cases: [bad], targets: [torch]", [OK, DIFFERS, DIFFERS], 1),
        ("kind: value, cases: [bad], targets: ['mindspore:cpu:graph']", [OK, DIFFERS, DIFFERS], 0),
        ("kind: value, cases: [bad], targets: ['mindspore@2.9.0']", [OK, DIFFERS, DIFFERS], 0),
        ("", [OK, DIFFERS, DIFFERS], 0),
    ],
)
def test_what_a_declaration_covers(difference: str, expected: list[Status], problems: int) -> None:
    judgement = judged(difference)
    assert statuses(judgement) == expected
    assert len(judgement.problems) == problems


def test_a_stale_declaration_is_one_line_that_names_it() -> None:
    judgement = judged("kind: value, cases: [good, bad]")
    assert judgement.problems == [
        "exp: torch.abs=mindspore.ops.abs: declared difference value on 'good' is shown by no "
        "case; remove it or name the cases that show it"
    ]


def test_a_selection_is_not_proof_of_staleness() -> None:
    assert judged("kind: value, cases: [good, bad]", complete=False).problems == []
    away = judged(
        "kind: value, cases: [good, bad]", fault=lambda case: Unavailable(), faulty="good"
    )
    assert [p for p in away.problems if "'good'" in p] == []
    assert [p for p in away.problems if "'bad'" in p] != []
    graph_only = judged("kind: value, cases: [good]", target="mindspore:cpu:graph")
    assert graph_only.problems == []


def test_numpy_is_covered_only_by_name() -> None:
    assert DIFFERS in statuses(judged("kind: value, cases: [bad]", target="numpy"), "numpy")
    named = judged("kind: value, cases: [bad], targets: [numpy]", target="numpy")
    assert statuses(named, "numpy") == [OK, DECLARED, DECLARED]


@pytest.mark.parametrize(
    ("kind", "outcome"), [("crash", Crashed(signal="SIGFPE")), ("hang", TimedOut(limit=3))]
)
def test_a_declared_crash_is_not_comparable(kind: str, outcome: Outcome) -> None:
    judgement = judged(f"kind: {kind}, cases: [bad]", fault=lambda case: outcome)
    assert statuses(judgement)[1:] == [Status.NOT_COMPARABLE] * 2
    assert judgement.judged[-1].verdict.why.startswith(f"{kind}, as declared")
    assert judgement.problems == []


@pytest.mark.parametrize(
    ("spec", "target", "expected"),
    [
        ("mindspore", "mindspore", True),
        ("mindspore", "mindspore:cpu:graph", True),
        ("mindspore", "mindspore@2.9.0:ascend", True),
        ("mindspore:cpu", "mindspore:cpu:graph", True),
        ("mindspore:cpu:graph", "mindspore:cpu:graph", True),
        ("mindspore:cpu:graph", "mindspore:cpu", False),
        ("mindspore:cpu:graph", "mindspore", False),
        ("mindspore@2.9.0", "mindspore@2.9.0:cpu", True),
        ("mindspore@2.9.0", "mindspore", False),
        ("mindspore@2.9", "mindspore@2.9.0", False),
        ("torch", "mindspore", False),
    ],
)
def test_targets_a_spec_covers(spec: str, target: str, expected: bool) -> None:
    assert covers(spec, target) is expected


def entry(**changes: Any) -> Known:
    fields: dict[str, Any] = {
        "cases": "exp/bad*",
        "target": "mindspore",
        "kinds": ["value"],
        "reason": "wrong kernel",
        "owner": "me",
        "link": "https://example.org/1",
        "expires": date(2026, 12, 31),
    }
    return Known.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "expected", "problem"),
    [
        ({}, [OK, KNOWN, KNOWN], ""),
        ({"cases": "exp/bad[dtype=float32]"}, [OK, KNOWN, DIFFERS], ""),
        ({"pair": "torch.abs=*"}, [OK, KNOWN, KNOWN], ""),
        ({"pair": "torch.sin=*"}, [OK, DIFFERS, DIFFERS], "matches no case"),
        ({"cases": "exp/gone"}, [OK, DIFFERS, DIFFERS], "matches no case"),
        ({"cases": "exp/good"}, [OK, DIFFERS, DIFFERS], "no longer differs"),
        ({"kinds": ["gradient"]}, [OK, DIFFERS, DIFFERS], "no longer differs"),
        ({"kinds": ["gradient", "value"]}, [OK, KNOWN, KNOWN], ""),
        ({"expires": TODAY}, [OK, DIFFERS, DIFFERS], "expired on 2026-06-01"),
        ({"expires": date(2026, 6, 2)}, [OK, KNOWN, KNOWN], ""),
        ({"versions": ">=2.9,<2.11"}, [OK, KNOWN, KNOWN], ""),
        ({"versions": "<2.10"}, [OK, DIFFERS, DIFFERS], ""),
        ({"device": "cpu"}, [OK, KNOWN, KNOWN], ""),
        ({"device": "ascend"}, [OK, DIFFERS, DIFFERS], ""),
        ({"target": "mindspore:cpu:graph"}, [OK, DIFFERS, DIFFERS], ""),
    ],
)
def test_known_differences(changes: Any, expected: list[Status], problem: str) -> None:
    judgement = judged("", known=[entry(**changes)])
    assert statuses(judgement) == expected
    assert len(judgement.problems) == bool(problem)
    assert all(problem in line and "known difference" in line for line in judgement.problems)


def test_a_known_verdict_says_until_when_and_why() -> None:
    judgement = judged("", known=[entry()])
    assert judgement.judged[-1].known == (entry(),)
    why = judgement.judged[-1].verdict.why
    assert why == "until 2026-12-31: wrong kernel (https://example.org/1)"


def test_what_is_declared_needs_no_exemption() -> None:
    judgement = judged("kind: value, cases: [bad]", known=[entry()])
    assert statuses(judgement) == [OK, DECLARED, DECLARED]
    assert not any(one.known for one in judgement.judged)
    assert ["no longer differs" in line for line in judgement.problems] == [True]


def test_one_unexcused_finding_still_differs() -> None:
    def also_wrong_dtype(case: ExpandedCase) -> Outcome:
        return gives(np.exp(case.arrays["input"]).astype(np.complex128) * 2)

    both = [entry(), entry(kinds=["return-dtype"])]
    judgement = judged("", fault=also_wrong_dtype, known=both[:1])
    assert statuses(judgement) == [OK, DIFFERS, DIFFERS]
    assert judgement.judged[-1].known == ()
    judgement = judged("", fault=also_wrong_dtype, known=both)
    assert statuses(judgement) == [OK, KNOWN, KNOWN]
    assert set(judgement.judged[-1].known) == set(both)
    mixed = judged("kind: value, cases: [bad]", fault=also_wrong_dtype, known=both[1:])
    assert statuses(mixed) == [OK, KNOWN, KNOWN]


def test_an_unavailable_target_does_not_make_an_entry_stale() -> None:
    away = judged("", fault=lambda case: Unavailable(), known=[entry()])
    assert away.problems == []
    partial = judged("", known=[entry(cases="exp/gone")], complete=False)
    assert partial.problems == []


@pytest.mark.parametrize(
    ("compiled", "problems"),
    [([], 0), (["bad[dtype=float32]"], 0), (["bad[dtype=float32]", "bad[dtype=float64]"], 1)],
)
@pytest.mark.parametrize("target", ["mindspore", "mindspore:cpu:graph"])
def test_an_entry_is_stale_only_where_all_it_names_ran(
    target: str, compiled: list[str], problems: int
) -> None:
    outcomes = []
    for case in declaring(""):
        both = {"torch": right(case), "mindspore": right(case)}
        local = case.id.partition("/")[2]
        graph = {"mindspore:cpu:graph": right(case)} if local in ("good", *compiled) else {}
        outcomes.append((case, {**both, **graph}))
    found = run(outcomes, known=[entry(target=target)])
    assert len(found.problems) == problems
    assert all("no longer differs" in line for line in found.problems)


def test_a_selection_does_not_make_an_entry_stale() -> None:
    assert judged("", known=[entry(cases="exp/good")], complete=False).problems == []


def test_a_stale_declaration_says_where_graph_mode_compiled_a_part() -> None:
    outcomes = []
    for case in declaring("kind: value, cases: [bad]"):
        graph = {"mindspore:cpu:graph": right(case)} if "float32" in case.id else {}
        outcomes.append((case, {"torch": right(case), "mindspore": right(case), **graph}))
    (line,) = run(outcomes).problems
    assert "is shown by no case (graph mode compiled a part; if only it differs, name it" in line


ENTRY = """
- cases: exp/bad*
  target: mindspore
  kinds: [value]
  reason: wrong kernel
  owner: me
  link: https://example.org/1
  expires: "2026-12-31"
"""


def test_a_file_of_known_differences(tmp_path: Path) -> None:
    path = tmp_path / "known.yaml"
    assert known.load(path) == []
    path.write_text(ENTRY, encoding="utf-8")
    assert known.load(path) == [entry()]
    assert known.parse("[]", "known.yaml") == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('expires: "2026-12-31"', "expires: soon", "8:12"),
        ("kinds: [value]", "kinds: [valeu]", "4:11"),
        ("kinds: [value]", "kinds: [default]", "4:10"),
        ("kinds: [value]", "kinds: []", "4:10"),
        ("target: mindspore", "target: tensorflow", "3:11"),
        ("owner: me", "owner: me\n  versions: about 2", "7:13"),
        ("owner: me", "ownr: me", "6:3"),
    ],
)
def test_mistakes_in_it_have_a_place(old: str, new: str, place: str) -> None:
    with pytest.raises(CorpusError) as caught:
        known.parse(ENTRY.replace(old, new), "known.yaml")
    assert any(str(p).startswith(f"known.yaml:{place}: ") for p in caught.value.problems)


def test_problems_found_elsewhere_are_passed_on() -> None:
    lines = ["exp: undeclared default", "exp: undeclared default"]
    judgement = judge([], versions={}, today=TODAY, complete=True, problems=lines)
    assert judgement.problems == ["exp: undeclared default"]
