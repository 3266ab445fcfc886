"""What sessions of all frameworks share: nested calls, what hooks saw, failures as one line."""

from __future__ import annotations

import re
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.worker import wire
from conformance.worker.port import Session
from conformance.worker.port_calls import Array, Recorder, Trail, flatten, is_slot, rebuild, slots
from conformance.worker.port_errors import SessionError, failure, import_callable
from conformance.worker.port_form import form, leaves
from conformance.worker.port_wire import arrays, packed, plain, unpacked

Pair = namedtuple("Pair", ["left", "right"])


@dataclass(frozen=True)
class Output:
    logits: Any
    hidden: Any = None
    label: str = "none"


class Ordered(OrderedDict[str, Any]):
    """Outputs of transformer libraries are such mappings."""


def is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def number(value: int) -> Any:
    return np.array(value)


NESTED = (
    number(1),
    [number(2), {"b": number(3), "a": (number(4), None)}],
    Pair(number(5), "text"),
    Output(number(6), [number(7)]),
    Ordered(x=number(8), y=3),
    SimpleNamespace(z=number(9)),
    7,
)


def test_tensors_come_out_left_to_right() -> None:
    assert [int(t) for t in flatten(NESTED, is_tensor)] == list(range(1, 10))


def test_outputs_come_in_the_order_of_their_form() -> None:
    """A mapping's by its keys, a record's by its fields, whichever way they were put in."""
    assert [int(t) for t in leaves(NESTED, is_tensor)] == [1, 2, 4, 3, 5, 6, 7, 8, 9]
    held = [
        {"b": number(2), "a": (number(1), None)},
        Pair(number(3), "on"),
        Output(logits=number(4)),
        0.5,
        True,
        2**70,
        object(),
    ]
    t = ("tensor", "int64")
    found = form(held, lambda value: value.dtype.name if is_tensor(value) else None)
    assert found == (
        "items",
        (
            ("keys", (("a", ("items", (t, ("none",)))), ("b", t))),
            ("fields", (("left", t), ("right", ("text", "on")))),
            ("fields", (("logits", t), ("hidden", ("none",)), ("label", ("text", "none")))),
            ("number", 0.5),
            ("number", True),
            ("text", str(2**70)),
            ("other", "object"),
        ),
    )


def test_a_call_is_rebuilt_with_other_tensors_and_its_own_types() -> None:
    fresh = [number(10 * i) for i in range(1, 10)]
    made = rebuild(NESTED, is_tensor, iter(fresh))
    assert [int(t) for t in flatten(made, is_tensor)] == [10 * i for i in range(1, 10)]
    assert [type(part) for part in made] == [type(part) for part in NESTED]
    assert (made[2].right, made[3].label, made[4]["y"], made[6]) == ("text", "none", 3, 7)
    assert int(NESTED[3].logits) == 6  # the original is as it was
    assert int(NESTED[4]["x"]) == 8


class Tensors:
    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, np.ndarray)

    def array(self, tensor: Any) -> Any:
        return np.array(tensor)


def has_nan(tensor: Any) -> bool:
    return bool(np.isnan(tensor).any())


def recorded(**options: Any) -> Recorder:
    """Return what is recorded of outer(inner(x), x) and inner again, inside a container."""
    recorder = Recorder(Tensors(), {"outer", "inner"}, **options)
    x = np.ones((2, 3))
    recorder.enter("", (x,), {})
    recorder.enter("outer", (x,), {"other": x[0]})
    recorder.enter("inner", (x,), {"flag": True})
    recorder.leave("inner", x * np.nan)
    recorder.leave("outer", (x, x[:1]))
    recorder.enter("inner", (x[:1],), {})
    recorder.leave("inner", x[:1])
    recorder.leave("", x)
    return recorder


def test_calls_are_numbered_nested_and_measured() -> None:
    calls = recorded().calls
    assert [(c.key, c.depth) for c in calls] == [
        (("outer", 0), 0), (("inner", 0), 1), (("inner", 1), 0)
    ]  # fmt: skip
    assert (calls[0].inputs, calls[0].outputs) == (((2, 3), (3,)), ((2, 3), (1, 3)))
    sent = execnet.loads(execnet.dumps(calls[1].message()))
    assert sent == {"key": ("inner", 0), "depth": 1, "inputs": ((2, 3),), "outputs": ((2, 3),)}


def test_only_what_was_asked_for_is_captured_and_as_it_was_then() -> None:
    recorder = Recorder(Tensors(), {"a"}, [("a", 1)])
    x = np.zeros(2)
    for _ in range(3):
        recorder.enter("a", (x,), {})
        x += 1
        recorder.leave("a", x)
    assert list(recorder.captured) == [("a", 1)]
    (given,), (returned,) = recorder.captured["a", 1]
    assert (given.tolist(), returned.tolist()) == ([1, 1], [2, 2])


def test_a_call_is_remembered_once_for_each_count_of_tensors() -> None:
    (template,) = recorded().templates["inner"]
    assert slots(template) == 1
    args, kwargs = rebuild(template, is_slot, iter([5]))
    assert (args, kwargs) == ((5,), {"flag": True})


def test_the_first_nan_is_placed() -> None:
    recorder = recorded(watch=has_nan)
    assert (recorder.nan, recorder.nan_layer) == ("in the output of layer 'inner'", "inner")
    assert recorded().nan == ""
    recorder = Recorder(Tensors(), {"a"}, watch=has_nan)
    recorder.enter("a", (np.array([np.nan]),), {})
    assert recorder.nan == "before layer 'a'"


def test_a_layer_whose_failure_the_model_caught_is_not_running_any_more() -> None:
    recorder = Recorder(Tensors(), {"outer", "inner"})
    recorder.enter("outer", (), {})
    recorder.enter("inner", (), {})
    recorder.leave("outer", np.ones(4))
    assert recorder.running == []
    assert [c.outputs for c in recorder.calls] == [((4,),), ()]


def test_a_trail_leads_to_the_innermost_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Trail.end(tmp_path) is None
    monkeypatch.setattr(Recorder, "trail", Trail(tmp_path))
    recorder = Recorder(Tensors(), ())
    seen = []
    for act in ("long.name", "b", "", None, None, None):
        if act is None:
            recorder.leave(recorder.running[-1], None)
        else:
            recorder.enter(act, (), {})
        seen.append(Trail.end(tmp_path))
    assert seen == ["long.name", "b", "", "b", "long.name", None]


class Plain(Session):
    """A session of no framework."""

    unsupported = (("device", re.compile("kernel .* unregistered")),)

    def seed(self, seed: int) -> None:
        self.seeded = seed

    def hold(self, model: Any) -> None:
        self.model = model

    def read(self, names: Any, precision: str) -> dict[str, Any]:
        self.running = ["", "layer.1"]
        raise self.model

    def layers(self) -> list[dict[str, Any]]:
        raise SystemExit(2)


def asked(error: BaseException) -> dict[str, Any]:
    session = Plain()
    session.adopt(error)
    outcome, value = session.answer("read", {"names": None, "precision": "float32"})
    assert outcome == "failed"
    told: dict[str, Any] = execnet.loads(execnet.dumps(value))
    return told


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("two\n  lines"), "ValueError", "ValueError: two lines"),
        (ValueError(), "ValueError", "ValueError"),
        (MemoryError(), "OutOfMemory", "out of memory"),
        (RuntimeError("can't allocate memory: 8"), "OutOfMemory", "out of memory: can't allocate"),
        (RuntimeError("kernel X unregistered"), "NoKernel", "no kernel for this: kernel X unreg"),
        (RuntimeError("bad\n----------------------------------\n- C++"), "RuntimeError", "bad"),
        (SessionError("Random", "draws"), "Random", "draws"),
    ],
)
def test_failures_are_one_line_with_the_innermost_layer(
    error: Exception, kind: str, message: str
) -> None:
    told = asked(error)
    assert (told["type"], told["layer"]) == (kind, "layer.1")
    assert message in told["message"]
    assert "\n" not in told["message"]
    assert "C++" not in told["message"]


def test_a_failure_that_knows_its_layer_is_believed() -> None:
    assert asked(SessionError("NaN", "is NaN", ""))["layer"] == ""


def test_a_long_message_is_cut() -> None:
    assert len(asked(ValueError("x" * 10_000))["message"]) < 500


def test_what_ends_a_process_does_not_end_the_session() -> None:
    outcome, told = Plain().answer("layers", {})
    assert (outcome, told["type"], told["layer"]) == ("failed", "SystemExit", None)


@pytest.mark.parametrize("method", ["answer", "hold", "_take", "adopt", "nothing"])
def test_the_list_of_methods_is_closed(method: str) -> None:
    outcome, told = Plain().answer(method, {})
    assert (outcome, told["message"]) == ("failed", f"no method {method!r}")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user's modules on the path, forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    (tmp_path / "lacking.py").write_text("import absent_thing\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    (tmp_path / "right.py").write_text(
        "import os\nclass A:\n    N = 3\n    @staticmethod\n    def b(**options):\n"
        "        return os.getcwd(), options\n"
        "def raises():\n    import json\n    return json.loads('{')\n"
    )
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_callable_may_be_dotted(modules: Path) -> None:
    _, options = import_callable("right:A.b")(x=1)
    assert options == {"x": 1}


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("right", "'right' is not module:callable"),
        ("right:", "'right:' is not module:callable"),
        ("wronged:f", "wronged:f: no module 'wronged' here; is its folder in `path`?"),
        ("right:A.c", "right:A.c: A has no 'c'"),
        ("right:A.N", "right:A.N is not callable, but of type int"),
    ],
)
def test_a_name_that_is_no_callable_is_said(modules: Path, named: str, said: str) -> None:
    with pytest.raises(SessionError) as caught:
        import_callable(named)
    assert caught.value.kind == "Import"
    assert str(caught.value) == said


def built(modules: Path, build: str, **message: Any) -> tuple[Session, str, Any]:
    session = Plain()
    arguments = {"build": build, "path": [str(modules)], **message}
    return session, *session.answer("build", arguments)


def test_what_a_module_lacks_is_placed_in_it(modules: Path) -> None:
    _, _, told = built(modules, "lacking:f")
    assert told["message"] == "ModuleNotFoundError: No module named 'absent_thing'"
    assert told["where"] == f"{modules}/lacking.py:1"


def test_a_syntax_error_is_placed(modules: Path) -> None:
    _, _, told = built(modules, "wrong:f")
    assert told["where"] == f"{modules}/wrong.py:1"


def test_a_failure_below_the_users_code_is_placed_in_it(modules: Path) -> None:
    _, _, told = built(modules, "right:raises")
    assert told["type"] == "JSONDecodeError"
    assert told["where"] == f"{modules}/right.py:9"


def test_a_failure_of_nobody_has_no_place() -> None:
    assert failure(ValueError("x"), None)["where"] == ""


def test_a_model_is_built_in_the_users_folder_from_a_seed(modules: Path) -> None:
    before = Path.cwd()
    session, outcome, _ = built(
        modules, "right:A.b", folder=str(modules), seed=5, arguments={"a": 1},
        loss={"build": "right:A"},
        optimizer={"build": "right:A.b", "arguments": {"lr": 2}},
    )  # fmt: skip
    assert outcome == "ok"
    assert isinstance(session, Plain)
    assert (session.model, session.seeded) == ((str(modules), {"a": 1}), 5)
    assert Path.cwd() == before
    assert type(session.loss).__name__ == "A"  # a class is made
    assert session.optimizer is not None
    assert (session.optimizer.arguments, session.optimizer.native) == ({"lr": 2}, False)


def test_the_frameworks_own_optimizers_are_known_by_package(
    modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plain, "optimizers", ("right",))
    given = {"build": "right:A.b", "arguments": {}}
    session, _, _ = built(modules, "right:A.b", optimizer=given)
    assert session.optimizer is not None
    assert session.optimizer.native
    monkeypatch.setattr(Plain, "optimizers", ("righ",))
    session, _, _ = built(modules, "right:A.b", optimizer=given)
    assert session.optimizer is not None
    assert not session.optimizer.native


def test_a_folder_that_is_none_is_said(modules: Path) -> None:
    _, _, told = built(modules, "right:A.b", folder=f"{modules}/x")
    assert told["message"] == f"{modules}/x: no such folder"


def test_arrays_travel_as_they_are() -> None:
    array = np.arange(6, dtype=np.int64).reshape(2, 3).T
    back = unpacked(execnet.loads(execnet.dumps(packed(array))))
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.int64
    half = wire.pack("bfloat16", np.array([0x3FC0], np.uint16))
    assert unpacked(half).tolist() == [1.5]


def test_settings_become_builtin_types() -> None:
    given = {"a": np.float64(0.5), "b": [True, None, (1, "x")], "c": np.dtype("float32"), 3: 4}
    made = execnet.loads(execnet.dumps(plain(given)))
    assert made == {"a": 0.5, "b": (True, None, (1, "x")), "c": "float32", "3": 4}
    assert made["b"][0] is True


A = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([1], "returned list; return a dict"),
        ({1: A}, "the name 1, no text"),
        ({"a": "text"}, "a is str, not an array"),
    ],
)
def test_a_converter_that_returns_something_else(result: object, message: str) -> None:
    with pytest.raises(SessionError, match=message):
        arrays(result)


def test_tensors_of_frameworks_are_taken() -> None:
    class Tensor:
        def asnumpy(self) -> Array:
            return A

    np.testing.assert_array_equal(arrays({"a": Tensor()})["a"], A)
