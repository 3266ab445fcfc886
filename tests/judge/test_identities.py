"""Outputs of which several are right: judged by what holds of each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.corpus.expand import ExpandedCase
from conformance.judge.item import Item
from conformance.judge.judge import judge
from conformance.judge.verdict import Status
from conformance.reference.registry import Identities, Relation
from tests.judge.toys import TODAY, VERSIONS, cases, gives, kinds, one, register

BODY = """
  - {id: a, dtype: float32, inputs: {input: [[4.0, 1.0], [1.0, 3.0]]}}
"""


def spectrum(input: Any) -> Identities:
    """Eigenvectors of a symmetric matrix: right up to the sign of each column."""
    values, vectors = np.linalg.eigh(input.astype(np.float64))
    norm = np.linalg.norm(input.astype(np.float64))

    def relations(outputs: list[Any]) -> list[Relation]:
        w, v = outputs
        return [
            Relation("A V - V diag(w)", input @ v, v * w, norm),
            Relation("V^T V", v.T @ v, np.eye(len(w)), 1.0),
            Relation("w", w, values, norm),
        ]

    return Identities((values, vectors), relations)


register("spectrum", spectrum)


def case(pair: str = "", gradients: str = "[]") -> ExpandedCase:
    return cases("spectrum", BODY, pair=pair, accuracy="accumulation", gradients=gradients)[0]


def right(found: ExpandedCase, signs: Any = (1, 1)) -> list[Any]:
    w, v = np.linalg.eigh(found.arrays["input"])
    return [w, v * np.array(signs, np.float32)]


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_every_choice_of_signs_conforms(signs: tuple[int, int]) -> None:
    found = case()
    judged = one(found, gives(tuple(right(found, signs))))
    assert judged.verdict.status is Status.CONFORMS
    assert judged.verdict.ratio is not None
    assert judged.verdict.ratio < 16


def test_a_wrong_factor_is_named_by_the_relation_it_breaks() -> None:
    found = case()
    w, v = right(found)
    skewed = one(found, gives((w, v * np.float32(1.001))))
    assert {f.where for f in skewed.verdict.findings} == {"V^T V"}
    swapped = one(found, gives((w[::-1].copy(), v)))
    assert {f.where for f in swapped.verdict.findings} == {"A V - V diag(w)", "w"}


def test_dtype_shape_and_structure_are_those_of_any_right_answer() -> None:
    found = case()
    w, v = right(found)
    assert kinds(one(found, gives((w.astype(np.float64), v)))) == ["return-dtype"]
    assert kinds(one(found, gives((w, v[:, :1].copy())))) == ["return-shape"]
    assert kinds(one(found, gives([w, v]))) == ["return-structure"]


def test_lost_numbers_are_found() -> None:
    found = case()
    w, v = right(found)
    assert "special-values" in kinds(one(found, gives((w * np.float32(np.nan), v))))


def test_gradients_are_said_not_to_be_compared() -> None:
    found = case(gradients="[input]")
    outcome = gives(tuple(right(found)), gradients={"input": np.ones((2, 2), np.float32)})
    assert "not compared" in one(found, outcome).verdict.why


def test_outputs_in_another_order_are_told_apart_from_wrong_ones() -> None:
    found = case(pair="    mindspore_returns: [1, 0]")
    w, v = right(found)
    for output, expected in (((v, w), ["return-structure"]), ((w, v), ["return-structure"])):
        item = Item(found, found.operation.pairs[0], "mindspore")
        (judged,) = judge(
            [(item, gives(output))], versions=VERSIONS, today=TODAY, complete=False
        ).judged
        assert kinds(judged)[-1:] == expected
        assert (judged.verdict.ratio is not None) == (output[0] is v)
