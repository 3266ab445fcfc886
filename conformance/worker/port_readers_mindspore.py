"""Which MindSpore cells are known, and how their canonical settings are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindspore import nn

from conformance.worker import port_settings as shared
from conformance.worker.port_settings import Reader, Settings


def plain(*names: str, **renamed: str) -> Reader:
    """Read attributes; `renamed` gives the attribute that holds a setting, ``prim.attr`` too."""

    def read(layer: Any, _: int) -> Settings:
        return {s: attribute(layer, a) for s, a in ({n: n for n in names} | renamed).items()}

    return read


def attribute(layer: Any, path: str) -> Any:
    """Return what ``prim.attr`` leads to; tensors as numbers."""
    for part in path.split("."):
        layer = getattr(layer, part)
    return layer.asnumpy().tolist() if hasattr(layer, "asnumpy") else layer


def _fixed(**values: Any) -> Reader:
    return lambda _layer, _: values


def _last(value: Any, n: int) -> tuple[int, ...]:
    """Return the last `n` of the numbers of an attribute; one number stands for all axes."""
    return shared.per_axis(value, n)[-n:]


def _padding(layer: Any, n: int, given: Any, dilation: Sequence[int]) -> shared.Pads:
    """Return the padding of a cell with a padding mode.

    `given` counts in the mode "pad": a number, one for each axis, or before and after of each.
    """
    mode = layer.pad_mode.lower()
    if mode == "same":
        kernel, stride = _last(layer.kernel_size, n), _last(layer.stride, n)
        return shared.same_padding(kernel, stride, dilation)
    if mode == "valid":
        return shared.symmetric(0, n)
    if isinstance(given, tuple) and len(given) > 3:
        return shared.pairs(given)[-n:]
    return shared.symmetric(_last(given, n), n)


def _convolution(layer: Any, n: int) -> Settings:
    found = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    found |= {name: _last(getattr(layer, name), n) for name in ("kernel_size", "stride")}
    found |= {"dilation": _last(layer.dilation, n), "bias": layer.has_bias, "groups": layer.group}
    return found


def _conv(layer: Any, n: int) -> Settings:
    found = _convolution(layer, n)
    found["padding"] = _padding(layer, n, layer.padding, found["dilation"])
    nhwc = layer.data_format == "NHWC"
    return found | ({"data_format": "NHWC"} if nhwc else {})


def _conv_transpose(layer: Any, n: int) -> Settings:
    """The output of the modes "same" and "valid" has ``stride`` times the input's size or more."""
    found = _convolution(layer, n)
    extra = _last(getattr(layer, "output_padding", 0), n)
    if layer.pad_mode == "pad":
        found["padding"] = _padding(layer, n, layer.padding, found["dilation"])
        if n == 2 and any(extra):  # rows and columns of zeros, where PyTorch computes
            return {**found, "output_padding": (0, 0), "zeros_after": extra}
        return {**found, "output_padding": extra}
    each = zip(found["kernel_size"], found["stride"], found["dilation"], strict=True)
    over = [d * (k - 1) + 1 - s for k, s, d in each]
    cut = [max(o, 0) if layer.pad_mode == "same" else 0 for o in over]
    found["padding"] = tuple((c // 2, c - c // 2) for c in cut)
    found["output_padding"] = tuple(max(-o, 0) for o in over)
    return found


def _pool(layer: Any, n: int) -> Settings:
    return {"kernel_size": _last(layer.kernel_size, n), "stride": _last(layer.stride, n)}


def _max_pool(layer: Any, n: int) -> Settings:
    prim = layer.max_pool
    dilation = _last(getattr(prim, "dilation", 1), n)
    given = getattr(prim, "pads", getattr(prim, "pad_list", 0))
    found = {**_pool(layer, n), "dilation": dilation}
    found["padding"] = _padding(layer, n, given, dilation)
    found["ceil_mode"] = bool(getattr(prim, "ceil_mode", False))
    return found | {"return_indices": layer.return_indices}


def _avg_pool(layer: Any, n: int) -> Settings:
    """The two-dimensional kernel never counts padding, the three-dimensional one as it is told."""
    prim = layer.avg_pool
    found = {**_pool(layer, n), "ceil_mode": False, "count_include_pad": False}
    if prim.name == "AvgPool3D":
        found |= {"ceil_mode": prim.ceil_mode, "count_include_pad": prim.count_include_pad}
        found |= {"divisor_override": prim.divisor_override} if prim.divisor_override else {}
    given = getattr(prim, "pad", 0)
    found["padding"] = _padding(layer, n, given, shared.per_axis(1, n))
    return shared.counted(found)


def adaptive(path: str) -> Reader:
    """Read an adaptive pooling's output size, None for an axis that keeps its size."""

    def read(layer: Any, n: int) -> Settings:
        size = attribute(layer, path)
        found = tuple(size) if isinstance(size, list | tuple) else (size,) * n
        indices = getattr(layer, "return_indices", False)
        plain = tuple(None if s == -1 else s for s in found)
        return {"output_size": plain} | ({"return_indices": True} if indices else {})

    return read


def trained(*tensors: Any) -> bool:
    """Return whether scale or shift are trained; without them both frameworks compute alike."""
    return any(t.requires_grad for t in tensors if t is not None)


def _batch_norm(layer: Any, _n: int) -> Settings:
    """The cell keeps 1 - momentum, which is PyTorch's; statistics may be of the batch only."""
    layer = getattr(layer, "bn2d", layer)
    tracked = {None: True, True: False, False: "always used"}[layer.use_batch_statistics]
    found = {"num_features": layer.num_features, "eps": layer.eps, "track_running_stats": tracked}
    found |= {"affine": trained(layer.gamma, layer.beta)}
    found |= {"momentum": layer.momentum} if tracked else {}
    return found | ({"data_format": "NHWC"} if layer.format == "NHWC" else {})


def _instance_norm(layer: Any, _n: int) -> Settings:
    found = {"num_features": layer.num_features, "eps": layer.eps, "track_running_stats": False}
    return found | {"affine": trained(layer.gamma, layer.beta)}


def _layer_norm(layer: Any, _n: int) -> Settings:
    """A negative first axis other than that of the shape normalises other axes than PyTorch."""
    found = {"normalized_shape": layer.normalized_shape, "eps": layer.epsilon}
    found |= {"elementwise_affine": trained(layer.gamma, layer.beta)}
    first = layer.begin_norm_axis
    other = first < 0 and first != -len(layer.normalized_shape)
    return found | ({"begin_norm_axis": first} if other else {})


def group_norm(scale: str, shift: str) -> Reader:
    """Read a group norm whose scale and shift have these names."""

    def read(layer: Any, _: int) -> Settings:
        found = plain("num_groups", "num_channels", "eps")(layer, 0)
        return {**found, "affine": trained(getattr(layer, scale), getattr(layer, shift))}

    return read


def _dropout(layer: Any, _n: int) -> Settings:
    off = layer.keep_prob == 1 or layer.p == 0
    return {"p": 0.0 if off else 1.0 - layer.dropout.keep_prob}


def _embedding(layer: Any, _n: int) -> Settings:
    """`padding_idx` only sets a row at the start: its gradient is like any other's, so None."""
    found = {"num_embeddings": layer.vocab_size, "embedding_dim": layer.embedding_size}
    return found | {"padding_idx": None, "max_norm": None, "scale_grad_by_freq": False}


def _dense(layer: Any, _n: int) -> Settings:
    found = {"in_features": layer.in_channels, "out_features": layer.out_channels}
    return found | {"bias": layer.has_bias}


def _lrn(layer: Any, _n: int) -> Settings:
    """MindSpore multiplies the sum of squares by alpha, PyTorch their mean over the window."""
    prim = layer.lrn_op
    size = 2 * prim.depth_radius + 1
    return {"size": size, "alpha": prim.alpha * size, "beta": prim.beta, "k": prim.bias}


def _recurrent(layer: Any, _n: int) -> Settings:
    found = plain("hidden_size", "num_layers", "batch_first", "bidirectional")(layer, 0)
    found = {**found, "input_size": layer.w_ih_list[0].shape[1], "bias": layer.has_bias}
    found["dropout"] = layer.dropout if layer.num_layers > 1 else 0.0
    cell = type(layer.rnn).__name__
    by = {"_DynamicRNNTanh": "tanh", "_DynamicRNNRelu": "relu"}.get(cell)
    return found | ({"nonlinearity": by} if by else {})


def _attention(layer: Any, _n: int) -> Settings:
    names = "embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"
    biased = layer.in_proj_bias is not None
    return {**plain(*names)(layer, 0), "bias": biased, "add_bias_kv": layer.bias_k is not None}


def _pad(mode: str, axes: int) -> Reader:
    def read(layer: Any, _: int) -> Settings:
        padding = layer.padding
        if padding and isinstance(padding[0], list | tuple):
            pairs = tuple(map(tuple, padding))
        else:
            pairs = shared.pairs(shared.per_axis(padding, 2 * axes))[::-1]
        found = {"padding": shared.trimmed(pairs), "mode": mode}
        return found | ({"value": float(layer.value)} if mode == "constant" else {})

    return read


def _any_pad(layer: Any, _n: int) -> Settings:
    mode = layer.mode.lower()
    found = {"padding": shared.trimmed(attribute(layer, "paddings")), "mode": mode}
    return found | ({"value": 0.0} if mode == "constant" else {})


def upsample(layer: Any, _n: int) -> Settings:
    """Read an upsampling layer."""
    return shared.resized(layer.size, layer.scale_factor, layer.mode, layer.align_corners)


_NAMED: tuple[tuple[str, str, Reader], ...] = (
    ("Dense", "linear", _dense),
    ("Embedding", "embedding", _embedding),
    ("LayerNorm", "layer_norm", _layer_norm),
    ("GroupNorm", "group_norm", group_norm("gamma", "beta")),
    ("SyncBatchNorm", "sync_batch_norm", _batch_norm),
    ("LRN", "local_response_norm", _lrn),
    ("LSTM", "lstm", _recurrent),
    ("GRU", "gru", _recurrent),
    ("RNN", "rnn", _recurrent),
    ("MultiheadAttention", "multihead_attention", _attention),
    ("Identity", "identity", plain()),
    ("Dropout", "dropout", _dropout),
    ("Dropout1d", "dropout1d", plain(p="prob")),
    ("Dropout2d", "dropout2d", lambda layer, _: {"p": 1.0 - layer.keep_prob}),
    ("Dropout3d", "dropout3d", lambda layer, _: {"p": 1.0 - layer.keep_prob}),
    ("AdaptiveAvgPool1d", "adaptive_avg_pool1d", adaptive("output_size")),
    ("AdaptiveAvgPool2d", "adaptive_avg_pool2d", adaptive("adaptive_avgpool2d.output_size")),
    ("AdaptiveAvgPool3d", "adaptive_avg_pool3d", adaptive("adaptive_avg_pool3d.output_size")),
    ("Flatten", "flatten", plain("start_dim", "end_dim")),
    ("Unflatten", "unflatten", plain("unflattened_size", dim="axis")),
    ("PixelShuffle", "pixel_shuffle", plain("upscale_factor")),
    ("PixelUnshuffle", "pixel_unshuffle", plain("downscale_factor")),
    ("ChannelShuffle", "channel_shuffle", plain("groups")),
    ("Upsample", "upsample", upsample),
    ("Pad", "pad", _any_pad),
    ("LeakyReLU", "leaky_relu", plain(negative_slope="alpha")),
    ("PReLU", "prelu", lambda layer, _: {"num_parameters": layer.w.shape[0]}),
    ("RReLU", "rrelu", plain("lower", "upper")),
    ("ELU", "elu", plain(alpha="elu.alpha")),
    ("CELU", "celu", plain(alpha="celu.alpha")),
    ("SeLU", "selu", plain()),
    ("GELU", "gelu", plain("approximate")),
    ("FastGelu", "fast_gelu", plain()),
    ("HSwish", "hardswish", plain()),
    ("HSigmoid", "hardsigmoid", plain()),
    ("Hardtanh", "hardtanh", plain("min_val", "max_val")),
    ("HShrink", "hardshrink", plain(lambd="hshrink.lambd")),
    ("SoftShrink", "softshrink", plain(lambd="softshrink.lambd")),
    ("Threshold", "threshold", plain("threshold", "value")),
    ("GLU", "glu", plain("dim")),
    ("Softmax", "softmax", lambda layer, _: {"dim": layer.softmax.axis[0]}),
    ("Softmax2d", "softmax", _fixed(dim=-3)),
    ("Softmin", "softmin", plain(dim="axis")),
    ("LogSoftmax", "log_softmax", plain(dim="log_softmax.axis")),
    *((n, n.lower(), plain()) for n in ("ReLU", "ReLU6", "SiLU", "Mish", "Sigmoid", "LogSigmoid",
                                         "Tanh", "Tanhshrink", "Softsign")),
)  # fmt: skip
_BY_AXES: tuple[tuple[str, str, Reader], ...] = (
    ("Conv{}d", "conv", _conv),
    ("Conv{}dTranspose", "conv_transpose", _conv_transpose),
    ("BatchNorm{}d", "batch_norm", _batch_norm),
    ("InstanceNorm{}d", "instance_norm", _instance_norm),
    ("MaxPool{}d", "max_pool", _max_pool),
    ("AvgPool{}d", "avg_pool", _avg_pool),
    ("AdaptiveMaxPool{}d", "adaptive_max_pool", adaptive("output_size")),
)
_PADS = {"ConstantPad": "constant", "ZeroPad": "constant", "ReflectionPad": "reflect",
        "ReplicationPad": "replicate"}  # fmt: skip


def _build_table() -> dict[type, tuple[str, Reader]]:
    table = {getattr(nn, name): (kind, read) for name, kind, read in _NAMED if hasattr(nn, name)}
    for n in (1, 2, 3):
        by_axes = [(pattern.format(n), kind, read) for pattern, kind, read in _BY_AXES]
        table |= {getattr(nn, name): (f"{kind}{n}d", read) for name, kind, read in by_axes}
    return table | pads_of(nn)


def pads_of(library: Any) -> dict[type, tuple[str, Reader]]:
    """Return the padding layers of `mindspore.nn` or `mindspore.mint.nn`."""
    return {
        cls: ("pad", _pad(mode, n))
        for n in (1, 2, 3)
        for prefix, mode in _PADS.items()
        if (cls := getattr(library, f"{prefix}{n}d", None)) is not None
    }


TABLE = _build_table()
