"""Correct kernels are never accused, in any dtype, well or ill conditioned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.corpus.schema import Accuracy
from conformance.judge.budget import Budget, budget_of, error_in_roundoffs, unit_error
from conformance.judge.dtypes import OVERFLOW, ROUNDOFF, SUBNORMAL
from conformance.judge.oracle import Expectation
from conformance.judge.verdict import Status
from conformance.reference.dtypes import promote
from conformance.taxonomy import DTYPES, INEXACT
from tests.judge.toys import (
    BFLOAT16,
    cases,
    computed,
    cotangent,
    gives,
    kinds,
    one,
    register,
    unary,
)

FLOATS = ["float16", "bfloat16", "float32", "float64"]
KERNELS = {
    "exp": np.exp,
    "total": np.sum,
    "row_sums": lambda x: x.sum(axis=-1),
    "cubed": lambda x: x * x * x + np.sin(x),
    "absolute": np.abs,
    "transpose": lambda x: x.T,
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shape", ["[4, 5]", "[]", "[0, 3]", "[300, 7]"])
def test_floating_kernels(name: str, dtype: str, shape: str) -> None:
    if shape == "[]" and name == "row_sums":
        shape = "[1]"
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{seed: 4, input: {{randn: {shape}}}}}}}"
    (case,) = cases(name, body)
    verdict = one(case, gives(computed(case, KERNELS[name]))).verdict
    assert verdict.status is Status.CONFORMS, verdict
    assert verdict.ratio is not None
    assert verdict.ratio <= 9


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_kernels(dtype: str) -> None:
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{input: ['1+2j', '-3+0.5j', '0j']}}}}"
    (case,) = cases("exp", body)
    assert one(case, gives(np.exp(case.arrays["input"]))).verdict.status is Status.CONFORMS
    off = np.exp(case.arrays["input"]) * (1 + 1e-3j)
    assert one(case, gives(off.astype(dtype))).verdict.status is Status.DIFFERS


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_integers_wrap(dtype: str) -> None:
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{input: [120, 3], other: [120, 4]}}}}"
    (case,) = cases("add", body)
    with np.errstate(over="ignore"):
        right = case.arrays["input"] + case.arrays["other"]
    assert one(case, gives(right)).verdict.status is Status.CONFORMS


def test_overflow_rounds_to_infinity_in_the_output_dtype() -> None:
    (case,) = cases("exp", "  - {id: a, dtype: float16, inputs: {input: [11.5, 1.0]}}")
    right = np.array([np.inf, np.exp(1)], np.float16)
    assert one(case, gives(right)).verdict.status is Status.CONFORMS
    wrong = np.array([65504, np.exp(1)], np.float16)
    assert one(case, gives(wrong)).verdict.status is Status.DIFFERS


def test_near_overflow_counts_either_way() -> None:
    (case,) = cases("add", "  - {id: a, dtype: float16, inputs: {input: [65504], other: [15]}}")
    for value in (np.inf, 65504):
        assert one(case, gives(np.array([value], np.float16))).verdict.status is Status.CONFORMS
    assert one(case, gives(np.array([-np.inf], np.float16))).verdict.status is Status.DIFFERS


def test_cancellation_is_not_an_error() -> None:
    body = "  - {id: a, inputs: {input: {value: [1.0e+8, 3.14159, -1.0e+8]}}}"
    (case,) = cases("total", body)
    assert one(case, gives(np.asarray(np.float32(0)))).verdict.status is Status.CONFORMS
    assert one(case, gives(np.asarray(np.float32(1000)))).verdict.status is Status.DIFFERS


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["exp", "cubed", "relu", "absolute"])
def test_gradients(name: str, dtype: str) -> None:
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{seed: 4, input: {{randn: [3, 5]}}}}}}"
    (case,) = cases(name, body, gradients="[input]")
    kernels: dict[str, Any] = {
        "exp": (np.exp, np.exp),
        "cubed": (KERNELS["cubed"], lambda x: 3 * x**2 + np.cos(x)),
        "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
        "absolute": (np.abs, np.sign),
    }
    kernel, slope = kernels[name]
    g = computed(case, lambda x: cotangent(x.shape, x.dtype) * slope(x))
    verdict = one(case, gives(computed(case, kernel), gradients={"input": g})).verdict
    assert verdict.status is Status.CONFORMS, verdict
    assert verdict.gradient_ratio is not None
    assert not verdict.why


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("name", "slopes"), [("relu", [0, 0.5, 1]), ("absolute", [-1, 0, 1])])
def test_kinks_are_left_out_and_counted(name: str, slopes: list[float], dtype: str) -> None:
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{input: [-2.0, 0.0, 3.0]}}}}"
    (case,) = cases(name, body, gradients="[input]")
    x = case.arrays["input"]
    y = np.maximum(x, 0) if name == "relu" else np.abs(x)
    left = 0.0 if name == "relu" else -1.0
    for slope in slopes:
        g = cotangent(x.shape, dtype) * np.array([left, slope, 1], dtype)
        verdict = one(case, gives(y, gradients={"input": g})).verdict
        assert verdict.status is Status.CONFORMS
        assert verdict.why == "1 gradient elements not compared: not smooth there"
    g = cotangent(x.shape, dtype) * np.array([left, 0, 1.1], dtype)
    assert one(case, gives(y, gradients={"input": g})).verdict.status is Status.DIFFERS


def test_ties_of_a_maximum() -> None:
    register("largest", unary(lambda x: np.max(x, axis=-1)))
    (case,) = cases("largest", "  - {id: a, inputs: {input: [1.0, 2.0, 2.0]}}", gradients="[input]")
    c = cotangent(())
    for share in ([0, 1, 0], [0, 0.5, 0.5]):
        g = (c * np.array(share)).astype(np.float32)
        verdict = one(case, gives(np.asarray(np.float32(2)), gradients={"input": g})).verdict
        assert verdict.status is Status.CONFORMS
        assert verdict.why.startswith("2 gradient elements")


def test_the_edge_of_a_domain_is_left_out() -> None:
    def root(input: Any) -> Any:
        if np.any(input > 1):
            raise ValueError("outside")
        return np.sqrt(1 - input)

    register("root", root)
    (case,) = cases("root", "  - {id: a, inputs: {input: [1.0, 0.75]}}", gradients="[input]")
    x = case.arrays["input"]
    g = cotangent((2,)) * np.array([-np.inf, -1], np.float32)
    verdict = one(case, gives(np.sqrt(1 - x), gradients={"input": g})).verdict
    assert verdict.status is Status.CONFORMS
    assert verdict.why.startswith("1 gradient")
    assert verdict.ratio == 0


def test_analytic_gradient_is_used() -> None:
    def slope(input: Any, cotangents: list[Any]) -> dict[str, Any]:
        return {"input": cotangents[0] * np.exp(input)}

    register("analytic", unary(np.exp), gradient=slope)
    (case,) = cases(
        "analytic",
        "  - {id: a, dtype: float64, inputs: {seed: 1, input: {randn: [40]}}}",
        gradients="[input]",
    )
    x = case.arrays["input"]
    g = cotangent(x.shape, np.float64) * np.exp(x)
    good = one(case, gives(np.exp(x), gradients={"input": g})).verdict
    assert good.status is Status.CONFORMS
    assert good.gradient_ratio is not None
    assert good.gradient_ratio < 2
    bad = one(case, gives(np.exp(x), gradients={"input": g * (1 + 1e-13)})).verdict
    assert bad.status is Status.DIFFERS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numeric_gradient_is_as_good_as_the_dtype(dtype: str) -> None:
    """exp has the derivative exp: the oracle must find it, and know its own error."""
    body = f"  - {{id: a, dtype: {dtype}, inputs: {{input: [0.5, -1.25, 3.0, 1.0e-3]}}}}"
    (case,) = cases("exp", body, gradients="[input]")
    derivative = Expectation(case).gradients["input"]
    x = case.arrays["input"].astype(np.longdouble)
    true = cotangent(x.shape, np.longdouble) * np.exp(x)
    off = np.abs(derivative.expected.y - true)
    assert np.all(off <= derivative.expected.error)
    assert np.all(derivative.expected.error <= 3e-13 * np.abs(true))


def test_none_is_the_zero_gradient() -> None:
    def first(input: Any, other: Any) -> Any:
        return input + 0 * other

    register("first", first)
    body = "  - {id: a, inputs: {input: [1.0], other: [2.0]}}"
    (case,) = cases("first", body, gradients="[input, other]")
    g = {"input": cotangent((1,)), "other": None}
    x = np.ones(1, np.float32)
    assert one(case, gives(x, gradients=g)).verdict.status is Status.CONFORMS


def test_a_reference_without_extended_precision_says_so() -> None:
    def inverse(input: Any) -> Any:
        return np.linalg.inv(input)

    register("inverse", inverse)
    body = "  - {id: a, dtype: float64, inputs: {seed: 2, input: {randn: [6, 6]}}}"
    (case,) = cases("inverse", body)
    expectation = Expectation(case)
    assert not expectation.precise
    assert np.all(np.asarray(expectation.outputs[0].error) > 0)
    assert one(case, gives(np.linalg.solve(case.arrays["input"], np.eye(6)))).verdict.status is (
        Status.CONFORMS
    )
    assert Expectation(cases("exp", body)[0]).precise


def test_no_inexact_output_needs_no_gradient() -> None:
    (case,) = cases("positive", "  - {id: a, inputs: {input: [1.0]}}", gradients="[input]")
    verdict = one(case, gives(np.array([True]), gradients={"input": None})).verdict
    assert verdict.status is Status.CONFORMS


# Budgets and dtypes


@pytest.mark.parametrize("name", INEXACT)
def test_constants_of_the_dtypes(name: str) -> None:
    """Each constant is the edge it claims to be: what lies beyond it rounds away."""
    real = {"complex64": "float32", "complex128": "float64"}.get(name, name)
    dtype = BFLOAT16 if real == "bfloat16" else np.dtype(real)
    u, tiny, over = (np.longdouble(t[name]) for t in (ROUNDOFF, SUBNORMAL, OVERFLOW))
    with np.errstate(all="ignore"):
        assert np.asarray(1 + u).astype(dtype) == 1
        assert np.asarray(1 + 2 * u).astype(dtype) != 1
        assert np.asarray(tiny).astype(dtype) != 0
        assert np.asarray(tiny / 2).astype(dtype) == 0
        assert np.isinf(np.asarray(over).astype(dtype))
        assert np.isfinite(np.asarray(over * (1 - u / 8)).astype(dtype))


@given(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=4))
def test_promotion_is_commutative_and_integers_never_promote_a_float(names: list[str]) -> None:
    result = promote(names)
    assert result == promote(names[::-1])
    floats = [n for n in names if n in INEXACT]
    assert not floats or result == promote(floats)
    assert promote([result], names) == result


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((["bfloat16", "float32"],), "float32"),
        ((["float16", "bfloat16"],), "float32"),
        ((["int64", "float16"],), "float16"),
        ((["uint8", "int8"],), "int16"),
        ((["bool", "uint8"],), "uint8"),
        ((["complex64", "float64"],), "complex128"),
        ((["complex64", "bfloat16"],), "complex64"),
        ((["float32"], ["float64"]), "float32"),
        ((["int32"], ["float64"]), "float64"),
        ((["float16"], [], ["float32"]), "float16"),
        ((["int64"], [], ["float32"]), "float32"),
        ((["float64"], ["complex64"]), "complex128"),
        ((), "float32"),
    ],
)
def test_promotion_table(groups: Any, expected: str) -> None:
    """Rows of PyTorch's documentation, torch.Tensor attributes, "Type promotion"."""
    assert promote(*groups) == expected


finite = st.floats(-1e30, 1e30)


@settings(max_examples=60)
@given(finite, st.floats(0, 1e10), st.integers(-40, 40))
def test_an_error_of_n_units_is_n_roundoffs(y: float, s: float, n: int) -> None:
    exact = np.asarray([y], np.longdouble)
    unit = unit_error(exact, s, "float32")
    got = error_in_roundoffs(exact + n * unit, exact, s, "float32")
    assert got == pytest.approx(abs(n), abs=1e-6)


def test_zero_needs_zero_up_to_the_smallest_number() -> None:
    zero = np.zeros(2)
    assert error_in_roundoffs(zero, zero, 0.0, "float32") == 0
    assert error_in_roundoffs(np.array([0, 1e-30], np.float32), zero, 0.0, "float32") > 1e10
    assert error_in_roundoffs(np.zeros((0, 3)), np.zeros((0, 3)), 0.0, "float16") == 0


def test_tolerances_of_a_case_replace_its_class() -> None:
    body = "  - {{id: a, accuracy: {{{}, reason: r}}, inputs: {{seed: 1, input: {{rand: [9]}}}}}}"
    for text, off, status in [
        ("rtol: 1.0e-3, atol: 0", 1.0005, Status.CONFORMS),
        ("rtol: 1.0e-3, atol: 0", 1.002, Status.DIFFERS),
        ("atol: 0.1", 1.01, Status.CONFORMS),
        ("budget: 20000", 1.0005, Status.CONFORMS),
        ("budget: 20", 1.0005, Status.DIFFERS),
    ]:
        (case,) = cases("exp", body.format(text))
        out = (np.exp(case.arrays["input"]) * off).astype(np.float32)
        assert one(case, gives(out)).verdict.status is status
    assert budget_of(Accuracy(reason="r")) == budget_of("elementwise") == Budget(16.0)
    assert budget_of("exact").exact
    assert budget_of("exact").for_gradients() == Budget(16.0)


def test_a_step_over_a_kink_is_shortened() -> None:
    """0.99999 is closer to the kink at 1 than the first step reaches."""
    register("hinge", unary(lambda x: np.maximum(x, 1)))
    body = "  - {id: a, dtype: float64, inputs: {input: [0.99999, 1.00001, 1.0]}}"
    (case,) = cases("hinge", body, gradients="[input]")
    x = case.arrays["input"]
    for slope, status in ([0, 1, 0.5], Status.CONFORMS), ([1, 1, 0.5], Status.DIFFERS):
        g = cotangent((3,), np.float64) * np.array(slope)
        verdict = one(case, gives(np.maximum(x, 1), gradients={"input": g})).verdict
        assert verdict.status is status
        assert verdict.why.startswith("1 gradient")


def test_a_gradient_at_the_edge_of_the_domain_has_no_conditioning() -> None:
    def slope(input: Any, cotangents: list[Any]) -> dict[str, Any]:
        if np.any(input > 1):
            raise ValueError("outside")
        return {"input": cotangents[0] * 2 * input}

    register("square", unary(np.square), gradient=slope)
    (case,) = cases("square", "  - {id: a, inputs: {input: [1.0, 0.5]}}", gradients="[input]")
    x = case.arrays["input"]
    right = gives(x * x, gradients={"input": cotangent((2,)) * 2 * x})
    assert one(case, right).verdict.status is Status.CONFORMS


def test_an_output_that_was_not_asked_for_is_none_or_left_out() -> None:
    register("with_none", unary(lambda x: (x * 2, None)), ("=input", "=input"))
    for dtype in ("float32", "float64"):
        (case,) = cases("with_none", f"  - {{id: a, dtype: {dtype}, inputs: {{input: [1.0]}}}}")
        right, wrong = (np.array([v], dtype) for v in (2, 3))
        assert kinds(one(case, gives((right, None)))) == []
        assert kinds(one(case, gives(right))) == ["return-structure"]
        assert kinds(one(case, gives(wrong))) == ["return-structure", "value"]


@pytest.mark.parametrize(
    ("value", "same"), [(1 + 0j, True), (complex(1, -0.0), False), (complex(-1, 0.0), False)]
)
def test_a_part_that_is_zero_has_a_sign_of_its_own(value: complex, same: bool) -> None:
    register("same", unary(lambda x: x))
    (case,) = cases("same", "  - {id: a, inputs: {input: ['1+0j']}}", accuracy="exact")
    judged = one(case, gives(np.array([value], np.complex64)))
    assert (kinds(judged) == []) is same
