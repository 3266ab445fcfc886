"""Normalisation of channels: against plain loops over the standard library's statistics."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference.normalization import (
    batch_norm,
    group_norm,
    instance_norm1d,
    instance_norm2d,
)

Array = np.ndarray[Any, Any]
RANDOM = np.random.RandomState(0)
MEAN, VARIANCE = np.array([5.0, 6.0]), np.array([7.0, 8.0])


def normal(*shape: int) -> Array:
    return RANDOM.randn(*shape)


def standardised(values: Array, eps: float) -> Array:
    """Return `values`, less their mean, over the root of their population variance and eps."""
    flat = values.ravel().tolist()
    root = np.sqrt(statistics.pvariance(flat) + eps)
    return np.asarray((values - statistics.fmean(flat)) / root)


def close(got: Array, should: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(got, should, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("shape", [(3, 6), (2, 6, 5), (2, 6, 3, 2), (1, 6, 2, 1, 3)])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_group_norm_standardises_neighbouring_channels(shape: tuple[int, ...], groups: int) -> None:
    x, weight, bias = normal(*shape), normal(6), normal(6)
    got = group_norm(x, num_groups=groups, eps=0.25, weight=weight, bias=bias)
    size = 6 // groups
    for n, g in itertools.product(range(shape[0]), range(groups)):
        block = standardised(x[n, g * size : (g + 1) * size], 0.25)
        for k, c in enumerate(range(g * size, (g + 1) * size)):
            close(got[n, c], block[k] * weight[c] + bias[c])


def test_group_norm_agrees_with_mpmath() -> None:
    x = normal(1, 4, 3) + 100
    got = group_norm(x.astype(np.longdouble), num_groups=2)
    with mpmath.workdps(40):
        for g in range(2):
            values = [mpmath.mpf(v) for v in x[0, 2 * g : 2 * g + 2].ravel()]
            mean = mpmath.fsum(values) / 6
            root = mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in values) / 6 + mpmath.mpf(1e-5))
            should = np.array([float((v - mean) / root) for v in values])
            close(got[0, 2 * g : 2 * g + 2].ravel(), should, rtol=1e-15)


def test_group_norm_of_nothing_is_nothing() -> None:
    assert group_norm(np.zeros((0, 6, 2)), num_groups=3).shape == (0, 6, 2)
    assert group_norm(np.zeros((2, 6, 0)), num_groups=3).shape == (2, 6, 0)


@pytest.mark.parametrize(
    ("shape", "groups", "channels"),
    [((6,), 3, 6), ((2, 6), 4, 6), ((2, 6), 0, 6), ((2, 6), 3, 9), ((1, 6, 1), 6, 6)],
)
def test_group_norm_refuses(shape: tuple[int, ...], groups: int, channels: int) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        group_norm(np.ones(shape), num_groups=groups, num_channels=channels)


INSTANCES = [(instance_norm1d, (3, 2, 5)), (instance_norm2d, (3, 2, 4, 3))]


@pytest.mark.parametrize(("norm", "shape"), INSTANCES)
@pytest.mark.parametrize("training", [True, False])
def test_instance_norm_standardises_each_channel(norm: Any, shape: Any, training: bool) -> None:
    x, weight, bias = normal(*shape), normal(2), normal(2)
    got = norm(x, num_features=2, eps=0.25, weight=weight, bias=bias, training=training)
    for n, c in np.ndindex(3, 2):
        close(got.output[n, c], standardised(x[n, c], 0.25) * weight[c] + bias[c])
    assert not got.state
    alone = norm(x[1], num_features=2, eps=0.25, weight=weight, bias=bias)
    close(alone.output, got.output[1])


@pytest.mark.parametrize(("norm", "shape"), INSTANCES)
def test_instance_norm_tracks_the_average_of_the_instances(norm: Any, shape: Any) -> None:
    x = normal(*shape)
    options = {"num_features": 2, "track_running_stats": True, "momentum": 0.25}
    state = norm(x, **options, running_mean=MEAN, running_var=VARIANCE, training=True).state
    for c in range(2):
        values = [x[n, c].ravel().tolist() for n in range(3)]
        mean = statistics.fmean(map(statistics.fmean, values))
        variance = statistics.fmean(map(statistics.variance, values))
        close(state["running_mean"][c], 0.75 * MEAN[c] + 0.25 * mean)
        close(state["running_var"][c], 0.75 * VARIANCE[c] + 0.25 * variance)
    fresh = norm(x, **options, training=True).state
    close(fresh["running_mean"], state["running_mean"] - 0.75 * MEAN)
    close(fresh["running_var"], state["running_var"] - 0.75 * VARIANCE + 0.75)


@pytest.mark.parametrize(("norm", "shape"), INSTANCES)
def test_instance_norm_evaluates_with_what_it_tracked(norm: Any, shape: Any) -> None:
    x = normal(*shape)
    got = norm(
        x, num_features=2, eps=0.0, track_running_stats=True, running_mean=MEAN,
        running_var=VARIANCE,
    )  # fmt: skip
    assert not got.state
    for c in range(2):
        close(got.output[:, c], (x[:, c] - MEAN[c]) / np.sqrt(VARIANCE[c]))


def test_instance_norm_of_nothing_is_nothing() -> None:
    assert instance_norm1d(np.zeros((0, 2, 4)), num_features=2).output.shape == (0, 2, 4)


def test_instance_norm_counts_channels_only_where_it_has_weights() -> None:
    assert instance_norm1d(np.ones((1, 3, 4)), num_features=2).output.shape == (1, 3, 4)
    with pytest.raises(ValueError, match="2 channels"):
        instance_norm1d(np.ones((1, 3, 4)), num_features=2, affine=True)


@pytest.mark.parametrize("shape", [(2,), (1, 2, 3, 4), (2, 2, 1)])
def test_instance_norm1d_refuses(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must"):
        instance_norm1d(np.ones(shape), num_features=2)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2, 3, 4, 5), (2, 2, 1, 1)])
def test_instance_norm2d_refuses(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must"):
        instance_norm2d(np.ones(shape), num_features=2)


@pytest.mark.parametrize("shape", [(4, 2), (3, 2, 4), (2, 2, 3, 4), (2, 2, 3, 2, 2)])
def test_batch_norm_trains_on_the_statistics_of_each_channel(shape: tuple[int, ...]) -> None:
    x, weight, bias = normal(*shape), normal(2), normal(2)
    result = batch_norm(x, MEAN, VARIANCE, weight, bias, True, momentum=0.25, eps=0.125)
    assert not result.state
    for c in range(2):
        close(result.output[:, c], weight[c] * standardised(x[:, c], 0.125) + bias[c])
        values = x[:, c].ravel().tolist()
        mean, variance = statistics.fmean(values), statistics.variance(values)
        close(result.mutated["running_mean"][c], 0.75 * MEAN[c] + 0.25 * mean)
        close(result.mutated["running_var"][c], 0.75 * VARIANCE[c] + 0.25 * variance)


def test_batch_norm_evaluates_with_running_statistics_and_leaves_them() -> None:
    x = normal(3, 2, 4)
    result = batch_norm(x, MEAN, VARIANCE, eps=0.0)
    assert not result.mutated
    close(result.output * np.sqrt(VARIANCE)[:, None] + MEAN[:, None], x)


def test_batch_norm_trains_without_running_statistics() -> None:
    x = normal(3, 2, 4)
    result = batch_norm(x, None, None, training=True)
    assert not result.mutated
    close(result.output, batch_norm(x, MEAN, VARIANCE, training=True).output)
    empty = batch_norm(x[:0], MEAN, VARIANCE, training=True)
    assert empty.output.shape == (0, 2, 4)


def wrong(**changes: Any) -> Iterable[Any]:
    return [{"input": np.ones((2, 2, 3)), "running_mean": MEAN, "running_var": VARIANCE, **changes}]


@pytest.mark.parametrize(
    "arguments",
    [
        *wrong(input=np.ones(2)),
        *wrong(input=np.ones((2, 3, 2))),
        *wrong(weight=np.ones(3)),
        *wrong(eps=-1.0),
        *wrong(running_var=None),
        *wrong(input=np.ones((1, 2, 1)), training=True),
    ],
)
def test_batch_norm_refuses(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|needed|needs"):
        batch_norm(**arguments)
