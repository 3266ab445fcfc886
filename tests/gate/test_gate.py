from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from conformance.errors import HarnessError
from conformance.gate.change import Category
from conformance.gate.gate import Result, gate
from conformance.gate.record import Record
from conformance.gate.side import Side
from conformance.judge.known import parse
from conformance.judge.verdict import Status
from tests.gate.records import CONFORMS, differs, record, side

TODAY = date(2026, 6, 1)
LATER = {"version": "2.0.0"}


def run(before: Sequence[Record], after: Sequence[Record], **given: Any) -> Result:
    return gate(side(before), side(after, **{**LATER, **given}), today=TODAY)


def categories(result: Result) -> list[tuple[str, str, bool]]:
    return [(c.category.value, c.case, c.regression) for c in result.changes]


def test_the_same_on_both_sides_is_no_change() -> None:
    result = run([CONFORMS], [CONFORMS])
    assert (result.changes, result.exit_code, dict(result.compared)) == ([], 0, {"mindspore": 1})
    assert result.versions("mindspore") == ("1.0.0", "2.0.0")


def test_a_regression_makes_the_exit_code() -> None:
    result = run([CONFORMS], [differs()])
    assert (categories(result), result.exit_code) == ([("broken", "absolute/some", True)], 1)


def test_cases_edited_removed_and_added() -> None:
    other = record(case="absolute/other", hash="1" * 16)
    added = record(case="absolute/added", hash="2" * 16)
    kept = record(case="absolute/kept", hash="4" * 16)
    after = [record(hash="3" * 16), added, kept]
    result = run([CONFORMS, other, kept], after, manifest={"files": {"absolute": "edited"}})
    assert sorted(categories(result)) == [
        ("changed case", "absolute/some", False),
        ("new", "absolute/added", False),
        ("removed case", "absolute/other", False),
    ]
    assert result.exit_code == 0


def test_a_new_case_that_differs_is_told() -> None:
    wrong = differs(case="absolute/added", hash="2" * 16)
    assert run([CONFORMS], [CONFORMS, wrong]).exit_code == 1
    silent = record(case="absolute/added", hash="2" * 16, status=Status.NOT_COMPARABLE, ratio=None)
    assert run([CONFORMS], [CONFORMS, silent]).changes == []


def test_a_known_difference_excuses_a_new_case_too() -> None:
    text = """
- cases: absolute/added
  target: mindspore
  versions: ">=2"
  kinds: [value]
  reason: the kernel is being rewritten
  owner: somebody
  link: https://example.org/1
  expires: "2999-01-01"
"""
    wrong = differs(case="absolute/added", hash="2" * 16)
    before, after = side([CONFORMS]), side([CONFORMS, wrong], version="2.0.0")
    result = gate(before, after, known=parse(text, "known.yaml"), today=TODAY)
    assert categories(result) == [("known", "absolute/added", False)]
    assert "the kernel is being rewritten" in result.changes[0].detail


def test_an_item_that_is_missing_though_its_case_and_pair_are_there_is_lost() -> None:
    graph = record(target="mindspore:cpu:graph")
    other = record(case="absolute/other", hash="1" * 16)
    there = [
        CONFORMS,
        graph,
        other,
        record(case="absolute/other", hash="1" * 16, target=graph.target),
    ]
    result = run(there, there[:-1])
    assert categories(result) == [("coverage lost", "absolute/other", True)]
    covering: dict[str, Any] = {"manifest": {"covering": True}}
    result = gate(side(there, **covering), side(there[:-1], **covering), today=TODAY)
    assert categories(result) == [("removed case", "absolute/other", False)]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (side([CONFORMS]), side([record(hash="f" * 16)]), "no case in common"),
        (
            side([CONFORMS, record(case="other/some")]),
            side([CONFORMS]),
            "different corpora: .* lacks 1 .*: other",
        ),
        (side([CONFORMS]), side([record(target="torch")]), "did not run mindspore, .* -t minds"),
        (
            side([CONFORMS]),
            side([CONFORMS], manifest={"select": "softmax"}),
            "--all and .* -k softmax: run the candidate with --all",
        ),
        (side([CONFORMS]), side([CONFORMS], manifest={"quick": True}), "--all and .* with --quick"),
        (side([CONFORMS], manifest={"covering": True}), side([CONFORMS]), "without --all and"),
        (side([CONFORMS]), side([record(behaviour="")]), "nothing ran on mindspore on both sides"),
        (
            side([record(status=Status.NOT_COMPARABLE, ratio=None)]),
            side([record(status=Status.NOT_COMPARABLE, ratio=None)]),
            "nothing that ran on both sides was judged",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(before: Side, after: Side, why: str) -> None:
    with pytest.raises(HarnessError, match=why) as caught:
        gate(before, after, today=TODAY)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_side_without_signatures_is_refused(turn: int) -> None:
    described = side([CONFORMS], signatures={"mindspore": {"mindspore.ops.abs": {"exists": False}}})
    before, after = [described, side([CONFORMS])][::turn]
    with pytest.raises(HarnessError, match="holds no signatures of mindspore; make it anew"):
        gate(before, after, today=TODAY)


def test_an_api_that_a_pair_asks_for_and_nobody_described_is_lost() -> None:
    blank = {"exists": False}
    old, new = ({"mindspore": dict.fromkeys(apis, blank)} for apis in (
        ("mindspore.ops.abs", "mindspore.ops.gone"), ("mindspore.ops.other",)
    ))  # fmt: skip
    result = gate(side([CONFORMS], signatures=old), side([CONFORMS], signatures=new), today=TODAY)
    (change,) = result.changes
    assert (change.category, change.api) == (Category.LOST, "mindspore.ops.abs")
    assert result.exit_code == 1


def test_a_target_only_the_candidate_has_is_a_fact() -> None:
    result = run([CONFORMS], [CONFORMS, record(target="torch")])
    assert (result.changes, result.exit_code) == ([], 0)
    assert "torch: only the candidate ran it" in result.facts


def test_facts_name_what_else_changed() -> None:
    before = side([CONFORMS], manifest={"id": "x", "packages": {"numpy": "1", "six": "1"}})
    after = side(
        [CONFORMS],
        manifest={
            "id": "x",
            "packages": {"numpy": "2"},
            "judged_by": "b",
            "files": {"absolute": "c"},
        },
        targets={"mindspore": {"version": "1.0.0", "cpu": "fast", "python": "3.12"}},
    )
    before = Side(**{**vars(before), "targets": {"mindspore": {"version": "1", "cpu": "slow"}}})
    facts = "\n".join(gate(before, after, today=TODAY).facts)
    for wanted in (
        "both sides are the same run",
        "another version of the judge",
        "the case files of 1 operations differ",
        "mindspore: cpu slow → fast",
        "package numpy 1 → 2",
        "package six 1 → absent",
    ):
        assert wanted in facts


def test_another_judge_or_file_is_not_the_frameworks_doing() -> None:
    same = differs(behaviour=CONFORMS.behaviour)
    for manifest in ({"judged_by": "other"}, {"files": {"absolute": "edited"}}):
        result = run([CONFORMS], [same], manifest=manifest)
        assert categories(result) == [("changed case", "absolute/some", False)]
    assert run([CONFORMS], [same]).exit_code == 1


def test_torch_answers_for_itself_where_it_is_the_measure() -> None:
    torch = record(target="torch", status=Status.NOT_COMPARABLE, ratio=None)
    moved = record(target="torch", status=Status.NOT_COMPARABLE, ratio=None, behaviour="f" * 10)
    other = record(case="absolute/judged", hash="1" * 16, target="torch")
    result = run([torch, CONFORMS, other], [moved, differs(behaviour=CONFORMS.behaviour), other])
    assert {(c.category, c.api) for c in result.changes} == {
        (Category.BROKEN, "torch.abs"),
        (Category.DRIFTED, "torch.abs"),
    }


def test_signatures_and_warnings_are_told_once_for_all_targets_of_a_framework() -> None:
    def message(text: str) -> dict[str, Any]:
        parameter = {"name": text, "kind": "positional-or-keyword", "default": None}
        return {
            "api": "mindspore.ops.abs", "exists": True, "error": "", "source": "signature",
            "text": f"({text})", "parameters": [parameter], "overloads": [], "deprecated": [],
            "call_text": None, "call_parameters": None,
        }  # fmt: skip

    targets = ("mindspore", "mindspore:cpu:graph")
    records = [record(target=target) for target in targets]
    old = {target: {"mindspore.ops.abs": message("x")} for target in targets}
    new = {target: {"mindspore.ops.abs": message("input")} for target in targets}
    heard = {target: frozenset({"FutureWarning: abs will go"}) for target in targets}
    result = gate(
        side(records, signatures=old, warnings={}),
        side(records, signatures=new, warnings=heard),
        today=TODAY,
    )
    assert [(c.api, c.detail, c.regression) for c in result.changes] == [
        ("mindspore.ops.abs", "parameter x renamed to input", True),
        ("FutureWarning", "new warning: abs will go", False),
    ]
