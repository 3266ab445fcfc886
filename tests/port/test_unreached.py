from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.port.result import PortResult, Verdict
from conformance.port.unreached import rectified
from tests.port.fake_side import FakeSide
from tests.port.test_verify import verified
from tests.port.trained import Parts


def clipped(ceiling: float | None, **more: Any) -> PortResult:
    """A port whose activation is clipped where no value comes in the model."""

    def change(made: Parts) -> None:
        made["act"].settings |= {"ceiling": ceiling, **more}

    return verified(FakeSide, change)


def test_a_threshold_that_no_value_reaches_is_found_on_larger_inputs() -> None:
    found = clipped(30.0)
    assert {row.verdict for row in found.forward} == {Verdict.SAME}
    assert (found.verdict, found.exit_code) == (Verdict.DIFFERS, 1), found.sentence
    assert found.sentence.startswith(
        "Outputs agree at these inputs, but not at others: ReLU ceiling 30.0, PyTorch none, at "
        "act; alone on 10 times its input: the port is "
    )
    (cause,) = found.causes
    assert (cause.what, cause.where, cause.confirmed) == ("ceiling", "act", True)


def test_what_nothing_shows_cannot_be_told() -> None:
    found = clipped(None, tag=1)
    assert (found.verdict, found.exit_code) == (Verdict.UNRESOLVED, 1), found.sentence
    assert found.sentence == (
        "Outputs agree, but it cannot be told whether the port is the same function: ReLU tag 1, "
        "PyTorch not set, at act did not show; give inputs or sizes that reach it."
    )


@pytest.mark.parametrize(("layer", "verdict"), [("fc2", Verdict.SAME), ("bn", Verdict.UNRESOLVED)])
def test_zeros_around_what_is_never_negative_change_no_maximum(
    layer: str, verdict: Verdict
) -> None:
    def change(made: Parts) -> None:
        made[layer].settings["padding_value"] = 0.0

    assert verified(FakeSide, change).verdict is verdict


def test_what_a_relu_has_made() -> None:
    x = np.random.RandomState(1).randn(4, 100)
    assert rectified([np.maximum(x, 0)])
    assert not rectified([np.abs(x)])  # an image, which another one may not be like
    assert not rectified([np.where(x > 0.5, x, 0) - (x < -2)])
    assert not rectified([np.maximum(x, 0), x])
    assert not rectified([])


def test_settings_of_training_are_judged_by_training() -> None:
    assert clipped(None, p=0.0, padding_idx=3).verdict is not Verdict.UNRESOLVED


def test_equal_settings_leave_nothing_to_try() -> None:
    assert clipped(None).verdict is Verdict.SAME
