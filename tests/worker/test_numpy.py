"""The target ``numpy`` runs the reference in the case's own dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conformance.reference import registry
from conformance.worker.base import TargetUnavailable
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


def test_only_cpu_and_eager() -> None:
    for device, mode in (("cuda", ""), ("", "graph")):
        with pytest.raises(TargetUnavailable, match="cpu, eager"):
            NumpyAdapter(device, mode)
    assert NumpyAdapter("cpu", "eager").info()["version"] == np.__version__
