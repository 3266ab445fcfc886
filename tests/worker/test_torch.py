"""The PyTorch adapter: each kind of call once, against values worked out by hand."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import execnet
import numpy as np
import pytest

from conformance.taxonomy import DTYPES
from conformance.worker import wire
from conformance.worker.base import Adapter, TargetUnavailable
from tests.worker.calls import Message, arr, equal, message, near, read, step

pytestmark = pytest.mark.frameworks
X = [[1.0, -2.0], [3.0, -4.0]]


@pytest.fixture(scope="module")
def torch_() -> Iterator[Any]:
    """The adapter's module.  What it sets for its whole process is taken back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch  # noqa: PLC0415

        from conformance.worker import torch_  # noqa: PLC0415
    threads = torch.get_num_threads()
    yield torch_
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.set_warn_always(False)


@pytest.fixture(scope="module")
def adapter(torch_: Any) -> Adapter:
    made: Adapter = torch_.ADAPTER("", "")
    return made


@pytest.fixture(scope="module")
def torch(adapter: Adapter) -> Any:
    import torch  # noqa: PLC0415

    return torch


def run(adapter: Adapter, *steps: Message, kind: str = "function", **given: Any) -> Message:
    """Return the reply to a call, which must return and must be sendable."""
    reply = adapter.execute(message(*steps, kind=kind, **given))
    assert reply["outcome"] == "returned", reply
    assert execnet.loads(execnet.dumps(reply))["outcome"] == "returned"
    return reply


def test_function(adapter: Adapter) -> None:
    reply = run(adapter, step("torch.add", "a", "b", kwargs={"alpha": "k"}),
                a=arr(X), b=arr([1.0, 1.0]), k=10)  # fmt: skip
    equal(reply["output"], [[11.0, 8.0], [13.0, 6.0]], "float32")
    assert (reply["mutated"], reply["state"]) == ({}, {})
    assert "gradients" not in reply


def test_method(adapter: Adapter) -> None:
    one = step("torch.Tensor.sum", "x", form="method", kwargs={"dim": "axis"})
    equal(run(adapter, one, x=arr(X), axis=0)["output"], [4.0, -6.0], "float32")


def test_property(adapter: Adapter) -> None:
    reply = run(adapter, step("torch.Tensor.T", "x", form="property"), x=arr(X))
    equal(reply["output"], [[1.0, 3.0], [-2.0, -4.0]], "float32")


def test_composite(adapter: Adapter) -> None:
    steps = [step("torch.abs", "x"), step("torch.Tensor.sum", 0, form="method")]
    reply = run(adapter, *steps, x=arr(X), returns=[1, 0])
    equal(reply["output"][0], 10.0, "float32")
    equal(reply["output"][1], np.abs(X), "float32")


def test_mutation(adapter: Adapter) -> None:
    one = step("torch.Tensor.add_", "x", "y", form="method")
    reply = run(adapter, one, x=arr([1.0, 2.0]), y=arr([5.0, 5.0]), gradients=["x", "y"])
    assert list(reply["mutated"]) == ["x"]
    equal(reply["mutated"]["x"], [6.0, 7.0], "float32")
    assert sorted(reply["gradients"]) == ["x", "y"]  # though a leaf cannot be written in place


def test_module_with_state(adapter: Adapter) -> None:
    """The mean of [1, 3] is 2, its unbiased variance 2; momentum 0.5 halves the way there."""
    state = {"weight": "w", "bias": "b", "running_mean": "m", "running_var": "v"}
    construction = {"constructor": {"num_features": "n", "momentum": "k"}, "fixed": {"eps": 1e-12}}
    one = step("torch.nn.BatchNorm2d", "x", form="module", state=state, **construction)
    given: dict[str, Any] = {"w": arr([2.0]), "b": arr([10.0]), "m": arr([4.0]), "v": arr([4.0])}
    x = arr([[[[1.0, 3.0]]]])
    trained = run(adapter, one, x=x, n=1, k=0.5, training=True, **given)
    near(trained["output"], [[[[8.0, 12.0]]]])
    assert sorted(trained["state"]) == ["b", "m", "v", "w"]
    near(trained["state"]["m"], [3.0])
    near(trained["state"]["v"], [3.0])
    near(trained["state"]["w"], [2.0])
    evaluated = run(adapter, one, x=x, n=1, k=0.5, **given)
    near(evaluated["output"], [[[[7.0, 9.0]]]])
    near(evaluated["state"]["m"], [4.0])


def test_a_module_takes_the_dtype_of_its_inputs(adapter: Adapter) -> None:
    one = step("torch.nn.Linear", "x", form="module", state={"weight": "w", "bias": "b"},
               constructor={"in_features": "i", "out_features": "o"})  # fmt: skip
    reply = run(adapter, one, i=2, o=1, gradients=["x", "w", "b"], x=arr([[3.0, 4.0]], "float64"),
                w=arr([[1.0, 2.0]], "float64"), b=arr([0.5], "float64"))  # fmt: skip
    equal(reply["output"], [[11.5]], "float64")
    seed = wire.cotangent((1, 1), 0)[0, 0]
    equal(reply["gradients"]["x"], [[seed, 2 * seed]], "float64")
    equal(reply["gradients"]["w"], [[3 * seed, 4 * seed]], "float64")
    equal(reply["gradients"]["b"], [seed], "float64")


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [({"wieght": "w"}, "LookupError", "wieght"), ({"weight": "w"}, "ValueError", "(1, 2), not")],
)
def test_state_that_does_not_fit(adapter: Adapter, state: Message, error: str, words: str) -> None:
    one = step("torch.nn.Linear", "x", form="module", state=state,
               constructor={"in_features": "i", "out_features": "o"})  # fmt: skip
    call = message(one, i=2, o=1, x=arr([[3.0, 4.0]]), w=arr([[1.0, 2.0, 3.0]]))
    reply = adapter.execute(call)
    assert (reply["outcome"], reply["stage"]) == ("raised", "assign")
    assert error in reply["types"]
    assert words in reply["message"]


def test_named_outputs(adapter: Adapter) -> None:
    reply = run(adapter, step("torch.topk", "x", "k"), x=arr([1.0, 3.0, 2.0]), k=2)
    kind, fields = reply["output"][wire.NAMED]
    assert (kind, list(fields)) == ("topk", ["values", "indices"])
    equal(fields["values"], [3.0, 2.0], "float32")
    equal(fields["indices"], [1, 2], "int64")


def test_gradients_with_the_wire_cotangent(adapter: Adapter) -> None:
    one = step("torch.mul", "x", "y")
    reply = run(adapter, one, x=arr([2.0, 3.0]), y=arr([5.0, 7.0]), z=arr([1.0]),
                gradients=["x", "y", "z"])  # fmt: skip
    seed = wire.cotangent((2,), 0)
    equal(reply["gradients"]["x"], seed * [5, 7], "float32")
    equal(reply["gradients"]["y"], seed * [2, 3], "float32")
    assert reply["gradients"]["z"] is None
    assert reply["mutated"] == {}


def test_each_output_has_its_own_cotangent(adapter: Adapter) -> None:
    """topk gives (values, indices): only output 0 counts; for [x, 3x] both do."""
    top = run(adapter, step("torch.topk", "x", "k"), x=arr([1.0, 3.0]), k=1, gradients=["x"])
    equal(top["gradients"]["x"], [0.0, wire.cotangent((1,), 0)[0]], "float32")
    steps = [step("torch.neg", "x"), step("torch.mul", "x", "k")]
    both = run(adapter, *steps, returns=[0, 1], x=arr([1.0, 2.0]), k=3.0, gradients=["x"])
    expected = -wire.cotangent((2,), 0) + 3 * wire.cotangent((2,), 1)
    equal(both["gradients"]["x"], expected, "float32")


def test_nothing_to_differentiate(adapter: Adapter) -> None:
    reply = run(adapter, step("torch.gt", "x", "y"), x=arr([1.0]), y=arr([0.0]), gradients=["x"])
    equal(reply["output"], [True], "bool")
    assert reply["gradients"] == {"x": None}


def test_a_gradient_that_fails_leaves_the_output(adapter: Adapter) -> None:
    one = step("torch.special.gammainc", "a", "x")  # has no derivative by a
    failing = run(adapter, one, a=arr([1.0]), x=arr([2.0]), gradients=["a"])
    near(failing["output"], [1 - np.exp(-2.0)])
    assert failing["gradient_error"]["stage"] == "gradient"
    assert "gradients" not in failing


def test_optimizer(adapter: Adapter) -> None:
    """SGD with momentum: v1 = g1, v2 = 0.5 v1 + g2; p falls by 0.1 v each time."""
    one = step("torch.optim.SGD", "params", "grads", form="optimizer",
               constructor={"lr": "lr", "momentum": "mu"})  # fmt: skip
    reply = run(adapter, one, kind="optimizer", params=arr([1.0, 2.0], "float64"), lr=0.1, mu=0.5,
                grads=arr([[1.0, 2.0], [3.0, 4.0]], "float64"))  # fmt: skip
    near(reply["output"], [[0.9, 1.8], [0.55, 1.3]], rtol=1e-14)
    assert reply["output"][wire.ARRAY][0] == "float64"


def test_schedule(adapter: Adapter) -> None:
    one = step("torch.optim.lr_scheduler.StepLR", form="schedule",
               constructor={"step_size": "s", "gamma": "g"})  # fmt: skip
    reply = run(adapter, one, kind="schedule", base_lr=0.5, steps=5, s=2, g=0.1)
    near(reply["output"], [0.5, 0.5, 0.05, 0.05, 0.005], rtol=1e-14)
    assert "warnings" not in reply


def test_random(adapter: Adapter) -> None:
    one = step("torch.rand", "n")
    reply = run(adapter, one, kind="random", seed=5, n=20)
    first, second, third = read(reply["output"])
    np.testing.assert_array_equal(first, second)
    assert (first != third).all()
    other = read(run(adapter, one, kind="random", seed=6, n=20)["output"])
    assert (other[0] != first).all()


def test_random_module_trains_or_not(adapter: Adapter) -> None:
    one = step("torch.nn.Dropout", "x", form="module", constructor={"p": "p"})
    given: dict[str, Any] = {"kind": "random", "x": arr(np.ones(64)), "p": 0.5}
    draw = read(run(adapter, one, training=True, **given)["output"])[0]
    assert set(draw) == {0.0, 2.0}
    equal(run(adapter, one, **given)["output"][2], np.ones(64), "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(adapter: Adapter, dtype: str) -> None:
    value = np.array([[1, 0], [1, 1]])
    reply = run(adapter, step("torch.clone", "x"), x=arr(value, dtype))
    equal(reply["output"], value, dtype)
    equal(run(adapter, step("torch.clone", "x"), x=arr(1, dtype))["output"], 1, dtype)
    cast = step("torch.Tensor.to", "x", form="method", kwargs={"dtype": "d"})
    equal(run(adapter, cast, x=arr(value), d={wire.DTYPE: dtype})["output"], value, dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "bool"])
def test_transposed_layout(adapter: Adapter, dtype: str) -> None:
    value = arr(np.arange(24).reshape(2, 3, 4) % 5, dtype, layout="transposed")
    tensor = adapter.value(value)
    assert tensor.stride() == (12, 1, 3)
    assert not tensor.is_contiguous()
    equal(run(adapter, step("torch.clone", "x"), x=value)["output"], read(value), dtype)


def test_special_values_cross(adapter: Adapter) -> None:
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45], np.float32)
    found = read(run(adapter, step("torch.clone", "x"), x=arr(special))["output"])
    assert found.tobytes() == special.tobytes()


def test_lazy_conjugate_and_negative_views(adapter: Adapter) -> None:
    conj = run(adapter, step("torch.conj", "x"), x=arr([1 + 2j], "complex64"))
    equal(conj["output"], [1 - 2j], "complex64")
    steps = [step("torch.conj", "x"), step("torch.imag", 0)]
    equal(run(adapter, *steps, x=arr([1 + 2j], "complex64"))["output"], [-2.0], "float32")


@pytest.mark.parametrize("to", ["to_sparse", "to_sparse_csr"])
def test_what_is_no_dense_tensor_is_shown(adapter: Adapter, to: str) -> None:
    reply = run(adapter, step(f"torch.Tensor.{to}", "x", form="method"), x=arr(np.eye(2)))
    assert reply["output"][wire.OBJECT].startswith("tensor(")


def test_given_forms(adapter: Adapter, torch: Any) -> None:
    given: dict[str, Any] = {form: adapter.value(arr([1.5, 2], as_=form))
             for form in ("tensor", "parameter", "ndarray", "list")}  # fmt: skip
    assert type(given["tensor"]) is torch.Tensor
    assert not given["tensor"].requires_grad
    assert isinstance(given["parameter"], torch.nn.Parameter)
    assert given["parameter"].requires_grad
    assert isinstance(given["ndarray"], np.ndarray)
    assert given["list"] == [1.5, 2.0]
    assert adapter.value(arr(3, "int64", as_="scalar")) == 3
    whole = adapter.value(arr([1], "int64", as_="parameter"))
    assert isinstance(whole, torch.nn.Parameter)


@pytest.mark.parametrize(
    ("api", "dtype"),
    [
        ("torch.lgamma", "complex64"),
        ("torch.linalg.inv", "float16"),
        ("torch.fft.fft", "bfloat16"),
        ("torch.sort", "complex64"),
        ("torch.bitwise_not", "float32"),
    ],
)
def test_no_kernel_is_unsupported(adapter: Adapter, api: str, dtype: str) -> None:
    reply = adapter.execute(message(step(api, "x"), x=arr(np.eye(2), dtype)))
    assert (reply["outcome"], reply.get("reason")) == ("unsupported", "dtype"), reply["message"]


@pytest.mark.parametrize(
    ("api", "value", "error"),
    [
        ("torch.abs", "x", "TypeError"),
        ("torch.mean", arr([1, 2], "int64"), "RuntimeError"),
        ("torch.linalg.svd", arr(np.eye(2), "int32"), "RuntimeError"),
        ("torch.linalg.inv", arr(np.zeros((2, 2))), "RuntimeError"),
        ("torch.linalg.inv", arr(np.zeros((2, 3))), "RuntimeError"),
    ],
)
def test_a_wrong_call_is_raised(adapter: Adapter, api: str, value: Any, error: str) -> None:
    reply = adapter.execute(message(step(api, "x"), x=value))
    assert reply["outcome"] == "raised", reply
    assert error in reply["types"]
    assert reply["stage"] == "call"


def test_a_wrong_construction_is_raised_as_such(adapter: Adapter) -> None:
    one = step("torch.nn.Dropout", "x", form="module", constructor={"p": "p"})
    reply = adapter.execute(message(one, x=arr([1.0]), p=2.0))
    assert (reply["outcome"], reply["types"][0], reply["stage"]) == (
        "raised",
        "ValueError",
        "construct",
    )


def test_the_same_warning_is_captured_every_time(adapter: Adapter) -> None:
    """A deprecation PyTorch's C++ tells once per process must not depend on the cases before."""
    one = step("torch.Tensor.T", "x", form="property")
    for _ in range(2):
        ((category, text),) = run(adapter, one, x=arr(np.ones((2, 3, 4))))["warnings"]
        assert category == "UserWarning"
        assert "x.T" in text


@pytest.mark.parametrize(
    ("device", "mode", "why"),
    [
        ("cuda", "", r"torch.cuda.is_available\(\) is false"),
        ("cuda1", "", r"torch.cuda.is_available\(\) is false"),
        ("mps", "", r"torch.mps.is_available\(\) is false"),
        ("npu", "", "Ascend needs torch_npu"),
        ("tpu", "", "unknown device 'tpu': cpu, cuda, npu, mps or xpu"),
        ("", "graph", "mode 'eager' here, not 'graph'"),
    ],
)
def test_unavailable(torch_: Any, device: str, mode: str, why: str) -> None:
    with pytest.raises(TargetUnavailable, match=why) as caught:
        torch_.ADAPTER(device, mode)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_there_is_tried(
    torch_: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """is_available speaks of some device; the one asked for must hold a tensor."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(TargetUnavailable, match=r"^cuda:7: ") as caught:
        torch_.ADAPTER("cuda7", "")
    assert "\n" not in str(caught.value)


def test_info(adapter: Adapter, torch: Any) -> None:
    info = adapter.info()
    assert (info["version"], info["device"], info["mode"]) == (torch.__version__, "cpu", "eager")
    assert info["build"].startswith(torch.version.git_version[:12])
    assert execnet.loads(execnet.dumps(info)) == info
