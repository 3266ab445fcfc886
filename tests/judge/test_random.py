"""Random operations: right generators pass, each way of being wrong is caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from conformance.corpus.expand import ExpandedCase
from conformance.judge.judge import Judged
from conformance.judge.verdict import Status
from conformance.reference import random
from conformance.reference.distribution import Distribution
from conformance.run.outcome import Other, Returned
from tests.judge.toys import BFLOAT16, cases, gives, kinds, one, register

Array = np.ndarray[Any, Any]
N = 4000


def draws(make: Any, seed: int = 0) -> Returned:
    """Return the reply of a right worker: a draw, the same after re-seeding, and the next."""
    rng = np.random.default_rng(seed)
    first, following = make(rng), make(rng)
    return gives((first, first.copy(), following))


def case_of(name: str, body: str) -> ExpandedCase:
    (case,) = cases(name, body, reference=f"random.{name}", accuracy="statistical")
    return case


NORMAL = f"  - {{id: a, parameters: {{mean: 2.0, std: 3.0, size: [{N}]}}}}"
BERNOULLI = f"  - {{id: a, inputs: {{seed: 8, input: {{rand: [{N}]}}}}}}"
DROPOUT = f"""
  - id: a
    dtype: DTYPE
    training: true
    parameters: {{p: 0.2}}
    inputs: {{input: {{randn: [{N}]}}}}
"""


def normal(rng: np.random.Generator) -> Array:
    return rng.normal(2, 3, N).astype(np.float32)


def found(judged: Judged, kind: str = "distribution") -> str:
    assert judged.verdict.status is Status.DIFFERS
    assert kinds(judged) == [kind]
    return "; ".join(f.detail for f in judged.verdict.findings)


@pytest.mark.parametrize("seed", range(20))
def test_right_generators_are_never_accused(seed: int) -> None:
    assert one(case_of("normal", NORMAL), draws(normal, seed)).verdict.status is Status.CONFORMS
    case = case_of("bernoulli", BERNOULLI)
    p = case.arrays["input"]
    right = draws(lambda rng: (rng.uniform(size=N) < p).astype(np.float32), seed)
    assert one(case, right).verdict.status is Status.CONFORMS


@pytest.mark.parametrize(
    "dtype", [np.dtype("float16"), BFLOAT16, np.dtype("float32"), np.dtype("float64")]
)
def test_right_dropout(dtype: np.dtype[Any]) -> None:
    case = case_of("dropout", DROPOUT.replace("DTYPE", dtype.name))
    x = case.arrays["input"].astype(np.float64)
    right = draws(lambda rng: np.where(rng.uniform(size=N) < 0.2, 0, x / 0.8).astype(dtype))
    assert one(case, right).verdict.status is Status.CONFORMS
    unscaled = draws(lambda rng: np.where(rng.uniform(size=N) < 0.2, 0, x).astype(dtype))
    assert "outside the support" in found(one(case, unscaled))
    inverted = draws(lambda rng: np.where(rng.uniform(size=N) < 0.8, 0, x / 0.8).astype(dtype))
    assert "mean" in found(one(case, inverted))


def test_dropout_in_eval_mode_is_the_identity() -> None:
    case = case_of("dropout", DROPOUT.replace("DTYPE", "float32").replace("true", "false"))
    x = case.arrays["input"]
    assert one(case, gives((x, x, x))).verdict.status is Status.CONFORMS
    zeroed = np.where(np.arange(N) % 7 == 0, np.float32(0), x)
    assert "outside the support" in found(one(case, gives((zeroed, zeroed, zeroed))))


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (lambda rng: rng.normal(2.3, 3, N), "mean"),
        (lambda rng: rng.normal(2, np.sqrt(3), N), "variance"),
        (lambda rng: rng.uniform(2 - 3 * 3**0.5, 2 + 3 * 3**0.5, N), "Kolmogorov-Smirnov"),
        (lambda rng: np.full(N, np.nan), "outside the support"),
    ],
    ids=["shifted", "std-for-variance", "uniform", "nan"],
)
def test_wrong_laws(wrong: Any, test: str) -> None:
    judged = one(case_of("normal", NORMAL), draws(lambda rng: wrong(rng).astype(np.float32)))
    assert test in found(judged)


def test_a_seed_that_does_not_reproduce() -> None:
    first, _, following = draws(normal).output
    other = normal(np.random.default_rng(99))
    judged = one(case_of("normal", NORMAL), gives((first, other, following)))
    assert f"{N} of {N} elements differ under the same seed" in found(judged, "randomness")


def test_a_generator_that_does_not_advance() -> None:
    first = normal(np.random.default_rng(1))
    judged = one(case_of("normal", NORMAL), gives((first, first, first)))
    assert "repeats" in found(judged, "randomness")


def test_dtype_and_shape_of_a_draw() -> None:
    case = case_of("normal", NORMAL)
    double = draws(lambda rng: normal(rng).astype(np.float64))
    assert kinds(one(case, double)) == ["return-dtype"]
    assert kinds(one(case, draws(lambda rng: normal(rng).reshape(2, -1)))) == ["return-shape"]


def test_probabilities_that_vary_by_element() -> None:
    case = case_of("bernoulli", BERNOULLI)
    same_mean = draws(lambda rng: (rng.uniform(size=N) < 0.5).astype(np.float32))
    p = case.arrays["input"].astype(float)
    swapped = draws(lambda rng: (rng.uniform(size=N) < 1 - p).astype(np.float32))
    assert abs(p.mean() - 0.5) < 0.02
    for wrong in (same_mean, swapped):
        assert "variance" in found(one(case, wrong)) or "Kolmogorov" in found(one(case, wrong))
    two = draws(lambda rng: rng.integers(0, 3, N).astype(np.float32))
    assert "outside the support" in found(one(case, two))


def test_what_cannot_be_tested_is_not_green() -> None:
    few = case_of("normal", NORMAL.replace(str(N), "10"))
    verdict = one(few, draws(lambda rng: normal(rng)[:10])).verdict
    assert verdict.status is Status.NOT_COMPARABLE
    assert "too few" in verdict.why
    none = one(case_of("normal", NORMAL), gives(Other("Distribution(...)")), "numpy").verdict
    assert none.status is Status.NOT_COMPARABLE


def test_a_law_may_be_a_function() -> None:
    register(
        "shuffled",
        lambda size: Distribution(
            lambda x: None if sorted(x[:N]) == list(range(N)) else "not a permutation", (N,)
        ),
        dtype="int64",
    )
    body = f"  - {{id: a, parameters: {{size: [{N}]}}}}"
    (case,) = cases("shuffled", body, accuracy="statistical")
    assert kinds(one(case, draws(lambda rng: rng.permutation(N)))) == []
    assert found(one(case, draws(lambda rng: rng.integers(0, N, N)))) == "not a permutation"


def test_references_refuse_what_pytorch_refuses() -> None:
    with pytest.raises(RuntimeError):
        random.normal(0.0, -1.0, [3])
    with pytest.raises(RuntimeError):
        random.bernoulli(np.array([1.5]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        random.dropout(np.ones(3), 1.5)
    assert random.normal(np.zeros((2, 1)), np.ones(3)).shape == (2, 3)
    assert stats.norm(0, 1).cdf(0) == random.normal().rv.cdf(0)
