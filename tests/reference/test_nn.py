"""Oracles of layers: against plain loops, mpmath and identities."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference import convolution, embedding, normalization, recurrent
from conformance.reference.registry import Result

Array = np.ndarray[Any, Any]
RANDOM = np.random.RandomState(0)


def normal(*shape: int) -> Array:
    return RANDOM.randn(*shape)


def output(result: Any) -> Array:
    return np.asarray(result.output if isinstance(result, Result) else result)


def convolved(
    x: Array, k: Array, s: tuple[int, int], p: tuple[int, int], d: tuple[int, int], g: int
) -> Array:
    """Convolution element by element, reading zero outside the image."""
    (n, _, height, width), (o, per_group, kh, kw) = x.shape, k.shape
    rows = (height + 2 * p[0] - d[0] * (kh - 1) - 1) // s[0] + 1
    columns = (width + 2 * p[1] - d[1] * (kw - 1) - 1) // s[1] + 1
    y = np.zeros((n, o, rows, columns))
    for b, f, r, t in np.ndindex(*y.shape):
        for q, i, j in np.ndindex(per_group, kh, kw):
            h, w = r * s[0] + i * d[0] - p[0], t * s[1] + j * d[1] - p[1]
            if 0 <= h < height and 0 <= w < width:
                y[b, f, r, t] += k[f, q, i, j] * x[b, f // (o // g) * per_group + q, h, w]
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ((1, 1), (0, 0), (1, 1), 1),
        ((2, 1), (0, 0), (1, 1), 1),
        ((1, 1), (2, 1), (1, 1), 1),
        ((1, 1), (0, 0), (1, 2), 1),
        ((1, 1), (0, 0), (1, 1), 2),
        ((2, 3), (1, 2), (2, 1), 4),
    ],
)
def test_conv2d_is_the_sum_over_the_window(
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int], groups: int
) -> None:
    x, k = normal(2, 4, 7, 6), normal(8, 4 // groups, 3, 2)
    got = convolution.conv2d(x, k, stride=stride, padding=padding, dilation=dilation, groups=groups)
    should = convolved(x, k, stride, padding, dilation, groups)
    np.testing.assert_allclose(got, should, rtol=1e-13, atol=1e-13)


def test_conv2d_adds_the_bias_of_each_output_channel() -> None:
    x, k, b = normal(2, 3, 4, 4), normal(5, 3, 2, 2), normal(5)
    difference = convolution.conv2d(x, k, b) - convolution.conv2d(x, k)
    np.testing.assert_allclose(
        difference, np.broadcast_to(b[:, None, None], (2, 5, 3, 3)), atol=1e-14
    )


def test_conv2d_takes_one_image_without_a_batch() -> None:
    x, k = normal(3, 5, 4), normal(2, 3, 2, 2)
    np.testing.assert_array_equal(convolution.conv2d(x, k), convolution.conv2d(x[None], k)[0])


@pytest.mark.parametrize(("kernel", "dilation"), [((3, 3), 1), ((2, 4), 1), ((3, 5), 2)])
def test_conv2d_same_keeps_the_size_and_puts_the_odd_zero_last(
    kernel: tuple[int, int], dilation: int
) -> None:
    x = normal(1, 1, 6, 7)
    k = np.zeros((1, 1, *kernel))
    before = [dilation * (n - 1) // 2 for n in kernel]
    k[0, 0, before[0] // dilation, before[1] // dilation] = 1
    np.testing.assert_array_equal(convolution.conv2d(x, k, padding="same", dilation=dilation), x)


@pytest.mark.parametrize(
    ("mode", "first", "last"),
    [("zeros", 0, 0), ("reflect", 2, 3), ("replicate", 1, 4), ("circular", 4, 1)],
)
def test_conv2d_pads_as_it_is_told(mode: str, first: float, last: float) -> None:
    x = np.array([[[[1.0, 2.0, 3.0, 4.0]] * 2]])
    got = convolution.conv2d(x, np.ones((1, 1, 1, 1)), padding=(0, 1), padding_mode=mode)
    np.testing.assert_array_equal(got[0, 0, 0], [first, 1, 2, 3, 4, last])


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": np.ones((1, 3, 4, 4))},
        {"input": np.ones((4, 4))},
        {"input": np.ones((1, 2, 1, 4))},
        {"groups": 2},
        {"padding": "full"},
        {"padding_mode": "constant"},
    ],
)
def test_conv2d_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|takes|spans|none of"):
        convolution.conv2d(
            **{"input": np.ones((1, 2, 4, 4)), "weight": np.ones((3, 2, 2, 2)), **wrong}
        )


def test_batch_norm2d_trains_on_the_statistics_of_each_channel() -> None:
    x, weight, bias = normal(3, 2, 2, 4), np.array([2.0, -3.0]), np.array([0.5, 1.0])
    old_mean, old_variance = np.array([5.0, 6.0]), np.array([7.0, 8.0])
    result = normalization.batch_norm2d(
        x, num_features=2, momentum=0.25, eps=0.125, weight=weight, bias=bias,
        running_mean=old_mean, running_var=old_variance, training=True,
    )  # fmt: skip
    for c in range(2):
        values = x[:, c].ravel().tolist()
        mean, spread = statistics.fmean(values), statistics.pvariance(values)
        should = weight[c] * (x[:, c] - mean) / np.sqrt(spread + 0.125) + bias[c]
        np.testing.assert_allclose(result.output[:, c], should, rtol=1e-12)
        running_mean = 0.75 * old_mean[c] + 0.25 * mean
        running_var = 0.75 * old_variance[c] + 0.25 * statistics.variance(values)
        np.testing.assert_allclose(result.state["running_mean"][c], running_mean, rtol=1e-13)
        np.testing.assert_allclose(result.state["running_var"][c], running_var, rtol=1e-13)


def test_batch_norm2d_evaluates_with_running_statistics_and_leaves_them() -> None:
    x, mean, variance = normal(2, 3, 2, 2), normal(3), np.array([0.5, 1.0, 2.0])
    result = normalization.batch_norm2d(
        x, num_features=3, eps=0.0, running_mean=mean, running_var=variance
    )
    assert result.state == {}
    back = result.output * np.sqrt(variance)[:, None, None] + mean[:, None, None]
    np.testing.assert_allclose(back, x, rtol=1e-12, atol=1e-12)


def test_batch_norm2d_without_tracking_uses_the_batch_in_eval_mode_too() -> None:
    x = normal(4, 2, 3, 3)
    result = normalization.batch_norm2d(x, num_features=2, eps=0.0, track_running_stats=False)
    np.testing.assert_allclose(result.output.mean((0, 2, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(result.output.var((0, 2, 3)), 1, rtol=1e-13)
    assert result.state == {}


def test_batch_norm2d_without_momentum_takes_the_first_batch_alone() -> None:
    x = normal(4, 2, 3, 3)
    result = normalization.batch_norm2d(x, num_features=2, momentum=None, training=True)
    np.testing.assert_allclose(result.state["running_mean"], x.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(result.state["running_var"], x.var((0, 2, 3), ddof=1), rtol=1e-12)


def test_batch_norm2d_takes_no_statistics_from_an_empty_batch() -> None:
    mean, variance = np.array([5.0, 6.0]), np.array([7.0, 8.0])
    result = normalization.batch_norm2d(
        np.zeros((0, 2, 3, 4)), num_features=2, running_mean=mean, running_var=variance,
        training=True,
    )  # fmt: skip
    assert result.output.shape == (0, 2, 3, 4)
    assert result.state == {}


@pytest.mark.parametrize("shape", [(2, 3, 2, 2), (2, 2, 2), (1, 2, 1, 1)])
def test_batch_norm2d_refuses(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be|more than one"):
        normalization.batch_norm2d(np.ones(shape), num_features=2, training=True)


def test_layer_norm_agrees_with_mpmath() -> None:
    x, weight, bias = normal(2, 5) + 100, normal(5), normal(5)
    got = normalization.layer_norm(x, normalized_shape=5, eps=1e-5, weight=weight, bias=bias)
    with mpmath.workdps(40):
        for row, result in zip(x, got, strict=True):
            values = [mpmath.mpf(v) for v in row]
            mean = mpmath.fsum(values) / 5
            deviation = mpmath.sqrt(
                mpmath.fsum((v - mean) ** 2 for v in values) / 5 + mpmath.mpf(1e-5)
            )
            should = [
                w * (v - mean) / deviation + b for v, w, b in zip(values, weight, bias, strict=True)
            ]
            np.testing.assert_allclose(
                result, np.array(should, dtype=float), rtol=1e-11, atol=1e-13
            )


def test_layer_norm_over_two_axes_is_that_over_the_flattened_ones() -> None:
    x, weight, bias = normal(4, 2, 3), normal(2, 3), normal(2, 3)
    got = normalization.layer_norm(x, normalized_shape=[2, 3], weight=weight, bias=bias)
    flat = normalization.layer_norm(
        x.reshape(4, 6), normalized_shape=6, weight=weight.ravel(), bias=bias.ravel()
    )
    np.testing.assert_allclose(got.reshape(4, 6), flat, rtol=1e-13)


@pytest.mark.parametrize("shape", [4, [3], [2, 2, 3], []])
def test_layer_norm_refuses(shape: int | list[int]) -> None:
    with pytest.raises(ValueError, match="must end in"):
        normalization.layer_norm(np.ones((2, 5)), normalized_shape=shape)


def test_embedding_is_the_product_with_one_hot_rows() -> None:
    table, indices = normal(6, 3), RANDOM.randint(0, 6, size=(2, 5))
    np.testing.assert_array_equal(embedding.embedding(indices, table), np.eye(6)[indices] @ table)


@pytest.mark.parametrize(
    ("padding", "by_frequency"), list(itertools.product([None, 2, -4], [False, True]))
)
def test_embedding_gradient_is_the_transposed_product(
    padding: int | None, by_frequency: bool
) -> None:
    table, indices, cotangent = normal(6, 3), np.array([[2, 5, 2], [0, 2, 5]]), normal(2, 3, 3)
    one_hot = np.eye(6)[indices.ravel()]
    should = one_hot.T @ cotangent.reshape(6, 3)
    if by_frequency:
        should /= np.array([1, 1, 3, 1, 1, 2])[:, None]
    if padding is not None:
        should[2] = 0
    got = embedding._embedding_gradient(
        indices, table, padding_idx=padding, scale_grad_by_freq=by_frequency, cotangents=[cotangent]
    )
    np.testing.assert_allclose(got["weight"], should, rtol=1e-13)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_embedding_max_norm_shortens_the_used_rows_only(p: float) -> None:
    table = np.array([[3.0, -4.0], [0.1, 0.2], [6.0, 8.0]])
    result = embedding.embedding(np.array([0, 1]), table, max_norm=1.0, norm_type=p)
    assert isinstance(result, Result)
    scaled = result.state["weight"]
    assert np.linalg.norm(scaled[0], p) == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(scaled[0] / scaled[0, 0], table[0] / 3)
    np.testing.assert_array_equal(scaled[1:], table[1:])
    np.testing.assert_array_equal(result.output, scaled[:2])


def test_functional_embedding_changes_the_weight_it_is_given() -> None:
    table = np.linspace(-1, 2, 12).reshape(4, 3)
    indices = np.array([[2, 0], [2, 3]])
    np.testing.assert_array_equal(
        embedding.functional_embedding(indices, table, 1), embedding.embedding(indices, table)
    )
    result = embedding.functional_embedding(indices, table, max_norm=0.1)
    after = result.mutated["weight"]
    np.testing.assert_allclose(np.linalg.norm(after[[0, 2, 3]], axis=1), 0.1, rtol=1e-5)
    np.testing.assert_array_equal(after[1], table[1])
    np.testing.assert_array_equal(result.output, after[indices])
    with pytest.raises(ValueError, match="two"):
        embedding.functional_embedding(indices, np.ones(4))


@pytest.mark.parametrize(
    ("indices", "padding", "error"),
    [
        ([0, 3], None, IndexError),
        ([-1], None, IndexError),
        ([0.0], None, TypeError),
        ([0], 3, ValueError),
    ],
)
def test_embedding_refuses(
    indices: list[float], padding: int | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        embedding.embedding(np.array(indices), np.ones((3, 2)), padding_idx=padding)


def weights(features: int, hidden: int, name: str) -> dict[str, Array]:
    return {
        f"weight_ih_{name}": normal(4 * hidden, features),
        f"weight_hh_{name}": normal(4 * hidden, hidden),
        f"bias_ih_{name}": normal(4 * hidden),
        f"bias_hh_{name}": normal(4 * hidden),
    }


def renamed(values: dict[str, Array], old: str, new: str) -> dict[str, Array]:
    return {
        name.removesuffix(old) + new: v for name, v in values.items() if name.endswith(f"_{old}")
    }


def test_lstm_follows_the_gates_in_mpmath() -> None:
    x, w = normal(3, 1, 2), weights(2, 1, "l0")
    y, (h_n, c_n) = recurrent.lstm(x, hidden_size=1, **w)
    with mpmath.workdps(30):
        h = c = mpmath.mpf(0)
        for t in range(3):
            gates = [
                mpmath.fdot(w["weight_ih_l0"][k], x[t, 0]) + w["weight_hh_l0"][k, 0] * h
                + w["bias_ih_l0"][k] + w["bias_hh_l0"][k]
                for k in range(4)
            ]  # fmt: skip
            i, f, o = (1 / (1 + mpmath.exp(-gates[k])) for k in (0, 1, 3))
            c = f * c + i * mpmath.tanh(gates[2])
            h = o * mpmath.tanh(c)
            assert float(y[t, 0, 0]) == pytest.approx(float(h), rel=1e-13)
    assert float(h_n[0, 0, 0]) == pytest.approx(float(h), rel=1e-13)
    assert float(c_n[0, 0, 0]) == pytest.approx(float(c), rel=1e-13)


def test_lstm_goes_on_from_a_given_state() -> None:
    x, w = normal(5, 2, 3), weights(3, 4, "l0")
    whole, (h, c) = recurrent.lstm(x, hidden_size=4, **w)
    first, state = recurrent.lstm(x[:2], hidden_size=4, **w)
    second, (h_2, c_2) = recurrent.lstm(x[2:], hidden_size=4, hx=np.stack(state), **w)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-14)
    np.testing.assert_allclose([h_2, c_2], [h, c], rtol=1e-14)


def test_lstm_backwards_is_forwards_on_the_reversed_sequence() -> None:
    x = normal(4, 2, 3)
    forward, backward = weights(3, 2, "l0"), weights(3, 2, "l0_reverse")
    y, (h, c) = recurrent.lstm(x, hidden_size=2, bidirectional=True, **forward, **backward)
    alone, (h_1, c_1) = recurrent.lstm(x, hidden_size=2, **forward)
    other, (h_2, c_2) = recurrent.lstm(
        x[::-1], hidden_size=2, **renamed(backward, "l0_reverse", "l0")
    )
    np.testing.assert_array_equal(y, np.concatenate([alone, other[::-1]], axis=-1))
    np.testing.assert_array_equal(h, np.concatenate([h_1, h_2]))
    np.testing.assert_array_equal(c, np.concatenate([c_1, c_2]))


def test_lstm_feeds_the_outputs_of_both_directions_to_the_second_layer() -> None:
    x = normal(4, 2, 3)
    lower = weights(3, 2, "l0") | weights(3, 2, "l0_reverse")
    upper = weights(4, 2, "l1") | weights(4, 2, "l1_reverse")
    both = {"hidden_size": 2, "bidirectional": True}
    y, (h, c) = recurrent.lstm(x, num_layers=2, **both, **lower, **upper)
    between, (h_1, c_1) = recurrent.lstm(x, **both, **lower)
    raised = renamed(upper, "l1", "l0") | renamed(upper, "l1_reverse", "l0_reverse")
    should, (h_2, c_2) = recurrent.lstm(between, **both, **raised)
    np.testing.assert_array_equal(y, should)
    np.testing.assert_array_equal(h, np.concatenate([h_1, h_2]))
    np.testing.assert_array_equal(c, np.concatenate([c_1, c_2]))


def test_lstm_batch_first_and_unbatched_are_the_same_sequences() -> None:
    x, w = normal(4, 2, 3), weights(3, 2, "l0")
    y, (h, c) = recurrent.lstm(x, hidden_size=2, **w)
    turned, (h_1, c_1) = recurrent.lstm(x.swapaxes(0, 1), hidden_size=2, batch_first=True, **w)
    np.testing.assert_array_equal(turned.swapaxes(0, 1), y)
    np.testing.assert_array_equal([h_1, c_1], [h, c])
    single, (h_2, c_2) = recurrent.lstm(x[:, 1], hidden_size=2, **w)
    np.testing.assert_array_equal(single, y[:, 1])
    np.testing.assert_array_equal([h_2, c_2], [h[:, 1], c[:, 1]])


def test_lstm_refuses_features_and_missing_weights() -> None:
    w = weights(3, 2, "l0")
    with pytest.raises(ValueError, match="features"):
        recurrent.lstm(normal(4, 2, 5), hidden_size=2, **w)
    with pytest.raises(ValueError, match="its weights"):
        recurrent.lstm(normal(4, 2, 3), hidden_size=2, bidirectional=True, **w)
    with pytest.raises(ValueError, match="dimensions"):
        recurrent.lstm(normal(3), hidden_size=2, **w)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_every_layer_computes_in_the_dtype_it_is_given(dtype: type[np.floating[Any]]) -> None:
    def of(*shape: int) -> Array:
        return normal(*shape).astype(dtype)

    w = {name: value.astype(dtype) for name, value in weights(2, 2, "l0").items()}
    lstm, (h, c) = recurrent.lstm(of(2, 1, 2), hidden_size=2, **w)
    trained = normalization.batch_norm2d(of(2, 2, 2, 2), num_features=2, training=True)
    got = [
        convolution.conv2d(of(1, 2, 3, 3), of(2, 2, 2, 2), of(2)),
        normalization.layer_norm(of(2, 3), normalized_shape=3, weight=of(3), bias=of(3)),
        output(embedding.embedding(np.array([0]), of(2, 2))),
        output(embedding.embedding(np.array([0]), of(2, 2), max_norm=0.1)),
        trained.output, *trained.state.values(), lstm, h, c,
    ]  # fmt: skip
    assert [a.dtype for a in got] == [np.dtype(dtype)] * len(got)
