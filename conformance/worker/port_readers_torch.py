"""Which PyTorch classes are known, and how their canonical settings are read."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from conformance.worker import port_settings as shared
from conformance.worker.port_settings import Reader, Settings


class Padded:
    """Mixed into a convolution or pooling that pads as PyTorch's own cannot; see `pads`.

    `pads` are (before, after) of each axis, or "same" for MindSpore's padding mode of that name,
    which depends on the size of the input.  The layer's own padding is 0.
    """

    pads: shared.Pads
    axes: int

    def forward(self, x: Any) -> Any:
        """Pad, or cut what a transposed convolution would have padded, then compute."""
        layer: Any = self
        compute = super().forward  # type: ignore[misc]
        if isinstance(layer, nn.modules.conv._ConvTransposeNd):
            cuts = [slice(before, -after or None) for before, after in layer.pads]
            return compute(x)[(..., *cuts)]
        flat = [p for pair in reversed(self._pads_of(x.shape[-self.axes :])) for p in pair]
        pools_max = isinstance(layer, nn.modules.pooling._MaxPoolNd)
        fill = -float("inf") if pools_max else 0.0
        y = compute(nn.functional.pad(x, flat, value=fill))
        if getattr(layer, "count_include_pad", True):
            return y
        return y / compute(nn.functional.pad(torch.ones_like(x), flat))

    def _pads_of(self, sizes: Any) -> list[tuple[int, int]]:
        layer: Any = self
        if layer.pads != "same":
            return list(layer.pads)
        n = len(sizes)
        each = [shared.per_axis(v, n) for v in (layer.kernel_size, layer.stride)]
        dilation = shared.per_axis(getattr(layer, "dilation", 1), n)
        return [shared.same_pads(*of) for of in zip(sizes, *each, dilation, strict=True)]


def _plain(*names: str) -> Reader:
    return lambda layer, _: {name: getattr(layer, name) for name in names}


def _fixed(**values: Any) -> Reader:
    return lambda _layer, _: values


def _windows(layer: Any, n: int, *more: str) -> Settings:
    found = {"kernel_size": layer.kernel_size}
    found |= {"stride": layer.stride if layer.stride is not None else layer.kernel_size}
    found |= {name: getattr(layer, name) for name in more if name in ("dilation", "output_padding")}
    found = {name: shared.per_axis(value, n) for name, value in found.items()}
    return found | {name: getattr(layer, name) for name in more if name not in found}


def _padding(layer: Any, n: int) -> shared.Pads:
    if isinstance(layer, Padded):
        return layer.pads
    if layer.padding == "same" or type(layer).__name__ == "Conv2dSame":
        return shared.same_padding(layer.kernel_size, layer.stride, layer.dilation)
    return shared.symmetric(0 if layer.padding == "valid" else layer.padding, n)


def _conv(layer: Any, n: int) -> Settings:
    more = ["output_padding"] if layer.transposed else []
    found = _plain("in_channels", "out_channels", "groups")(layer, n)
    found = {**found, **_windows(layer, n, "dilation", *more), "padding": _padding(layer, n)}
    found["bias"] = layer.bias is not None
    mode = layer.padding_mode
    return found if mode == "zeros" else {**found, "padding_mode": mode}


def _max_pool(layer: Any, n: int) -> Settings:
    found = _windows(layer, n, "dilation", "ceil_mode", "return_indices")
    return {**found, "padding": _padding(layer, n)}


def _avg_pool(layer: Any, n: int) -> Settings:
    found = _windows(layer, n, "ceil_mode", "count_include_pad")
    found |= {"padding": _padding(layer, n)}
    divisor = getattr(layer, "divisor_override", None)
    return shared.counted(found if divisor is None else {**found, "divisor_override": divisor})


def _adaptive(layer: Any, n: int) -> Settings:
    size = layer.output_size
    found = {"output_size": tuple(size) if isinstance(size, list | tuple) else (size,) * n}
    indices = getattr(layer, "return_indices", False)
    return found | ({"return_indices": True} if indices else {})


def _trained(layer: Any) -> bool:
    """Return whether scale or shift are trained; without them both frameworks compute alike."""
    owned = [p for p in (layer.weight, layer.bias) if p is not None]
    return any(p.requires_grad for p in owned)


def _statistics_norm(layer: Any, _n: int) -> Settings:
    found = {**_plain("num_features", "eps", "track_running_stats")(layer, 0)}
    found["affine"] = _trained(layer)
    return found | ({"momentum": layer.momentum} if layer.track_running_stats else {})


def _layer_norm(layer: Any, _n: int) -> Settings:
    found = {**_plain("normalized_shape", "eps")(layer, 0), "elementwise_affine": _trained(layer)}
    biased = layer.weight is None or layer.bias is not None
    return found | ({} if biased else {"bias": False})


def _group_norm(layer: Any, _n: int) -> Settings:
    return {**_plain("num_groups", "num_channels", "eps")(layer, 0), "affine": _trained(layer)}


def _embedding(layer: Any, _n: int) -> Settings:
    found = {**_plain("num_embeddings", "embedding_dim", "padding_idx", "max_norm")(layer, 0)}
    found |= {"scale_grad_by_freq": layer.scale_grad_by_freq}
    return found | ({} if layer.max_norm is None else {"norm_type": layer.norm_type})


def _linear(layer: Any, _n: int) -> Settings:
    return {**_plain("in_features", "out_features")(layer, 0), "bias": layer.bias is not None}


def _recurrent(layer: Any, _n: int) -> Settings:
    names = "input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional"
    found = {**_plain(*names)(layer, 0)}
    found["dropout"] = layer.dropout if layer.num_layers > 1 else 0.0
    if layer.mode.startswith("RNN"):
        found["nonlinearity"] = layer.mode.removeprefix("RNN_").lower()
    return found | ({"proj_size": layer.proj_size} if layer.proj_size else {})


def _attention(layer: Any, _n: int) -> Settings:
    names = "embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"
    biased = layer.in_proj_bias is not None
    return {**_plain(*names)(layer, 0), "bias": biased, "add_bias_kv": layer.bias_k is not None}


def _pad(mode: str, n: int) -> Reader:
    def read(layer: Any, _: int) -> Settings:
        flat = shared.per_axis(layer.padding, 2 * n)
        found = {"padding": shared.trimmed(shared.pairs(flat)[::-1]), "mode": mode}
        return found | ({"value": float(layer.value)} if mode == "constant" else {})

    return read


def _upsample(layer: Any, _n: int) -> Settings:
    return shared.resized(layer.size, layer.scale_factor, layer.mode, layer.align_corners)


def _build_table() -> dict[type, tuple[str, Reader]]:
    table: dict[type, tuple[str, Reader]] = {
        nn.Linear: ("linear", _linear),
        nn.Bilinear: ("bilinear", _plain("in1_features", "in2_features", "out_features")),
        nn.Embedding: ("embedding", _embedding),
        nn.LayerNorm: ("layer_norm", _layer_norm),
        nn.GroupNorm: ("group_norm", _group_norm),
        nn.SyncBatchNorm: ("sync_batch_norm", _statistics_norm),
        nn.LocalResponseNorm: ("local_response_norm", _plain("size", "alpha", "beta", "k")),
        nn.LSTM: ("lstm", _recurrent),
        nn.GRU: ("gru", _recurrent),
        nn.RNN: ("rnn", _recurrent),
        nn.MultiheadAttention: ("multihead_attention", _attention),
        nn.Identity: ("identity", _plain()),
        nn.Dropout: ("dropout", _plain("p")),
        nn.AlphaDropout: ("alpha_dropout", _plain("p")),
        nn.FeatureAlphaDropout: ("feature_alpha_dropout", _plain("p")),
        nn.Flatten: ("flatten", _plain("start_dim", "end_dim")),
        nn.Unflatten: ("unflatten", _plain("dim", "unflattened_size")),
        nn.PixelShuffle: ("pixel_shuffle", _plain("upscale_factor")),
        nn.PixelUnshuffle: ("pixel_unshuffle", _plain("downscale_factor")),
        nn.ChannelShuffle: ("channel_shuffle", _plain("groups")),
        nn.Upsample: ("upsample", _upsample),
        nn.UpsamplingNearest2d: ("upsample", _upsample),
        nn.UpsamplingBilinear2d: ("upsample", _upsample),
    }
    table |= {cls: (cls.__name__.lower(), _plain()) for cls in _WITHOUT_SETTINGS}
    table |= {cls: (name, _plain(*settings)) for cls, name, *settings in _ACTIVATIONS}
    table[nn.Softmax2d] = ("softmax", _fixed(dim=-3))
    for n in (1, 2, 3):
        for pattern, name, read in _BY_AXES:
            table[getattr(nn, pattern.format(n))] = (f"{name}{n}d", read)
        for prefix, mode in _PADS.items():
            table[getattr(nn, f"{prefix}{n}d")] = ("pad", _pad(mode, n))
    return table


_WITHOUT_SETTINGS = (
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Mish,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Softsign,
)
_ACTIVATIONS: tuple[tuple[Any, ...], ...] = (
    (nn.LeakyReLU, "leaky_relu", "negative_slope"),
    (nn.PReLU, "prelu", "num_parameters"),
    (nn.RReLU, "rrelu", "lower", "upper"),
    (nn.ELU, "elu", "alpha"),
    (nn.CELU, "celu", "alpha"),
    (nn.GELU, "gelu", "approximate"),
    (nn.Hardtanh, "hardtanh", "min_val", "max_val"),
    (nn.Hardshrink, "hardshrink", "lambd"),
    (nn.Softshrink, "softshrink", "lambd"),
    (nn.Softplus, "softplus", "beta", "threshold"),
    (nn.Threshold, "threshold", "threshold", "value"),
    (nn.GLU, "glu", "dim"),
    (nn.Softmax, "softmax", "dim"),
    (nn.Softmin, "softmin", "dim"),
    (nn.LogSoftmax, "log_softmax", "dim"),
)
_BY_AXES: tuple[tuple[str, str, Reader], ...] = (
    ("Conv{}d", "conv", _conv),
    ("ConvTranspose{}d", "conv_transpose", _conv),
    ("BatchNorm{}d", "batch_norm", _statistics_norm),
    ("InstanceNorm{}d", "instance_norm", _statistics_norm),
    ("MaxPool{}d", "max_pool", _max_pool),
    ("AvgPool{}d", "avg_pool", _avg_pool),
    ("AdaptiveAvgPool{}d", "adaptive_avg_pool", _adaptive),
    ("AdaptiveMaxPool{}d", "adaptive_max_pool", _adaptive),
    ("Dropout{}d", "dropout", _plain("p")),
)
_PADS = {"ConstantPad": "constant", "ZeroPad": "constant", "ReflectionPad": "reflect",
         "ReplicationPad": "replicate", "CircularPad": "circular"}  # fmt: skip
TABLE = _build_table()
