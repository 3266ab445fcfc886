from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.run.behaviour import behaviour, outcome_label
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

ONE = np.array([1.0, -0.0], np.float32)


def returned(output: Any, **given: Any) -> Returned:
    return Returned(output=output, **given)


DIFFERENT: list[Outcome] = [
    returned(ONE),
    returned(np.array([1.0, 0.0], np.float32)),
    returned(np.nextafter(ONE, np.float32(2))),
    returned(ONE.astype(np.float64)),
    returned(ONE.astype(ml_dtypes.bfloat16)),
    returned(ONE.reshape(1, 2)),
    returned(ONE.view(np.int32)),
    returned((ONE,)),
    returned([ONE]),
    returned((ONE, ONE)),
    returned(((ONE,), ONE)),
    returned((ONE, (ONE,))),
    returned(Named("Pair", {"a": ONE})),
    returned(Named("Pair", {"b": ONE})),
    returned(Named("Other", {"a": ONE})),
    returned(Other("<thing>")),
    returned(1),
    returned(1.0),
    returned(True),
    returned(None),
    returned("1"),
    returned(ONE, gradients={"input": ONE}),
    returned(ONE, gradients={"other": ONE}),
    returned(ONE, gradients={"input": None}),
    returned(ONE, mutated={"input": ONE}),
    returned(ONE, state={"input": ONE}),
    returned(ONE, gradient_error=Raised(types=("ValueError",), stage="gradient")),
    returned(ONE, gradient_error=Raised(types=("TypeError",), stage="gradient")),
    Raised(types=("ValueError", "Exception")),
    Raised(types=("TypeError", "Exception")),
    Raised(types=("ValueError", "Exception"), stage="construct"),
    Unsupported(types=("ValueError",), reason="device"),
    Unsupported(types=("ValueError",), reason="dtype"),
    Crashed(signal="SIGFPE"),
    Crashed(signal="SIGSEGV"),
    TimedOut(limit=1.0),
]


def test_what_can_be_told_apart_is() -> None:
    hashes = [behaviour(outcome) for outcome in DIFFERENT]
    assert len(set(hashes)) == len(DIFFERENT)
    assert {len(text) for text in hashes} == {10}


def nan(bits: int) -> np.ndarray[Any, Any]:
    return np.array([1, bits], np.uint32).view(np.float32)


SAME: list[tuple[Outcome, Outcome]] = [
    (returned(nan(0x7FC00000)), returned(nan(0xFFC00123))),
    (
        returned(np.array([complex(np.nan, 1)], np.complex64)),
        returned(np.array([complex(np.nan, 2)], np.complex64)),
    ),
    (
        returned(np.array([0x7FC0], np.uint16).view(ml_dtypes.bfloat16)),
        returned(np.array([0xFFC1], np.uint16).view(ml_dtypes.bfloat16)),
    ),
    (returned(Other("<f at 0x7f00>")), returned(Other("<f at 0x7f99>"))),
    (returned(ONE), returned(ONE.copy(), duration=3.0, warnings=(("UserWarning", "x"),))),
    (returned(np.ones((2, 2)).T), returned(np.ones((2, 2)))),
    (returned(np.float32(1)), returned(np.array(1, np.float32))),
    (
        returned(1, gradients={"a": ONE, "b": None}),
        returned(1, gradients={"b": None, "a": ONE}),
    ),
    (Raised(types=("ValueError",), message="a"), Raised(types=("ValueError",), message="b")),
    (Crashed(signal="SIGFPE", stderr="a"), Crashed(signal="SIGFPE", stderr="b")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_says_nothing_of_the_framework_does_not_count(one: Outcome, other: Outcome) -> None:
    assert behaviour(one) == behaviour(other) != ""


def test_what_never_ran_has_no_behaviour() -> None:
    assert behaviour(Unavailable(reason="absent")) == ""


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (returned(1), "returned"),
        (Raised(types=("KeyError", "Exception")), "raised KeyError"),
        (Raised(types=("AttributeError",), stage="resolve"), "no such API"),
        (Unsupported(types=("X",), reason="device"), "unsupported (device)"),
        (Crashed(signal="SIGFPE"), "crashed SIGFPE"),
        (Crashed(), "crashed"),
        (TimedOut(limit=1), "timed out"),
        (Unavailable(), "unavailable"),
    ],
)
def test_labels(outcome: Outcome, label: str) -> None:
    assert outcome_label(outcome) == label
