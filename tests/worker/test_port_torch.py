"""PyTorch's session, held against what PyTorch itself computes for the same model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.errors import PortFailed
from conformance.port.model import CallKey, Drop, Precision
from conformance.port.remote import Build, RemoteSide
from conformance.run.target import parse
from conformance.worker import wire
from tests.worker.torch_models import IMAGES, TOKENS, R, Small, Tied, side

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = pytest.importorskip("torch")
    nn = torch.nn

pytestmark = pytest.mark.frameworks


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(threads)


def exact(model: Any, x: Any, **options: Any) -> Any:
    """Return what the model says in float64."""
    with torch.no_grad():
        return copy.deepcopy(model).double().eval()(torch.from_numpy(x).double()).numpy()


def test_layers_and_tensors_are_listed_in_order_of_definition() -> None:
    made = side(Small())
    layers = made.layers()
    assert [layer.name for layer in layers] == [
        "", "stem", "block", "block.conv", "block.norm", "block.act", "drop", "head"
    ]  # fmt: skip
    by_name = {layer.name: layer for layer in layers}
    assert by_name["stem"].type == "torch.nn.Conv2d"
    assert by_name["block"].type.endswith("torch_models.Block")
    assert (by_name["block"].leaf, by_name["head"].leaf) == (False, True)
    assert by_name["head"].tensors == ("head.weight", "head.bias")
    tensors = {tensor.name: tensor for tensor in made.tensors()}
    assert list(tensors) == list(Small().state_dict())
    mean = tensors["block.norm.running_mean"]
    assert (mean.shape, mean.dtype, mean.trainable, mean.layer) == (
        (8,), "float32", False, "block.norm"
    )  # fmt: skip
    assert tensors["stem.weight"].trainable


def test_a_tensor_of_two_names_is_listed_by_both() -> None:
    made = side(Tied())
    told = {t.name: (t.layer, t.same_as) for t in made.tensors()}
    assert list(told) == list(Tied().state_dict())
    assert told["head.weight"] == ("head", "emb.weight")
    assert told["second.bias"] == ("first", "first.bias")
    assert told["emb.weight"] == ("emb", "")
    assert [layer.name for layer in made.layers()] == ["", "emb", "first", "head"]
    assert [(c.key.layer, c.key.nth) for c in made.trace([TOKENS])] == [
        ("emb", 0), ("first", 0), ("first", 1), ("head", 0)
    ]  # fmt: skip
    gradients = made.differentiate([TOKENS], []).gradients
    one, other = (gradients[name] for name in ("emb.weight", "head.weight"))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one, other)
    with pytest.raises(PortFailed, match="one tensor, given two values"):
        made.write({"emb.weight": np.zeros((20, 16)), "head.weight": np.ones((20, 16))})
    made.write({"head.weight": np.ones((20, 16), np.float32)})
    assert (made.read(["emb.weight"], "float64")["emb.weight"] == 1).all()


def test_the_callers_model_is_left_alone() -> None:
    model = Small()
    before = copy.deepcopy(model.state_dict())
    made = side(model.train(), optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=1.0))
    made.calibrate([IMAGES], 0)
    made.begin()
    made.step([IMAGES], [])
    assert made.still() == ["drop"]
    assert (model.training, model.drop.p) == (True, 0.5)
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())


def test_both_precisions_are_the_models_own() -> None:
    model = Small()
    made = side(model)
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_array_equal(made.run([IMAGES]).outputs[0], expected)
    wide = made.run([IMAGES], precision="float64").outputs[0]
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, exact(model, IMAGES))


class Upcasting(nn.Module):  # type: ignore[misc]
    """Casts to float32 and creates tensors, as normalisations and attention do."""

    def forward(self, x: Any) -> Any:
        x = x / 3
        y = x.float() + x.to(torch.float32) + x.to(dtype=torch.float32) + x.type(torch.float32)
        y = (
            nn.functional.softmax(y, dim=-1, dtype=torch.float32)
            + torch.ones(3, dtype=torch.float32) / 3
        )
        return y * torch.tensor(0.1) + torch.arange(3.0) / 7


def test_a_model_that_casts_to_float32_is_float64_nevertheless() -> None:
    x = np.random.RandomState(0).randn(2, 3).astype(np.float32)
    made = side(Upcasting())
    wide = x.astype(np.float64)
    e = np.exp(4 * wide / 3)
    expected = (e / e.sum(-1, keepdims=True) + 1 / 3) * 0.1 + np.arange(3.0) / 7
    found = made.run([x], precision="float64").outputs[0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert torch.get_default_dtype() == torch.float32
    assert made.run([x]).outputs[0].dtype == np.float32


def test_integers_stay_integers() -> None:
    made = side(Tied())
    made.run([TOKENS.astype(np.int64)], precision="float64")
    made.run([TOKENS.astype(np.int32)], precision="float64")


def test_a_call_is_captured_before_what_happens_in_place() -> None:
    model = Small()
    made = side(model)
    keys = [CallKey("block.norm", 1), CallKey("block.act", 1)]
    captured = made.run([IMAGES], capture=keys).captured
    assert set(captured) == set(keys)
    norm, act = (captured[key] for key in keys)
    np.testing.assert_array_equal(norm.outputs[0], act.inputs[0])
    assert (norm.outputs[0] < 0).any()
    np.testing.assert_array_equal(act.outputs[0], np.maximum(act.inputs[0], 0))


def test_training_leaves_no_trace_but_for_its_result() -> None:
    made = side(Small())
    before = made.read()
    generator = torch.get_rng_state()
    backward = made.differentiate([IMAGES], [])
    made.run([IMAGES], training=True)
    made.trace([IMAGES], training=True)
    assert torch.equal(generator, torch.get_rng_state())
    after = made.read()
    assert all(np.array_equal(before[n], after[n]) for n in before)
    assert int(backward.state["block.norm.num_batches_tracked"]) == 2
    assert not made._session.models["float32"].block.norm.training  # type: ignore[attr-defined]


def test_a_buffer_that_a_model_replaces_is_put_back() -> None:
    class Counting(nn.Module):  # type: ignore[misc]
        count: Any

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(2))
            self.register_buffer("hidden", torch.zeros(1), persistent=False)

        def forward(self, x: Any) -> Any:
            self.count = self.count + 1
            self.hidden += 1
            return x * self.count * self.hidden

    made = side(Counting())
    x = np.ones(2, np.float32)
    for _ in range(2):
        assert made.run([x]).outputs[0].tolist() == [1, 1]
    assert [t.name for t in made.tensors()] == ["count"]


def test_running_statistics_after_a_batch_are_told() -> None:
    made = side(Small())
    statistics = made.differentiate([IMAGES], []).state
    model = Small().train()
    model.load_state_dict({n: torch.from_numpy(a) for n, a in made.read().items()})
    model(torch.from_numpy(IMAGES))
    for name, buffer in model.named_buffers():
        np.testing.assert_array_equal(statistics[name], buffer.numpy())


def test_gradients_of_the_fixed_cotangent() -> None:
    model = nn.Linear(3, 2)
    x = R.randn(5, 3).astype(np.float32)
    backward = side(model).differentiate([x], [], precision="float64")
    seed = wire.cotangent((5, 2), 0)
    for name, expected in (("weight", seed.T @ x.astype(float)), ("bias", seed.sum(0))):
        found = backward.gradients[name]
        assert found is not None
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    output = x.astype(float) @ model.weight.detach().double().numpy().T
    output = output + model.bias.detach().double().numpy()
    assert backward.loss == pytest.approx((output * seed).sum(), rel=1e-12)


def test_what_the_loss_does_not_reach_has_no_gradient() -> None:
    class Parts(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.frozen = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
            self.frozen.requires_grad_(False)

        def forward(self, x: Any) -> Any:
            return self.frozen(self.used(x))

    backward = side(Parts()).differentiate([np.ones((1, 2), np.float32)], [])
    assert backward.gradients["unused.weight"] is None
    assert backward.gradients["used.weight"] is not None
    assert "frozen.weight" not in backward.gradients
    assert "frozen.weight" in backward.state


def test_training_steps_are_pytorchs_in_either_precision() -> None:
    y = np.array([0, 1, 2, 3, 0, 1])
    torch.manual_seed(0)
    model = Small()
    model.drop.p = 0.0

    def optimizer(m: Any) -> Any:
        return torch.optim.AdamW(m.parameters(), lr=0.01)

    def schedule(o: Any) -> Any:
        return torch.optim.lr_scheduler.StepLR(o, 1, 0.5)

    made = side(model, loss=nn.CrossEntropyLoss, optimizer=optimizer, schedule=schedule)
    start = made.read()
    precision: Precision
    for precision in ("float32", "float64"):
        own = copy.deepcopy(model).train().to(getattr(torch, precision))
        o = optimizer(own)
        made.begin(precision)
        for i in range(3):
            step = made.step([IMAGES], [y], precision)
            x = torch.from_numpy(IMAGES).to(getattr(torch, precision))
            o.zero_grad()
            loss = nn.functional.cross_entropy(own(x), torch.from_numpy(y))
            loss.backward()
            o.step()
            o.param_groups[0]["lr"] /= 2
            assert step.loss == loss.item()
            assert step.rates == (0.01 * 0.5**i,)
        values = made.read(precision=precision)
        for name, value in own.state_dict().items():
            np.testing.assert_array_equal(values[name], value.numpy())
    made.write(start)
    assert all(np.array_equal(start[n], made.read([n], "float64")[n]) for n in start)


def test_float64_begins_where_float32_began() -> None:
    made = side(Small(), optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=1.0))
    start = made.read()
    made.begin()
    made.step([IMAGES], [])
    wide = made.read(precision="float64")
    np.testing.assert_array_equal(wide["head.bias"], start["head.bias"])
    assert not np.array_equal(made.read()["head.bias"], start["head.bias"])


def test_a_layer_alone_is_called_as_in_the_model() -> None:
    class Masked(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Any) -> Any:
            mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
            return self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]

    made = side(Masked())
    x = R.randn(2, 4, 8).astype(np.float32)
    (call,) = [c for c in made.trace([x]) if c.depth == 0]
    assert call.inputs == ((2, 4, 8),) * 3 + ((4, 4),)
    forward = made.run([x], capture=[call.key])
    captured = forward.captured[call.key]
    assert captured.inputs[3].dtype == np.bool_
    again = made.replay("attention", captured.inputs)
    np.testing.assert_array_equal(again[0], forward.outputs[0])
    wide = made.replay("attention", captured.inputs, precision="float64")
    np.testing.assert_allclose(wide[0], forward.outputs[0], rtol=1e-4, atol=1e-6)
    assert wide[0].dtype == np.float64
    none = np.zeros_like(captured.inputs[3])
    assert not np.array_equal(made.replay("attention", [*captured.inputs[:3], none])[0], again[0])


def test_a_layer_alone_in_training_keeps_its_statistics() -> None:
    made = side(Small())
    x = R.randn(4, 8, 3, 3).astype(np.float32)
    before = made.read(["block.norm.running_mean"])["block.norm.running_mean"]
    (trained,) = made.replay("block.norm", [x], training=True)
    assert abs(trained.mean((0, 2, 3))).max() < 1e-5
    after = made.read(["block.norm.running_mean"])["block.norm.running_mean"]
    np.testing.assert_array_equal(before, after)


@dataclass
class Named:
    logits: Any
    aux: Any


def test_outputs_of_every_form_are_flattened() -> None:
    class Forms(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, i: Any) -> Any:
            return Named({"a": x, "b": None}, [i, (x.max(0), 3)])

    made = side(Forms())
    ran = made.run([np.eye(2, dtype=np.float32), np.array([1, 2])])
    outputs = ran.outputs
    assert [o.shape for o in outputs] == [(2, 2), (2,), (2,), (2,)]
    assert outputs[1].dtype == np.int64
    x, i = ("tensor", "float32"), ("tensor", "int64")
    rest = "items", (i, ("items", (("fields", (("values", x), ("indices", i))), ("number", 3))))
    assert ran.form == (
        "fields",
        (("logits", ("keys", (("a", x), ("b", ("none",))))), ("aux", rest)),
    )


def test_without_a_loss_the_first_output_by_its_key_is_differentiated() -> None:
    class Heads(Small):
        def __init__(self, *order: str) -> None:
            super().__init__()
            self.order = order

        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            return {name: y * (1 + "ab".index(name)) for name in self.order}

    losses = set()
    for order in ("ab", "ba"):
        torch.manual_seed(0)
        losses.add(side(Heads(*order)).differentiate([IMAGES], []).loss)
    assert len(losses) == 1


def test_checkpoints_come_back(tmp_path: Path) -> None:
    for suffix in ("pt", "pth", "safetensors"):
        made = side(Tied())
        path = str(tmp_path / f"w.{suffix}")
        values = made.read()
        made.save(path)
        made.write({n: np.zeros_like(a) for n, a in values.items()})
        made.load(path)
        after = made.read(precision="float64")
        assert all(np.array_equal(values[n], after[n]) for n in values)
    with pytest.raises(PortFailed, match="suffix is not"):
        made.save(str(tmp_path / "w.ckpt"))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "args": {"lr": 0.1}},
        lambda s: {"model": {"state_dict": s}},
        lambda s: {f"module.{n}": t for n, t in s.items()},
        lambda s: {n: t for n, t in s.items() if n != "head.weight"},  # tied: one name will do
    ],
)
def test_state_dicts_are_found_where_training_scripts_leave_them(
    tmp_path: Path, wrap: Callable[[Any], Any]
) -> None:
    other = Tied()
    torch.save(wrap(other.state_dict()), tmp_path / "w.pt")
    made = side(Tied())
    made.load(str(tmp_path / "w.pt"))
    np.testing.assert_array_equal(
        made.read(["head.weight"])["head.weight"], other.emb.weight.detach().numpy()
    )


def test_nothing_of_a_checkpoint_is_dropped_in_silence(tmp_path: Path) -> None:
    state = Small().state_dict()
    del state["head.bias"], state["block.norm.num_batches_tracked"]
    state["old.weight"] = torch.zeros(1)
    state["stem.weight"] = torch.zeros(8, 3, 1, 1)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(PortFailed) as caught:
        side(Small()).load(str(tmp_path / "w.pt"))
    assert str(caught.value).endswith(
        "w.pt does not fit the model: it lacks head.bias; has no place for old.weight; "
        "has other shapes: stem.weight (8, 3, 1, 1) for (8, 3, 3, 3)"
    )


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(Small(), tmp_path / "w.pt")
    with pytest.raises(PortFailed, match=r"holds more than tensors.*save model.state_dict\(\)"):
        side(Small()).load(str(tmp_path / "w.pt"))
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(PortFailed, match=r"text\.pt is no checkpoint"):
        side(Small()).load(str(tmp_path / "text.pt"))
    with pytest.raises(PortFailed, match=r"absent\.pt: no such file"):
        side(Small()).load(str(tmp_path / "absent.pt"))


class StochasticDepth(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.drop_prob = 0.5

    def forward(self, x: Any) -> Any:
        if not self.training or self.drop_prob == 0:
            return x
        return x * x.new_empty(len(x), 1).bernoulli_(1 - self.drop_prob)


class Random(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.path = nn.Dropout(0.3), StochasticDepth()
        self.attention = nn.MultiheadAttention(4, 1, dropout=0.5, batch_first=True)
        self.off, self.slope = nn.Dropout(0.0), nn.RReLU()
        self.inner = Functional()

    def forward(self, x: Any) -> Any:
        x = self.slope(self.path(self.off(self.drop(x))))
        return self.inner(self.attention(x[:, None], x[:, None], x[:, None])[0][:, 0] + x)


class Functional(nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        q = x[None]
        y = nn.functional.scaled_dot_product_attention(
            q, q, q, None, 0.5 if self.training else 0.0
        )[0]
        return nn.functional.dropout(
            torch.alpha_dropout(y, 0.5, self.training), training=self.training
        )


def test_what_is_random_in_training_is_stilled_and_told() -> None:
    made = side(Random())
    x = R.randn(64, 4).astype(np.float32)
    quiet = made.run([x]).outputs[0]
    assert not np.array_equal(made.run([x], training=True).outputs[0], quiet)
    assert made.drops([x]) == [
        Drop("drop", 0.3, "elements", ((64, 4),)),
        Drop("path", 0.5, "own", ((64, 4),)),
        Drop("attention", 0.5, "elements", ((64, 1, 4),) * 3),
        Drop("inner", 0.5, "elements"),
        Drop("inner", 0.5, "alpha"),
        Drop("inner", 0.5, "elements"),
    ]
    assert made.still() == ["drop", "path", "attention", "slope", "inner"]
    assert made.drops([x])[0].layer == "inner"  # layers drop nothing any more
    np.testing.assert_allclose(made.run([x], training=True).outputs[0], quiet, rtol=2e-5, atol=1e-6)
    made.differentiate([x], [], precision="float64")


def test_what_stays_random_is_not_compared() -> None:
    class Noise(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x + torch.randn_like(x) if self.training else x

    made = side(nn.Sequential(nn.Linear(2, 2), Noise(), nn.ReLU()))
    x = np.ones((1, 2), np.float32)
    assert made.drops([x]) == []
    assert made.still() == []  # it is not switched off
    made = side(nn.Sequential(nn.Linear(2, 2), Noise(), nn.ReLU()))
    made.run([x], training=True)
    assert made.still() == ["1"]
    made.run([x])
    with pytest.raises(PortFailed, match="in layer 1: draws random numbers") as caught:
        made.differentiate([x], [])
    assert caught.value.kind == "Random"


def test_what_is_random_between_layers_is_not_the_next_ones() -> None:
    class Glue(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            return self.lin(x + torch.randn_like(x) if self.training else x)

    made = side(nn.Sequential(Glue()))
    made.still()
    with pytest.raises(PortFailed, match="in layer 0: draws random numbers"):
        made.run([np.ones((1, 2), np.float32)], training=True)


def test_a_patch_reaches_both_precisions() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    made = side(model)
    x = R.randn(2, 3).astype(np.float32)
    made.run([x], precision="float64")
    made.patch("1", {"eps": 1.0})
    model[1].eps = 1.0
    np.testing.assert_array_equal(made.run([x], precision="float64").outputs[0], exact(model, x))
    np.testing.assert_allclose(made.run([x]).outputs[0], exact(model, x), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="1"):
        made.patch("1", {"no such setting": 1.0})


def test_nan_is_placed_where_it_appears() -> None:
    class Root(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return (x - 100).sqrt()

    made = side(nn.Sequential(nn.Linear(2, 2), Root(), nn.Linear(2, 2)))
    with pytest.raises(PortFailed) as caught:
        made.trace([np.ones((1, 2), np.float32)])
    assert (caught.value.kind, caught.value.layer) == ("NaN", "1")
    assert np.isnan(made.run([np.ones((1, 2), np.float32)]).outputs[0]).all()


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda y: y, r"one number, not shape \(1, 2\)"),
        (lambda y: 3.0, "one number, not float"),
        (lambda y: y.detach().sum(), "depends on nothing that can be trained"),
        (lambda y, t: y, "missing 1 required positional argument"),
    ],
)
def test_a_loss_that_is_none_is_said(loss: Callable[..., Any], said: str) -> None:
    made = side(nn.Linear(2, 2), loss=loss)
    with pytest.raises(PortFailed, match=said):
        made.differentiate([np.ones((1, 2), np.float32)], [])


def test_what_is_no_model_is_said() -> None:
    with pytest.raises(PortFailed, match=r"built is a list, not a torch\.nn\.Module"):
        side([])
    with pytest.raises(PortFailed, match="weight is lazy: call the model once"):
        side(nn.LazyLinear(3))
    with pytest.raises(PortFailed, match="the configuration has no optimizer"):
        side(nn.Linear(1, 1)).begin()


def test_a_missing_kernel_is_named_with_its_layer() -> None:
    class Half(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return torch.linalg.eigvals(x.half())

    made = side(nn.Sequential(nn.Linear(2, 2), Half()))
    with pytest.raises(PortFailed, match="in layer 1: no kernel for this") as caught:
        made.run([np.ones((2, 2), np.float32)])
    assert caught.value.kind == "NoKernel"


USERS = """
import torch
def small(out): return torch.nn.Sequential(torch.nn.Linear(3, out), torch.nn.LayerNorm(out))
def schedule(optimizer, gamma): return torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
"""


def test_in_a_worker_it_answers_the_same(tmp_path: Path) -> None:
    (tmp_path / "users.py").write_text(USERS)
    build = Build(
        "users:small",
        {"out": 4},
        folder=tmp_path,
        seed=11,
        loss={"build": "torch.nn.functional:cross_entropy"},
        optimizer={"build": "torch.optim:SGD", "arguments": {"lr": 0.5}},
        schedule={"build": "users:schedule", "arguments": {"gamma": 0.1}},
    )
    there = RemoteSide(parse("torch"), build)
    try:
        torch.manual_seed(11)
        model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
        here = side(
            model,
            loss=nn.functional.cross_entropy,
            optimizer=lambda m: torch.optim.SGD(m.parameters(), lr=0.5),
            schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.1),
        )
        x, y = R.randn(2, 3).astype(np.float32), np.array([1, 3])
        answers = []
        for made in (there, here):
            made.calibrate([x], 5)
            made.begin()
            steps = [made.step([x], [y]) for _ in range(2)]
            answers.append(
                (
                    made.trace([x]),
                    steps,
                    made.run([x], precision="float64").outputs[0].tolist(),
                    {n: a.tolist() for n, a in made.read().items()},
                )
            )
        assert answers[0] == answers[1]
        assert [s.rates for s in answers[0][1]] == [(0.5,), (0.05,)]
        assert there.info["version"] == str(torch.__version__)
    finally:
        there.close()
