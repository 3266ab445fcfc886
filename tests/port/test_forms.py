"""What two models return, side by side, and what the verdict makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from conformance.port.both import Plan
from conformance.port.config import Mode
from conformance.port.forms import Paired, node, paired
from conformance.port.model import Array, Forward
from conformance.port.result import PortResult, Verdict
from conformance.port.verify import verify
from tests.port.fake_side import FakeSide, sequence
from tests.port.test_verify import draw
from tests.port.trained import parts

T = ("tensor", "float32")
NONE = ("none",)


def items(*forms: Any) -> Any:
    return "items", forms


def keys(**forms: Any) -> Any:
    return "keys", tuple(forms.items())


def fields(**forms: Any) -> Any:
    return "fields", tuple(forms.items())


def number(value: float) -> Any:
    return "number", value


def pairs(torch: Any, port: Any) -> Paired:
    return paired(*(node(Forward((), form=form)) for form in (torch, port)))


def test_what_has_keys_is_paired_by_them() -> None:
    nested = keys(cls=T, more=items(number(3), keys(box=T)))
    found = pairs(nested, nested)
    assert found.tensors == {"cls": (0, 0), "more.1.box": (1, 1)}
    assert (found.numbers, found.problems) == ({"more.0": (3, 3)}, {})
    assert pairs(keys(a=T, b=T), keys(b=T, a=T)).tensors == {"a": (0, 1), "b": (1, 0)}
    assert pairs(T, T).tensors == {"": (0, 0)}


def test_a_record_may_be_a_sequence_without_what_is_not_set() -> None:
    found = pairs(fields(logits=T, aux=NONE, states=T), items(T, T))
    assert (found.tensors, found.problems) == ({"logits": (0, 0), "states": (1, 1)}, {})


@pytest.mark.parametrize(
    ("torch", "port", "told"),
    [
        (items(T, NONE, T), items(T, T, NONE), "its output 1 is a tensor, PyTorch's None"),
        (items(T, T), items(T, T, T), "it returns a sequence of 3, PyTorch a sequence of 2"),
        (T, items(T), "it returns a sequence of 1, PyTorch a tensor"),
        (
            keys(cls=T, box=T),
            keys(cls=T, boxes=T),
            "it returns a mapping with the keys cls, boxes, "
            "PyTorch a mapping with the keys cls, box",
        ),
        (
            fields(a=T),
            keys(a=T),
            "it returns a mapping with the keys a, PyTorch a record with the fields a",
        ),
        (
            items(T, number(1)),
            items(T, T),
            "its output 1 is a tensor, PyTorch's the number 1",
        ),
        (("text", "on"), ("text", "off"), "it returns 'off', PyTorch 'on'"),
        (T, ("tensor", "float64"), "its output is of dtype float64, PyTorch's of float32"),
        (
            items(T, ("tensor", "bool")),
            items(T, ("tensor", "int32")),
            "its output 1 is of dtype int32, PyTorch's of bool",
        ),
    ],
)
def test_what_is_made_otherwise_is_said(torch: Any, port: Any, told: str) -> None:
    assert next(iter(pairs(torch, port).problems.values())) == told


def test_integers_of_other_widths_hold_the_same_numbers() -> None:
    assert not pairs(("tensor", "int64"), ("tensor", "int32")).problems


def test_as_many_tensors_are_compared_however_they_lie() -> None:
    assert pairs(T, items(T)).tensors == {"0": (0, 0)}


# In a verdict -----------------------------------------------------------------------------------

Returned = Callable[[Array], tuple[Sequence[Array], Any]]
"""From the network's output to the tensors that the model returns, and their form."""


def verified(torch: Returned, port: Returned, seeds: int = 3) -> PortResult:
    """Compare two models that are the same but for what they return."""

    def side(returned: Returned) -> type[FakeSide]:
        class Returning(FakeSide):
            def run(self, inputs: Sequence[Array], **asked: Any) -> Forward:
                ran = super().run(inputs, **asked)
                tensors, form = returned(ran.outputs[0])
                return Forward(tuple(tensors), ran.captured, form)

        return Returning

    made = parts()
    modes: Sequence[Mode] = ["pynative"]
    plan = Plan("fake", draw, seeds=seeds, modes=modes, calibrated=False)
    sides = (
        side(torch)("torch", made, sequence(*made)),
        side(port)("mindspore", made, sequence(*made)),
    )
    return verify(*sides, plan)


def heads(y: Array) -> tuple[Sequence[Array], Any]:
    return (2 * y, y), keys(box=T, cls=T)


def test_other_keys_for_the_same_tensors_differ() -> None:
    found = verified(heads, lambda y: ((y, 2 * y), keys(box=T, cls=T)))
    assert found.verdict is Verdict.DIFFERS
    assert {(row.name, row.verdict) for row in found.forward if row.name} == {
        ("box", Verdict.DIFFERS),
        ("cls", Verdict.DIFFERS),
    }
    assert found.sentence == "Not the same function: its outputs box and cls are exchanged."


def test_the_same_keys_in_another_order_are_the_same() -> None:
    found = verified(heads, lambda y: ((y, 2 * y), keys(cls=T, box=T)))
    assert found.verdict is Verdict.SAME, found.sentence


def test_another_form_differs_though_all_numbers_agree() -> None:
    found = verified(lambda y: ((y, y), items(T, NONE, T)), lambda y: ((y, y), items(T, T, NONE)))
    assert (found.verdict, found.exit_code, found.causes) == (Verdict.DIFFERS, 1, ())
    assert found.sentence == ("Not the same function: its output 1 is a tensor, PyTorch's None.")


def test_plain_numbers_are_compared() -> None:
    def half(y: Array) -> tuple[Sequence[Array], Any]:
        return (y,), items(T, number(0.5))

    def nan(y: Array) -> tuple[Sequence[Array], Any]:
        return (y,), items(T, number(float("nan")))

    assert verified(half, half).verdict is Verdict.SAME
    found = verified(half, lambda y: ((y,), items(T, number(7.5))))
    assert found.verdict is Verdict.DIFFERS
    assert found.sentence == (
        "Not the same function: its output 1 is the number 7.5, PyTorch's the number 0.5."
    )
    near = verified(half, lambda y: ((y,), items(T, number(0.5 * (1 + 1e-5)))))
    assert near.verdict is Verdict.UNRESOLVED, "between the budgets of a single number"
    assert verified(nan, nan).verdict is Verdict.SAME
    mean = verified(
        lambda y: ((y,), items(T, number(float(y.sum())))),
        lambda y: ((y,), items(T, number(float(y.sum(axis=0).sum())))),
    )
    assert mean.verdict is Verdict.SAME, mean.sentence


def test_one_number_is_compared_between_draws() -> None:
    def squares(y: Array) -> tuple[Sequence[Array], Any]:
        return (np.asarray(np.square(y).mean()),), T

    def otherwise(y: Array) -> tuple[Sequence[Array], Any]:
        return (np.asarray(np.square(y).mean() * y.dtype.type(1.001)),), T

    assert verified(squares, squares).verdict is Verdict.SAME
    assert verified(squares, otherwise).verdict is Verdict.DIFFERS
    found = verified(squares, squares, seeds=1)
    assert found.verdict is Verdict.UNRESOLVED
    assert "one number" in found.sentence
    assert "draw several" in found.sentence


def test_without_a_tensor_nothing_is_compared() -> None:
    found = verified(lambda y: ((), NONE), lambda y: ((), NONE))
    assert (found.verdict, found.exit_code) == (Verdict.NOT_COMPARED, 1)
    assert found.sentence == "Nothing was compared: it returns no tensor."
