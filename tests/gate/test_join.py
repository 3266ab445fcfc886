from __future__ import annotations

import pytest

from conformance.errors import HarnessError
from conformance.gate.join import join
from tests.gate.records import CONFORMS, record


def test_items_are_joined_by_case_pair_and_role_of_target() -> None:
    old = record(target="mindspore@2.9.0:cpu:graph")
    new = record(target="mindspore:cpu:graph", behaviour="bbbbbbbbbb")
    joined = join([old, CONFORMS], [CONFORMS, new])
    assert joined.common == [(old, new), (CONFORMS, CONFORMS)]
    assert [*joined.changed, *joined.gone, *joined.new] == []


@pytest.mark.parametrize("edit", [{"hash": "f" * 16}, {"call": "f" * 16}])
def test_an_edited_case_is_changed_and_never_compared(edit: dict[str, str]) -> None:
    joined = join([CONFORMS], [record(**edit)])
    assert (len(joined.changed), joined.common, joined.gone, joined.new) == (1, [], [], [])


def test_a_case_with_another_name_is_found_by_its_content() -> None:
    renamed = record(case="absolute/other")
    joined = join([CONFORMS], [renamed])
    assert joined.common == [(CONFORMS, renamed)]
    assert [*joined.changed, *joined.gone, *joined.new] == []


def test_a_name_that_went_to_another_case_does_not_mislead() -> None:
    """`some` was renamed to `other`, and a new case took its name."""
    moved, taken = record(case="absolute/other"), record(hash="f" * 16)
    joined = join([CONFORMS], [moved, taken])
    assert joined.common == [(CONFORMS, moved)]
    assert joined.new == [taken]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_case_that_took_a_name_is_found_by_its_content_in_any_order(turn: int) -> None:
    """`some` was removed, and `other` took its name."""
    other = record(case="absolute/other", hash="f" * 16)
    renamed = record(hash="f" * 16)
    joined = join([CONFORMS, other][::turn], [renamed])
    assert (joined.common, joined.gone) == ([(other, renamed)], [CONFORMS])
    assert [*joined.changed, *joined.new] == []


def test_two_cases_of_one_content_stay_apart() -> None:
    twin = record(case="absolute/twin")
    joined = join([CONFORMS, twin], [twin, CONFORMS])
    assert joined.common == [(CONFORMS, CONFORMS), (twin, twin)]
    joined = join([CONFORMS, twin], [CONFORMS])
    assert (joined.common, joined.gone) == ([(CONFORMS, CONFORMS)], [twin])


def test_what_one_side_lacks() -> None:
    joined = join([CONFORMS], [record(case="absolute/else", hash="f" * 16)])
    assert (len(joined.gone), len(joined.new), joined.common) == (1, 1, [])


def test_a_baseline_keeps_the_head_of_a_call_only() -> None:
    assert join([record(call="c0ffee00")], [CONFORMS]).common
    assert join([record(call="")], [CONFORMS]).changed
    assert join([record(call="")], [record(call="")]).common


def test_two_versions_of_one_target_are_refused() -> None:
    both = [record(target="mindspore@2.9.0"), record(target="mindspore@2.10.0")]
    with pytest.raises(HarnessError, match=r"ran on both mindspore@2\.9\.0 and mindspore@2\.10\.0"):
        join([CONFORMS], both)
