"""A MindSpore model in a session: what it says of itself, and values worked out by hand."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.worker import wire
from conformance.worker.port_wire import packed, unpacked

pytestmark = pytest.mark.frameworks
MODULE = "tests.worker.port_cells"
X = np.array([[1.0, -2.0, 3.0], [5.0, 2.0, -3.0]], np.float32)
GRAPH = pytest.mark.parametrize("graph", [False, True], ids=["pynative", "graph"])


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker stands in a folder of its own, since MindSpore writes where it stands."""
    path = tmp_path_factory.mktemp("worker")
    with contextlib.chdir(path):
        yield path


@pytest.fixture(scope="module")
def mindspore() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mindspore  # noqa: PLC0415
    return mindspore


class Asked:
    """A session spoken to over the wire; what it answers must be sendable."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def __call__(self, method: str, **arguments: Any) -> Any:
        kind, value = self.answer(method, **arguments)
        assert kind == "ok", value
        return value

    def answer(self, method: str, **arguments: Any) -> Any:
        if method in ("run", "replay", "differentiate", "trace"):
            arguments = {"training": False, **arguments}
        if method in ("run", "replay", "differentiate"):
            arguments = {"precision": "float32", "graph": False, **arguments}
        if method == "run":
            arguments = {"capture": [], **arguments}
        if method in ("read", "begin", "step"):
            arguments = {"precision": "float32", **arguments}
        for name in ("inputs", "targets"):
            if name in arguments:
                arguments[name] = [packed(np.asarray(a)) for a in arguments[name]]
        return execnet.loads(execnet.dumps(self.session.answer(method, arguments)))

    def build(self, name: str, **given: Any) -> None:
        self("build", build=name if ":" in name else f"{MODULE}:{name}", **given)

    def read(self) -> dict[str, np.ndarray[Any, Any]]:
        return {n: unpacked(v) for n, v in self("read", names=None).items()}

    def write(self, **values: Any) -> None:
        named = {n.replace("__", "."): np.array(v, np.float32) for n, v in values.items()}
        self("write", values={name: packed(v) for name, v in named.items()})

    def outputs(self, method: str = "run", **given: Any) -> list[np.ndarray[Any, Any]]:
        value = self(method, **given)
        return [unpacked(v) for v in (value["outputs"] if method == "run" else value)]

    def failure(self, method: str, **arguments: Any) -> dict[str, Any]:
        kind, value = self.answer(method, **arguments)
        assert kind == "failed", value
        assert "\n" not in value["message"]
        found: dict[str, Any] = value
        return found


@pytest.fixture
def ask(mindspore: Any) -> Asked:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conformance.worker.port_mindspore import MindSporeSession  # noqa: PLC0415

        return Asked(MindSporeSession("cpu", "pynative"))


# What it is made of -----------------------------------------------------------------------------


def test_tensors_go_by_attribute_path_with_owner_and_whether_training_updates_them(
    ask: Asked,
) -> None:
    ask.build("Mixed")
    rows = {t["name"]: (t["layer"], t["trainable"], t["same_as"]) for t in ask("tensors")}
    assert rows == {
        "scale": ("", True, ""),
        "shift": ("", False, ""),
        "norm.moving_mean": ("norm", False, ""),
        "norm.moving_variance": ("norm", False, ""),
        "norm.gamma": ("norm", True, ""),
        "norm.beta": ("norm", True, ""),
        "first.weight": ("first", True, ""),
        "first.bias": ("first", False, ""),
        "second.weight": ("second", True, "first.weight"),
    }
    assert {(t["shape"], t["dtype"]) for t in ask("tensors")} == {
        ((3,), "float32"),
        ((3, 3), "float32"),
    }


def test_layers_come_parents_first_with_their_own_tensors(ask: Asked) -> None:
    ask.build("Mixed")
    layers = {layer["name"]: layer for layer in ask("layers")}
    assert list(layers) == ["", "norm", "first", "second"]
    assert layers["first"]["tensors"] == ("first.weight", "first.bias")
    assert layers["first"]["type"] == "mindspore.nn.Dense"
    assert layers[""]["type"] == f"{MODULE}.Mixed"
    assert (layers[""]["leaf"], layers["norm"]["leaf"]) == (False, True)
    assert layers["norm"]["kind"]


# Values -----------------------------------------------------------------------------------------


@GRAPH
def test_what_is_written_is_what_runs_also_after_compiling(ask: Asked, graph: bool) -> None:
    """``Parameter.set_data`` would leave a compiled graph with the values it had."""
    ask.build("Mixed")
    ask.outputs(inputs=[X], graph=graph)
    ask.write(
        first__weight=np.eye(3), first__bias=[1, 2, 3], scale=[2, 2, 2],
        norm__moving_mean=[1, 0, 0], norm__moving_variance=[4, 1, 1],
    )  # fmt: skip
    normed = (X - [1, 0, 0]) / np.sqrt(np.array([4, 1, 1]) + 1e-5) * 2
    (out,) = ask.outputs(inputs=[X], graph=graph)
    np.testing.assert_allclose(out, np.add(normed, [1, 2, 3]), rtol=1e-6)
    ask.write(shift=[0.5, 0, 0])
    (out,) = ask.outputs(inputs=[X], graph=graph)
    np.testing.assert_allclose(out, np.add(normed, [1.5, 2, 3]), rtol=1e-6)


def test_reading_gives_copies_and_writing_keeps_dtypes(ask: Asked) -> None:
    ask.build("Mixed")
    before = ask.session.read(["scale"], "float32")["scale"]
    ask("write", values={"scale": packed(np.array([7, 8, 9]))})
    assert before.tolist() == [1, 1, 1]
    assert ask.read()["scale"].tolist() == [7, 8, 9]
    assert ask.read()["scale"].dtype == np.float32


def test_writing_is_all_or_nothing_and_says_what_does_not_fit(ask: Asked) -> None:
    ask.build("Mixed")
    one = packed(np.zeros(3, np.float32))
    values = {"scale": one, "first.weight": one}
    assert (
        "first.weight has shape (3, 3), not (3,)" in ask.failure("write", values=values)["message"]
    )
    assert "no tensor 'scael'" in ask.failure("write", values={"scael": one})["message"]
    twins = {n: packed(np.full((3, 3), v)) for n, v in (("first.weight", 1), ("second.weight", 2))}
    assert "one tensor" in ask.failure("write", values=twins)["message"]
    assert ask.read()["scale"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_a_checkpoint_comes_back(ask: Asked, tmp_path: Path, mindspore: Any, suffix: str) -> None:
    ask.build("Mixed")
    path = str(tmp_path / f"model{suffix}")
    ask.write(scale=[3, 4, 5], norm__moving_mean=[1, 2, 3])
    ask("save", path=path)
    held = mindspore.load_checkpoint(path, format=suffix[1:])
    assert "gain" in held
    assert "norm.moving_mean" in held
    before = ask.read()
    ask.write(scale=[0, 0, 0], norm__moving_mean=[0, 0, 0], first__weight=np.zeros((3, 3)))
    ask("load", path=path)
    assert all(np.array_equal(before[n], v) for n, v in ask.read().items())


def test_a_batch_norm_that_is_the_model_saves_mean_and_variance(
    ask: Asked, tmp_path: Path, mindspore: Any
) -> None:
    ask.build("mindspore.nn:BatchNorm1d", arguments={"num_features": 3})
    ask.outputs(inputs=[X], training=True)
    ask.outputs(inputs=[X], training=True, graph=True)
    ask("differentiate", inputs=[X], targets=[])
    ask("save", path=str(tmp_path / "norm.ckpt"))
    assert set(mindspore.load_checkpoint(str(tmp_path / "norm.ckpt"))) == {
        "mean", "variance", "gamma", "beta",
    }  # fmt: skip
    assert set(ask.read()) == {"moving_mean", "moving_variance", "gamma", "beta"}
    ask("load", path=str(tmp_path / "norm.ckpt"))


def test_a_checkpoint_that_does_not_fit_is_refused(
    ask: Asked, tmp_path: Path, mindspore: Any
) -> None:
    ask.build("Line")
    tensors = {n: mindspore.Tensor(np.ones(1, np.float32)) for n in ("weight", "bias")}
    path = str(tmp_path / "line.ckpt")

    def saved(**more: str) -> None:
        rows = [{"name": n, "data": tensors["bias"]} for n in [*tensors, *more.values()]]
        mindspore.save_checkpoint(rows, path)

    saved()
    assert "has no unused" in ask.failure("load", path=path)["message"]
    saved(a="unused", b="wieght")
    assert "has wieght, which the model lacks" in ask.failure("load", path=path)["message"]
    saved(a="unused", b="moment1.weight", c="global_step")
    ask("load", path=path)
    assert ask.read()["weight"].tolist() == [1]
    tensors["bias"] = mindspore.Tensor(np.ones((1, 2), np.float32))
    saved(a="unused")
    said = ask.failure("load", path=path)["message"]
    assert said.startswith(f"{path} does not fit the model: it has other shapes: ")
    assert "bias (1, 2) for (1,)" in said
    assert "no such file" in ask.failure("load", path="none.ckpt")["message"]
    assert ".safetensors" in ask.failure("save", path="model.pt")["message"]


def test_parameters_of_one_name_are_not_lost_in_a_checkpoint(ask: Asked, tmp_path: Path) -> None:
    ask.build("Twice")
    found = ask.failure("save", path=str(tmp_path / "twice.ckpt"))
    assert "several parameters are named weight, bias" in found["message"]
    x = np.ones((2, 2), np.float32)
    gradients = ask("differentiate", inputs=[x], targets=[])["gradients"]
    assert set(gradients) == {"a.weight", "a.bias", "b.weight", "b.bias"}


# Forward ----------------------------------------------------------------------------------------


def test_calls_are_traced_in_order_with_every_tensor(ask: Asked) -> None:
    ask.build("Nested")
    calls = ask("trace", inputs=[X[:, None]])
    rows = [(c["key"], len(c["inputs"]), len(c["outputs"]), c["depth"]) for c in calls]
    assert rows[:4] == [
        (("twice", 0), 1, 1, 0),
        (("twice", 1), 1, 1, 0),
        (("masked", 0), 3, 1, 0),
        (("lstm", 0), 1, 3, 0),
    ]
    assert [(key[0], depth) for key, _, _, depth in rows[4:]] == [("lstm.rnn", 1)]
    assert calls[3]["outputs"] == ((2, 1, 2), (1, 2, 2), (1, 2, 2))


@GRAPH
def test_a_captured_call_is_replayed_as_it_was_made(ask: Asked, graph: bool) -> None:
    ask.build("Nested")
    x = X[:, None]
    ran = ask("run", inputs=[x], capture=[("twice", 1), ("masked", 0), ("lstm", 0)])
    captured = {key: (given, got) for key, given, got in ran["captured"]}
    given, got = (tuple(map(unpacked, side)) for side in captured["twice", 1])
    np.testing.assert_array_equal(given[0], np.maximum(x, 0) - 1)
    np.testing.assert_array_equal(got[0], np.maximum(given[0], 0))
    masked = [unpacked(v) for v in captured["masked", 0][0]]
    (out,) = ask.outputs("replay", layer="masked", inputs=masked, graph=graph)
    np.testing.assert_allclose(out, masked[0] + 2 * x * x)
    lstm = [unpacked(v) for v in captured["lstm", 0][0]]
    states = ask.outputs("replay", layer="lstm", inputs=lstm, graph=graph)
    assert len(states) == 3
    for one, other in zip(states, captured["lstm", 0][1], strict=True):
        np.testing.assert_allclose(one, unpacked(other), rtol=1e-6)


@GRAPH
def test_outputs_are_flattened_left_to_right(ask: Asked, graph: bool) -> None:
    ask.build("Nested")
    outputs = ask.outputs(inputs=[X[:, None]], graph=graph)
    assert [o.shape for o in outputs] == [(1, 2, 2), (1, 2, 2), (2, 1, 2)]
    np.testing.assert_array_equal(outputs[2][:, 0], outputs[0][0])  # "last" before "states"


@GRAPH
def test_the_form_of_outputs_is_told(ask: Asked, graph: bool) -> None:
    ask.build("Heads")
    y, flag = ("tensor", "float32"), ("tensor", "bool")
    rest = ("items", (flag, ("number", 0.5), ("none",), ("number", True)))
    assert ask("run", inputs=[X], graph=graph)["form"] == ("keys", (("a", y), ("b", rest)))
    loss = ask("differentiate", inputs=[X], targets=[], graph=graph)["loss"]
    assert loss == pytest.approx(float((2 * X * wire.cotangent(X.shape, 0)).sum()), rel=1e-5)


@GRAPH
def test_inputs_are_in_float32_and_whole_numbers_stay(ask: Asked, graph: bool) -> None:
    ask.build("Line")
    (out,) = ask.outputs(inputs=[X.astype(np.float64)], graph=graph)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, 2 * X + 1)
    ask.build("mindspore.nn:Embedding", arguments={"vocab_size": 3, "embedding_size": 2})
    ask.write(embedding_table=[[0, 1], [2, 3], [4, 5]])
    (out,) = ask.outputs(inputs=[np.array([[2, 0]])], graph=graph)
    assert out.tolist() == [[[4, 5], [0, 1]]]


def test_what_its_author_compiles_is_traced_inside(ask: Asked) -> None:
    ask.build("Compiled")
    assert [c["key"] for c in ask("trace", inputs=[X])] == [("outer.inner", 0)]
    np.testing.assert_array_equal(ask.outputs(inputs=[X])[0], np.maximum(X, 0))


@GRAPH
def test_training_uses_the_batch_and_leaves_no_trace(ask: Asked, graph: bool) -> None:
    ask.build("mindspore.nn:BatchNorm1d", arguments={"num_features": 3})
    before = ask.read()
    (train,) = ask.outputs(inputs=[X], training=True, graph=graph)
    (evaluated,) = ask.outputs(inputs=[X], graph=graph)
    np.testing.assert_allclose(train[0], -np.sign(X[1] - X[0]), rtol=1e-4)
    np.testing.assert_allclose(evaluated, X / np.sqrt(1 + 1e-5), rtol=1e-6)
    (alone,) = ask.outputs("replay", layer="", inputs=[X], training=True, graph=graph)
    np.testing.assert_array_equal(alone, train)
    state = ask("differentiate", inputs=[X], targets=[], training=True, graph=graph)["state"]
    np.testing.assert_allclose(unpacked(state["moving_mean"]), X.mean(0) / 10, rtol=1e-5)
    assert all(np.array_equal(before[n], v) for n, v in ask.read().items())


@GRAPH
def test_a_patch_shows_in_both_modes(ask: Asked, graph: bool) -> None:
    ask.build("mindspore.nn:BatchNorm1d", arguments={"num_features": 3})
    ask.outputs(inputs=[X], graph=graph)
    ask("patch", layer="", settings={"eps": 1.0})
    (out,) = ask.outputs(inputs=[X], graph=graph)
    np.testing.assert_allclose(out, X / np.sqrt(2), rtol=1e-6)


DROPS = [
    ("one", 0.5, "elements"),
    ("two", 0.5, "channels"),
    ("kept", 0.5, "elements"),
    ("kept", 0.5, "elements"),
    ("bare", 0.5, "own"),
    ("path", 0.5, "own"),
    ("attention", 0.5, "elements"),
]


@GRAPH
def test_still_switches_off_every_dropout(ask: Asked, graph: bool) -> None:
    ask.build("Dropping")
    x = np.random.default_rng(0).normal(size=(8, 2, 3, 4)).astype(np.float32)
    (evaluated,) = ask.outputs(inputs=[x], graph=graph)
    (dropped,) = ask.outputs(inputs=[x], training=True, graph=graph)
    assert np.abs(dropped - evaluated).max() > 0.01
    assert ask("still") == ["one", "two", "kept", "bare", "path", "attention"]
    (stilled,) = ask.outputs(inputs=[x], training=True, graph=graph)
    np.testing.assert_allclose(stilled, evaluated, rtol=1e-5, atol=1e-7)
    ask("trace", inputs=[x], training=True)
    ask.build("Dropping")
    for _ in range(2):  # and what it switches off meanwhile is put back
        found = [(layer, share, how) for layer, share, how, _ in ask("drops", inputs=[x])]
        assert found == DROPS
    ask.build("Functions")
    (drawn,) = ask.outputs(inputs=[np.ones((64,), np.float32)], training=True, graph=graph)
    assert 0 in drawn, "the function is what it was for other models"


def test_what_is_random_all_the_same_is_named(ask: Asked) -> None:
    ask.build("Noisy")
    ask("trace", inputs=[X], training=True)
    ask("still")
    ask("trace", inputs=[X])
    found = ask.failure("trace", inputs=[X], training=True)
    assert (found["type"], found["layer"]) == ("Random", "noise")


# Backward and training --------------------------------------------------------------------------


@GRAPH
def test_gradients_of_the_fixed_cotangent(ask: Asked, graph: bool) -> None:
    ask.build("Line")
    found = ask("differentiate", inputs=[X], targets=[], graph=graph)
    cotangent = wire.cotangent(X.shape, 0)
    gradients = {n: unpacked(g) for n, g in found["gradients"].items()}
    np.testing.assert_allclose(found["loss"], ((2 * X + 1) * cotangent).sum(), rtol=1e-6)
    np.testing.assert_allclose(gradients["weight"], [(X * cotangent).sum()], rtol=1e-6)
    np.testing.assert_allclose(gradients["bias"], [cotangent.sum()], rtol=1e-6)
    assert gradients["unused"].tolist() == [0]


@GRAPH
def test_gradients_of_a_loss_by_all_names_but_frozen_ones(ask: Asked, graph: bool) -> None:
    ask.build("Mixed", loss={"build": f"{MODULE}:squares"})
    target = np.zeros((2, 3), np.float32)
    ask.write(first__weight=np.eye(3), first__bias=[0, 0, 0])
    found = ask("differentiate", inputs=[X], targets=[target], graph=graph)
    np.testing.assert_allclose(found["loss"], (X**2).sum() / (1 + 1e-5), rtol=1e-5)
    gradients = {n: unpacked(g) for n, g in found["gradients"].items()}
    assert "first.bias" not in gradients
    assert set(found["state"]) == {
        "shift", "norm.moving_mean", "norm.moving_variance", "first.bias",
    }  # fmt: skip
    np.testing.assert_allclose(gradients["norm.beta"], 2 * X.sum(0), rtol=1e-4)
    np.testing.assert_array_equal(gradients["second.weight"], gradients["first.weight"])
    np.testing.assert_allclose(gradients["first.weight"], 2 * 2 * X.T @ X, rtol=1e-4)


def test_a_loss_class_is_made_and_whole_numbers_are_what_it_takes(ask: Asked) -> None:
    """``nn.CrossEntropyLoss`` refuses int64."""
    ask.build("mindspore.nn:ReLU", loss={"build": "mindspore.nn:CrossEntropyLoss"})
    x = np.log(np.array([[1.0, 3.0], [9.0, 1.0]], np.float32)) + 3
    found = ask("differentiate", inputs=[x], targets=[np.array([1, 0])])
    np.testing.assert_allclose(found["loss"], -np.log(0.75 * 0.9) / 2, rtol=1e-6)
    assert found["gradients"] == {}


def test_a_loss_that_is_no_number_is_refused(ask: Asked) -> None:
    ask.build("Line", loss={"build": f"{MODULE}:each"})
    found = ask.failure("differentiate", inputs=[X], targets=[X])
    assert found["message"] == "the loss must return one number, not shape (2, 3)"


SCHEDULES = [
    ("nn:SGD", None, {"learning_rate": 0.5}, [0.5, 0.5, 0.5]),
    ("nn:SGD", (f"{MODULE}:rates", {"values": [0.5, 0.25, 0.125]}), {}, [0.5, 0.25, 0.125]),
    (
        "nn:SGD",
        (
            "mindspore.nn:ExponentialDecayLR",
            {"learning_rate": 0.5, "decay_rate": 0.5, "decay_steps": 1},
        ),
        {},
        [0.5, 0.25, 0.125],
    ),
    (
        "experimental.optim:SGD",
        ("mindspore.experimental.optim.lr_scheduler:StepLR", {"step_size": 1, "gamma": 0.5}),
        {"lr": 0.5},
        [0.5, 0.25, 0.125],
    ),
]


@pytest.mark.parametrize(("optimizer", "schedule", "arguments", "expected"), SCHEDULES)
def test_steps_take_the_rates_they_report(
    ask: Asked, optimizer: str, schedule: Any, arguments: Any, expected: list[float]
) -> None:
    """The sum of squares of ``weight * 1 + bias - 0`` has the gradient ``2 * (weight + bias)``."""
    ask.build(
        "Line",
        loss={"build": f"{MODULE}:squares"},
        optimizer={"build": f"mindspore.{optimizer}", "arguments": arguments},
        schedule=schedule and {"build": schedule[0], "arguments": schedule[1]},
    )
    x, y = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    for _ in range(2):
        ask.write(weight=[2], bias=[1], unused=[5])
        ask("begin")
        weight, bias = 2.0, 1.0
        for rate in expected:
            made = ask("step", inputs=[x], targets=[y])
            np.testing.assert_allclose(made["loss"], (weight + bias) ** 2, rtol=1e-5, atol=1e-9)
            np.testing.assert_allclose(made["rates"], [rate], rtol=1e-6)
            step = 2 * rate * (weight + bias)
            weight, bias = weight - step, bias - step
            np.testing.assert_allclose(ask.read()["weight"], [weight], rtol=1e-5, atol=1e-6)
    assert ask.read()["unused"].tolist() == [5]


def test_each_group_of_parameters_reports_its_rate(ask: Asked, mindspore: Any) -> None:
    from conformance.worker.port_abstract import Recipe  # noqa: PLC0415
    from tests.worker.port_cells import Line, squares  # noqa: PLC0415

    def grouped(model: Any) -> Any:
        groups = [{"params": [model.weight, model.bias], "lr": 0.5}, {"params": [model.unused]}]
        return mindspore.nn.SGD(groups, learning_rate=0.5)

    ask.session.adopt(Line(), loss=squares, optimizer=Recipe(grouped))
    ask("begin")
    x = np.ones((1, 1), np.float32)
    assert ask("step", inputs=[x], targets=[x])["rates"] == (0.5, 0.5)


def test_an_optimizer_of_the_users_own_is_called_with_the_model(ask: Asked) -> None:
    ask.build(
        "Line",
        loss={"build": f"{MODULE}:squares"},
        optimizer={"build": f"{MODULE}:ByHand", "arguments": {"learning_rate": 0.5}},
    )
    ask("begin")
    x = np.ones((1, 1), np.float32)
    assert ask("step", inputs=[x], targets=[x]) == {"loss": 4.0, "rates": ()}
    assert ask.read()["weight"].tolist() == [1]


def test_a_step_moves_running_statistics_once(ask: Asked) -> None:
    ask.build(
        "mindspore.nn:BatchNorm1d",
        arguments={"num_features": 3},
        optimizer={"build": "mindspore.nn:SGD", "arguments": {"learning_rate": 0.5}},
    )
    ask("begin")
    ask("step", inputs=[X], targets=[])
    np.testing.assert_allclose(ask.read()["moving_mean"], X.mean(0) / 10, rtol=1e-5)


def test_training_moves_what_is_compiled(ask: Asked) -> None:
    ask.build(
        "Line",
        loss={"build": f"{MODULE}:squares"},
        optimizer={"build": "mindspore.nn:SGD", "arguments": {"learning_rate": 0.5}},
    )
    x = np.ones((1, 1), np.float32)
    assert ask.outputs(inputs=[x], graph=True)[0].tolist() == [[3]]
    ask("begin")
    ask("step", inputs=[x], targets=[x])
    assert ask.outputs(inputs=[x], graph=True)[0].tolist() == [[-1]]


def test_an_argument_that_an_optimizer_does_not_take_is_named(ask: Asked) -> None:
    ask.build("Line", optimizer={"build": "mindspore.nn:SGD", "arguments": {"lr": 0.5}})
    found = ask.failure("begin")
    assert found["type"] == "Arguments"
    assert found["message"].startswith("mindspore.nn:SGD: ")
    assert "unexpected keyword argument 'lr'" in found["message"]


def test_a_schedule_that_ends_too_soon_is_a_clear_line(ask: Asked) -> None:
    ask.build(
        "Line",
        loss={"build": f"{MODULE}:squares"},
        optimizer={"build": "mindspore.nn:SGD"},
        schedule={"build": f"{MODULE}:rates", "arguments": {"values": [0.5, 0.5]}},
    )
    ask("begin")
    x = np.ones((1, 1), np.float32)
    for _ in range(2):
        ask("step", inputs=[x], targets=[x])
    found = ask.failure("step", inputs=[x], targets=[x])
    assert found["message"].startswith("the schedule has no rate for this step")


def test_an_adopted_model_stays_what_it_was(ask: Asked) -> None:
    from conformance.worker.port_abstract import Recipe  # noqa: PLC0415
    from tests.worker.port_cells import Dropping, Line, squares  # noqa: PLC0415

    line = Line()
    recipe = Recipe(lambda model: lambda _: model.weight.copy_(model.weight * 0))
    ask.session.adopt(line, loss=squares, optimizer=recipe)
    ask("begin")
    ask("step", inputs=[X], targets=[X])
    assert ask.read()["weight"].tolist() == [0]
    assert line.weight.asnumpy().tolist() == [2]
    dropping = Dropping()
    ask.session.adopt(dropping)
    ask("still")
    assert dropping.one.p == 0.5


# What goes wrong --------------------------------------------------------------------------------

IMAGE = np.ones((2, 2, 3, 3), np.float32)


@GRAPH
@pytest.mark.parametrize("method", ["run", "differentiate"])
def test_a_missing_kernel_is_named_with_its_layer(ask: Asked, method: str, graph: bool) -> None:
    ask.build("Guilty", arguments={"how": "instance"})
    more: dict[str, Any] = {} if method == "run" else {"targets": []}
    found = ask.failure(method, inputs=[IMAGE], graph=graph, **more)
    assert (found["type"], found["layer"]) == ("NoKernel", "blocks.1")
    assert found["message"] == "no kernel for this: Unsupported op [InstanceNorm] on CPU" or (
        graph and "Unsupported op [InstanceNorm] on CPU" in found["message"]
    )


def test_a_layer_that_cannot_be_compiled_is_named(ask: Asked) -> None:
    ask.build("Guilty", arguments={"how": "graph"})
    ask.outputs(inputs=[X])
    found = ask.failure("run", inputs=[X], graph=True)
    assert found["layer"] == "blocks.1"


def test_a_layer_without_a_gradient_is_named(ask: Asked) -> None:
    ask.build("Guilty", arguments={"how": "gradient"})
    ask.outputs(inputs=[X])
    found = ask.failure("differentiate", inputs=[X], targets=[])
    assert (found["layer"], found["message"]) == ("blocks.1", "RuntimeError: no gradient")


def test_memory_is_named_with_its_layer(ask: Asked) -> None:
    ask.build("Guilty", arguments={"how": "memory"})
    found = ask.failure("run", inputs=[X])
    assert (found["type"], found["layer"]) == ("OutOfMemory", "blocks.1")


def test_what_does_not_build_is_told_with_the_users_line(ask: Asked) -> None:
    found = ask.failure("build", build=f"{MODULE}:Broken")
    assert "'out_channels' must be int" in found["message"]
    assert found["where"].partition(":")[0].endswith("port_cells.py")
    found = ask.failure("build", build=f"{MODULE}:rates", arguments={"values": []})
    assert found["message"] == "what it built is a list, not a mindspore.nn.Cell"


def test_what_only_pytorch_can_is_a_clear_line(ask: Asked) -> None:
    assert "no model has been built" in ask.failure("tensors")["message"]
    ask.build("Line")
    assert "PyTorch's side" in ask.failure("calibrate", inputs=[X], seed=0)["message"]
    for method, more in (("run", {"inputs": [X]}), ("read", {"names": None}), ("begin", {})):
        found = ask.failure(method, precision="float64", **more)
        assert found["message"] == "MindSpore is run in float32, not in float64"
    assert "PyNative" in ask.failure("run", inputs=[X], graph=True, capture=[("", 0)])["message"]
    assert "no layer 'x'" in ask.failure("replay", layer="x", inputs=[X])["message"]
