"""Exceptions: as the case expects them, and as the frameworks agree on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase
from conformance.judge.verdict import Status
from conformance.run.outcome import Crashed, Outcome, Raised, Returned, Unsupported
from tests.judge.toys import cases, gives, item, kinds, one, register, run, unary

X = np.array([1, 2], np.float32)


def raised(*types: str) -> Raised:
    return Raised(types=(*types, "Exception"), message="said so")


def bad_mode(raises: str, slip: str = "", mode: str = "bad", head: str = "") -> ExpandedCase:
    body = f"""
  - id: a
    parameters: {{mode: {mode}}}
    inputs: {{input: [1.0, 2.0]}}
    expect: {{raises: {{{raises}}}}}
    {f"slip: {{{slip}}}" if slip else ""}
"""
    return cases("checked", body, pair=head)[0]


def test_the_expected_exception_conforms_also_when_derived() -> None:
    case = bad_mode("torch: ValueError, mindspore: ValueError")
    for outcome in (raised("ValueError"), raised("SpecialError", "ValueError")):
        assert one(case, outcome).verdict.status is Status.CONFORMS
        assert one(case, outcome, "mindspore").verdict.status is Status.CONFORMS


@pytest.mark.parametrize("outcome", [raised("TypeError"), gives(X * 2)])
@pytest.mark.parametrize("target", ["torch", "mindspore"])
def test_another_exception_contradicts_the_case(outcome: Outcome, target: str) -> None:
    case = bad_mode(
        "torch: ValueError, mindspore: ValueError",
        head="    differences: [{kind: exception, cases: [a], targets: [torch, mindspore],"
        " note: {en: n, zh: n}}]",
    )
    verdict = one(case, outcome, target).verdict
    assert verdict.status is Status.DIFFERS
    assert [(f.kind.value, f.contradicts) for f in verdict.findings] == [("exception", True)]
    assert verdict.findings[0].detail.endswith("but should raise ValueError")


def test_a_crash_where_an_exception_is_expected_is_a_crash() -> None:
    case = bad_mode("torch: ValueError, mindspore: ValueError")
    assert kinds(one(case, Crashed(signal="SIGSEGV"))) == ["crash"]


def test_frameworks_that_raise_differently_must_declare_it() -> None:
    raises = "torch: ValueError, mindspore: TypeError"
    verdict = one(bad_mode(raises), raised("TypeError"), "mindspore").verdict
    assert verdict.status is Status.DIFFERS
    assert [(f.kind.value, f.contradicts) for f in verdict.findings] == [("exception", False)]
    assert "but torch raises ValueError" in verdict.findings[0].detail
    head = "    differences: [{kind: exception, cases: [a], note: {en: n, zh: n}}]"
    declared = one(bad_mode(raises, head=head), raised("TypeError"), "mindspore").verdict
    assert declared.status is Status.DECLARED
    assert one(bad_mode(raises), raised("ValueError")).verdict.status is Status.CONFORMS


def test_mindspore_returns_where_torch_raises() -> None:
    case = bad_mode("torch: ValueError")
    verdict = one(case, gives(X * 2), "mindspore").verdict
    assert [(f.kind.value, f.contradicts) for f in verdict.findings] == [("exception", False)]
    assert one(case, raised("ValueError"), "mindspore").verdict.findings[0].contradicts


def test_values_are_judged_where_torch_returns_and_mindspore_raises() -> None:
    case = bad_mode("mindspore: ValueError", mode="odd")
    assert one(case, gives(X * 2)).verdict.status is Status.CONFORMS
    assert kinds(one(case, gives(X * 3))) == ["value"]
    found = one(case, raised("ValueError"), "mindspore").verdict.findings
    assert [(f.kind.value, f.contradicts) for f in found] == [("exception", False)]
    missing = Unsupported(types=("TypeError",), message="no", reason="dtype")
    assert kinds(one(case, missing)) == ["dtype-support"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(raised("ValueError"), Status.CONFORMS), (gives(X * 2), Status.NOT_COMPARABLE)],
)
def test_numpy_need_not_check_arguments(outcome: Outcome, status: Status) -> None:
    case = bad_mode("torch: RuntimeError, mindspore: TypeError")
    verdict = one(case, outcome, "numpy").verdict
    assert verdict.status is status
    assert status is Status.CONFORMS or "does not check arguments" in verdict.why


def test_numpy_without_a_kernel_for_a_narrow_dtype() -> None:
    (case,) = cases("exp", "  - {id: a, dtype: float16, inputs: {input: [1]}}")
    assert one(case, raised("TypeError"), "numpy").verdict.status is Status.NOT_COMPARABLE
    (wide,) = cases("exp", "  - {id: a, dtype: float32, inputs: {input: [1]}}")
    assert kinds(one(wide, raised("TypeError"), "numpy")) == ["exception"]


SLIP = "mindspore: {en: misprint, zh: 误}"


def test_a_slip_must_be_shown() -> None:
    case = bad_mode("torch: ValueError, mindspore: TypeError", SLIP)
    judged = one(case, raised("TypeError"), "mindspore")
    assert judged.verdict.findings[0].contradicts
    assert kinds(judged) == ["claim"]
    assert "slip is not shown" in judged.verdict.findings[0].detail


def test_a_refuted_exception_is_judged_by_parity() -> None:
    case = bad_mode("torch: ValueError, mindspore: TypeError", SLIP)
    same = one(case, raised("ValueError"), "mindspore")
    assert same.verdict.status is Status.CONFORMS
    (check,) = same.claims
    assert (check.holds, check.slip, check.printed) == (False, "misprint", "raises TypeError")
    assert kinds(one(case, raised("KeyError"), "mindspore")) == ["exception"]
    assert kinds(one(case, gives(X * 2), "mindspore")) == ["exception"]


def test_a_refuted_exception_of_torch_is_what_it_truly_does() -> None:
    case = bad_mode(
        "torch: TypeError, mindspore: KeyError", "torch: {en: misprint, zh: 误}", mode="odd"
    )
    judged = run([(case, {"torch": gives(X * 2), "mindspore": raised("KeyError")})]).judged
    assert judged[0].verdict.status is Status.CONFORMS
    assert kinds(judged[1]) == ["exception"]
    assert "but torch returns" in judged[1].verdict.findings[0].detail
    wrong = run([(case, {"torch": gives(X * 5)})]).judged
    assert kinds(wrong[0]) == ["value"]


def test_a_reference_that_raises_is_never_green() -> None:
    (case,) = cases("checked", "  - {id: a, parameters: {mode: bad}, inputs: {input: [1.0]}}")
    judgement = run([(case, {"torch": gives(X), "mindspore": gives(X)})])
    assert {j.verdict.status for j in judgement.judged} == {Status.NOT_COMPARABLE}
    assert judgement.problems == ["checked/a: the reference toy.checked raised ValueError: bad"]


def test_a_broken_oracle_is_a_problem_not_a_verdict() -> None:
    register("broken", unary(lambda x: (x, x)), dtype=("promote",))
    (case,) = cases("broken", "  - {id: a, inputs: {input: [1.0]}}")
    judgement = run([(case, {"torch": gives(X[:1])})])
    assert judgement.judged[0].verdict.status is Status.NOT_COMPARABLE
    (problem,) = judgement.problems
    assert "broken/a: the judge failed on torch" in problem


NO_ORACLE = "no_reference: {en: none, zh: 无}"


@pytest.mark.parametrize(
    ("dtype", "off", "status"),
    [
        ("float32", 1 + 1e-6, Status.CONFORMS),
        ("float32", 1 + 3e-5, Status.DIFFERS),
        ("float16", 1 + 1e-3, Status.CONFORMS),
        ("float16", 1 + 2e-2, Status.DIFFERS),
        ("float64", 1 + 1e-8, Status.CONFORMS),
        ("float64", 1 + 1e-6, Status.DIFFERS),
    ],
)
def test_peers_are_compared_without_an_oracle(dtype: str, off: float, status: Status) -> None:
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{input: [1.0, 20.0]}}}}"
    (case,) = cases("mystery", body, head=NO_ORACLE, reference="")
    x = case.arrays["input"]
    judged = run([(case, {"torch": gives(x), "mindspore": gives((x * off).astype(dtype))})]).judged
    assert judged[0].verdict.status is Status.NOT_COMPARABLE
    assert judged[0].verdict.why == "no oracle"
    assert judged[1].verdict.status is status


@pytest.mark.parametrize(
    ("torch", "mindspore", "found"),
    [
        (gives(X), gives((X,)), ["return-structure"]),
        (gives(X), gives(X.astype(np.float64)), ["return-dtype"]),
        (gives(X), raised("ValueError"), ["exception"]),
        (raised("ValueError"), gives(X), ["exception"]),
        (raised("ValueError"), raised("ValueError"), ["exception"]),
        (gives(X, gradients={"input": X}), gives(X, gradients={"input": X * 2}), ["gradient"]),
        (gives(X, mutated={"input": X}), gives(X), ["mutation"]),
        (gives(np.array([1, 2])), gives(np.array([1, 3])), ["value"]),
    ],
)
def test_everything_of_a_peer_is_compared(torch: Any, mindspore: Any, found: list[str]) -> None:
    body = "  - {id: a, inputs: {input: [5.0, 6.0]}}"
    (case,) = cases("mystery", body, head=NO_ORACLE, reference="", gradients="[input]")
    if isinstance(torch, Returned) and not torch.gradients:
        (case,) = cases("mystery", body, head=NO_ORACLE, reference="")
    judged = run([(case, {"torch": torch, "mindspore": mindspore})]).judged
    assert kinds(judged[1]) == found


def test_without_a_peer_there_is_nothing_to_say() -> None:
    body = "  - {id: a, inputs: {input: [5.0]}}"
    (case,) = cases("mystery", body, head=NO_ORACLE, reference="")
    for by in ({"mindspore": gives(X)}, {"torch": Crashed(), "mindspore": gives(X)}):
        judged = run([(case, by)]).judged
        assert judged[-1].verdict.status is Status.NOT_COMPARABLE


def test_an_item_knows_its_framework() -> None:
    (case,) = cases("exp", "  - {id: a, inputs: {input: [1.0]}}")
    assert item(case, "mindspore@2.9.0:cpu:graph").framework == "mindspore"


@pytest.mark.parametrize(
    ("expected", "conforms"), [("ValueError: said", True), ("ValueError: other words", False)]
)
def test_words_of_the_message_are_part_of_what_is_expected(expected: str, conforms: bool) -> None:
    case = bad_mode(f"torch: '{expected}', mindspore: ValueError")
    assert (one(case, raised("ValueError")).verdict.status is Status.CONFORMS) is conforms
    # Between frameworks only types are compared: each words its messages as it likes.
    peer = one(case, raised("ValueError"), "mindspore", torch=raised("ValueError"))
    assert peer.verdict.status is Status.CONFORMS


def test_graph_mode_may_be_expected_to_do_something_else() -> None:
    case = bad_mode("torch: ValueError, mindspore: ValueError, mindspore_graph: TypeError")
    assert one(case, raised("ValueError"), "mindspore").verdict.status is Status.CONFORMS
    graph = one(case, raised("TypeError"), "mindspore:cpu:graph").verdict
    assert [(f.kind.value, f.contradicts) for f in graph.findings] == [("exception", False)]
    other = one(case, raised("ValueError"), "mindspore:cpu:graph").verdict
    assert [(f.kind.value, f.contradicts) for f in other.findings] == [("exception", True)]


def test_graph_mode_may_be_expected_to_return() -> None:
    case = bad_mode("torch: ValueError, mindspore: ValueError, mindspore_graph: null", mode="odd")
    graph = one(case, gives(X * 2), "mindspore:cpu:graph").verdict
    assert [(f.kind.value, f.contradicts) for f in graph.findings] == [("exception", False)]
