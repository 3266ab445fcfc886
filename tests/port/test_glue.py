from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from conformance.port.budget import OUTPUT, judge_one
from conformance.port.capture import Pass
from conformance.port.divergence import find
from conformance.port.examine import examine
from conformance.port.formulas import attention
from conformance.port.glue import explain
from conformance.port.measure import measure
from conformance.port.model import Array
from conformance.report import text
from tests.port.fake_side import Call, FakeSide, Network, pairs
from tests.port.layers import Layer, dense, layer_norm

Mask = Callable[[Array, Array], Array]
HEADS, SIZE = 4, 8


def found(made: dict[str, Layer], ours: Network, theirs: Network, *shape: int) -> tuple[str, str]:
    """Return where the networks part first, and what the glue there is found to compute."""
    return parted(made, ours, theirs, np.random.RandomState(3).randn(*shape).astype(np.float32))


def parted(made: dict[str, Layer], ours: Network, theirs: Network, x: Array) -> tuple[str, str]:
    torch, port = FakeSide("torch", made, ours), FakeSide("mindspore", made, theirs)
    exact, single = torch.run([x], precision="float64"), torch.run([x])
    outputs = judge_one(
        measure(exact.outputs[0], single.outputs[0], port.run([x]).outputs[0]), OUTPUT
    )
    aligned, on = pairs(torch, port, [x]), Pass([x])
    first = find(list(examine(torch, port, aligned, on)), outputs, on).first
    assert first is not None
    assert first.kind == "glue"
    told = explain(torch, port, aligned, first, on)
    if told is not None:
        chinese = told.translated(text.translator("zh").gettext)
        for word in ("heads", "input of", "scores", "mask", "mean", "flattened", "computes"):
            assert word not in chinese
    return str(first.torch), told or ""


def blocks(mix: Callable[[Array, Array], Array]) -> Network:
    def network(call: Call, x: Array) -> Array:
        x = call("stem", x)
        y = call("fc2", np.maximum(call("fc1", call("norm", x)), 0))
        return call("head", mix(y, x))

    return network


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def test_a_formula_that_fits_the_first_input_only_is_not_told() -> None:
    rng = np.random.RandomState(0)
    made = {"q": dense(rng, 3, 3), "k": dense(rng, 3, 3), "o": dense(rng, 3, 3)}
    made["q"].values |= {"weight": np.eye(3), "bias": np.zeros(3)}

    def ours(call: Call, x: Array) -> Array:
        return call("o", relu(call("q", x)) * call("k", x))

    def theirs(call: Call, x: Array) -> Array:
        return call("o", call("q", x) * relu(call("k", x)))

    x = np.array([[1, 2, 3], [-1, -2, 3], [1, -2, -3]], np.float32)
    assert parted(made, ours, theirs, x)[1].startswith("PyTorch computes k * relu(")


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (
            lambda a, b: relu(a + b),
            lambda a, b: relu(a) + b,
            "PyTorch computes relu(fc2 + the input of norm); "
            "the port relu(fc2) + the input of norm",
        ),
        (
            lambda a, b: a + b,
            lambda a, b: a,
            "PyTorch computes fc2 + the input of norm; the port fc2",
        ),
        (
            lambda a, b: a + b,
            lambda a, b: a + b + 1,
            "PyTorch computes fc2 + the input of norm; the port something else",
        ),
        (lambda a, b: a + 2 * b, lambda a, b: a, ""),
    ],
)
def test_residual_sums(
    ours: Callable[[Array, Array], Array], theirs: Callable[[Array, Array], Array], words: str
) -> None:
    rng = np.random.RandomState(1)
    made = {
        "stem": dense(rng, 6, 16),
        "norm": layer_norm(rng, 16),
        "fc1": dense(rng, 16, 16),
        "fc2": dense(rng, 16, 16),
        "head": dense(rng, 16, 5),
    }
    assert found(made, blocks(ours), blocks(theirs), 8, 6) == ("head", words)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (lambda x: x.mean((2, 3)), "the spatial mean of ({})"),
        (lambda x: x.reshape(len(x), -1), "({}) flattened"),
    ],
)
def test_what_is_done_before_a_layer_of_another_shape(
    after: Callable[[Array], Array], words: str
) -> None:
    rng = np.random.RandomState(1)
    made = {"a": dense(rng, 4, 4), "b": dense(rng, 4, 4)}
    made["head"] = dense(rng, after(np.zeros((1, 3, 4, 4))).shape[1], 5)

    def network(mix: Callable[[Array, Array], Array]) -> Network:
        def run(call: Call, x: Array) -> Array:
            x = relu(call("a", x))
            return call("head", after(mix(call("b", x), x)))

        return run

    late = network(lambda a, b: relu(a) + b)
    place, said = found(made, network(lambda a, b: relu(a + b)), late, 6, 3, 4, 4)
    ours, theirs = "relu(b + the input of b)", "relu(b) + the input of b"
    assert place == "head"
    assert said == f"PyTorch computes {words.format(ours)}; the port {words.format(theirs)}"


def attend(
    order: str = "qkv",
    scale: float = SIZE**-0.5,
    hidden: Mask = lambda i, j: j > i,
    by_head: bool = False,
    apart: bool = False,
    softmax: bool = False,
) -> Network:
    """Return attention with its projections in one layer or `apart`, softmax a layer or not."""

    def network(call: Call, x: Array) -> Array:
        if apart:
            parts = [call(name, x).reshape(*x.shape[:2], HEADS, SIZE) for name in "qkv"]
        else:
            shape = (HEADS, 3, SIZE) if by_head else (3, HEADS, SIZE)
            split = call("qkv", x).reshape(*x.shape[:2], *shape)
            parts = list(np.moveaxis(split, 3 if by_head else 2, 0))
        q, k, v = (parts["qkv".index(c) if apart else order.index(c)].swapaxes(1, 2) for c in "qkv")
        scores = q @ k.swapaxes(-1, -2) * x.dtype.type(scale)
        i, j = np.indices(scores.shape[-2:])
        scores = np.where(hidden(i, j), x.dtype.type(-1e9), scores)
        if softmax:
            weights = call("softmax", scores)
        else:
            e = np.exp(scores - scores.max(-1, keepdims=True))
            weights = e / e.sum(-1, keepdims=True)
        return call("proj", (weights @ v).swapaxes(1, 2).reshape(*x.shape[:2], -1))

    return network


USUAL = "4 heads, q, k, v, scores over the root of the head's size, a causal mask"


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({}, {"scale": 1.0}, "4 heads, q, k, v, scores not scaled, a causal mask"),
        ({}, {"order": "kqv"}, USUAL.replace("q, k, v", "k, q, v")),
        ({}, {"by_head": True}, USUAL.replace("q, k, v", "q, k, v by head")),
        (
            {},
            {"hidden": lambda i, j: j > i + 1},
            USUAL + " that shows one of the future",
        ),
        ({}, {"hidden": lambda i, j: i + j < 0}, USUAL.replace("a causal mask", "no mask")),
        (
            {"apart": True},
            {"apart": True, "scale": 1.0},
            USUAL.replace("over the root of the head's size", "not scaled"),
        ),
        (
            {"softmax": True},
            {"softmax": True, "hidden": lambda i, j: j > i + 1},
            USUAL + " that shows one of the future",
        ),
        (
            {"softmax": True},
            {"softmax": True, "scale": 1.0},
            USUAL.replace("over the root of the head's size", "not scaled"),
        ),
    ],
)
def test_attention(ours: dict[str, object], theirs: dict[str, object], words: str) -> None:
    rng = np.random.RandomState(1)
    width = HEADS * SIZE
    made = {"qkv": dense(rng, width, 3 * width), "proj": dense(rng, width, width)}
    made |= {name: dense(rng, width, width) for name in "qkv"}
    made["softmax"] = Layer("softmax")
    place, said = found(made, attend(**ours), attend(**theirs), 2, 24, width)  # type: ignore[arg-type]
    assert place == ("softmax" if "softmax" in ours else "proj")
    assert said == f"PyTorch computes {USUAL}; the port {words}"


@pytest.mark.parametrize(("width", "to"), [(768, 768), (770, 256), (96, 768)])
def test_a_layer_that_is_no_projection_to_q_k_and_v(width: int, to: int) -> None:
    """What a norm of a vision transformer returns is no wider than what attention returns."""
    rng = np.random.RandomState(1)
    assert not list(attention([rng.randn(50, width)], rng.randn(16, to)))
