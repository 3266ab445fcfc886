"""What all adapters share, on a framework made of a few lines."""

from __future__ import annotations

import sys
import types
import warnings
from collections import namedtuple
from enum import IntEnum
from fractions import Fraction
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.worker import wire
from conformance.worker.base import MAX_TEXT, Adapter, Message
from conformance.worker.values import leaves, named_fields, rebuild, same
from tests.worker.calls import arr, equal, message, read, step

Pair = namedtuple("Pair", ["values", "count"])


class MiniAdapter(Adapter):
    """NumPy under the package name ``mini``."""

    root = "mini"

    def tensor(self, value: Message) -> Any:
        return wire.unpack(value)

    def parameter(self, tensor: Any) -> Any:
        return ("parameter", tensor)

    def dtype(self, name: str) -> Any:
        return np.dtype(name)

    def array(self, value: Any) -> Message | None:
        return wire.pack(value.dtype.name, value) if isinstance(value, np.ndarray) else None

    def run_function(self, message: Message) -> Message:
        output = self.forward(message, self.inputs(message))
        return {"outcome": "returned", "output": self.output(output)}


@pytest.fixture
def mini(monkeypatch: pytest.MonkeyPatch) -> MiniAdapter:
    def own(function: Any) -> Any:
        function.__module__ = "mini.kernels"
        return function

    root, sub = types.ModuleType("mini"), types.ModuleType("mini.sub")

    def warn(input: Any) -> Any:
        for word in ("first", "second \udc80"):
            warnings.warn(word, DeprecationWarning, stacklevel=1)
        return input

    def fail(input: Any) -> Any:
        raise KeyError("no \udc80 " + "x" * 2 * MAX_TEXT)

    root.__dict__.update(
        abs=own(lambda input: abs(input) + 0),
        add=own(lambda input, other, *, alpha=1: input + alpha * other),
        warn=own(warn),
        fail=own(fail),
        sub=sub,
        os=types.ModuleType("os"),
        loads=execnet.loads,
        evaluate=eval,
        _hidden=own(lambda: None),
    )
    sub.__dict__.update(square=own(lambda input: input * input))
    monkeypatch.setitem(sys.modules, "mini", root)
    monkeypatch.setitem(sys.modules, "mini.sub", sub)
    return MiniAdapter("cpu", "eager")


@pytest.mark.parametrize(
    ("before", "after", "dtype", "expected"),
    [
        ([1, 2], [1, 2], "float32", True),
        ([1, 2], [1, 3], "float32", False),
        ([np.nan, 1], [np.nan, 1], "float16", True),
        ([np.nan, 1], [1, np.nan], "float64", False),
        ([0.0], [-0.0], "float64", False),
        ([0.0], [-0.0], "bfloat16", False),
        (-0.0, -0.0, "float32", True),
        (0.0, -0.0, "float32", False),
        ([1.5], [1.75], "bfloat16", False),
        ([np.inf], [np.inf], "bfloat16", True),
        ([1 + 2j], [1 + 3j], "complex64", False),
        ([complex(0, 0.0)], [complex(0, -0.0)], "complex64", False),
        (1 + 2j, 1 - 2j, "complex128", False),
        ([1], [2], "int64", False),
        ([True], [False], "bool", False),
        ([], [], "float32", True),
    ],
)
def test_same(before: Any, after: Any, dtype: str, expected: bool) -> None:
    assert same(arr(before, dtype), arr(after, dtype)) is expected


@pytest.mark.parametrize(
    ("dtype", "bits"), [("float32", 0x7FC00001), ("bfloat16", 0x7FC1), ("float16", 0x7E01)]
)
def test_nan_is_nan_whatever_its_bits(dtype: str, bits: int) -> None:
    width = np.uint32 if dtype == "float32" else np.uint16
    strange = wire.pack(dtype, np.array([bits], width))
    assert same(strange, arr([np.nan], dtype))


def test_another_shape_or_dtype_is_not_the_same() -> None:
    assert not same(arr([0, 0]), arr([[0, 0]]))
    assert not same(arr([0], "int32"), arr([0], "float32"))


def test_named_fields() -> None:
    assert named_fields(Pair(1, 2)) == ("values", "count")
    assert named_fields(sys.version_info) == ("major", "minor", "micro", "releaselevel", "serial")
    assert named_fields((1, 2)) == ()


def test_leaves_and_rebuild() -> None:
    nested = (1, [2, (3,)], Pair(4, []))
    assert list(leaves(nested)) == [1, 2, 3, 4]
    assert rebuild(nested, iter("abcd")) == ("a", ("b", ("c",)), ("d", ()))
    assert rebuild(7, iter("a")) == "a"


def test_what_resolves(mini: MiniAdapter) -> None:
    assert mini.resolve("mini.abs")(np.array(-2.0)) == 2
    assert mini.resolve("mini.sub.square")(3) == 9


@pytest.mark.parametrize(
    "api",
    [
        "mini.absent",
        "mini.sub.absent",
        "mini.abs.absent",
        "mini._hidden",
        "mini.abs.__globals__",
        "mini.sub",
        "mini.os",
        "mini.loads",
        "mini.evaluate",
        "os.system",
        "builtins.eval",
    ],
)
def test_what_does_not_resolve(mini: MiniAdapter, api: str) -> None:
    with pytest.raises(AttributeError):
        mini.resolve(api)


def test_an_api_that_is_not_there_is_raised_by_the_call(mini: MiniAdapter) -> None:
    reply = mini.execute(message(step("mini.absent", "input"), input=arr([1])))
    assert (reply["outcome"], reply["types"][0]) == ("raised", "AttributeError")
    assert "absent" in reply["message"]


class Level(IntEnum):
    """A number that is more than a number."""

    HIGH = 3


@pytest.mark.parametrize(
    ("returned", "plain"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (1 + 2j, 1 + 2j),
        ("text", "text"),
        (np.float64(2.5), 2.5),
        (np.complex128(1j), 1j),
        (np.str_("text"), "text"),
        (Level.HIGH, 3),
        ((1, [2, ()]), (1, [2, ()])),
        (Fraction(1, 3), {wire.OBJECT: "Fraction(1, 3)"}),
    ],
)
def test_output_of_what_is_no_tensor(mini: MiniAdapter, returned: Any, plain: Any) -> None:
    found = mini.output(returned)
    assert found == plain
    assert type(found) is type(plain)
    assert execnet.loads(execnet.dumps(found)) == plain


def test_output_of_named_tuples(mini: MiniAdapter) -> None:
    found = mini.output((Pair(np.array([1.0]), 2), [np.array(3)]))
    kind, fields = found[0][wire.NAMED]
    assert (kind, list(fields), fields["count"]) == ("Pair", ["values", "count"], 2)
    equal(fields["values"], [1.0], "float64")
    equal(found[1][0], 3, "int64")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_arrays_are_given_in_the_form_asked_for(mini: MiniAdapter, dtype: str) -> None:
    tensor = mini.value(arr([1.5, 2], "float32"))
    assert isinstance(tensor, np.ndarray)
    assert mini.value(arr([1.5], as_="parameter"))[0] == "parameter"
    assert mini.value(arr([1.5, 2], dtype, as_="list")) == [1.5, 2.0]
    scalar = mini.value(arr(1.5, dtype, as_="scalar"))
    assert (scalar, type(scalar)) == (1.5, float)
    given = mini.value(arr([1.5, 2], dtype, as_="ndarray"))
    assert (given.dtype, given.tolist()) == (np.float32, [1.5, 2])


def test_other_values(mini: MiniAdapter) -> None:
    assert mini.value({wire.DTYPE: "int8"}) == np.dtype("int8")
    nested = mini.value((1, (None, {wire.DTYPE: "bool"})))
    assert nested == (1, (None, np.dtype("bool")))


def test_steps_feed_steps(mini: MiniAdapter) -> None:
    steps = [
        step("mini.abs", "x"),
        step("mini.add", 0, "y", kwargs={"alpha": "factor"}),
        step("mini.sub.square", 1),
    ]
    values: Message = {"x": arr([-1, 2]), "y": arr([10, 20]), "factor": 2}
    reply = mini.execute(message(*steps, **values))
    equal(reply["output"], [21**2, 42**2], "float32")
    both = mini.execute(message(*steps, returns=[1, 0], **values))
    assert [a.tolist() for a in read(both["output"])] == [[21, 42], [1, 2]]


def test_fixed_values_go_with_the_call(mini: MiniAdapter) -> None:
    one = step("mini.add", "x", "x", fixed={"alpha": 3})
    equal(mini.execute(message(one, x=arr([1, 2])))["output"], [4, 8], "float32")


def test_warnings_are_kept_all_and_in_order(mini: MiniAdapter) -> None:
    for _ in range(2):  # also the second time: Python's "once per place" must not hide them
        reply = mini.execute(message(step("mini.warn", "x"), x=arr([1])))
        assert reply["warnings"] == (
            ("DeprecationWarning", "first"),
            ("DeprecationWarning", "second ?"),
        )
        assert execnet.loads(execnet.dumps(reply)) == reply  # half characters would not travel
    assert "warnings" not in mini.execute(message(step("mini.abs", "x"), x=arr([1])))


def test_an_exception_is_a_reply_that_can_be_sent(mini: MiniAdapter) -> None:
    reply = mini.execute(message(step("mini.fail", "x"), x=arr([1])))
    assert reply["types"] == ("KeyError", "LookupError", "Exception")
    assert reply["stage"] == "call"
    assert len(reply["message"]) <= MAX_TEXT + 2
    assert execnet.loads(execnet.dumps(reply)) == reply


def test_the_frameworks_own_call_stack_is_cut(mini: MiniAdapter) -> None:
    dashes = "-" * 52
    text = (
        f"For 'abs', no.\n\n{dashes}\n- C++ Call Stack: (For framework developers)\n{dashes}\nx.cc"
    )
    assert mini.raised(TypeError(text))["message"] == "For 'abs', no."
