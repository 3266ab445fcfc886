"""Calibrated values: signals live at every depth, and mistakes show."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.port.model import CallKey
from conformance.port.remote import LocalSide
from tests.worker.torch_models import (
    IMAGES,
    OTHERS,
    Deep,
    Inverted,
    Plain,
    R,
    Recurrent,
    Small,
    Tied,
    Transformer,
    side,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from conformance.worker.port_torch_calibrate import MOVED
else:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    from conformance.worker.port_torch_calibrate import MOVED

pytestmark = pytest.mark.frameworks


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(threads)


def rms(a: Any) -> float:
    return float(np.sqrt(np.square(a, dtype=np.float64).mean()))


def signal(a: Any) -> float:
    return rms(a - a.mean(0))


def shapes(model: Any) -> tuple[Any, Any]:
    """Return a batch to calibrate with, and another."""
    if isinstance(model, Transformer | Recurrent | Tied):
        return R.randint(0, 20, (6, 5)), R.randint(0, 20, (6, 5))
    return IMAGES, OTHERS


@pytest.mark.parametrize(
    "build",
    [
        lambda: Plain(False), lambda: Plain(True), Deep, Inverted, lambda: Transformer(True),
        lambda: Transformer(False), Recurrent,
    ],
    ids=["plain", "residual", "deep", "inverted", "pre-norm", "post-norm", "recurrent"],
)  # fmt: skip
def test_signals_neither_die_nor_explode(build: Callable[[], Any]) -> None:
    """At inputs that calibration has not seen, in evaluation and in training."""
    model = build()
    batch, other = shapes(model)
    made = side(model)
    made.calibrate([batch], 1)
    made.still()
    for training in (False, True):
        calls = [c for c in made.trace([other], training=training) if c.depth == 0]
        forward = made.run([other], training=training, capture=[c.key for c in calls])
        for key, captured in forward.captured.items():
            output = captured.outputs[0]
            assert signal(output) > 0.003, key
            assert rms(output) < 300, key
        wide = made.run([other], training=training, precision="float64").outputs[0]
        error = rms(forward.outputs[0] - wide) / signal(wide)
        assert error < 1e-3


def test_default_values_of_a_deep_network_are_dead() -> None:
    """Which is what calibration is for."""
    made = side(Plain(False))
    assert signal(made.run([OTHERS]).outputs[0]) < 1e-6


def calibrated(model: Any, seed: int = 1) -> LocalSide:
    made = side(model)
    made.calibrate([shapes(model)[0]], seed)
    return made


def test_no_scale_is_1_no_bias_and_no_statistic_0() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.GroupNorm(4, 64), nn.Conv2d(64, 64, 1)
    )
    values = calibrated(model).read()
    for name in ("1.weight", "2.weight"):
        assert 0.5 <= values[name].min() < 0.6
        assert 1.4 < values[name].max() <= 1.5
    for name in ("0.bias", "1.bias", "2.bias", "3.bias"):
        assert 0.13 < values[name].std() < 0.27
        assert abs(values[name]).min() > 0
    assert len(np.unique(values["1.running_mean"])) == 64
    assert len(np.unique(values["1.running_var"])) == 64


def test_running_statistics_are_near_those_of_the_batch() -> None:
    """Near, and none equal: the same batch, as from a file, must move them again in training."""
    made = calibrated(Deep())
    key = CallKey("blocks.7.norm")
    captured = made.run([IMAGES], training=True, capture=[key]).captured[key]
    given = captured.inputs[0].astype(np.float64)
    values = made.read()
    variance = given.var((0, 2, 3), ddof=1)
    away = (values["blocks.7.norm.running_mean"] - given.mean((0, 2, 3))) / np.sqrt(variance)
    factor = values["blocks.7.norm.running_var"] / variance
    for moved in (away, factor - 1):
        assert abs(moved).max() < MOVED + 1e-3
        assert abs(moved).min() > 1e-3
        assert (moved > 0).any()
        assert (moved < 0).any()
    momentum = made._session.models["float32"].blocks[7].norm.momentum  # type: ignore[attr-defined]
    assert momentum == 0.1


def test_weights_keep_what_they_were_drawn_as_but_for_a_factor() -> None:
    model = Plain(False)
    before = {n: t.numpy().copy() for n, t in model.state_dict().items() if "weight" in n}
    after = calibrated(model).read()
    for name, old in before.items():
        factors = after[name] / old
        assert factors.std() < 1e-4 * abs(factors.mean())
        assert factors.mean() > 0


def test_calibration_repeats_by_its_seed_and_only_by_it() -> None:
    model = Deep()
    first, second, third = (calibrated(model, seed).read() for seed in (1, 1, 2))
    assert all(np.array_equal(first[n], second[n]) for n in first)
    assert not np.array_equal(first["blocks.3.norm.weight"], third["blocks.3.norm.weight"])


def test_random_layers_do_not_disturb_it() -> None:
    class Noisy(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.lin, self.drop = nn.Linear(9, 9), nn.Dropout(0.9)

        def forward(self, x: Any) -> Any:
            return self.lin(self.drop(nn.functional.dropout(x, 0.9, self.training)))

    model = Noisy()
    plain = nn.Linear(9, 9)
    plain.load_state_dict(model.lin.state_dict())
    made, expected = calibrated(model), calibrated(plain)
    for name in ("weight", "bias"):
        np.testing.assert_array_equal(made.read()[f"lin.{name}"], expected.read()[name])
    assert made.still() == ["drop"]  # and its probability was put back


def test_tied_weights_are_sized_once_for_both() -> None:
    values = calibrated(Tied()).read()
    assert rms(values["emb.weight"]) == pytest.approx(1 / 4)
    np.testing.assert_array_equal(values["emb.weight"], values["head.weight"])


def test_what_began_as_nothing_is_alive() -> None:
    """Zeroed last layers, layer scales of 1e-6, class tokens: else blocks behind them are dead."""

    class Scaled(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gamma = nn.Parameter(torch.full((9,), 1e-6))
            self.token = nn.Parameter(torch.zeros(1, 9))
            self.relative_bias_table = nn.Parameter(torch.zeros(5, 9))
            self.last = nn.Linear(9, 9)
            nn.init.zeros_(self.last.weight)

        def forward(self, x: Any) -> Any:
            return x + self.gamma * self.last(x + self.token) + self.relative_bias_table[0]

    values = calibrated(Scaled()).read()
    assert 0.5 <= values["gamma"].min() <= values["gamma"].max() <= 1.5
    assert 0.05 < values["token"].std() < 0.5
    assert 0.1 < values["relative_bias_table"].std() < 0.3
    assert 0.1 < rms(values["last.weight"]) < 1


def test_a_weight_that_is_used_past_its_layer_is_sized_all_the_same() -> None:
    """As the projections of attention in torchvision's swin are, by 0.02 otherwise."""

    class Past(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(9, 300)
            nn.init.normal_(self.qkv.weight, 0, 0.02)

        def forward(self, x: Any) -> Any:
            return nn.functional.linear(x, self.qkv.weight, self.qkv.bias)

    assert rms(calibrated(Past()).read()["qkv.weight"]) == pytest.approx(1 / 3)


def test_what_varies_between_inputs_is_kept_alive() -> None:
    """A thirtieth of a great constant would be no more than a thirtieth of 1."""
    x = (1 + 0.02 * R.randn(6, 3, 5, 5)).astype(np.float32)
    made = side(nn.Conv2d(3, 4, 1, bias=False))
    made.calibrate([x], 1)
    output = made.run([x]).outputs[0]
    assert signal(output) == pytest.approx(0.1, rel=1e-3)
    assert 1 < rms(output) < 10


def test_what_runs_in_evaluation_only_is_scaled_too() -> None:
    class Heads(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.trained, self.used = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x: Any) -> Any:
            return self.trained(x) if self.training else self.used(100 * x)

    made = calibrated(Heads())
    for training in (False, True):
        assert 0.9 < rms(made.run([IMAGES], training=training).outputs[0]) < 1.2


def test_a_weight_that_the_output_does_not_follow_is_left() -> None:
    class Shift(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(9, 9))

        def forward(self, x: Any) -> Any:
            return 30 * x + self.weight

    model = Shift()
    values = calibrated(model).read()
    np.testing.assert_array_equal(values["weight"], model.weight.detach().numpy())


def test_recurrent_weights_meet_inputs_of_any_size() -> None:
    x = (100 * R.randn(4, 7, 6)).astype(np.float32)
    made = side(nn.GRU(6, 5, bidirectional=True))
    made.calibrate([x], 1)
    values = made.read()
    for name in ("weight_ih_l0", "weight_ih_l0_reverse"):
        assert rms(values[name]) * rms(x) * math.sqrt(6) == pytest.approx(1, rel=1e-4)
    assert rms(values["weight_hh_l0"]) == pytest.approx(1 / math.sqrt(5))


def test_the_float64_model_follows() -> None:
    made = side(Small())
    made.run([OTHERS], precision="float64")
    made.calibrate([IMAGES], 1)
    narrow, wide = made.read(), made.read(precision="float64")
    assert all(np.array_equal(narrow[n], wide[n]) for n in narrow)


def test_weight_norms_are_scaled_by_their_norm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        old = nn.Sequential(torch.nn.utils.weight_norm(nn.Conv2d(3, 6, 3)))
    new = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 6, 3)))
    with torch.no_grad():
        old(torch.zeros(1, 3, 9, 9))  # so that its weight is no graph's, and can be copied
    for model in (old, new):
        made = side(model)
        scale = next(n for n in made.read() if n.endswith(("weight_g", "original0")))
        made.write({scale: made.read([scale])[scale] * np.float32(1e-6)})
        made.calibrate([IMAGES], 0)
        assert 0.5 < rms(made.run([IMAGES]).outputs[0]) < 1.5


def test_a_channel_that_is_dead_in_the_batch_is_not_divided_by_nothing() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with torch.no_grad():
        model[0].weight[2] = 0
    variance = calibrated(model).read()["1.running_var"]
    assert 0.6 < variance[2] / (0.01 * variance[[0, 1, 3]].sum() / 4) < 1.6


def test_mistakes_that_default_values_hide_are_seen() -> None:
    """Swapped running means and an unloaded bias, before and after."""
    model = Inverted()
    made = side(model)

    def changes() -> list[float]:
        values = made.read()
        whole = made.run([OTHERS]).outputs[0]
        means = "features.1.running_mean", "features.4.running_mean"
        found = []
        for other in (
            {means[0]: values[means[1]], means[1]: values[means[0]]},
            {"features.1.bias": np.zeros_like(values["features.1.bias"])},
        ):
            made.write(other)
            found.append(rms(made.run([OTHERS]).outputs[0] - whole) / signal(whole))
            made.write(values)
        return found

    assert changes() == [0, 0]
    made.calibrate([IMAGES], 0)
    assert min(changes()) > 0.05
    assert math.isfinite(max(changes()))
