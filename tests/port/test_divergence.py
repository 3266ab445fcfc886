from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from conformance.port.budget import OUTPUT, Judgement, judge
from conformance.port.capture import Pass, captures, need, plan
from conformance.port.divergence import Found, find
from conformance.port.examine import examine
from conformance.port.measure import measure
from conformance.port.model import Array, CallKey, LayerCall
from conformance.port.result import LayerRow, Verdict
from tests.port.fake_side import Both, Call, FakeSide, Network, pairs, sequence
from tests.port.layers import Layer, dense, gelu, layer_norm, relu

WIDTH, BLOCKS = 32, 4


def parts() -> dict[str, Layer]:
    rng = np.random.RandomState(7)
    made = {"stem": dense(rng, 12, WIDTH)}
    for n in range(BLOCKS):
        made[f"b{n}.norm"] = layer_norm(rng, WIDTH)
        made[f"b{n}.fc1"] = dense(rng, WIDTH, WIDTH)
        made[f"b{n}.act"] = gelu()
        made[f"b{n}.fc2"] = dense(rng, WIDTH, WIDTH)
    made["head"] = dense(rng, WIDTH, 10)
    return made


def shortcut(a: Array, b: Array) -> Array:
    return np.maximum(a + b, 0)


def residual(
    mix: Callable[[Array, Array], Array] = shortcut,
    at: int = 2,
    end: Callable[[Array], Array] = lambda x: x,
) -> Network:
    """Return blocks whose sum with the shortcut is made by `mix` in block `at`."""

    def network(call: Call, x: Array) -> Array:
        x = call("stem", x)
        for n in range(BLOCKS):
            y = call(f"b{n}.fc1", call(f"b{n}.norm", x))
            y = call(f"b{n}.fc2", call(f"b{n}.act", y))
            x = (mix if n == at else shortcut)(y, x)
        return end(call("head", x))

    return network


def compare(
    torch: FakeSide, port: FakeSide, memory: int = 2**30, training: bool = False
) -> tuple[Judgement, Found]:
    found = []
    for seed in range(5):
        x = np.random.RandomState(seed).randn(16, 12).astype(np.float32)
        exact = torch.run([x], precision="float64").outputs[0]
        found.append(measure(exact, torch.run([x]).outputs[0], port.run([x]).outputs[0]))
    outputs = judge(found, OUTPUT)
    on = Pass([x], training=training, size="first")
    seen = list(examine(torch, port, pairs(torch, port, [x]), on, memory))
    return outputs, find(seen, outputs, on)


def sides(
    change: Callable[[dict[str, Layer]], Any] = lambda made: None, network: Network | None = None
) -> tuple[FakeSide, FakeSide]:
    made = parts()
    torch = FakeSide("torch", made, residual())
    change(made)
    return torch, FakeSide("mindspore", made, network or residual())


def row(found: Found, layer: str) -> LayerRow:
    return next(r for r in found.rows if layer in (str(r.torch), str(r.mindspore)))


def test_a_right_port_parts_nowhere() -> None:
    outputs, found = compare(*sides())
    assert outputs.verdict is Verdict.SAME
    assert found.divergences == ()
    assert {r.verdict for r in found.rows} == {Verdict.SAME}
    assert all(r.came_in and r.went_out and r.replayed for r in found.rows)


def _eps(made: dict[str, Layer]) -> None:
    made["b1.norm"].settings["eps"] = 1e-7


def _tanh(made: dict[str, Layer]) -> None:
    made["b2.act"].settings["approximate"] = "tanh"


def _bias(made: dict[str, Layer]) -> None:
    made["b3.fc1"].values["bias"] = np.zeros(WIDTH)


def _both(made: dict[str, Layer]) -> None:
    _tanh(made)
    _bias(made)


def _transposed(made: dict[str, Layer]) -> None:
    made["b0.fc2"].values["weight"] = made["b0.fc2"].values["weight"].T


@pytest.mark.parametrize(
    ("change", "layer"),
    [(_eps, "b1.norm"), (_tanh, "b2.act"), (_bias, "b3.fc1"), (_transposed, "b0.fc2")],
)
def test_a_wrong_layer_is_the_first_and_the_only_one(
    change: Callable[[dict[str, Layer]], None], layer: str
) -> None:
    _, found = compare(*sides(change))
    assert [(d.kind, str(d.torch), d.size) for d in found.divergences] == [
        ("layer", layer, "first")
    ]
    assert {str(r.torch) for r in found.rows if r.verdict is Verdict.DIFFERS} == {layer}
    assert "alone on PyTorch's input" in found.divergences[0].words


def test_a_small_fault_behind_much_noise_is_seen_alone() -> None:
    """Where PyTorch's own noise hides a wrong eps in the model, the layer alone shows it."""

    def network(call: Call, x: Array) -> Array:
        big = x.dtype.type(3000)
        return call("head", call("norm", (call("stem", x) + big) - big))

    rng = np.random.RandomState(7)
    made = {"stem": dense(rng, 12, 32), "norm": layer_norm(rng, 32), "head": dense(rng, 32, 9)}
    torch = FakeSide("torch", made, network)
    made["norm"].settings["eps"] = 4e-5
    outputs, found = compare(torch, FakeSide("mindspore", made, network))
    assert outputs.verdict is Verdict.SAME
    went_out = row(found, "norm").went_out
    assert went_out is not None
    assert went_out.ratio < OUTPUT.same
    assert [str(d.torch) for d in found.divergences] == ["norm"]


def test_two_wrong_layers_are_both_named() -> None:
    _, found = compare(*sides(_both))
    assert [str(d.torch) for d in found.divergences] == ["b2.act", "b3.fc1"]


@pytest.mark.parametrize("mix", [lambda a, b: np.maximum(a, 0) + b, lambda a, b: np.maximum(a, 0)])
def test_glue_before_a_layer(mix: Callable[[Array, Array], Array]) -> None:
    outputs, found = compare(*sides(network=residual(mix, at=2)))
    assert outputs.verdict is Verdict.DIFFERS
    first = found.first
    assert first is not None
    assert (first.kind, str(first.torch), list(map(str, first.after))) == (
        "glue",
        "b3.norm",
        ["b2.fc2"],
    )
    assert len(found.divergences) == 1
    assert {r.verdict for r in found.rows} == {Verdict.SAME}
    assert "b2.fc2, and every layer before, agrees" in first.words


def test_glue_far_worse_than_a_layer_before_it_is_named_as_well() -> None:
    network = residual(lambda a, b: np.maximum(a, 0) - b, at=3)
    _, found = compare(*sides(_eps, network))
    assert [(d.kind, str(d.torch)) for d in found.divergences] == [
        ("layer", "b1.norm"),
        ("glue", "head"),
    ]


def test_nan_is_blamed_on_the_layer_that_makes_it() -> None:
    def change(made: dict[str, Layer]) -> None:
        made["b1.fc1"].values["bias"] = np.full(WIDTH, np.nan)

    outputs, found = compare(*sides(change))
    assert (outputs.verdict, outputs.reason) == (
        Verdict.DIFFERS,
        "160 of 160 values are NaN or Inf",
    )
    assert [(d.kind, str(d.torch)) for d in found.divergences] == [("layer", "b1.fc1")]
    assert "NaN or Inf" in found.divergences[0].words
    assert row(found, "b3.fc1").verdict is Verdict.SAME


def test_another_shape_is_blamed_on_the_layer_that_makes_it() -> None:
    class Short(Layer):
        def _gelu(self, t: Mapping[str, Array], x: Array, training: bool) -> Any:
            y, moved = super()._gelu(t, x, training)
            return y[:, :-1], moved

    def change(made: dict[str, Layer]) -> None:
        made["b3.act"] = Short("gelu", {}, {"approximate": "none"})
        fc2 = made["b3.fc2"]
        made["b3.fc2"] = Layer("dense", fc2.values | {"weight": fc2.values["weight"][:, :-1]})

    _, found = compare(*sides(change))
    assert [(d.kind, str(d.torch)) for d in found.divergences] == [("layer", "b3.act")]
    assert "its shape is (16, 31), PyTorch's (16, 32)" in found.divergences[0].words
    assert row(found, "b3.fc2").verdict is Verdict.NOT_COMPARED


def test_glue_after_the_last_layer() -> None:
    _, found = compare(*sides(network=residual(end=lambda x: 1.001 * x)))
    first = found.first
    assert first is not None
    assert (first.kind, first.torch, list(map(str, first.after))) == ("glue", None, ["head"])


def test_glue_before_the_first_layer() -> None:
    def network(call: Call, x: Array) -> Array:
        return residual()(call, x * x.dtype.type(1.01))

    _, found = compare(*sides(network=network))
    first = found.first
    assert first is not None
    assert (first.kind, str(first.torch), first.after) == ("glue", "stem", ())


def test_a_layer_that_the_port_lacks_is_named_with_the_glue() -> None:
    def network(call: Call, x: Array) -> Array:
        x = call("stem", x)
        for n in range(BLOCKS):
            y = call(f"b{n}.fc1", call(f"b{n}.norm", x))
            x = shortcut(call(f"b{n}.fc2", y if n == 1 else call(f"b{n}.act", y)), x)
        return call("head", x)

    _, found = compare(*sides(network=network))
    first = found.first
    assert first is not None
    assert (first.kind, str(first.torch)) == ("glue", "b1.fc2")
    assert "on one side only: b1.act" in first.words
    assert (first.only_torch, first.only_port) == ((CallKey("b1.act"),), ())
    lone = row(found, "b1.act")
    assert (lone.verdict, lone.problem) == (Verdict.NOT_COMPARED, "only in PyTorch")


def test_noise_of_a_hundred_layers_is_no_divergence() -> None:
    rng = np.random.RandomState(3)
    made: dict[str, Layer] = {"l0": dense(rng, 12, WIDTH)}
    for n in range(1, 100):
        made[f"l{n}"] = dense(rng, WIDTH, WIDTH) if n % 2 else relu()
    network = sequence(*made)
    outputs, found = compare(FakeSide("torch", made, network), FakeSide("mindspore", made, network))
    assert outputs.verdict is Verdict.SAME
    last = found.rows[-1].went_out
    assert last is not None
    assert last.torch > 5 * last.floor
    assert found.divergences == ()


class _Rough(Layer):
    """A kernel that is always too large by some roundoffs."""

    def _dense(self, t: Mapping[str, Array], x: Array, training: bool) -> Any:
        y, moved = super()._dense(t, x, training)
        return y * (1 + 14 * 2.0**-24 * self.backwards), moved


def test_many_layers_a_little_off_are_named_together() -> None:
    rng = np.random.RandomState(3)
    made: dict[str, Layer] = {"l0": dense(rng, 12, 64)}
    for n in range(24):
        made[f"n{n}"] = _Rough("dense", dense(rng, 64, 64).values)
    network = sequence(*made)
    outputs, found = compare(FakeSide("torch", made, network), FakeSide("mindspore", made, network))
    assert outputs.verdict is Verdict.DIFFERS
    assert {r.verdict for r in found.rows} == {Verdict.SAME, Verdict.UNRESOLVED}
    first = found.first
    assert first is not None
    assert (first.kind, str(first.torch)) == ("layer", "n0")
    assert "no layer alone is far off, but 24 of them a little" in first.words
    assert len(found.divergences) == 1


def fused(torch: bool) -> tuple[dict[str, Layer], Network, Network]:
    rng = np.random.RandomState(3)
    made = {"a": dense(rng, 12, 32), "norm": layer_norm(rng, 32), "b": dense(rng, 32, 8)}
    return made, sequence("a", "norm", "b"), sequence("a", "norm", "act", "b")


class _NormAndRelu(Layer):
    """timm's way: a normalisation that applies its activation itself."""

    def _layer_norm(self, t: Mapping[str, Array], x: Array, training: bool) -> Any:
        y, moved = super()._layer_norm(t, x, training)
        return np.maximum(y, 0), moved


@pytest.mark.parametrize("inside", ["torch", "mindspore"])
def test_a_fused_activation_is_compared_with_the_layer_that_does_the_same(inside: str) -> None:
    made, short, long = fused(True)
    norm = made["norm"]
    one = made | {"norm": _NormAndRelu("layer_norm", norm.values, norm.settings)}
    two = made | {"act": relu()}
    if inside == "torch":
        both = FakeSide("torch", one, short), FakeSide("mindspore", two, long)
    else:
        both = FakeSide("torch", two, long), FakeSide("mindspore", one, short)
    outputs, found = compare(*both)
    assert outputs.verdict is Verdict.SAME
    assert found.divergences == ()
    assert row(found, "norm").verdict is Verdict.SAME
    assert row(found, "norm").problem.startswith("compared together with act, of its own in ")


@pytest.mark.parametrize("wrong", [False, True])
def test_calls_that_were_aligned_with_a_sequence(wrong: bool) -> None:
    made, short, long = fused(True)
    norm = made["norm"]
    one = made | {"norm": _NormAndRelu("layer_norm", norm.values, norm.settings)}
    two = made | {"act": gelu() if wrong else relu()}
    torch, port = FakeSide("torch", one, short), FakeSide("mindspore", two, long)
    x = np.random.RandomState(4).randn(16, 12).astype(np.float32)
    first, middle, act, last = pairs(torch, port, [x])
    together = Both(middle.torch, (*middle.mindspore, *act.mindspore), middle.kind)
    seen = list(examine(torch, port, [first, together, last], Pass([x])))
    assert seen[1].row.verdict is (Verdict.DIFFERS if wrong else Verdict.SAME)
    assert seen[1].row.problem[:3] == ("the" if wrong else "")
    assert seen[1].row.went_out is not None
    assert (seen[1].row.went_out.ratio > OUTPUT.differs) is wrong


def test_an_activation_in_the_glue_of_one_side() -> None:
    made, short, _ = fused(True)
    norm = made["norm"]
    one = made | {"norm": _NormAndRelu("layer_norm", norm.values, norm.settings)}

    def network(call: Call, x: Array) -> Array:
        return call("b", np.maximum(call("norm", call("a", x)), 0))

    outputs, found = compare(FakeSide("torch", one, short), FakeSide("mindspore", made, network))
    assert outputs.verdict is Verdict.SAME
    assert found.divergences == ()
    assert "the layers are cut elsewhere" in row(found, "norm").problem
    assert row(found, "norm").verdict is Verdict.NOT_COMPARED


def test_an_activation_that_only_one_side_has_is_a_divergence() -> None:
    made, short, _ = fused(True)
    norm = made["norm"]
    one = made | {"norm": _NormAndRelu("layer_norm", norm.values, norm.settings)}
    _, found = compare(FakeSide("torch", one, short), FakeSide("mindspore", made, short))
    assert [(d.kind, str(d.torch)) for d in found.divergences] == [("layer", "norm")]


def test_a_layer_that_cannot_be_called_alone_is_judged_by_what_flows() -> None:
    torch, port = sides(_tanh)
    port.parts["b2.act"].settings["refuses"] = True
    port.parts["b3.act"].settings["refuses"] = True
    _, found = compare(torch, port)
    assert [str(d.torch) for d in found.divergences] == ["b2.act"]
    after = row(found, "b3.act")
    assert after.verdict is Verdict.NOT_COMPARED
    assert after.problem == "it cannot be called alone: b3.act: takes keywords only"


def test_a_layer_that_agrees_alone_but_not_in_the_model() -> None:
    torch, port = sides()
    calls = iter(range(1000))
    forward = port.parts["b1.fc1"].forward

    def moody(t: Any, x: Array, training: bool) -> Any:
        y, moved = forward(t, x, training)
        # The second of the model's and the lone calls that `compare` makes after five draws.
        return (y if next(calls) in (*range(5), 5, 7) else y + 1), moved

    port.parts["b1.fc1"].forward = moody  # type: ignore[method-assign]
    _, found = compare(torch, port)
    assert [str(d.torch) for d in found.divergences] == ["b1.fc1"]
    assert "in the model it does not" in found.divergences[0].words


def test_axes_of_length_one_and_other_integers_do_not_stand_between() -> None:
    """MindSpore's Conv1d works on an axis more; its indices are int32."""

    class Table(Layer):
        def _table(self, t: Mapping[str, Array], x: Array, training: bool) -> Any:
            assert x.dtype == (np.int32 if self.backwards else np.int64)
            return t["weight"][x], {}

    class Wider(Layer):
        def _dense(self, t: Mapping[str, Array], x: Array, training: bool) -> Any:
            assert x.ndim == 4
            y, moved = super()._dense(t, x[:, :, 0], training)
            return y[:, :, None], moved

    rng = np.random.RandomState(2)
    table = Table("table", {"weight": rng.randn(20, 12)})
    made: dict[str, Layer] = {"table": table, "fc": dense(rng, 12, 9)}

    def wider(call: Call, x: Array) -> Array:
        y = call("table", x.astype(np.int32))
        return np.asarray(call("fc", y[:, :, None])[:, :, 0])

    torch = FakeSide("torch", made, sequence("table", "fc"))
    made["fc"] = Wider("dense", made["fc"].values)
    port = FakeSide("mindspore", made, wider)
    x = rng.randint(20, size=(4, 7))
    seen = list(examine(torch, port, pairs(torch, port, [x]), Pass([x])))
    assert [(s.row.verdict, s.row.problem) for s in seen] == [(Verdict.SAME, "")] * 2
    assert all(s.row.came_in and s.row.went_out and s.row.replayed for s in seen)


def test_groups_fit_into_memory() -> None:
    def call(name: str, size: int) -> LayerCall:
        return LayerCall(CallKey(name), ((size,),), ((size, 2),))

    made = [Both((call(str(n), 10),), (call(str(n), 10),)) for n in range(5)]
    big = Both((call("big", 1000),), ())
    assert need(made[0]) == 30 * 12 + 30 * 4
    assert need(big) == 3000 * 12
    groups = plan([*made[:2], big, *made[2:]], memory=3 * need(made[0]))
    assert [len(group) for group in groups] == [2, 1, 3]
    assert [pair for group in groups for pair in group] == [*made[:2], big, *made[2:]]


def test_streaming_in_groups_changes_nothing_but_the_number_of_passes() -> None:
    torch, port = sides(_tanh)
    x = np.random.RandomState(4).randn(16, 12).astype(np.float32)
    aligned = pairs(torch, port, [x])
    port.runs = 0
    whole = list(captures(torch, port, aligned, Pass([x])))
    assert port.runs == 1
    assert [item.pair for item in whole] == aligned
    port.runs = 0
    few = list(captures(torch, port, aligned, Pass([x]), memory=40_000))
    assert port.runs == len(plan(aligned, 40_000)) > 4
    for one, other in zip(whole, few, strict=True):
        assert one.port is not None
        assert other.port is not None
        np.testing.assert_array_equal(one.port.outputs[0], other.port.outputs[0])
    assert compare(torch, port)[1] == compare(torch, port, memory=40_000)[1]


def test_glue_that_heals_before_the_output_is_no_divergence() -> None:
    """Another layout, such as channels last, around layers that do not mind."""

    def network(call: Call, x: Array) -> Array:
        x = call("stem", x)
        for n in range(BLOCKS):
            y = call(f"b{n}.fc1", call(f"b{n}.norm", x))
            y = call(f"b{n}.act", y[:, ::-1])[:, ::-1]
            x = shortcut(call(f"b{n}.fc2", y), x)
        return call("head", x)

    outputs, found = compare(*sides(network=network))
    assert outputs.verdict is Verdict.SAME
    assert found.divergences == ()
    outputs, found = compare(*sides(_tanh, network))
    assert outputs.verdict is Verdict.DIFFERS
    assert ("layer", "b2.act") in {(d.kind, str(d.torch)) for d in found.divergences}
