"""Multi-head attention against plain loops, mpmath and identities."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from conformance.reference.attention import multihead_attention

Array = np.ndarray[Any, Any]
RANDOM = np.random.RandomState(0)
L, S, N, E, H = 3, 4, 2, 6, 2


def normal(*shape: int) -> Array:
    return RANDOM.randn(*shape)


def sequences() -> tuple[Array, Array, Array]:
    return normal(L, N, E), normal(S, N, E), normal(S, N, E)


def weights() -> dict[str, Any]:
    return {
        "embed_dim": E, "num_heads": H,
        "in_proj_weight": normal(3 * E, E), "in_proj_bias": normal(3 * E),
        "out_weight": normal(E, E), "out_bias": normal(E),
    }  # fmt: skip


def attended(q: Array, k: Array, v: Array, mask: Array) -> tuple[list[Any], list[Any]]:
    """Attention of one query over the keys it may see, in mpmath."""
    scores = [mpmath.fdot(q, key) / mpmath.sqrt(len(q)) + m for key, m in zip(k, mask, strict=True)]
    powers = [mpmath.exp(score) for score in scores]
    shares = [power / mpmath.fsum(powers) for power in powers]
    return [mpmath.fdot(shares, column) for column in v.T], shares


@pytest.mark.parametrize("masked", [False, True])
def test_attention_head_by_head_in_mpmath(masked: bool) -> None:
    query, key, value = sequences()
    w = weights()
    mask = np.where(RANDOM.rand(L, S) < 0.3, -np.inf, RANDOM.randn(L, S)) if masked else None
    output, shares = multihead_attention(query, key, value, None, True, mask, False, **w)
    assert shares is not None
    projected = [
        x @ m.T + b
        for x, m, b in zip(
            (query, key, value), np.split(w["in_proj_weight"], 3), np.split(w["in_proj_bias"], 3),
            strict=True,
        )
    ]  # fmt: skip
    with mpmath.workdps(30):
        for n, place in np.ndindex(N, L):
            joined: list[float] = []
            for h in range(H):
                part = slice(h * E // H, (h + 1) * E // H)
                q, k, v = (x[:, n, part] for x in projected)
                row = np.zeros(S) if mask is None else mask[place]
                mixed, should = attended(q[place], k, v, row)
                joined += [float(x) for x in mixed]
                np.testing.assert_allclose(
                    shares[n, h, place], np.array(should, float), rtol=1e-12, atol=1e-15
                )
            should_be = w["out_weight"] @ np.array(joined) + w["out_bias"]
            np.testing.assert_allclose(output[place, n], should_be, rtol=1e-11, atol=1e-12)


def test_weights_are_averaged_over_heads_or_left_out() -> None:
    q, k, v = sequences()
    w = weights()
    output, mean = multihead_attention(q, k, v, **w)
    _, each = multihead_attention(q, k, v, average_attn_weights=False, **w)
    assert mean is not None
    assert each is not None
    np.testing.assert_allclose(mean, each.mean(1), rtol=1e-14)
    np.testing.assert_allclose(mean.sum(-1), 1, rtol=1e-14)
    alone, none = multihead_attention(q, k, v, need_weights=False, **w)
    assert none is None
    np.testing.assert_array_equal(alone, output)


def test_dropping_everything_leaves_the_bias() -> None:
    w = weights()
    output, shares = multihead_attention(*sequences(), dropout=1.0, training=True, **w)
    np.testing.assert_array_equal(output, np.broadcast_to(w["out_bias"], (L, N, E)))
    np.testing.assert_array_equal(shares, np.zeros((N, L, S)))
    with pytest.raises(NotImplementedError):
        multihead_attention(*sequences(), dropout=0.5, training=True, **w)
    q, k, v = sequences()
    np.testing.assert_array_equal(
        multihead_attention(q, k, v, dropout=0.5, **w)[0], multihead_attention(q, k, v, **w)[0]
    )


def test_batch_first_and_unbatched_are_the_same_sequences() -> None:
    q, k, v = sequences()
    w = weights()
    output, shares = multihead_attention(q, k, v, **w)
    turned, same = multihead_attention(
        *(x.swapaxes(0, 1) for x in (q, k, v)), batch_first=True, **w
    )
    np.testing.assert_array_equal(turned.swapaxes(0, 1), output)
    single, its = multihead_attention(q[:, 1], k[:, 1], v[:, 1], **w)
    np.testing.assert_allclose(single, output[:, 1], rtol=1e-12)
    assert shares is not None
    assert same is not None
    assert its is not None
    np.testing.assert_array_equal(same, shares)
    np.testing.assert_allclose(its, shares[1], rtol=1e-12)


def test_hidden_keys_are_as_if_they_were_not_there() -> None:
    q, k, v = sequences()
    w = weights()
    should, _ = multihead_attention(q, k[:3], v[:3], **w)
    for hide in (np.array([[False] * 3 + [True]] * N), np.array([[0.0] * 3 + [-np.inf]] * N)):
        by_key, _ = multihead_attention(q, k, v, hide, **w)
        np.testing.assert_allclose(by_key, should, rtol=1e-12)
        by_pair, _ = multihead_attention(q, k, v, attn_mask=np.tile(hide[:1], (L, 1)), **w)
        np.testing.assert_allclose(by_pair, should, rtol=1e-12)
        by_head, _ = multihead_attention(q, k, v, attn_mask=np.tile(hide[:1], (N * H, L, 1)), **w)
        np.testing.assert_allclose(by_head, should, rtol=1e-12)
    with np.errstate(invalid="ignore"):
        nothing, _ = multihead_attention(q, k, v, np.ones((N, S), bool), **w)
    assert np.isnan(nothing).all()


def test_separate_weights_and_more_keys() -> None:
    q, k, v = sequences()
    w = weights()
    should, _ = multihead_attention(q, k, v, **w)
    wq, wk, wv = np.split(w.pop("in_proj_weight"), 3)
    parts = {"q_proj_weight": wq, "k_proj_weight": wk, "v_proj_weight": wv}
    got, _ = multihead_attention(q, k, v, **w, **parts)
    np.testing.assert_array_equal(got, should)
    bias, plain = w.pop("in_proj_bias"), np.zeros((1, N, E))
    zeros, hide = (
        {"bias_k": np.zeros((1, 1, E)), "bias_v": np.zeros((1, 1, E))},
        np.ones((N, S), bool),
    )
    longer, _ = multihead_attention(
        q, np.concatenate([k, plain]), np.concatenate([v, plain]), **w, **parts
    )
    for more in (zeros, {"add_zero_attn": True}):
        got, shares = multihead_attention(q, k, v, **w, **parts, **more)
        np.testing.assert_allclose(got, longer, rtol=1e-12)
        assert shares is not None
        assert shares.shape == (N, L, S + 1)
        last, _ = multihead_attention(q, k, v, hide, in_proj_bias=bias, **w, **parts, **more)
        np.testing.assert_allclose(last, np.broadcast_to(w["out_bias"], last.shape), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "shapes"),
    [
        ({"num_heads": 4}, [(3, 2, 6), (4, 2, 6), (4, 2, 6)]),
        ({}, [(3, 2, 6), (4, 1, 6), (4, 1, 6)]),
        ({}, [(3, 2, 6), (4, 2, 6), (5, 2, 6)]),
        ({}, [(3, 2, 5), (4, 2, 6), (4, 2, 6)]),
        ({}, [(3, 6), (4, 2, 6), (4, 2, 6)]),
        ({"key_padding_mask": np.ones((4, 2), bool)}, [(3, 2, 6), (4, 2, 6), (4, 2, 6)]),
        ({"attn_mask": np.ones((4, 3), bool)}, [(3, 2, 6), (4, 2, 6), (4, 2, 6)]),
        ({"in_proj_weight": None}, [(3, 2, 6), (4, 2, 6), (4, 2, 6)]),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        multihead_attention(*(np.ones(shape) for shape in shapes), **{**weights(), **change})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
def test_attention_computes_in_the_dtype_it_is_given(dtype: type) -> None:
    w = {n: a.astype(dtype) if isinstance(a, np.ndarray) else a for n, a in weights().items()}
    inputs: list[Array] = [x.astype(dtype) for x in sequences()]
    output, shares = multihead_attention(*inputs, np.zeros((N, S), bool), **w)
    assert shares is not None
    assert output.dtype == shares.dtype == np.dtype(dtype)
