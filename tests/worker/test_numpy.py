"""The target ``numpy`` runs the reference in the case's own dtype, or NumPy's own API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conformance.reference import registry
from conformance.worker import wire
from conformance.worker.base import TargetUnavailable
from conformance.worker.describe import describe
from conformance.worker.numpy_ import NumpyAdapter
from tests.worker.calls import Message, arr, equal, message, near, read, step


@pytest.fixture(autouse=True)
def _restore_numpy() -> Iterator[None]:
    """The adapter silences NumPy's floating-point warnings, for its whole process."""
    with np.errstate():
        yield


def run(api: str, states: tuple[str, ...] = (), **given: object) -> Message:
    call = message(step(api, form="reference"), kind="reference", **given)
    reply = NumpyAdapter("", "").execute({**call, "states": list(states)})
    assert reply["outcome"] == "returned", reply
    return reply


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32"])
def test_output_is_of_the_inputs_dtype(dtype: str) -> None:
    equal(run("elementwise.abs", input=arr([-1.5, 2], dtype))["output"],
          [1 if dtype == "int32" else 1.5, 2], dtype)  # fmt: skip


def test_zero_dimensions_stay() -> None:
    equal(run("elementwise.abs", input=arr(-3.0, "bfloat16"))["output"], 3.0, "bfloat16")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "complex64"])
def test_the_reference_computes_in_that_dtype(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def look(input: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.append(input.dtype.name)
        return input

    entry = registry.Reference("x.look", look, "promote", parameters=frozenset(["input"]))
    monkeypatch.setattr(registry, "get", {"x.look": entry}.__getitem__)
    run("x.look", input=arr([1.0], dtype))
    assert seen == [dtype]


def test_a_python_scalar_does_not_promote() -> None:
    given: dict[str, Any] = {
        "input": arr([1.5], "float16"),
        "other": arr(2.0, "float64", as_="scalar"),
    }
    equal(run("elementwise.add", alpha=1, **given)["output"], [3.5], "float16")


def test_module_state_is_returned_also_where_unchanged() -> None:
    x = arr([[[[1.0, 3.0]]]])
    state: dict[str, Any] = {
        "weight": arr([1.0]), "bias": arr([0.0]),
        "running_mean": arr([0.0]), "running_var": arr([1.0]),
    }  # fmt: skip
    reply = run(
        "normalization.batch_norm2d",
        tuple(state),
        input=x,
        num_features=1,
        training=True,
        momentum=0.5,
        **state,
    )
    assert sorted(reply["state"]) == sorted(state)
    near(reply["output"], [[[[-1.0, 1.0]]]], rtol=1e-4)
    near(reply["state"]["running_mean"], [1.0])
    near(reply["state"]["running_var"], [1.5])
    equal(reply["state"]["weight"], [1.0], "float32")


def test_mutation_is_reported_and_the_given_value_is_kept() -> None:
    given: dict[str, Any] = {"input": arr([1.0, 2.0]), "other": arr([3.0, 4.0])}
    reply = run("elementwise.add_", alpha=1, **given)
    assert list(reply["mutated"]) == ["input"]
    equal(reply["mutated"]["input"], [4.0, 6.0], "float32")


def test_draws_repeat_after_the_seed_and_go_on_without() -> None:
    reply = run("random.normal", seed=3, mean=0.0, std=1.0, size=(50,))
    first, second, third = read(reply["output"])
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    assert (first != third).all()


def test_what_the_reference_raises_is_raised() -> None:
    call = message(step("random.normal", form="reference"), kind="reference", std=-1.0)
    reply = NumpyAdapter("", "").execute({**call, "states": []})
    assert (reply["outcome"], reply["types"][0]) == ("raised", "RuntimeError")


def call(api: str, *args: str, **names: Any) -> Message:
    given = {n: v for n, v in names.items() if n not in ("kwargs", "fixed")}
    chosen = {n: v for n, v in names.items() if n in ("kwargs", "fixed")}
    return NumpyAdapter("", "").execute(message(step(api, *args, **chosen), **given))


@pytest.mark.parametrize("api", ["numpy.add", "numpy.linalg.norm", "numpy.float32", "numpy.array"])
def test_functions_ufuncs_and_number_types_are_apis(api: str) -> None:
    """In NumPy 1 ufuncs have no __module__; in both a dispatcher is no plain function."""
    adapter = NumpyAdapter("", "")
    found = np
    for name in api.split(".")[1:]:
        found = getattr(found, name)
    assert adapter.resolve(api) is found
    assert adapter.stage == "call"


@pytest.mark.parametrize(
    "api",
    [
        *("numpy.memmap", "numpy.vectorize", "numpy.ndarray", "numpy.dtype", "numpy.void"),
        *("numpy.pi", "numpy.newaxis", "numpy.sctypeDict", "numpy.c_", "numpy.linalg.test"),
        *("numpy.linalg", "numpy.sys", "numpy.no_such_name", "numpy._globals", "torch.add"),
    ],
)
def test_everything_else_is_none(api: str) -> None:
    adapter = NumpyAdapter("", "")
    with pytest.raises(AttributeError):
        adapter.resolve(api)
    assert adapter.stage == "resolve"


def test_a_foreign_function_in_numpys_namespace_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "stranger", shutil.rmtree, raising=False)
    monkeypatch.setattr(np, "nameless", SimpleNamespace(), raising=False)
    monkeypatch.setattr(np, "homeless", str.upper, raising=False)  # it has no __module__
    for name in ("stranger", "nameless", "homeless"):
        with pytest.raises(AttributeError, match="is not a"):
            NumpyAdapter("", "").resolve(f"numpy.{name}")


def test_numpys_own_api_is_called() -> None:
    reply = call("numpy.add", "a", "b", a=arr([1.0, 2.0]), b=arr([3.0, 4.0]), fixed={"order": "C"})
    equal(reply["output"], [4.0, 6.0], "float32")
    assert (reply["outcome"], reply["mutated"], reply["state"]) == ("returned", {}, {})


def test_numbers_come_as_arrays_and_python_numbers_as_themselves() -> None:
    equal(call("numpy.sum", "a", a=arr([1.0, 2.0]))["output"], 3.0, "float32")
    assert call("numpy.ndim", "a", a=arr([1.0, 2.0]))["output"] == 1


def test_what_the_call_writes_into_is_mutated() -> None:
    given = {"a": arr([1.0, 2.0]), "out": arr([0.0, 0.0])}
    reply = call("numpy.negative", "a", kwargs={"out": "out"}, **given)
    equal(reply["mutated"]["out"], [-1.0, -2.0], "float32")
    assert list(reply["mutated"]) == ["out"]


def test_options_are_by_name_and_dtypes_too() -> None:
    reply = call("numpy.sum", "a", kwargs={"axis": "d", "dtype": "t"}, a=arr([[1.0, 2.0]]), d=1,
                 t={wire.DTYPE: "float64"})  # fmt: skip
    equal(reply["output"], [3.0], "float64")


def test_exceptions_are_replies() -> None:
    reply = call("numpy.add", "a", "b", a=arr([1.0, 2.0]), b=arr([1.0, 2.0, 3.0]))
    assert (reply["outcome"], reply["types"][0], reply["stage"]) == ("raised", "ValueError", "call")
    gone = call("numpy.no_such_name", "a", a=arr([1.0]))
    assert (gone["outcome"], gone["types"][0], gone["stage"]) == (
        "raised",
        "AttributeError",
        "resolve",
    )


@pytest.mark.parametrize(
    ("api", "dtype"), [("numpy.bitwise_and", "float32"), ("numpy.linalg.inv", "float16")]
)
def test_no_kernel_for_the_dtype_is_not_an_exception(api: str, dtype: str) -> None:
    args = ("a",) if "linalg" in api else ("a", "a")
    reply = call(api, *args, a=arr([[1.0, 2.0], [3.0, 4.0]], dtype))
    assert (reply["outcome"], reply["reason"]) == ("unsupported", "dtype")
    wrong = call("numpy.add", "a", kwargs={"axis": "a"}, a=arr([1.0]))
    assert (wrong["outcome"], wrong["types"][0]) == ("raised", "TypeError")


def test_a_transposed_layout_is_one_for_the_api() -> None:
    reply = call("numpy.array", "a", kwargs={"order": "o"}, o="K", a=arr([[1.0, 2.0, 3.0]] * 2))
    given = arr([[1.0, 2.0, 3.0]] * 2, layout="transposed")
    assert call("numpy.array", "a", a=given)["output"] == reply["output"]
    assert call("numpy.isfortran", "a", a=given)["output"] is True


def test_arrays_that_mean_nothing_elsewhere_do_not_travel() -> None:
    """The bytes of an array of objects are addresses in this process."""
    for dtype in ("object", "longdouble", "datetime64[s]", "U8"):
        reply = call("numpy.array", "a", kwargs={"dtype": "t"}, a=arr([1, 2], "int64"), t=dtype)
        assert list(reply["output"]) == [wire.OBJECT]
    swapped = call("numpy.array", "a", kwargs={"dtype": "t"}, a=arr([1, 2], "int64"), t=">i4")
    equal(swapped["output"], [1, 2], "int32")


def test_no_function_is_passed_to_an_api_of_numpy() -> None:
    reply = call("numpy.array", "a", a=arr([1.0]), fixed={"like": {wire.API: "numpy.load"}})
    assert (reply["outcome"], reply["types"][0]) == ("raised", "TypeError")
    assert "numpy.load is no value" in reply["message"]


def test_numpy_describes_its_apis() -> None:
    resolve = NumpyAdapter("", "").resolve
    found = describe(resolve, "numpy.cumsum")
    assert found["exists"]
    assert [p["name"] for p in found["parameters"]] == ["a", "axis", "dtype", "out"]
    for api in ("numpy.add", "numpy.abs"):  # aliases are documented by the ufunc's own name
        names = {p["name"]: p["default"] for p in describe(resolve, api)["parameters"]}
        assert list(names)[-2 if "extobj" in names else -1 :][0] == "signature"
        assert (names["subok"], names["signature"]) == ("True", "None")
    assert describe(resolve, "numpy.memmap")["exists"] is False


def test_only_cpu_and_eager() -> None:
    for device, mode in (("cuda", ""), ("", "graph")):
        with pytest.raises(TargetUnavailable, match="cpu, eager"):
            NumpyAdapter(device, mode)
    assert NumpyAdapter("cpu", "eager").info()["version"] == np.__version__
