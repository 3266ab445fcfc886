"""Attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype=("=query", "=query"))
def multihead_attention(
    query: Array,
    key: Array,
    value: Array,
    key_padding_mask: Array | None = None,
    need_weights: bool = True,
    attn_mask: Array | None = None,
    average_attn_weights: bool = True,
    *,
    embed_dim: int,
    num_heads: int,
    out_weight: Array,
    in_proj_weight: Array | None = None,
    q_proj_weight: Array | None = None,
    k_proj_weight: Array | None = None,
    v_proj_weight: Array | None = None,
    in_proj_bias: Array | None = None,
    out_bias: Array | None = None,
    bias_k: Array | None = None,
    bias_v: Array | None = None,
    add_zero_attn: bool = False,
    batch_first: bool = False,
    dropout: float = 0.0,
    training: bool = False,
) -> tuple[Array, Array | None]:
    """Attention in `num_heads` subspaces of size d = embed_dim / num_heads.

    With q, k, v the projections ``x Wᵀ + b`` of (L, N, E), (S, N, Ek) and (S, N, Ev), cut into
    heads, ``A = softmax(q kᵀ / sqrt(d) + mask)`` over the keys and
    ``output = concat(A v) Woᵀ + bo``.  The N axis comes first with `batch_first`, and may be left
    out.  `bias_k` and `bias_v`, then zeros with `add_zero_attn`, are one more key and value each,
    which no mask hides.  Masks are (N, S) for keys and (L, S) or (N heads, L, S): True hides,
    numbers are added; a row that hides all keys is NaN.  Returns output and the weights A,
    (N, L, S) their mean over heads, else (N, heads, L, S); None for them unless `need_weights`.
    In `training` a `dropout` of 1 makes A zero; rates between 0 and 1 are left to chance and raise
    NotImplementedError.  Raises ValueError for sizes that do not fit each other.

    Source: PyTorch documentation of torch.nn.MultiheadAttention; Vaswani et al. 2017, section 3.2.
    """
    if embed_dim % num_heads or num_heads < 1:
        raise ValueError(f"{embed_dim} does not divide into {num_heads} heads")
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(f"query, key, value have {query.ndim}, {key.ndim}, {value.ndim} axes")
    batched = query.ndim == 3
    if not batched:
        query, key, value = query[None], key[None], value[None]
    elif not batch_first:
        query, key, value = (x.swapaxes(0, 1) for x in (query, key, value))
    if key.shape[:2] != value.shape[:2] or len(key) != len(query):
        raise ValueError(f"{query.shape}, {key.shape}, {value.shape} (batch first) do not fit")
    weights = _thirds(in_proj_weight, (q_proj_weight, k_proj_weight, v_proj_weight))
    biases = _thirds(in_proj_bias, (None, None, None))
    q, k, v = (
        _affine(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    batch, keys = len(q), key.shape[1]
    mask = _mask(key_padding_mask, attn_mask, (batch, num_heads, q.shape[1], keys), q.dtype)
    if bias_k is not None and bias_v is not None:
        k, v = _longer(k, bias_k), _longer(v, bias_v)
    if add_zero_attn:
        zero: Array = np.zeros((1, 1, embed_dim), q.dtype)
        k, v = _longer(k, zero), _longer(v, zero)
    mask = np.pad(mask, [(0, 0)] * 3 + [(0, k.shape[1] - keys)])
    q, k, v = (
        x.reshape(*x.shape[:2], num_heads, embed_dim // num_heads).swapaxes(1, 2) for x in (q, k, v)
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.dtype.type(embed_dim // num_heads)) + mask
    scores = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    attention = scores / np.sum(scores, axis=-1, keepdims=True)
    if training and dropout:
        if dropout != 1:
            raise NotImplementedError("which weights are dropped is left to chance")
        attention = np.zeros_like(attention)
    heads = (attention @ v).swapaxes(1, 2)
    output = _affine(heads.reshape(*heads.shape[:2], embed_dim), out_weight, out_bias)
    if average_attn_weights:
        attention = np.sum(attention, axis=1) / q.dtype.type(num_heads)
    if not batched:
        output, attention = output[0], attention[0]
    elif not batch_first:
        output = output.swapaxes(0, 1)
    return np.asarray(output), np.asarray(attention) if need_weights else None


def _thirds(whole: Array | None, parts: tuple[Array | None, ...]) -> tuple[Array | None, ...]:
    """Cut the stacked parameters of query, key and value apart; without them, return `parts`."""
    return parts if whole is None else tuple(np.split(whole, 3))


def _affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    if weight is None:
        raise ValueError("a projection has no weight")
    y = x @ weight.T
    return np.asarray(y if bias is None else y + bias)


def _longer(x: Array, last: Array) -> Array:
    """Append `last` (1, 1, E) to each sequence of `x` (N, S, E)."""
    return np.concatenate([x, np.broadcast_to(last, (len(x), 1, x.shape[-1]))], axis=1)


def _mask(
    padding: Array | None, pairs: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return what is added to the scores: -inf where a mask hides a key."""
    mask: Array = np.zeros(shape, dtype)
    if padding is not None:
        if padding.shape not in ((shape[0], shape[3]), (shape[3],)):
            raise ValueError(f"key_padding_mask {padding.shape} does not fit {shape}")
        mask = mask + _added(padding, dtype).reshape(shape[0], 1, 1, shape[3])
    if pairs is not None:
        if pairs.shape not in (shape[2:], (shape[0] * shape[1], *shape[2:])):
            raise ValueError(f"attn_mask {pairs.shape} does not fit {shape}")
        added = _added(pairs, dtype)
        mask = mask + (added if added.ndim == 2 else added.reshape(shape))
    return mask


def _added(mask: Array, dtype: np.dtype[Any]) -> Array:
    if mask.dtype.kind != "b":
        return mask.astype(dtype)
    return np.where(mask, dtype.type(-np.inf), dtype.type(0))
