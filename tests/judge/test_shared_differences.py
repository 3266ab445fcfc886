"""Differences that several pairs share, where they are, how large they may be, what mends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase
from conformance.corpus.loader import load_texts
from conformance.errors import CorpusError
from conformance.judge.item import Item
from conformance.judge.judge import Judgement, judge
from conformance.judge.verdict import Status
from conformance.run.outcome import Outcome
from tests.judge.toys import TODAY, VERSIONS, Top, gives

FUNCTION = "torch.abs=mindspore.ops.abs"
METHOD = "torch.Tensor.abs=mindspore.Tensor.abs"
NOTE = "note: {en: n, zh: n}"


def corpus(differences: str, reference: str = "exp", accuracy: str = "elementwise") -> Any:
    text = f"""
operation: shared
reference: toy.{reference}
accuracy: {accuracy}
parameters: {{input: {{role: input}}}}
differences:
{differences}
pairs:
  - {{torch: torch.abs, mindspore: mindspore.ops.abs}}
  - {{torch: torch.Tensor.abs, mindspore: mindspore.Tensor.abs, call: method}}
cases:
  - {{id: good, inputs: {{input: [0.0, 1.0]}}}}
  - {{id: bad, inputs: {{input: [1.0, 2.0]}}}}
"""
    return load_texts([("shared.yaml", text, Path())])


def right(case: ExpandedCase) -> Any:
    return np.exp(case.arrays["input"])


def judged(differences: str, wrong: dict[tuple[str, str], Outcome]) -> Judgement:
    """Judge both pairs on MindSpore; `wrong` gives outcomes by (case, pair)."""
    given = []
    for case in corpus(differences).cases():
        for pair in case.pairs():
            item = Item(case, pair, "mindspore")
            given.append((item, wrong.get((case.case.id, pair.id)) or gives(right(case))))
    return judge(given, versions=VERSIONS, today=TODAY, complete=True)


def twice() -> Outcome:
    return gives(np.exp(np.array([1, 2], np.float32)) * 2)


def statuses(judgement: Judgement, pair: str) -> list[Status]:
    return [j.verdict.status for j in judgement.judged if j.item.pair.id == pair]


OK, DECLARED, DIFFERS = Status.CONFORMS, Status.DECLARED, Status.DIFFERS


def test_one_entry_speaks_of_all_pairs_and_any_of_them_proves_it() -> None:
    entry = f"  - {{kind: value, cases: [bad], {NOTE}}}"
    both = judged(entry, {("bad", FUNCTION): twice(), ("bad", METHOD): twice()})
    assert statuses(both, FUNCTION) == statuses(both, METHOD) == [OK, DECLARED]
    assert both.problems == []
    one = judged(entry, {("bad", METHOD): twice()})
    assert (statuses(one, FUNCTION), statuses(one, METHOD)) == ([OK, OK], [OK, DECLARED])
    assert one.problems == []


def test_an_entry_no_pair_shows_is_stale() -> None:
    none = judged(f"  - {{kind: value, cases: [bad], {NOTE}}}", {})
    assert [line.split(":")[0] for line in none.problems] == ["shared", "shared"]
    assert "'bad' is shown by no case" in none.problems[0]


def test_what_rests_on_unwritten_memory_may_not_show() -> None:
    entry = f"  - {{kind: value, cases: [bad], sometimes: true, {NOTE}}}"
    assert judged(entry, {}).problems == []
    shown = judged(entry, {("bad", FUNCTION): twice()})
    assert statuses(shown, FUNCTION) == [OK, DECLARED]


def test_an_entry_for_some_pairs_covers_no_other() -> None:
    entry = f'  - {{kind: value, cases: [bad], pairs: ["*Tensor.abs"], {NOTE}}}'
    found = judged(entry, {("bad", FUNCTION): twice(), ("bad", METHOD): twice()})
    assert (statuses(found, FUNCTION), statuses(found, METHOD)) == ([OK, DIFFERS], [OK, DECLARED])


def test_each_pattern_of_pairs_must_be_shown() -> None:
    entry = f'  - {{kind: value, cases: [bad], pairs: ["*ops.abs", "*Tensor.abs"], {NOTE}}}'
    found = judged(entry, {("bad", FUNCTION): twice()})
    (line,) = found.problems
    assert "shown by no pair that matches '*Tensor.abs'" in line


@pytest.mark.parametrize(("limit", "status"), [(1e8, DECLARED), (10, DIFFERS)])
def test_a_greater_error_than_the_one_declared_is_new(limit: float, status: Status) -> None:
    entry = f"  - {{kind: value, cases: [bad], at_most: {limit}, {NOTE}}}"
    assert statuses(judged(entry, {("bad", FUNCTION): twice()}), FUNCTION) == [OK, status]


@pytest.mark.parametrize(
    ("where", "status"), [("output 1", DECLARED), ("output *", DECLARED), ("output 0", DIFFERS)]
)
def test_a_difference_may_be_in_one_place_only(where: str, status: Status) -> None:
    entry = f"  - {{kind: return-dtype, cases: [bad], where: ['{where}'], {NOTE}}}"
    found = corpus(entry, reference="top", accuracy="exact")
    case = next(c for c in found.cases() if c.case.id == "bad")
    outcome = gives(Top(np.array([2, 1], np.float32), np.array([1, 0], np.int32)))
    # A named tuple comes from a worker as fields; here its order and names are those of the toy.
    given = [(Item(case, case.pairs()[0], "mindspore"), outcome)]
    judgement = judge(given, versions=VERSIONS, today=TODAY, complete=False)
    assert [j.verdict.status for j in judgement.judged] == [status]


def test_a_replacement_must_not_show_what_it_mends() -> None:
    entry = (
        f"  - {{kind: value, cases: [bad], pairs: ['*ops.abs'], replacement: '{METHOD}', {NOTE}}}"
    )
    assert judged(entry, {("bad", FUNCTION): twice()}).problems == []
    (line,) = judged(entry, {("bad", FUNCTION): twice(), ("bad", METHOD): twice()}).problems
    assert f"replacement {METHOD} shows value on shared/bad" in line


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (f"  - {{kind: value, cases: [bad], pairs: [nope], {NOTE}}}", "no pair of this file"),
        (f"  - {{kind: value, cases: [nope], {NOTE}}}", "no case of this file matches 'nope'"),
        (f"  - {{kind: value, {NOTE}}}", "name the cases that show value"),
        (f"  - {{kind: value, cases: [bad], replacement: x=y, {NOTE}}}", "has the id 'x=y'"),
        (f"  - {{kind: value, cases: [bad], at_most: 0, {NOTE}}}", "more than 0"),
    ],
)
def test_check_names_the_line_of_a_mistake(entry: str, message: str) -> None:
    with pytest.raises(CorpusError) as caught:
        corpus(entry)
    (problem,) = caught.value.problems
    assert problem.line == 7
    assert message in problem.message


def test_reasons_name_boxes_parameters_and_pairs_that_exist() -> None:
    text = "not_applicable:\n  {}: {{en: r, zh: r{}}}"
    for box, more, message in [
        ("parameter nope", "", "'nope' is not a parameter"),
        ("gradient", ", pairs: [nope]", "no pair of this file"),
        ("colour", "", "should match pattern"),
    ]:
        entry = f"  - {{kind: value, cases: [bad], {NOTE}}}\n" + text.format(box, more)
        with pytest.raises(CorpusError, match=message):
            corpus(entry)


def test_an_error_that_cannot_be_measured_is_beyond_any_bound() -> None:
    entry = f"  - {{kind: return-shape, cases: [bad], at_most: 1000000, {NOTE}}}"
    found = judged(entry, {("bad", FUNCTION): gives(np.zeros(3, np.float32))})
    assert statuses(found, FUNCTION) == [OK, DIFFERS]


def test_an_entry_is_shown_by_what_it_excuses_only() -> None:
    entries = (
        f"  - {{kind: value, cases: [bad], {NOTE}}}\n"
        f"  - {{kind: value, cases: [bad], where: [state x], {NOTE}}}"
    )
    found = judged(entries, {("bad", FUNCTION): twice()})
    assert len(found.problems) == 2  # of the second entry: its case, and its pairs


def test_another_number_of_outputs_is_not_comparable_when_declared() -> None:
    entry = f"  - {{kind: return-structure, cases: [bad], {NOTE}}}"
    lone = gives((np.zeros(2, np.float32), np.ones(2, np.float32)))
    found = judged(entry, {("bad", FUNCTION): lone})
    assert statuses(found, FUNCTION) == [OK, Status.NOT_COMPARABLE]
