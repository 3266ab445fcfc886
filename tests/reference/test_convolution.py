"""Convolution oracles against SciPy, plain loops and the adjoint they are defined by."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from scipy import signal

from conformance.reference import convolution
from conformance.reference.convolution import conv1d, conv_transpose1d, conv_transpose2d

Array = np.ndarray[Any, Any]
RANDOM = np.random.RandomState(0)
TRANSPOSED: dict[int, Callable[..., Array]] = {
    1: convolution.conv_transpose1d,
    2: convolution.conv_transpose2d,
    3: convolution.conv_transpose3d,
}


def normal(*shape: int) -> Array:
    return RANDOM.randn(*shape)


def slid(x: Array, w: Array, stride: int, padding: int, dilation: int, groups: int) -> Array:
    """Convolution over one axis, element by element."""
    (batch, _, length), (out, per_group, taps) = x.shape, w.shape
    places = (length + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
    y = np.zeros((batch, out, places))
    for n, o, place, c, i in np.ndindex(batch, out, places, per_group, taps):
        at = stride * place + dilation * i - padding
        if 0 <= at < length:
            y[n, o, place] += w[o, c, i] * x[n, o // (out // groups) * per_group + c, at]
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 0, 1, 1), (1, 3, 1, 1), (1, 0, 2, 1), (1, 0, 1, 2), (3, 2, 2, 2)],
)
def test_conv1d_element_by_element(stride: int, padding: int, dilation: int, groups: int) -> None:
    x, w = normal(2, 4, 9), normal(6, 4 // groups, 3)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    should = slid(x, w, stride, padding, dilation, groups)
    np.testing.assert_allclose(conv1d(x, w, **options), should, rtol=1e-12, atol=1e-13)
    bias = normal(6)
    unbatched = conv1d(x[1], w, bias, **{**options, "stride": [stride]})
    np.testing.assert_allclose(unbatched, should[1] + bias[:, None], rtol=1e-12, atol=1e-13)


def test_conv1d_is_the_correlation_of_scipy() -> None:
    x, w = normal(9), normal(4)
    should = signal.correlate(x, w, "valid")
    np.testing.assert_allclose(conv1d(x[None], w[None, None])[0], should, rtol=1e-12)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("zeros", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_conv1d_pads_as_its_mode_says_and_the_odd_one_goes_to_the_end(mode: str, kind: Any) -> None:
    x, w = normal(1, 2, 6), normal(3, 2, 4)
    should = conv1d(np.pad(x, [(0, 0), (0, 0), (1, 2)], mode=kind), w)
    np.testing.assert_array_equal(conv1d(x, w, padding="same", padding_mode=mode), should)
    should = conv1d(np.pad(x, [(0, 0), (0, 0), (2, 2)], mode=kind), w)
    np.testing.assert_array_equal(conv1d(x, w, padding=2, padding_mode=mode), should)


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"stride": 0}, (1, 2, 6)),
        ({"padding": -1}, (1, 2, 6)),
        ({"padding": "same", "stride": 2}, (1, 2, 6)),
        ({"groups": 3}, (1, 2, 6)),
        ({"bias": np.ones(2)}, (1, 2, 6)),
        ({}, (1, 3, 6)),
        ({}, (1, 2, 3)),
        ({}, (6,)),
    ],
)
def test_conv1d_refuses(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        conv1d(np.ones(shape), np.ones((3, 2, 4)), **options)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_transposed_convolution_is_the_full_one_of_scipy(axes: int) -> None:
    x, w = normal(*range(3, 3 + axes)), normal(*range(2, 2 + axes))
    got = TRANSPOSED[axes](x[None], w[None, None])[0]
    np.testing.assert_allclose(got, signal.convolve(x, w, method="direct"), rtol=1e-9, atol=1e-12)


def scattered(x: Array, w: Array, groups: int, **steps: tuple[int, ...]) -> Array:
    """Transposed convolution, term by term, on a canvas that nothing falls off."""
    (batch, channels, *size), (_, per_group, *kernel) = x.shape, w.shape
    stride, padding, dilation, extra = (
        steps[name] for name in ("stride", "padding", "dilation", "output_padding")
    )
    canvas = np.zeros((batch, groups * per_group, *[99] * len(size)))
    for n, c, o in itertools.product(range(batch), range(channels), range(per_group)):
        for place, tap in itertools.product(np.ndindex(*size), np.ndindex(*kernel)):
            at = tuple(np.multiply(stride, place) + np.multiply(dilation, tap))
            target = (n, c // (channels // groups) * per_group + o, *at)
            canvas[target] += w[(c, o, *tap)] * x[(n, c, *place)]
    for axis, (m, k) in enumerate(zip(size, kernel, strict=True)):
        s, p, d, e = stride[axis], padding[axis], dilation[axis], extra[axis]
        out = (m - 1) * s - 2 * p + d * (k - 1) + 1 + e
        canvas = np.take(canvas, np.arange(p, p + out), axis=axis + 2)
    return canvas


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "output_padding", "groups"),
    [
        ((1, 1), (0, 0), (1, 1), (0, 0), 1),
        ((2, 3), (0, 0), (1, 1), (0, 0), 1),
        ((1, 1), (1, 2), (1, 1), (0, 0), 1),
        ((1, 1), (0, 0), (2, 3), (1, 2), 1),
        ((3, 2), (0, 1), (1, 1), (2, 1), 1),
        ((2, 3), (1, 0), (2, 1), (1, 2), 2),
    ],
)
def test_conv_transpose2d_term_by_term(
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    output_padding: tuple[int, int],
    groups: int,
) -> None:
    steps = {"stride": stride, "padding": padding, "dilation": dilation}
    steps["output_padding"] = output_padding
    x, w, bias = normal(2, 4, 3, 4), normal(4, 3, 3, 4), normal(3 * groups)
    should = scattered(x, w, groups, **steps)
    got = conv_transpose2d(x, w, groups=groups, **steps)
    np.testing.assert_allclose(got, should, rtol=1e-12, atol=1e-13)
    got = conv_transpose2d(x[1], w, bias, groups=groups, **steps)
    np.testing.assert_allclose(got, should[1] + bias[:, None, None], rtol=1e-12, atol=1e-12)


def test_conv_transpose1d_is_the_adjoint_of_conv1d() -> None:
    options: dict[str, Any] = {"stride": 3, "padding": 1, "dilation": 2, "groups": 2}
    w = normal(6, 2, 3)
    for length in (9, 10, 11):
        x = normal(2, 4, length)
        y = conv1d(x, w, **options)
        z = normal(*y.shape)
        back = conv_transpose1d(z, w, output_padding=length - 9, **options)
        assert back.shape == x.shape
        assert np.sum(y * z) == pytest.approx(np.sum(x * back), rel=1e-12)


def test_what_output_padding_adds_is_computed_not_zero() -> None:
    x, w = np.ones((1, 1, 3)), np.array([[[1.0, 2.0, 4.0]]])
    assert conv_transpose1d(x, w, stride=2)[0, 0].tolist() == [1, 2, 5, 2, 5, 2, 4]
    cut = conv_transpose1d(x, w, stride=2, padding=1, output_padding=1)
    assert cut[0, 0].tolist() == [2, 5, 2, 5, 2, 4]
    sized = conv_transpose1d(x, w, stride=2, padding=1, output_size=[6])
    np.testing.assert_array_equal(sized, cut)
    outside = conv_transpose1d(x, w, stride=2, output_padding=1)
    assert outside[0, 0].tolist() == [1, 2, 5, 2, 5, 2, 4, 0]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"stride": 0}, (1, 2, 6)),
        ({"padding": -1}, (1, 2, 6)),
        ({"padding": 5}, (1, 2, 6)),
        ({"output_padding": 1}, (1, 2, 6)),
        ({"output_size": [11]}, (1, 2, 6)),
        ({"groups": 4}, (1, 2, 6)),
        ({"bias": np.ones(2)}, (1, 2, 6)),
        ({"stride": [1, 1]}, (1, 2, 6)),
        ({}, (1, 3, 6)),
        ({}, (6,)),
    ],
)
def test_conv_transpose1d_refuses(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        conv_transpose1d(np.ones(shape), np.ones((2, 3, 4)), **options)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble])
def test_every_convolution_computes_in_the_dtype_it_is_given(dtype: type) -> None:
    for axes, function in TRANSPOSED.items():
        x: Array = np.ones((1, 2, *[3] * axes), dtype)
        w: Array = np.ones((2, 3, *[2] * axes), dtype)
        y = function(x, w, np.ones(3, dtype))
        assert (y.dtype, float(y.max())) == (np.dtype(dtype), 1 + 2 * 2**axes)
    assert conv1d(np.ones((1, 2, 3), dtype), np.ones((3, 2, 2), dtype)).dtype == np.dtype(dtype)


def test_an_empty_batch_gives_an_empty_batch() -> None:
    assert conv1d(np.ones((0, 2, 5)), np.ones((3, 2, 2))).shape == (0, 3, 4)
    assert conv_transpose2d(np.ones((0, 2, 5, 3)), np.ones((2, 3, 2, 2))).shape == (0, 3, 6, 4)
