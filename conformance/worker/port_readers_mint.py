"""The cells of ``mindspore.mint.nn``, whose attributes bear PyTorch's names."""

from __future__ import annotations

from typing import Any

from mindspore import mint

from conformance.worker import port_settings as shared
from conformance.worker.port_readers_mindspore import (
    adaptive,
    group_norm,
    pads_of,
    plain,
    trained,
    upsample,
)
from conformance.worker.port_settings import Reader, Settings


def _windows(layer: Any, n: int, *more: str) -> Settings:
    found = {"kernel_size": layer.kernel_size}
    found |= {"stride": layer.stride if layer.stride is not None else layer.kernel_size}
    found |= {name: getattr(layer, name) for name in more}
    return {name: shared.per_axis(value, n) for name, value in found.items()}


def _conv(layer: Any, n: int) -> Settings:
    more = ["output_padding"] if layer.transposed else []
    found = {**plain("in_channels", "out_channels", "groups")(layer, n)}
    found |= {**_windows(layer, n, "dilation", *more), "bias": layer.bias is not None}
    if layer.padding == "same":
        found["padding"] = shared.same_padding(*(found[k] for k in _SAME))
    else:
        found["padding"] = shared.symmetric(0 if layer.padding == "valid" else layer.padding, n)
    mode = layer.padding_mode
    return found if mode == "zeros" else {**found, "padding_mode": mode}


_SAME = ("kernel_size", "stride", "dilation")


def _max_pool(layer: Any, n: int) -> Settings:
    found = {**_windows(layer, n, "dilation"), "padding": shared.symmetric(layer.padding, n)}
    return found | {"ceil_mode": layer.ceil_mode, "return_indices": layer.return_indices}


def _avg_pool(layer: Any, n: int) -> Settings:
    found = {**_windows(layer, n), "padding": shared.symmetric(layer.padding, n)}
    found |= {"ceil_mode": layer.ceil_mode, "count_include_pad": layer.count_include_pad}
    divisor = getattr(layer, "divisor_override", None)
    return shared.counted(found if divisor is None else {**found, "divisor_override": divisor})


def _batch_norm(layer: Any, _n: int) -> Settings:
    found = {**plain("num_features", "eps", "track_running_stats")(layer, 0)}
    found["affine"] = trained(layer.weight, layer.bias)
    return found | ({"momentum": layer.momentum} if layer.track_running_stats else {})


def _layer_norm(layer: Any, _n: int) -> Settings:
    found = {**plain("normalized_shape", "eps")(layer, 0)}
    found["elementwise_affine"] = trained(layer.weight, layer.bias)
    biased = layer.weight is None or layer.bias is not None
    return found | ({} if biased else {"bias": False})


def _embedding(layer: Any, _n: int) -> Settings:
    found = {**plain("num_embeddings", "embedding_dim", "max_norm")(layer, 0)}
    index = layer.padding_idx
    found["padding_idx"] = index if index is None else index % layer.num_embeddings
    found |= {"scale_grad_by_freq": bool(layer.scale_grad_by_freq)}
    return found | ({} if layer.max_norm is None else {"norm_type": layer.norm_type})


def _prelu(layer: Any, _n: int) -> Settings:
    return {"num_parameters": layer.weight.shape[0]}


_KNOWN: tuple[tuple[str, str, Reader], ...] = (
    ("Linear", "linear", plain("in_features", "out_features", bias="has_bias")),
    ("Embedding", "embedding", _embedding),
    ("LayerNorm", "layer_norm", _layer_norm),
    ("GroupNorm", "group_norm", group_norm("weight", "bias")),
    ("SyncBatchNorm", "sync_batch_norm", _batch_norm),
    ("Dropout", "dropout", plain("p")),
    ("Dropout2d", "dropout2d", plain("p")),
    ("Flatten", "flatten", plain("start_dim", "end_dim")),
    ("PixelShuffle", "pixel_shuffle", plain("upscale_factor")),
    ("Upsample", "upsample", upsample),
    ("PReLU", "prelu", _prelu),
    ("ELU", "elu", plain("alpha")),
    ("GELU", "gelu", plain("approximate")),
    ("Hardtanh", "hardtanh", plain("min_val", "max_val")),
    ("Threshold", "threshold", plain("threshold", "value")),
    ("GLU", "glu", plain("dim")),
    ("Softmax", "softmax", plain("dim")),
    ("LogSoftmax", "log_softmax", plain("dim")),
)
_PLAIN = ("ReLU6", "SELU", "SiLU", "Mish", "Sigmoid", "LogSigmoid", "Tanh")
_BY_AXES: tuple[tuple[str, str, Reader], ...] = (
    ("Conv{}d", "conv", _conv),
    ("ConvTranspose{}d", "conv_transpose", _conv),
    ("BatchNorm{}d", "batch_norm", _batch_norm),
    ("MaxPool{}d", "max_pool", _max_pool),
    ("AvgPool{}d", "avg_pool", _avg_pool),
    ("AdaptiveAvgPool{}d", "adaptive_avg_pool", adaptive("output_size")),
    ("AdaptiveMaxPool{}d", "adaptive_max_pool", adaptive("output_size")),
)


def _build_table() -> dict[type, tuple[str, Reader]]:
    known = [*_KNOWN, *((name, name.lower(), plain()) for name in _PLAIN)]
    for n in (1, 2, 3):
        known += [(name.format(n), f"{kind}{n}d", read) for name, kind, read in _BY_AXES]
    here = [(getattr(mint.nn, name, None), kind, read) for name, kind, read in known]
    return {cls: (kind, read) for cls, kind, read in here if cls is not None} | pads_of(mint.nn)


TABLE = _build_table()
