from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from conformance.gate.change import Category
from conformance.gate.compare import Context, changed, compare, said
from conformance.gate.join import Two
from conformance.gate.record import Record
from conformance.judge.known import Known, parse
from conformance.judge.verdict import Status
from tests.gate.records import CONFORMS, declared, differs, raised, record

UNCOMPARED = Status.NOT_COMPARABLE
NOWHERE = record(status=UNCOMPARED, behaviour="cccccccccc", ratio=None)
"""It returned, and nobody can judge it."""
DEAD = {"status": UNCOMPARED, "open": ()}


def context(**given: Any) -> Context:
    plain: dict[str, Any] = {"edited": lambda _: False, "peer": lambda _: None}
    return Context(**{**plain, **given})


def category(old: Record, new: Record, **given: Any) -> Category | None:
    change = compare(old, new, context(**given))
    return None if change is None else change.category


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CONFORMS, differs()),
        (CONFORMS, declared()),
        (CONFORMS, raised()),
        (CONFORMS, differs("crash", label="crashed SIGFPE")),
        (CONFORMS, differs("crash", label="crashed SIGFPE", **DEAD)),
        (CONFORMS, differs("hang", label="timed out")),
        (CONFORMS, differs("unsupported-on-device", label="unsupported (device)", **DEAD)),
        (NOWHERE, differs("exception", label="no such API")),
        (NOWHERE, record(status=UNCOMPARED, behaviour="d", label="raised KeyError", ratio=None)),
        (declared("value"), differs("return-shape", behaviour="eeeeeeeeee")),
        (
            declared("dtype-support", label="unsupported (dtype)", ratio=None),
            raised("RuntimeError", behaviour="eeeeeeeeee"),
        ),
        (declared("value"), differs("value", behaviour="eeeeeeeeee")),
        (declared(ratio=20.0), declared(ratio=300.0, behaviour="eeeeeeeeee")),
        (
            declared("gradient", gradient_ratio=20.0),
            declared("gradient", gradient_ratio=3e9, behaviour="eeeeeeeeee"),
        ),
        (raised(), differs("crash", label="crashed SIGSEGV")),
    ],
)
def test_broken(old: Record, new: Record) -> None:
    change = compare(old, new, context())
    assert change is not None
    assert (change.category, change.regression) == (Category.BROKEN, True)
    assert change.detail == new.detail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (differs(), CONFORMS),
        (declared(), CONFORMS),
        (raised(), CONFORMS),
        (raised(), declared("exception", label="returned")),
        (differs("value"), declared("value", behaviour="eeeeeeeeee")),
        (differs("crash", label="crashed SIGFPE", **DEAD), CONFORMS),
        (differs("crash", label="crashed SIGFPE", **DEAD), NOWHERE),
    ],
)
def test_fixed(old: Record, new: Record) -> None:
    change = compare(old, new, context())
    assert change is not None
    assert (change.category, change.regression) == (Category.FIXED, False)
    assert change.detail == old.detail


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CONFORMS, record(behaviour="eeeeeeeeee")),
        (NOWHERE, record(status=UNCOMPARED, behaviour="dddddddddd")),
        (differs(), differs(behaviour="eeeeeeeeee", ratio=2e4)),
        (raised(), raised("TypeError")),
        (raised(kinds=("exception", "claim")), raised("TypeError")),
        (raised(), differs("unsupported-on-device", label="unsupported (device)", **DEAD)),
        (differs("dtype-support", label="unsupported (dtype)"), raised("TypeError")),
    ],
)
def test_drifted_is_no_regression(old: Record, new: Record) -> None:
    change = compare(old, new, context())
    assert change is not None
    assert (change.category, change.regression) == (Category.DRIFTED, False)


def test_what_was_judged_and_is_no_more_is_lost() -> None:
    for old in (CONFORMS, differs()):
        change = compare(old, NOWHERE, context())
        assert change is not None
        assert (change.category, change.regression) == (Category.LOST, True)
    never = record(status=UNCOMPARED, behaviour="", label="unavailable", ratio=None)
    assert category(CONFORMS, never) is Category.LOST
    assert category(NOWHERE, never) is None


def test_what_was_not_judged_and_is_now_is_new() -> None:
    assert category(NOWHERE, CONFORMS) is Category.NEW
    change = compare(NOWHERE, differs(), context())
    assert change is not None
    assert (change.category, change.regression) == (Category.NEW, True)


def test_the_same_is_nothing() -> None:
    for one in (CONFORMS, differs(), declared(), raised(), NOWHERE):
        assert compare(one, one, context()) is None


def test_the_same_behaviour_judged_otherwise_is_the_corpuss_doing() -> None:
    pairs = (
        (declared(), differs()),
        (differs(), declared()),
        (CONFORMS, differs(behaviour="a" * 10)),
    )
    for old, new in pairs:
        change = compare(old, new, context(edited=lambda _: True))
        assert change is not None
        assert (change.category, change.regression) == (Category.CHANGED, False)
        assert change.unexpected == change.fails == (new.status is Status.DIFFERS)
        assert (change.before, change.after) == (said(old), said(new))


def test_an_edited_case_that_a_known_difference_excuses_does_not_fail() -> None:
    old, new = CONFORMS, differs()
    change = changed(
        old, new, context(known=known(">=2.10"), version=lambda _: "2.10.0", today=date(2026, 7, 1))
    )
    assert (change.category, change.fails) == (Category.CHANGED, False)


def test_an_edited_case_that_differs_in_one_more_way_fails() -> None:
    assert changed(differs(), differs("crash", label="crashed SIGSEGV"), context()).fails
    assert not changed(differs(), differs(behaviour="eeeeeeeeee"), context()).fails


def test_nobody_edited_it_so_it_counts() -> None:
    """The words of an exception are not in the hash of a behaviour, and a case may ask for them."""
    expected = record(status=Status.CONFORMS, label="raised ValueError")
    other = differs("exception", label="raised ValueError", behaviour=CONFORMS.behaviour)
    assert category(expected, other) is Category.BROKEN
    assert category(other, expected) is Category.FIXED


def test_the_peer_is_blamed_for_its_own_change() -> None:
    torch = record(target="torch", status=UNCOMPARED, ratio=None)
    peers: Two = torch, record(target="torch", status=UNCOMPARED, behaviour="f" * 10)
    change = compare(CONFORMS, differs(behaviour=CONFORMS.behaviour), context(peer=lambda _: peers))
    assert change is not None
    assert (change.category, change.target, change.api) == (Category.BROKEN, "torch", "torch.abs")
    assert "mindspore.ops.abs, unchanged" in change.after
    same: Two = torch, torch
    change = compare(CONFORMS, differs(behaviour=CONFORMS.behaviour), context(peer=lambda _: same))
    assert change is not None
    assert change.target == "mindspore"


def test_the_peer_is_not_blamed_for_what_others_did() -> None:
    torch = record(target="torch", status=UNCOMPARED, ratio=None)
    moved = replace(torch, behaviour="f" * 10)
    new = differs(behaviour=CONFORMS.behaviour)
    change = compare(CONFORMS, new, context(peer=lambda _: (torch, moved), edited=lambda _: True))
    assert change is not None
    assert (change.category, change.target) == (Category.CHANGED, "mindspore")
    tossed: Two = replace(torch, variants=((),)), moved
    change = compare(CONFORMS, new, context(peer=lambda _: tossed))
    assert change is not None
    assert (change.category, change.target, change.regression) == (Category.BROKEN, "torch", True)


def test_what_the_peer_did_may_be_known_and_may_lose_a_judgement() -> None:
    torch = record(target="torch", status=UNCOMPARED, ratio=None)
    peers = torch, replace(torch, behaviour="f" * 10)
    new = differs(behaviour=CONFORMS.behaviour)
    excuses = context(
        peer=lambda _: peers, known=known(""), version=lambda _: "2.10.0", today=date(2026, 7, 1)
    )
    change = compare(CONFORMS, new, excuses)
    assert change is not None
    assert (change.category, change.target, change.regression) == (Category.KNOWN, "torch", False)
    old = differs(behaviour=CONFORMS.behaviour)
    lost = record(status=UNCOMPARED, ratio=None)
    for before in (torch, replace(torch, variants=((),))):
        blamed: Two = before, peers[1]
        change = compare(old, lost, context(peer=lambda _, blamed=blamed: blamed))
        assert change is not None
        assert (change.category, change.target, change.regression) == (Category.LOST, "torch", True)


@pytest.mark.parametrize("toss", [record(behaviour="eeeeeeeeee"), CONFORMS])
def test_what_varies_has_not_drifted(toss: Record) -> None:
    varying = record(variants=((),))
    assert category(varying, toss) is None
    assert category(varying, varying) is None
    change = compare(CONFORMS, record(behaviour="eeeeeeeeee", variants=((),)), context())
    assert change is not None
    assert (change.category, change.regression) == (Category.VARIES, False)


def test_what_varies_is_broken_by_what_no_repetition_showed() -> None:
    varying = record(variants=((), ("gradient",)))
    assert category(varying, differs("gradient")) is None
    assert category(varying, differs("value")) is Category.BROKEN
    assert category(varying, NOWHERE) is Category.LOST
    assert category(differs(variants=(("value",),)), CONFORMS) is Category.FIXED
    assert category(raised(), record(variants=((),))) is Category.FIXED
    assert category(raised(variants=((),)), record(variants=((),))) is None


def test_what_leaves_its_declared_bound_is_broken_though_it_varies_now() -> None:
    varying = differs(variants=(("value",),), behaviour="eeeeeeeeee")
    assert category(declared(), varying) is Category.BROKEN
    assert category(declared(variants=(("value",),)), varying) is Category.BROKEN
    assert category(declared(variants=(("value",),)), declared(variants=(("value",),))) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (declared(ratio=1e4), declared(ratio=1e9)),
        (differs(ratio=20.0), differs(ratio=1e12)),
        (
            declared("gradient", kinds=("gradient", "value"), ratio=10.0),
            declared("value", ratio=1e9),
        ),
        (record(status=UNCOMPARED, ratio=None), raised(status=UNCOMPARED, kinds=(), open=())),
    ],
)
def test_what_is_broken_stays_so_when_repetitions_vary(old: Record, new: Record) -> None:
    """Last bits that move from call to call excuse no error that is much greater."""
    new = replace(new, behaviour="eeeeeeeeee")
    assert category(old, new) is Category.BROKEN
    assert category(old, replace(new, variants=(new.kinds,))) is Category.BROKEN


def test_memory_nobody_wrote_may_hold_anything() -> None:
    garbage = record(variants=(("value",),))
    assert category(garbage, differs("special-values", variants=((),))) is None
    assert category(garbage, differs("gradient", variants=((),))) is Category.BROKEN
    assert category(CONFORMS, differs("special-values", variants=((),))) is Category.BROKEN


def test_what_comes_and_goes_by_the_case_file_is_neither_broken_nor_fixed() -> None:
    at_times = record(sometimes=("value",))
    shown = declared("value", sometimes=("value",))
    assert category(at_times, shown) is None
    assert category(shown, at_times) is None
    assert category(at_times, raised(sometimes=("value",))) is Category.BROKEN


def test_what_the_case_file_says_only_now_comes_and_goes_is_not_broken() -> None:
    assert category(CONFORMS, declared("value", sometimes=("value",))) is Category.VARIES


def test_what_may_come_and_go_may_not_leave_its_bounds() -> None:
    at_times = record(sometimes=("value",))
    assert category(at_times, differs("value", sometimes=("value",))) is Category.BROKEN
    assert category(at_times, differs("special-values", sometimes=("value",))) is Category.BROKEN
    repeated = record(sometimes=("value",), variants=(("special-values",),))
    assert category(at_times, repeated) is Category.BROKEN


def test_what_differs_and_is_not_declared_was_not_fixed() -> None:
    varying = declared("value", variants=(("value",),))
    assert category(varying, differs("special-values")) is not Category.FIXED


def known(versions: str, kinds: str = "value", expires: str = "2999-01-01") -> list[Known]:
    text = f"""
- cases: absolute/*
  target: mindspore
  versions: "{versions}"
  kinds: [{kinds}]
  reason: the kernel is being rewritten
  owner: somebody
  link: https://example.org/1
  expires: "{expires}"
"""
    return parse(text, "known.yaml")


def versions(one: Record) -> str:
    return "2.9.0" if one.hash == "old" else "2.10.0"


@pytest.mark.parametrize(
    ("entries", "excused"),
    [
        (known(">=2.10"), True),
        (known("<2.10"), False),
        (known(">=2.10", "gradient"), False),
        (known(">=2.10", expires="2026-01-01"), False),
    ],
)
def test_a_known_difference_excuses_what_it_speaks_of(entries: list[Known], excused: bool) -> None:
    given = {"known": entries, "version": versions, "today": date(2026, 6, 1)}
    change = compare(record(hash="old"), differs(), context(**given))
    assert change is not None
    wanted = (Category.KNOWN, False) if excused else (Category.BROKEN, True)
    assert (change.category, change.regression) == wanted
    assert ("until 2999-01-01: the kernel is being rewritten" in change.detail) is excused


def test_all_that_is_open_must_be_known() -> None:
    given = {"known": known(">=2.10"), "version": versions, "today": date(2026, 6, 1)}
    both = differs(kinds=("value", "gradient"), open=("value", "gradient"))
    assert category(CONFORMS, both, **given) is Category.BROKEN
    declared_too = differs(kinds=("value", "gradient"), open=("value",))
    assert category(CONFORMS, declared_too, **given) is Category.KNOWN


@pytest.mark.parametrize("behaviour", ["bbbbbbbbbb", "eeeeeeeeee"])
def test_a_known_difference_that_should_have_ended_is_a_regression(behaviour: str) -> None:
    given = {"known": known("<2.10"), "version": versions, "today": date(2026, 6, 1)}
    change = compare(differs(hash="old"), differs(behaviour=behaviour), context(**given))
    assert change is not None
    assert (change.category, change.regression) == (Category.BROKEN, True)
    assert "holds for <2.10 only" in change.detail
    assert category(differs(hash="old"), CONFORMS, **given) is Category.FIXED
