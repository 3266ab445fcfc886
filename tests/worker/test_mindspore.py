"""The MindSpore adapter in both modes: each kind of call against values worked out by hand."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.taxonomy import DTYPES
from conformance.worker import wire
from conformance.worker.base import Adapter, TargetUnavailable
from tests.worker.calls import Message, arr, equal, message, near, read, step

pytestmark = pytest.mark.frameworks
APIS_THAT_DRAW = ["mindspore.ops.standard_normal", "mindspore.ops.rand", "mindspore.ops.randn"]
X = [[1.0, -2.0], [3.0, -4.0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker stands in a folder of its own, since MindSpore writes where it stands."""
    path = tmp_path_factory.mktemp("worker")
    with contextlib.chdir(path):
        yield path


@pytest.fixture(scope="module")
def mindspore_(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conformance.worker import mindspore_  # noqa: PLC0415
    return mindspore_


@pytest.fixture(scope="module", params=["pynative", "graph"])
def adapter(mindspore_: Any, request: pytest.FixtureRequest) -> Adapter:
    made: Adapter = mindspore_.ADAPTER("", request.param)
    return made


@pytest.fixture(scope="module")
def eager(mindspore_: Any) -> Adapter:
    made: Adapter = mindspore_.ADAPTER("", "")
    return made


def run(adapter: Adapter, *steps: Message, kind: str = "function", **given: Any) -> Message:
    """Return the reply to a call, which must return and must be sendable."""
    reply = adapter.execute(message(*steps, kind=kind, **given))
    assert reply["outcome"] == "returned", reply
    assert execnet.loads(execnet.dumps(reply))["outcome"] == "returned"
    return reply


def test_function(adapter: Adapter) -> None:
    one = step("mindspore.ops.add", "a", kwargs={"other": "b"})
    reply = run(adapter, one, a=arr(X), b=arr([1.0, 1.0]))
    equal(reply["output"], [[2.0, -1.0], [4.0, -3.0]], "float32")
    assert (reply["mutated"], reply["state"]) == ({}, {})
    assert "gradients" not in reply


def test_graph_mode_compiles_and_eager_does_not(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mindspore  # noqa: PLC0415

    compiled: list[Any] = []
    jit = mindspore.jit

    def watched(part: Any) -> Any:
        compiled.append(part)
        return jit(part)

    monkeypatch.setattr(mindspore, "jit", watched)
    run(adapter, step("mindspore.ops.neg", "x"), x=arr([1.0]), gradients=["x"])
    assert len(compiled) == (1 if adapter.mode == "graph" else 0)


@pytest.mark.parametrize("alone", [False, True])
def test_value_and_gradient_are_the_same_compiled_together_and_apart(
    mindspore_: Any, alone: bool
) -> None:
    adapter = mindspore_.ADAPTER("", "graph")
    call = message(
        step("mindspore.ops.mul", "a", "b"),
        step("mindspore.Tensor.sum", 0, form="method", kwargs={"axis": "dim"}),
        a=arr([[1.0, 2.0]]), b=arr([[5.0], [7.0]]), dim=1, gradients=["a", "b"], returns=[0, 1],
    )  # fmt: skip
    together = adapter._together({**call, "alone": alone})
    assert (together is None) == alone
    reply = adapter.execute({**call, "alone": alone})
    equal(reply["output"][0], [[5.0, 10.0], [7.0, 14.0]], "float32")
    equal(reply["output"][1], [15.0, 21.0], "float32")
    c, d = wire.cotangent((2, 2), 0), wire.cotangent((2,), 1)
    whole = c + d[:, None]
    near(reply["gradients"]["a"], (whole * [[5.0], [7.0]]).sum(0, keepdims=True))
    near(reply["gradients"]["b"], (whole * [[1.0, 2.0]]).sum(1, keepdims=True))


@pytest.mark.parametrize(
    ("one", "given", "kept"),
    [
        (step("mindspore.ops.assign_", "x", "y"), {}, "writes into its inputs"),
        (step("mindspore.ops.neg", "x", state={"w": "y"}), {}, "has a state"),
        (step("mindspore.ops.reshape", "x", kwargs={"shape": "k"}), {"k": (7,)}, "raises"),
        (step("mindspore.ops.cholesky", "x"), {}, "raises in PyNative mode"),
    ],
)
def test_what_is_compiled_apart(mindspore_: Any, one: Message, given: Any, kept: str) -> None:
    adapter = mindspore_.ADAPTER("", "graph")
    call = message(one, x=arr([1.0, 2.0]), y=arr([5.0, 6.0]), **given, gradients=["x"])
    assert adapter._together(call) is None, kept


def test_method(adapter: Adapter) -> None:
    one = step("mindspore.Tensor.sum", "x", form="method", kwargs={"axis": "dim"})
    equal(run(adapter, one, x=arr(X), dim=0)["output"], [4.0, -6.0], "float32")


def test_property(adapter: Adapter) -> None:
    reply = run(adapter, step("mindspore.Tensor.T", "x", form="property"), x=arr(X))
    equal(reply["output"], [[1.0, 3.0], [-2.0, -4.0]], "float32")


def test_composite(adapter: Adapter) -> None:
    steps = [
        step("mindspore.ops.abs", "x"),
        step("mindspore.Tensor.sum", 0, form="method", fixed={"axis": 1}),
    ]
    reply = run(adapter, *steps, x=arr(X), returns=[1, 0])
    equal(reply["output"][0], [3.0, 7.0], "float32")
    equal(reply["output"][1], np.abs(X), "float32")


def test_mutation(adapter: Adapter) -> None:
    one = step("mindspore.ops.assign", "x", "y")
    reply = run(adapter, one, x=arr([1.0, 2.0], as_="parameter"), y=arr([5.0, 6.0]))
    assert list(reply["mutated"]) == ["x"]
    equal(reply["mutated"]["x"], [5.0, 6.0], "float32")


def test_module_with_state(adapter: Adapter) -> None:
    """MindSpore's momentum weighs the old value; its running variance takes the unbiased 2."""
    state = {"gamma": "w", "beta": "b", "moving_mean": "m", "moving_variance": "v"}
    construction = {"constructor": {"num_features": "n", "momentum": "k"}, "fixed": {"eps": 1e-12}}
    one = step("mindspore.nn.BatchNorm2d", "x", form="module", state=state, **construction)
    given: dict[str, Any] = {"w": arr([2.0]), "b": arr([10.0]), "m": arr([4.0]), "v": arr([4.0])}
    x = arr([[[[1.0, 3.0]]]])
    trained = run(adapter, one, x=x, n=1, k=0.25, training=True, **given)
    near(trained["output"], [[[[8.0, 12.0]]]])
    assert sorted(trained["state"]) == ["b", "m", "v", "w"]
    near(trained["state"]["m"], [0.25 * 4 + 0.75 * 2])
    near(trained["state"]["v"], [0.25 * 4 + 0.75 * 2])
    near(trained["state"]["w"], [2.0])
    evaluated = run(adapter, one, x=x, n=1, k=0.25, **given)
    near(evaluated["output"], [[[[7.0, 9.0]]]])
    near(evaluated["state"]["m"], [4.0])


def test_gradients_by_inputs_and_state(adapter: Adapter) -> None:
    one = step("mindspore.nn.Dense", "x", form="module", state={"weight": "w", "bias": "b"},
               constructor={"in_channels": "i", "out_channels": "o"})  # fmt: skip
    reply = run(adapter, one, i=2, o=1, gradients=["x", "w", "b"], x=arr([[3.0, 4.0]]),
                w=arr([[1.0, 2.0]]), b=arr([0.5]))  # fmt: skip
    equal(reply["output"], [[11.5]], "float32")
    seed = wire.cotangent((1, 1), 0)[0, 0]
    equal(reply["gradients"]["x"], [[seed, 2 * seed]], "float32")
    equal(reply["gradients"]["w"], [[3 * seed, 4 * seed]], "float32")
    equal(reply["gradients"]["b"], [seed], "float32")
    equal(reply["state"]["w"], [[1.0, 2.0]], "float32")


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_module_takes_the_dtype_of_its_inputs(adapter: Adapter, dtype: str) -> None:
    one = step("mindspore.nn.LayerNorm", "x", form="module", state={"gamma": "w"},
               constructor={"normalized_shape": "n"})  # fmt: skip
    reply = adapter.execute(message(one, n=(2,), x=arr([[1.0, 3.0]], dtype), w=arr([1, 2], dtype)))
    if reply["outcome"] == "returned":  # beta, which nothing assigns, must not promote
        assert reply["output"][wire.ARRAY][0] == dtype
        near(reply["output"], [[-1.0, 2.0]], rtol=1e-2)
    else:
        assert (reply["outcome"], reply["reason"]) == ("unsupported", "dtype")


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [({"wieght": "w"}, "LookupError", "wieght"), ({"weight": "w"}, "ValueError", "(1, 2), not")],
)
def test_state_that_does_not_fit(adapter: Adapter, state: Message, error: str, words: str) -> None:
    one = step("mindspore.nn.Dense", "x", form="module", state=state,
               constructor={"in_channels": "i", "out_channels": "o"})  # fmt: skip
    call = message(one, i=2, o=1, x=arr([[3.0, 4.0]]), w=arr([[1.0, 2.0, 3.0]]))
    reply = adapter.execute(call)
    assert (reply["outcome"], reply["stage"]) == ("raised", "assign")
    assert error in reply["types"]
    assert words in reply["message"]


def test_outputs_are_a_plain_tuple(adapter: Adapter) -> None:
    reply = run(adapter, step("mindspore.ops.topk", "x", "k"), x=arr([1.0, 3.0, 2.0]), k=2)
    values, indices = reply["output"]
    equal(values, [3.0, 2.0], "float32")
    equal(indices, [1, 2], "int32")


def test_gradients_with_the_wire_cotangent(adapter: Adapter) -> None:
    reply = run(adapter, step("mindspore.ops.mul", "x", "y"), x=arr([2.0, 3.0]),
                y=arr([5.0, 7.0]), z=arr([1.0]), gradients=["x", "y", "z"])  # fmt: skip
    seed = wire.cotangent((2,), 0)
    equal(reply["gradients"]["x"], seed * [5, 7], "float32")
    equal(reply["gradients"]["y"], seed * [2, 3], "float32")
    assert reply["gradients"]["z"] is None
    assert reply["mutated"] == {}


def test_each_output_has_its_own_cotangent(adapter: Adapter) -> None:
    """topk gives (values, indices): only output 0 counts; for [-x, 3x] both do."""
    one = step("mindspore.ops.topk", "x", "k")
    top = run(adapter, one, x=arr([1.0, 3.0]), k=1, gradients=["x"])
    equal(top["gradients"]["x"], [0.0, wire.cotangent((1,), 0)[0]], "float32")
    steps = [step("mindspore.ops.neg", "x"), step("mindspore.ops.mul", "x", "k")]
    both = run(adapter, *steps, returns=[0, 1], x=arr([1.0, 2.0]), k=3.0, gradients=["x"])
    expected = -wire.cotangent((2,), 0) + 3 * wire.cotangent((2,), 1)
    equal(both["gradients"]["x"], expected, "float32")


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_the_cotangent_is_of_the_outputs_dtype(eager: Adapter, dtype: str) -> None:
    one = step("mindspore.Tensor.reshape", "x", "shape", form="method")
    reply = run(eager, one, x=arr(X, dtype), shape=(4,), gradients=["x"])
    equal(reply["gradients"]["x"], wire.cotangent((4,), 0).reshape(2, 2), dtype)


def test_optimizer(adapter: Adapter) -> None:
    """SGD with momentum: v1 = g1, v2 = 0.5 v1 + g2; p falls by 0.125 v each time."""
    one = step("mindspore.nn.SGD", "params", "grads", form="optimizer",
               constructor={"learning_rate": "lr", "momentum": "mu"})  # fmt: skip
    reply = run(adapter, one, kind="optimizer", params=arr([1.0, 2.0]), lr=0.125, mu=0.5,
                grads=arr([[1.0, 2.0], [3.0, 4.0]]))  # fmt: skip
    equal(reply["output"], [[0.875, 1.75], [0.4375, 1.125]], "float32")


def test_schedule(eager: Adapter) -> None:
    one = step("mindspore.experimental.optim.lr_scheduler.StepLR", form="schedule",
               constructor={"step_size": "s", "gamma": "g"})  # fmt: skip
    reply = run(eager, one, kind="schedule", base_lr=0.5, steps=5, s=2, g=0.1)
    near(reply["output"], [0.5, 0.5, 0.05, 0.05, 0.005])
    assert reply["output"][wire.ARRAY][0] == "float32"


def test_schedule_listed_by_a_function(eager: Adapter) -> None:
    one = step("mindspore.nn.piecewise_constant_lr", form="schedule",
               constructor={"milestone": "m", "learning_rates": "r"})  # fmt: skip
    given: dict[str, Any] = {
        "m": arr([2, 3], "int64", as_="list"),
        "r": arr([0.5, 0.25], "float64", as_="list"),
    }
    reply = run(eager, one, kind="schedule", **given)
    equal(reply["output"], [0.5, 0.5, 0.25], "float64")


@pytest.mark.parametrize("api", APIS_THAT_DRAW)
def test_random(adapter: Adapter, api: str) -> None:
    one = step(api, "shape")
    given: dict[str, Any] = {"kind": "random", "shape": (64,)}
    first, second, third = read(run(adapter, one, seed=5, **given)["output"])
    assert len(set(first)) > 60
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    assert (read(run(adapter, one, seed=6, **given)["output"])[0] != first).any()


def test_random_module_trains_or_not(adapter: Adapter) -> None:
    one = step("mindspore.nn.Dropout", "x", form="module", constructor={"p": "p"})
    given: dict[str, Any] = {"kind": "random", "x": arr(np.ones(64)), "p": 0.5}
    draw = read(run(adapter, one, training=True, **given)["output"])[0]
    assert set(draw) == {0.0, 2.0}
    equal(run(adapter, one, **given)["output"][2], np.ones(64), "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(eager: Adapter, dtype: str) -> None:
    value = np.array([[1, 0], [1, 1]])
    reshape = step("mindspore.Tensor.reshape", "x", "shape", form="method")
    reply = run(eager, reshape, x=arr(value, dtype), shape=(4,))
    equal(reply["output"], value.reshape(4), dtype)
    zero = run(eager, reshape, x=arr(1, dtype), shape=())
    equal(zero["output"], 1, dtype)
    empty = run(eager, reshape, x=arr(np.zeros((0, 2)), dtype), shape=(2, 0))
    equal(empty["output"], np.zeros((2, 0)), dtype)


@pytest.mark.parametrize("dtype", ["int32", "float16", "complex64", "bool"])
def test_a_dtype_as_option(adapter: Adapter, dtype: str) -> None:
    cast = step("mindspore.ops.cast", "x", "d")
    reply = run(adapter, cast, x=arr([1.0, 0.0]), d={wire.DTYPE: dtype})
    equal(reply["output"], [1, 0], dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "bool"])
def test_transposed_layout_keeps_the_values(eager: Adapter, dtype: str) -> None:
    value = arr(np.arange(24).reshape(2, 3, 4) % 5, dtype, layout="transposed")
    tensor = eager.value(value)
    assert not tensor.is_contiguous()
    assert tensor.shape == (2, 3, 4)
    equal(eager.array(tensor), read(value), dtype)


def test_special_values_cross(eager: Adapter) -> None:
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32)
    one = step("mindspore.Tensor.reshape", "x", "shape", form="method")
    found = read(run(eager, one, x=arr(special), shape=(5,))["output"])
    assert found.tobytes() == special.tobytes()


def test_given_forms(eager: Adapter) -> None:
    import mindspore as ms  # noqa: PLC0415

    forms = ("tensor", "parameter", "ndarray", "list")
    given: dict[str, Any] = {form: eager.value(arr([1.5, 2], as_=form)) for form in forms}
    assert type(given["tensor"]) is ms.Tensor
    assert isinstance(given["parameter"], ms.Parameter)
    assert isinstance(given["ndarray"], np.ndarray)
    assert given["list"] == [1.5, 2.0]
    assert eager.value(arr(3, "int64", as_="scalar")) == 3


def test_a_parameter_is_passed_and_differentiated(adapter: Adapter) -> None:
    reply = run(adapter, step("mindspore.ops.mul", "x", "y"), y=arr([5.0]),
                x=arr([2.0], as_="parameter"), gradients=["x"])  # fmt: skip
    equal(reply["output"], [10.0], "float32")
    equal(reply["gradients"]["x"], wire.cotangent((1,), 0) * 5, "float32")


@pytest.mark.parametrize(
    ("api", "dtype", "reason", "words"),
    [
        ("mindspore.ops.abs", "bfloat16", "dtype", "Unsupported data type"),
        ("mindspore.ops.matmul", "bool", "dtype", "Unsupported data type"),
        ("mindspore.ops.inverse", "int32", "dtype", "must be a type of"),
        ("mindspore.mint.topk", "float32", "device", "TopkExt unregistered"),
    ],
)
def test_no_kernel_is_unsupported(
    eager: Adapter, api: str, dtype: str, reason: str, words: str
) -> None:
    second = {"mindspore.mint.topk": 1, "mindspore.ops.matmul": arr(np.eye(2), dtype)}
    names = ["x", "y"] if api in second else ["x"]
    call = message(step(api, *names), x=arr(np.eye(2), dtype), y=second.get(api))
    reply = eager.execute(call)
    assert (reply["outcome"], reply.get("reason")) == ("unsupported", reason), reply
    assert words in reply["message"]
    assert "C++ Call Stack" not in reply["message"]


def test_no_kernel_in_a_module(adapter: Adapter) -> None:
    one = step("mindspore.nn.BCEWithLogitsLoss", "x", "y", form="module")
    given: dict[str, Any] = {"x": arr([0.5], "float64"), "y": arr([1.0], "float64")}
    reply = adapter.execute(message(one, **given))
    assert (reply["outcome"], reply.get("reason")) == ("unsupported", "dtype"), reply
    assert reply["stage"] == "call"


@pytest.mark.parametrize(
    ("api", "values", "error"),
    [
        ("mindspore.ops.abs", ["x"], "TypeError"),
        ("mindspore.ops.abs", [None], "TypeError"),
        ("mindspore.ops.add", [arr([1.0]), "x"], "TypeError"),
        ("mindspore.ops.matmul", [arr([[1.0, 2.0]]), arr([[1.0, 2.0]])], "RuntimeError"),
        ("mindspore.ops.topk", [arr([1.0, 2.0]), 5], "ValueError"),
        ("mindspore.ops.softmax", [arr([1.0, 2.0]), 1.5], "TypeError"),
    ],
)
def test_a_wrong_call_is_raised(eager: Adapter, api: str, values: list[Any], error: str) -> None:
    given: dict[str, Any] = {f"v{i}": value for i, value in enumerate(values)}
    reply = eager.execute(message(step(api, *given), **given))
    assert reply["outcome"] == "raised", reply
    assert error in reply["types"]
    assert reply["stage"] == "call"


def test_a_wrong_construction_is_raised_as_such(adapter: Adapter) -> None:
    one = step("mindspore.nn.Dropout", "x", form="module", constructor={"p": "p"})
    reply = adapter.execute(message(one, x=arr([1.0]), p=2.0))
    assert (reply["outcome"], reply["types"][0], reply["stage"]) == (
        "raised",
        "ValueError",
        "construct",
    )


@pytest.mark.parametrize(
    ("device", "mode", "why"),
    [
        ("gpu", "", "Unsupported device target GPU"),
        ("ascend", "graph", "Unsupported device target Ascend"),
        ("cuda", "", "unknown device 'cuda': cpu, gpu, ascend"),
        ("", "lazy", "mode pynative or graph, not 'lazy'"),
    ],
)
def test_unavailable(mindspore_: Any, eager: Adapter, device: str, mode: str, why: str) -> None:
    with pytest.raises(TargetUnavailable, match=why) as caught:
        mindspore_.ADAPTER(device, mode)
    assert "\n" not in str(caught.value)
    equal(run(eager, step("mindspore.ops.neg", "x"), x=arr([1.0]))["output"], [-1.0], "float32")


def test_info(adapter: Adapter) -> None:
    import mindspore  # noqa: PLC0415

    info = adapter.info()
    assert (info["version"], info["device"]) == (mindspore.__version__, "cpu")
    assert (info["mode"], info["synchronous"]) == (adapter.mode, True)
    assert len(info["build"]) >= 7
    assert execnet.loads(execnet.dumps(info)) == info
