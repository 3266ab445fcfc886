"""Seeded faults: each is caught, by the kind that it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.judge.verdict import Status
from conformance.run.outcome import (
    Crashed,
    Named,
    Other,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
    Unsupported,
)
from tests.judge.toys import cases, cotangent, gives, kinds, one

SEEDED = "  - {id: a, inputs: {seed: 3, input: {rand: [6, 5]}}}"


def caught(judged: Any, kind: str) -> None:
    assert judged.verdict.status is Status.DIFFERS
    assert kinds(judged) == [kind]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("total", lambda x: x.ravel()[:-1].sum()),
        ("total", lambda x: x.mean()),
        ("row_sums", lambda x: x.reshape(5, 6).T[:, :5].sum(axis=1)),
        ("row_sums", lambda x: x.mean(axis=-1)),
        ("row_sums", lambda x: x[..., :-1].sum(axis=-1)),
        ("exp", lambda x: np.exp(x.astype(np.float16)).astype(np.float32)),
        ("exp", lambda x: np.exp(x) * np.float32(1 + 1e-5)),
        ("exp", lambda x: np.exp(np.roll(x.ravel(), 1).reshape(x.shape))),
    ],
    ids=[
        "dropped-last-term",
        "mean-for-sum",
        "stride-off-by-one",
        "mean-for-row-sum",
        "dropped-term-of-rows",
        "float16-intermediate",
        "relative-1e-5",
        "off-by-one-element",
    ],
)
def test_wrong_values(name: str, fault: Any) -> None:
    (case,) = cases(name, SEEDED)
    out = np.asarray(fault(case.arrays["input"]), dtype=np.float32)
    judged = one(case, gives(out))
    caught(judged, "value")
    (finding,) = judged.verdict.findings
    assert finding.ratio is not None
    assert finding.ratio > 100
    assert judged.verdict.ratio == finding.ratio
    assert "should be" in finding.detail


def test_wrong_axis_is_a_wrong_shape() -> None:
    (case,) = cases("row_sums", SEEDED)
    caught(one(case, gives(case.arrays["input"].sum(axis=0))), "return-shape")


def test_wrong_axis_of_a_square() -> None:
    (case,) = cases("row_sums", "  - {id: a, inputs: {input: {rand: [5, 5]}}}")
    caught(one(case, gives(case.arrays["input"].sum(axis=0))), "value")


def test_float16_intermediate_of_an_exact_sum() -> None:
    (case,) = cases("total", "  - {id: a, inputs: {input: {full: {size: [3000], value: 1.0}}}}")
    half = np.float16(0)
    for x in case.arrays["input"].astype(np.float16):
        half += x
    assert half == 2048
    caught(one(case, gives(np.asarray(half, np.float32))), "value")


def test_swapped_outputs() -> None:
    (case,) = cases("halves", "  - {id: a, inputs: {input: {rand: [4, 2]}}}")
    x = case.arrays["input"]
    assert kinds(one(case, gives((x[:, :1], x[:, 1:])))) == []
    caught(one(case, gives((x[:, 1:], x[:, :1]))), "value")


def test_the_worst_element_is_named() -> None:
    (case,) = cases("exp", "  - {id: a, inputs: {input: [[0.0, 1.0], [2.0, 3.0]]}}")
    out = np.exp(case.arrays["input"])
    out[1, 0], out[0, 1] = 9, 2.7183
    (finding,) = one(case, gives(out)).verdict.findings
    assert finding.detail.startswith(
        "2 of 4 elements differ: output[1, 0] is 9, but should be 7.389"
    )
    assert "greatest absolute error 1.61" in finding.detail
    assert "budget 16" in finding.detail


def test_nan_turned_to_zero() -> None:
    (case,) = cases("exp", "  - {id: a, inputs: {input: [1, nan, inf, -inf]}}")
    right = np.exp(case.arrays["input"])
    assert kinds(one(case, gives(right))) == []
    caught(one(case, gives(np.nan_to_num(right, posinf=np.inf))), "special-values")
    caught(one(case, gives(np.nan_to_num(right, nan=np.nan, posinf=3e38))), "special-values")
    caught(one(case, gives(np.where(np.isinf(right), -np.inf, right))), "special-values")


def test_signed_zero_of_exact_operations() -> None:
    zeros = "  - {{id: a, accuracy: {}, signed_zero: {}, inputs: {{input: [-0.0, 1]}}}}"
    out = gives(np.array([-0.0, 1], np.float32))
    caught(one(cases("absolute", zeros.format("exact", "false"))[0], out), "special-values")
    caught(one(cases("absolute", zeros.format("elementwise", "true"))[0], out), "special-values")
    assert kinds(one(cases("absolute", zeros.format("elementwise", "false"))[0], out)) == []


def test_exact_admits_no_roundoff() -> None:
    (case,) = cases("transpose", SEEDED, accuracy="exact")
    x = case.arrays["input"].T.copy()
    assert one(case, gives(x)).verdict.status is Status.CONFORMS
    x[2, 3] = np.nextafter(x[2, 3], np.float32(2))
    caught(one(case, gives(x)), "value")


def test_wrong_dtype_is_one_finding() -> None:
    (case,) = cases("exp", SEEDED)
    right = np.exp(case.arrays["input"])
    caught(one(case, gives(right.astype(np.float16))), "return-dtype")
    caught(one(case, gives(right.astype(np.float64))), "return-dtype")


def test_off_by_one_integer() -> None:
    (case,) = cases("add", "  - {id: a, dtype: int8, inputs: {input: [100, 1], other: [100, 2]}}")
    assert kinds(one(case, gives(np.array([-56, 3], np.int8)))) == []
    caught(one(case, gives(np.array([127, 3], np.int8))), "value")


def test_one_wrong_boolean() -> None:
    (case,) = cases("positive", "  - {id: a, inputs: {input: [-1, 0, 1]}}")
    assert kinds(one(case, gives(np.array([False, False, True])))) == []
    caught(one(case, gives(np.array([False, True, True]))), "value")


@pytest.mark.parametrize(
    "output",
    [
        lambda v, i: (v, i),
        lambda v, i: [v, i],
        lambda v, i: Named("topk", {"values": v, "order": i}),
        lambda v, i: v,
        lambda v, i: Named("topk", {"values": v, "indices": Other("<lazy>")}),
    ],
)
def test_wrong_structure(output: Any) -> None:
    (case,) = cases("top", SEEDED)
    x = case.arrays["input"]
    order = np.argsort(-x, axis=-1, kind="stable")
    values = np.take_along_axis(x, order, -1)
    right = Named("torch.return_types.topk", {"values": values, "indices": order})
    assert kinds(one(case, gives(right))) == []
    caught(one(case, gives(output(values, order))), "return-structure")


def test_a_python_number_is_not_a_tensor() -> None:
    (case,) = cases("total", SEEDED)
    judged = one(case, gives(float(case.arrays["input"].sum())))
    caught(judged, "return-structure")
    assert "a Python float, but should be a tensor" in judged.verdict.findings[0].detail


GRADED = "  - {id: a, inputs: {seed: 5, input: {randn: [3, 4]}}}"


@pytest.mark.parametrize(
    "fault",
    [
        lambda g: g * 2,
        lambda g: g * np.float32(1.001),
        lambda g: g.T,
        lambda g: g.astype(np.float64),
        lambda g: None,
        lambda g: np.where(np.arange(g.size).reshape(g.shape) == 7, np.float32(np.nan), g),
    ],
    ids=["doubled", "0.1-percent", "shape", "dtype", "missing", "nan"],
)
@pytest.mark.parametrize("size", ["[3, 4]", "[30, 40]"])
def test_wrong_gradient(fault: Any, size: str) -> None:
    (case,) = cases("cubed", GRADED.replace("[3, 4]", size), gradients="[input]")
    x = case.arrays["input"]
    y, g = x**3 + np.sin(x), cotangent(x.shape) * (3 * x**2 + np.cos(x))
    right = one(case, gives(y, gradients={"input": g}))
    assert right.verdict.status is Status.CONFORMS
    assert right.verdict.gradient_ratio is not None
    assert right.verdict.gradient_ratio < 8
    caught(one(case, gives(y, gradients={"input": fault(g)})), "gradient")


def test_one_wrong_element_of_a_large_gradient() -> None:
    (case,) = cases("cubed", GRADED.replace("[3, 4]", "[30, 40]"), gradients="[input]")
    x = case.arrays["input"]
    y, g = x**3 + np.sin(x), cotangent(x.shape) * (3 * x**2 + np.cos(x))
    g[17, 23] += 0.05
    caught(one(case, gives(y, gradients={"input": g})), "gradient")


def test_differentiation_raised() -> None:
    (case,) = cases("exp", GRADED, gradients="[input]")
    y = np.exp(case.arrays["input"])
    error = Raised(types=("RuntimeError", "Exception"), message="no grad", stage="gradient")
    caught(one(case, gives(y, gradient_error=error)), "gradient")
    missing = Unsupported(
        types=("TypeError",), message="no kernel", stage="gradient", reason="dtype"
    )
    caught(one(case, gives(y, gradient_error=missing)), "dtype-support")


STATE = "  - {id: a, inputs: {seed: 2, input: {randn: [8, 3]}, running_mean: {ones: [3]}}}"


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_momentum_not_inverted(momentum: float) -> None:
    (case,) = cases("running", STATE)
    x, before = case.arrays["input"], case.arrays["running_mean"]

    def outcome(rate: np.float32) -> Returned:
        state = {"running_mean": (1 - rate) * before + rate * x.mean(axis=0)}
        return gives(x - x.mean(axis=0), state=state)

    assert kinds(one(case, outcome(np.float32(0.1)))) == []
    caught(one(case, outcome(np.float32(momentum))), "mutation")


def test_state_that_is_gone() -> None:
    (case,) = cases("running", STATE)
    x = case.arrays["input"]
    caught(one(case, gives(x - x.mean(axis=0))), "mutation")


def test_state_that_must_not_change() -> None:
    (case,) = cases("exp", STATE)
    y, mean = np.exp(case.arrays["input"]), case.arrays["running_mean"]
    assert kinds(one(case, gives(y, state={"running_mean": mean}))) == []
    caught(one(case, gives(y, state={"running_mean": mean * 2})), "mutation")


def test_silently_mutated_input() -> None:
    (case,) = cases("exp", SEEDED)
    y = np.exp(case.arrays["input"])
    caught(one(case, gives(y, mutated={"input": y})), "mutation")


def test_in_place_that_does_not_happen() -> None:
    (case,) = cases("add_", "  - {id: a, inputs: {input: [1.0, 2.0], other: [3.0, 4.0]}}")
    y = np.array([4, 6], np.float32)
    assert kinds(one(case, gives(y, mutated={"input": y}))) == []
    caught(one(case, gives(y)), "mutation")
    caught(one(case, gives(y, mutated={"input": y + 1})), "mutation")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Crashed(signal="SIGFPE", stderr="Floating point exception"), "crash"),
        (TimedOut(limit=5.0), "hang"),
        (Raised(types=("RuntimeError", "Exception"), message="boom"), "exception"),
        (
            Unsupported(types=("RuntimeError",), message="no kernel", reason="device"),
            "unsupported-on-device",
        ),
        (Unsupported(types=("TypeError",), message="no kernel", reason="dtype"), "dtype-support"),
    ],
)
def test_what_did_not_return(outcome: Outcome, kind: str) -> None:
    (case,) = cases("exp", SEEDED)
    caught(one(case, outcome), kind)


def test_a_target_that_never_ran_is_not_green() -> None:
    (case,) = cases("exp", SEEDED)
    verdict = one(case, Unavailable(reason="no module named torch")).verdict
    assert verdict.status is Status.NOT_COMPARABLE
    assert verdict.why == "no module named torch"
