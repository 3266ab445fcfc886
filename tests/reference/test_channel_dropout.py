"""Dropout of channels: what a draw may look like, and how often which comes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.reference.random import dropout2d, dropout3d

IMAGES = np.random.RandomState(0).randn(30, 40, 2, 3)


@pytest.mark.parametrize(
    ("law", "shape", "channels"),
    [
        (dropout2d, (30, 40, 2, 3), 2),
        (dropout2d, (30, 40, 6), 2),
        (dropout2d, (30, 40, 3, 2, 1), 2),
        (dropout3d, (30, 40, 3, 2, 1), 2),
        (dropout3d, (1200, 2, 3, 1), 1),
    ],
)
def test_a_sample_keeps_whole_channels_and_a_scaled_share(
    law: Any, shape: tuple[int, ...], channels: int
) -> None:
    given = IMAGES.reshape(shape)
    distribution = law(given, 0.25)
    draw = distribution.sample(np.random.RandomState(1))
    kept = (draw != 0).reshape(*shape[:channels], -1)
    assert np.array_equal(kept.all(-1), kept.any(-1))
    assert abs(kept.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 1200)
    np.testing.assert_array_equal(draw[draw != 0], (given / 0.75)[draw != 0])
    assert distribution.support(draw).all()
    assert distribution.transform(draw).shape == (1200,)


def test_an_element_of_its_own_and_a_wrong_scale_are_no_draw() -> None:
    law = dropout2d(IMAGES, 0.5)
    draw = 2 * IMAGES
    draw[1, 2, 0, 0] = 0  # the rest of the channel is kept
    assert not law.support(draw)[1, 2].any()
    assert law.support(draw)[1, 3].all()
    assert not law.support(2 * IMAGES * (1 + 1e-12)).any()
    assert not law.support(IMAGES).any()


def test_zeros_say_nothing_and_infinities_are_kept_or_dropped() -> None:
    given = np.ones((3, 4, 1, 2))
    given[0] = 0
    law = dropout2d(given, 0.5)
    assert law.support(2 * given).all()
    assert law.transform(2 * given).tolist() == [1] * 8
    given[1] = np.inf
    assert dropout2d(given, 0.5).support(2 * given).all()
    assert not dropout2d(given, 0.5).support(np.where(given > 1, np.nan, 2 * given))[1].any()


def test_integers_double() -> None:
    given = np.arange(1, 9).reshape(2, 2, 1, 2)
    assert dropout2d(given, 0.5).support(2 * given).all()


def test_what_does_not_drop_or_drops_all_is_certain() -> None:
    for law in (dropout2d(IMAGES, 0.0), dropout2d(IMAGES, 0.5, False)):
        assert law.support(IMAGES).all()
        assert not law.support(2 * IMAGES).any()
    assert dropout3d(IMAGES, 1.0).sample(np.random.RandomState(2)).any() == 0
    assert dropout2d(IMAGES[:0], 0.5).sample(np.random.RandomState(2)).shape == (0, 40, 2, 3)


def test_refusals() -> None:
    for p in (-0.1, 1.5):
        with pytest.raises(ValueError, match="between 0 and 1"):
            dropout2d(IMAGES, p)
    with pytest.raises(RuntimeError):
        dropout2d(np.ones(3))
