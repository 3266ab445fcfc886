"""State that has one more axis in MindSpore is read back without it."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.judge.item import Item
from conformance.judge.oracle import Expectation
from conformance.judge.returned import OracleStandard, examine
from conformance.run.outcome import Returned
from tests.judge.toys import cases

Array = np.ndarray[Any, Any]
PAIR = "    mindspore_convert: {running_mean: insert_axis_2}"
CASE = "  - {id: a, inputs: {seed: 2, input: {randn: [8, 3, 2]}, running_mean: {ones: [3, 2]}}}"


def test_a_conversion_of_shape_is_undone_for_mindspore_alone() -> None:
    (case,) = cases("running", CASE, pair=PAIR)
    x, before = case.arrays["input"], case.arrays["running_mean"]
    mean = x.mean(axis=0)
    state = (0.9 * before + 0.1 * mean).astype(np.float32)
    outcome = Returned(output=x - mean, state={"running_mean": state[..., None]})
    standard = OracleStandard(Expectation(case))
    assert not examine(Item(case, case.operation.pairs[0], "mindspore"), outcome, standard).findings
    assert examine(Item(case, case.operation.pairs[0], "torch"), outcome, standard).findings
