from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

from conformance.phrase import Phrase, joined, listed
from conformance.port.budget import GRADIENT, LAYER, OUTPUT, judge, worst
from conformance.port.measure import (
    ROUNDOFF,
    Measured,
    Unmeasured,
    centre_of,
    measure,
)
from conformance.port.model import Array
from conformance.port.result import Measure, Verdict

DRAWS = range(5)


def noisy(y: Array, seed: int, roundoffs: float = 1.0) -> Array:
    """Return float32 off by so many roundoffs of each value."""
    noise = np.random.RandomState(seed + 1000).randn(*y.shape)
    return np.asarray(y * (1 + roundoffs * ROUNDOFF * noise), dtype=np.float32)


def draw(seed: int, *shape: int) -> Array:
    return np.random.RandomState(seed).randn(*shape)


def measured(found: Measured) -> Measure:
    assert isinstance(found, Measure), found
    return found


def test_a_port_as_good_as_float32_is_the_same() -> None:
    found = [measure(y := draw(s, 8, 10), noisy(y, s, 3), noisy(y, 50 + s, 4)) for s in DRAWS]
    assert judge(found, OUTPUT).verdict is Verdict.SAME
    assert all(0.5 < measured(item).ratio < 3 for item in found)


def test_numbers_are_relative_to_what_varies_between_inputs() -> None:
    y = np.array([[1.0, 103.0], [3.0, 101.0]])
    found = measured(measure(y, y + 0.25, y + 0.5))
    assert (found.signal, found.torch, found.port, found.largest) == (1.0, 0.25, 0.5, 0.5)
    assert found.floor == pytest.approx(ROUNDOFF * np.sqrt((1 + 103**2 + 9 + 101**2) / 4))
    assert found.ratio == 2


@pytest.mark.parametrize(("times", "verdict"), [(12, "differs"), (5.5, "unresolved")])
def test_farther_than_float32_explains(times: float, verdict: str) -> None:
    found = [
        measure(y := draw(s, 8, 10), noisy(y, s, 3), noisy(y, 50 + s, 3 * times)) for s in DRAWS
    ]
    judged = judge(found, OUTPUT)
    assert judged.verdict == verdict
    assert "times farther from float64" in judged.reason


def test_float32_that_is_exact_by_luck_does_not_accuse() -> None:
    y = np.round(draw(1, 8, 10) * 64) / 64
    found = measure(y, y.astype(np.float32), noisy(y, 2, 1.5))
    assert judge([found], LAYER).verdict is Verdict.SAME


def test_copies_are_the_same() -> None:
    y = np.maximum(draw(1, 8, 64), 0)
    judged = judge([measure(y, y, y)], LAYER)
    assert (judged.verdict, judged.measures[0].ratio) == (Verdict.SAME, 0)


def test_a_dead_signal_is_never_green() -> None:
    bias = draw(1, 1, 10)
    found = [
        measure(y := bias + 1e-6 * draw(s, 8, 10), noisy(y, s), noisy(y, 9 + s)) for s in DRAWS
    ]
    judged = judge(found, OUTPUT)
    assert (judged.verdict, judged.reason[:9]) == (Verdict.UNRESOLVED, "no signal")
    constant = np.repeat(bias, 8, axis=0)
    assert judge([measure(constant, constant, constant)], OUTPUT).verdict is Verdict.UNRESOLVED


def test_a_wrong_bias_shows_though_there_is_no_signal() -> None:
    y = np.repeat(draw(1, 1, 10), 8, axis=0)
    assert judge([measure(y, noisy(y, 1), y + 0.1)], OUTPUT).verdict is Verdict.DIFFERS


def test_a_small_signal_of_its_own_scale_is_a_signal() -> None:
    """Logits of 1e-9, as an untrained network gives them."""
    found = [measure(y := 1e-9 * draw(s, 8, 10), noisy(y, s), noisy(y, 9 + s, 20)) for s in DRAWS]
    assert judge(found, OUTPUT).verdict is Verdict.DIFFERS


def test_one_wrong_channel_of_2048() -> None:
    found = []
    for seed in DRAWS:
        y = draw(seed, 2, 2048, 7, 7)
        port = noisy(y, 9 + seed, 1.2).astype(np.float64)
        port[:, 17] *= 1 + 100 * ROUNDOFF
        found.append(measure(y, noisy(y, seed), port))
    assert np.median([measured(item).ratio for item in found]) < OUTPUT.same
    judged = judge(found, OUTPUT)
    assert (judged.verdict, judged.measures[0].place) == (Verdict.DIFFERS, "axis 1, index 17")


def test_a_channel_that_float32_cannot_resolve_hides_no_other() -> None:
    """All but shut by its ReLU: what float32 makes of it is noise on both sides."""
    y = draw(1, 2, 512, 7, 7)
    y[:, 5] *= 1e-12
    torch, port = noisy(y, 2).astype(np.float64), noisy(y, 3, 1.2).astype(np.float64)
    torch[:, 5], port[:, 5] = 1e-9 * draw(4, 2, 2, 7, 7)
    port[:, 17] *= 1 + 100 * ROUNDOFF
    judged = judge([measure(y, torch, port)], OUTPUT)
    assert (judged.verdict, judged.measures[0].place) == (Verdict.DIFFERS, "axis 1, index 17")


def test_a_small_channel_beside_large_ones() -> None:
    """Scores beside boxes in pixels: 1e-6 of the large ones is 1e-3 of the small ones."""
    found = []
    for seed in DRAWS:
        y = draw(seed, 4, 300, 5) * [600, 600, 600, 600, 0.01]
        port = noisy(y, 9 + seed, 1.5).astype(np.float64)
        port[..., 4] *= 1 + 1e-4
        found.append(measure(y, noisy(y, seed, 1.5), port))
    assert np.median([measured(item).ratio for item in found]) < OUTPUT.same
    assert judge(found, OUTPUT).verdict is Verdict.DIFFERS


def test_right_channels_are_not_accused() -> None:
    """Shut ReLUs, channels of every scale, one that float32 barely resolves, lucky exact ones."""
    for seed in range(6):
        rng = np.random.RandomState(seed)
        before = rng.randn(2, 512, 6, 6) + np.where(rng.rand(512) < 0.3, -4, 0)[:, None, None]
        before *= 10.0 ** rng.uniform(-4, 2, (512, 1, 1))
        absolute = 3e-7 * np.abs(before).max(axis=(0, 2, 3), keepdims=True)
        torch, port = (before + absolute * rng.randn(*before.shape) for _ in range(2))
        torch[:, ::7] = before[:, ::7]
        y, torch, port = (np.maximum(a, 0) for a in (before, torch, port))
        judged = judge([measure(y, torch.astype(np.float32), port.astype(np.float32))], OUTPUT)
        assert judged.verdict is Verdict.SAME, judged


def test_few_values_with_noise_of_every_size_are_not_accused() -> None:
    """A part of one value or two may be exact by luck; it proves nothing."""
    for seed in range(400):
        rng = np.random.RandomState(seed)
        before = rng.randn(4, 3)
        y, torch, port = (
            np.maximum(before + 1e-6 * k * rng.randn(4, 3) * np.exp(rng.randn(4, 3)), 0)
            for k in (0, 1, 1)
        )
        found = measured(measure(y, torch.astype(np.float32), port.astype(np.float32)))
        assert found.peak < OUTPUT.peak_differs, seed


def test_probabilities_near_zero_and_below_the_smallest_float32() -> None:
    y = np.exp(-50 * np.abs(draw(1, 8, 4, 100)))
    y[..., :40] = np.exp(-88.0 - 0.3 * np.abs(draw(2, 8, 4, 40)))
    torch = noisy(y, 1)
    port = np.where(y < np.finfo(np.float32).tiny, 0, noisy(y, 2))
    assert judge([measure(y, torch, port)], OUTPUT).verdict is Verdict.SAME


def test_batch_of_one_needs_other_draws() -> None:
    draws = [draw(s, 1, 10) for s in DRAWS]
    lone = measure(draws[0], noisy(draws[0], 1), noisy(draws[0], 2))
    assert isinstance(lone, Unmeasured)
    assert lone.verdict is Verdict.UNRESOLVED
    centre = centre_of(draws)
    found = [measure(y, noisy(y, 1), noisy(y, 2), centre=centre) for y in draws]
    assert judge(found, OUTPUT).verdict is Verdict.SAME
    assert measured(found[0]).signal == pytest.approx(
        np.sqrt(np.mean(np.square(draws[0] - np.mean(draws, axis=0))))
    )
    same = [measure(draws[0], draws[0], draws[0], centre=draws[0][0]) for _ in DRAWS]
    assert judge(same, OUTPUT).verdict is Verdict.UNRESOLVED


def test_integers_are_compared_one_by_one() -> None:
    y = np.arange(8) % 3
    assert judge([measure(y, y, y.astype(np.int32))], OUTPUT).verdict is Verdict.SAME
    wrong = y.copy()
    wrong[5] = 7
    assert judge([measure(y, y, wrong)], OUTPUT).verdict is Verdict.DIFFERS
    assert judge([measure(y, wrong, wrong)], OUTPUT).verdict is not Verdict.DIFFERS
    constant = np.zeros(8, int)
    assert judge([measure(constant, constant, constant)], OUTPUT).verdict is Verdict.UNRESOLVED
    assert judge([measure(y, y, y.astype(float))], OUTPUT).verdict is Verdict.DIFFERS


def test_complex_numbers() -> None:
    y = draw(1, 8, 5) + 1j * draw(2, 8, 5)
    assert measured(measure(y, y, y.conj())).ratio > 1e6


@pytest.mark.parametrize(
    ("torch", "port", "verdict", "words"),
    [
        (0.0, np.nan, "differs", "1 of 6 values are NaN or Inf"),
        (np.nan, np.nan, "unresolved", "PyTorch's own float32"),
        (np.inf, 0.0, "unresolved", "PyTorch's own float32"),
    ],
)
def test_nan_and_inf(torch: float, port: float, verdict: str, words: str) -> None:
    y = draw(1, 3, 2)
    one, other = y.copy(), y.copy()
    one[1, 1] += torch
    other[1, 1] += port
    judged = judge([measure(y, one, other)], OUTPUT)
    assert (judged.verdict, judged.reason[: len(words)]) == (verdict, words)


def test_infinities_that_agree_are_left_out() -> None:
    y = draw(1, 4, 5)
    y[:, 2] = -np.inf
    assert judge([measure(y, noisy(y, 1), noisy(y, 2))], OUTPUT).verdict is Verdict.SAME
    other = noisy(y, 2)
    other[:, 2] = np.inf
    assert judge([measure(y, noisy(y, 1), other)], OUTPUT).verdict is Verdict.DIFFERS


def test_shapes() -> None:
    y = draw(1, 4, 5)
    judged = judge([measure(y, y, y.T)], OUTPUT)
    assert (judged.verdict, judged.reason) == (
        Verdict.DIFFERS,
        "its shape is (5, 4), PyTorch's (4, 5)",
    )
    assert judge([measure(y[:0], y[:0], y[:0])], OUTPUT).verdict is Verdict.NOT_COMPARED
    assert judge([], OUTPUT).verdict is Verdict.NOT_COMPARED


def test_float32_that_proves_nothing() -> None:
    y = draw(1, 8, 10)
    chaotic = [y + 0.05 * draw(s, 8, 10) for s in (2, 3)]
    assert judge([measure(y, *chaotic)], OUTPUT).verdict is Verdict.UNRESOLVED


def test_one_draw_of_five_is_not_green() -> None:
    """ReLU6 for ReLU shows only where a value exceeds six; a kink shows in gradients by chance."""
    found: list[Measured] = [Measure(1e-6, 1e-6, 1e-7, 1.0) for _ in DRAWS]
    found[3] = Measure(1e-2, 1e-6, 1e-7, 1.0)
    judged = judge(found, OUTPUT)
    assert (judged.verdict, judged.reason[:17]) == (Verdict.UNRESOLVED, "in 1 of 5 draws t")
    assert judge(found, GRADIENT).verdict is Verdict.SAME
    assert worst(found) == 3


def test_phrases_can_be_said_otherwise() -> None:
    words = Phrase("{n} of {what}", n=2, what=Phrase("layers"))
    assert words == "2 of layers"
    known = {"{n} of {what}": "{what}: {n}", "layers": "Schichten"}
    assert words.translated(lambda text: known.get(text, text)) == "Schichten: 2"
    assert deepcopy(Phrase("{a}", a="{b}")).values == {"a": "{b}"}
    assert joined([words, "x"]) == "2 of layers; x"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"
