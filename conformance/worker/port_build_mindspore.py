"""MindSpore cells built from canonical settings, for `port_settings_mindspore.patch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mindspore import nn

from conformance.worker import port_settings as shared
from conformance.worker.port_settings import Settings

Arguments = dict[str, Any]


def build(kind: str, settings: Settings, name: str, like: type | None) -> nn.Cell:
    """Return a cell of `kind` that computes with `settings`, of the class `like` if that is mint's.

    Raises ValueError with one line when there is no such cell.
    """
    try:
        if like is not None and (like.__module__.startswith("mindspore.mint") or _mints(like)):
            return like(**_mint(settings))
        if kind == "pad":
            return _pad_cell(dict(settings))
        if kind not in _BUILD:
            raise ValueError(f"nothing is known of a layer of kind {kind!r}")
        cls, arguments = _BUILD[kind]
        return getattr(nn, cls)(**arguments(dict(settings)))
    except (TypeError, ValueError, RuntimeError, KeyError) as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{name}: {line}") from None


def _mints(cls: type) -> bool:
    return cls.__name__.endswith("Ext") or cls.__name__ == "Linear"


def _mint(settings: Settings) -> Arguments:
    given = {**settings}
    if "padding" in given:
        given |= _symmetric(given.pop("padding"))
    return given


def _symmetric(pads: shared.Pads) -> Arguments:
    if pads == "same" or any(before != after for before, after in pads):
        raise ValueError(f"no padding of {pads} here")
    return {"padding": tuple(before for before, _ in pads)}


def _renamed(**names: str) -> Callable[[Arguments], Arguments]:
    return lambda s: {names.get(key, key): value for key, value in s.items()}


def _conv(s: Arguments) -> Arguments:
    n, pads = len(s["kernel_size"]), s.pop("padding")
    found = {"group": s.pop("groups"), "has_bias": s.pop("bias"), **s}
    if n == 1:
        found |= {k: v[0] for k, v in s.items() if k in ("kernel_size", "stride", "dilation")}
        found.pop("output_padding", None)
    if pads == "same":
        return {**found, "pad_mode": "same"}
    flat = tuple(p for pair in pads for p in pair)
    if n == 1 and len(set(flat)) > 1:
        raise ValueError(f"no padding of {pads} in one dimension")
    return {**found, "pad_mode": "pad", "padding": flat[0] if n == 1 else flat}


def _pool(s: Arguments) -> Arguments:
    pads = s.pop("padding")
    if len(s["kernel_size"]) == 1:
        s |= {k: v[0] for k, v in s.items() if k in ("kernel_size", "stride", "dilation")}
    if pads == "same":
        plain = {"dilation", "ceil_mode", "return_indices", "count_include_pad"}
        return {k: v for k, v in s.items() if k not in plain} | {"pad_mode": "same"}
    padding = _symmetric(pads)["padding"]
    return {**s, "pad_mode": "pad", "padding": padding[0] if len(set(padding)) == 1 else padding}


def _norm(s: Arguments) -> Arguments:
    tracked = s.pop("track_running_stats", True)
    if tracked != True:  # noqa: E712  (it may be the words "always used")
        s["use_batch_statistics"] = tracked is False
    return {**s, "momentum": 1.0 - s.get("momentum", 0.1)}


def _instance_norm(s: Arguments) -> Arguments:
    return {k: v for k, v in s.items() if k != "track_running_stats"}


def _layer_norm(s: Arguments) -> Arguments:
    axis = s.get("begin_norm_axis", -len(s["normalized_shape"]))
    given = {"normalized_shape": s["normalized_shape"], "epsilon": s["eps"]}
    return given | {"begin_norm_axis": axis, "begin_params_axis": -len(s["normalized_shape"])}


def _embedding(s: Arguments) -> Arguments:
    return {"vocab_size": s["num_embeddings"], "embedding_size": s["embedding_dim"]}


def _dense(s: Arguments) -> Arguments:
    given = {"in_channels": s["in_features"], "out_channels": s["out_features"]}
    return given | {"has_bias": s["bias"]}


def _lrn(s: Arguments) -> Arguments:
    given = {"depth_radius": s["size"] // 2, "alpha": s["alpha"] / s["size"]}
    return given | {"beta": s["beta"], "bias": s["k"]}


def _pad_cell(s: Arguments) -> nn.Cell:
    mode, pads = s.pop("mode"), s["padding"] or ((0, 0),)
    prefix = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication"}
    if mode not in prefix:
        raise ValueError(f"no padding of mode {mode} here")
    s["padding"] = tuple(p for pair in reversed(pads) for p in pair)
    cell: nn.Cell = getattr(nn, f"{prefix[mode]}Pad{len(pads)}d")(**s)
    return cell


def _elu(s: Arguments) -> Arguments:
    if s.get("alpha", 1.0) != 1.0:
        raise ValueError("MindSpore computes ELU with alpha = 1 only")
    return s


def _gelu(s: Arguments) -> Arguments:
    return {"approximate": s.get("approximate", "none") == "tanh"}


def _adaptive(s: Arguments) -> Arguments:
    sizes = s.pop("output_size")
    return {**s, "output_size": sizes[0] if len(set(sizes)) == 1 else sizes}


_same: Callable[[Arguments], Arguments] = _renamed()
_BUILD: dict[str, tuple[str, Callable[[Arguments], Arguments]]] = {
    "linear": ("Dense", _dense),
    "embedding": ("Embedding", _embedding),
    "layer_norm": ("LayerNorm", _layer_norm),
    "group_norm": ("GroupNorm", _same),
    "local_response_norm": ("LRN", _lrn),
    "lstm": ("LSTM", _renamed(bias="has_bias")),
    "gru": ("GRU", _renamed(bias="has_bias")),
    "rnn": ("RNN", _renamed(bias="has_bias")),
    "multihead_attention": ("MultiheadAttention", _renamed(bias="has_bias")),
    "unflatten": ("Unflatten", _renamed(dim="axis")),
    "leaky_relu": ("LeakyReLU", lambda s: {"alpha": s.get("negative_slope", 0.01)}),
    "prelu": ("PReLU", _renamed(num_parameters="channel")),
    "elu": ("ELU", _elu),
    "selu": ("SeLU", _same),
    "gelu": ("GELU", _gelu),
    "hardswish": ("HSwish", _same),
    "hardsigmoid": ("HSigmoid", _same),
    "hardshrink": ("HShrink", _same),
    "softshrink": ("SoftShrink", _same),
    "glu": ("GLU", _renamed(dim="axis")),
    "softmax": ("Softmax", _renamed(dim="axis")),
    "softmin": ("Softmin", _renamed(dim="axis")),
    "log_softmax": ("LogSoftmax", _renamed(dim="axis")),
    "dropout": ("Dropout", lambda s: {"p": s.get("p", 0.5)}),
    "adaptive_avg_pool1d": ("AdaptiveAvgPool1d", _adaptive),
    "adaptive_max_pool1d": ("AdaptiveMaxPool1d", _adaptive),
    "adaptive_avg_pool2d": ("AdaptiveAvgPool2d", _adaptive),
    "adaptive_max_pool2d": ("AdaptiveMaxPool2d", _adaptive),
    "adaptive_avg_pool3d": ("AdaptiveAvgPool3d", _adaptive),
    "adaptive_max_pool3d": ("AdaptiveMaxPool3d", _adaptive),
}
_AS_NAMED = ("Identity", "Dropout1d", "Dropout2d", "Dropout3d", "Flatten", "PixelShuffle",
             "PixelUnshuffle", "ChannelShuffle", "Upsample", "ReLU", "ReLU6", "SiLU", "Mish",
             "Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink", "Softsign", "RReLU", "CELU",
             "Hardtanh", "Threshold")  # fmt: skip
_UNLIKE = {"PixelShuffle": "pixel_shuffle", "PixelUnshuffle": "pixel_unshuffle",
           "ChannelShuffle": "channel_shuffle"}  # fmt: skip
_BUILD |= {_UNLIKE.get(cls, cls.lower()): (cls, _same) for cls in _AS_NAMED}
for _n in (1, 2, 3):
    _BUILD |= {
        f"conv{_n}d": (f"Conv{_n}d", _conv),
        f"conv_transpose{_n}d": (f"Conv{_n}dTranspose", _conv),
        f"batch_norm{_n}d": (f"BatchNorm{_n}d", _norm),
        f"instance_norm{_n}d": (f"InstanceNorm{_n}d", _instance_norm),
        f"max_pool{_n}d": (f"MaxPool{_n}d", _pool),
        f"avg_pool{_n}d": (f"AvgPool{_n}d", _pool),
    }
