"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.reference.registry import reference

Array = np.ndarray[Any, Any]


@reference(dtype="=input")
def lstm(
    input: Array,
    *,
    hidden_size: int,
    num_layers: int = 1,
    batch_first: bool = False,
    bidirectional: bool = False,
    hx: Sequence[Array] | None = None,
    weight_ih_l0: Array | None = None,
    weight_hh_l0: Array | None = None,
    bias_ih_l0: Array | None = None,
    bias_hh_l0: Array | None = None,
    weight_ih_l0_reverse: Array | None = None,
    weight_hh_l0_reverse: Array | None = None,
    bias_ih_l0_reverse: Array | None = None,
    bias_hh_l0_reverse: Array | None = None,
    weight_ih_l1: Array | None = None,
    weight_hh_l1: Array | None = None,
    bias_ih_l1: Array | None = None,
    bias_hh_l1: Array | None = None,
    weight_ih_l1_reverse: Array | None = None,
    weight_hh_l1_reverse: Array | None = None,
    bias_ih_l1_reverse: Array | None = None,
    bias_hh_l1_reverse: Array | None = None,
) -> tuple[Array, tuple[Array, Array]]:
    """Long short-term memory over (L, N, F), (N, L, F) with `batch_first`, or (L, F).

    ``i, f, o = σ(W x + b + W' h + b')``, ``g = tanh(…)`` of the four blocks of rows i, f, g, o;
    ``c = f c + i g``, ``h = o tanh(c)``.  A second layer reads the outputs of the first; the
    reverse direction reads the sequence backwards, and its outputs stand behind the forward ones.
    `hx` is h and c before the first step, each (directions · layers, N, hidden_size), else zeros.
    Returns (output, (h_n, c_n)).  Raises ValueError for an input that does not fit the weights.
    Source: PyTorch documentation of torch.nn.LSTM; Hochreiter and Schmidhuber 1997.
    """
    cells = [
        (weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0),
        (weight_ih_l0_reverse, weight_hh_l0_reverse, bias_ih_l0_reverse, bias_hh_l0_reverse),
        (weight_ih_l1, weight_hh_l1, bias_ih_l1, bias_hh_l1),
        (weight_ih_l1_reverse, weight_hh_l1_reverse, bias_ih_l1_reverse, bias_hh_l1_reverse),
    ]
    if input.ndim not in (2, 3):
        raise ValueError(f"input must have 2 or 3 dimensions, not {input.ndim}")
    x = input[:, None] if input.ndim == 2 else np.swapaxes(input, 0, 1) if batch_first else input
    directions = 2 if bidirectional else 1
    if hx is None:
        zeros = np.zeros((directions * num_layers, x.shape[1], hidden_size), x.dtype)
        hx = [zeros, zeros]
    hidden, memory = [], []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            cell = cells[2 * layer + direction]
            order = slice(None, None, -1 if direction else 1)
            y, h, c = _recurrence(x[order], hx[0][number], hx[1][number], cell)
            outputs.append(y[order])
            hidden.append(h)
            memory.append(c)
        x = np.concatenate(outputs, axis=-1)
    h_n, c_n = np.stack(hidden), np.stack(memory)
    if input.ndim == 2:
        return x[:, 0], (h_n[:, 0], c_n[:, 0])
    return np.swapaxes(x, 0, 1) if batch_first else x, (h_n, c_n)


def _recurrence(
    x: Array, h: Array, c: Array, cell: tuple[Array | None, ...]
) -> tuple[Array, Array, Array]:
    """Return all h, the last h and the last c of one layer in one direction; x is (L, N, F)."""
    weight_ih, weight_hh, bias_ih, bias_hh = cell
    if weight_ih is None or weight_hh is None:
        raise ValueError("every layer and direction needs its weights")
    if x.shape[-1] != weight_ih.shape[1]:
        raise ValueError(f"{x.shape[-1]} features, but the weights take {weight_ih.shape[1]}")
    outputs = []
    for x_t in x:
        gates = _affine(x_t, weight_ih, bias_ih) + _affine(h, weight_hh, bias_hh)
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return (np.stack(outputs) if outputs else np.zeros((0, *h.shape), x.dtype)), h, c


def _affine(x: Array, weight: Array, bias: Array | None) -> Array:
    y = np.sum(x[:, None, :] * weight, axis=-1)
    return np.asarray(y if bias is None else y + bias)


def _sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + e^-x)`` without overflow, and small values in full precision."""
    return np.asarray(np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))))
