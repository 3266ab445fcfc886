"""Settings of real layers: equal in both frameworks exactly when the layers compute the same.

Each layer is built with values other than the defaults, and run: what compares equal is equal.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.frameworks
Build = Callable[[Any], Any]
X1, X2, X3 = (2, 4, 9), (2, 4, 9, 8), (2, 4, 7, 6, 5)
FLAT, TOKENS = (5, 6), (2, 5, 6)

COMPUTE: dict[str, tuple[Build, Build, tuple[int, ...]]] = {
    "conv1d": (
        lambda t: t.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2),
        lambda m: m.Conv1d(
            4, 6, 3, stride=2, pad_mode="pad", padding=1, dilation=2, group=2, has_bias=True
        ),
        X1,
    ),
    "conv2d": (
        lambda t: t.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), bias=False),
        lambda m: m.Conv2d(4, 6, (3, 2), stride=(2, 1), pad_mode="pad", padding=(1, 1, 2, 2)),
        X2,
    ),
    "conv2d-same-by-stride-1": (
        lambda t: t.Conv2d(4, 6, 3, padding=1, bias=False),
        lambda m: m.Conv2d(4, 6, 3),
        X2,
    ),
    "conv2d-same-even": (
        lambda t: t.Conv2d(4, 6, 4, dilation=1, padding="same", bias=False),
        lambda m: m.Conv2d(4, 6, 4, pad_mode="same"),
        X2,
    ),
    "conv2d-same-pointwise": (
        lambda t: t.Conv2d(4, 6, 1, stride=2, bias=False),
        lambda m: m.Conv2d(4, 6, 1, stride=2),
        X2,
    ),
    "conv3d": (
        lambda t: t.Conv3d(4, 6, 3, stride=2, padding=1),
        lambda m: m.Conv3d(4, 6, 3, stride=2, pad_mode="pad", padding=1, has_bias=True),
        X3,
    ),
    "conv_transpose1d": (
        lambda t: t.ConvTranspose1d(4, 6, 4, stride=2, padding=1, bias=False),
        lambda m: m.Conv1dTranspose(4, 6, 4, stride=2, pad_mode="same"),
        X1,
    ),
    "conv_transpose2d": (
        lambda t: t.ConvTranspose2d(4, 6, 3, stride=2, padding=1),
        lambda m: m.Conv2dTranspose(4, 6, 3, stride=2, pad_mode="pad", padding=1, has_bias=True),
        X2,
    ),
    "conv_transpose2d-valid": (
        lambda t: t.ConvTranspose2d(4, 6, 2, stride=3, output_padding=1, bias=False),
        lambda m: m.Conv2dTranspose(4, 6, 2, stride=3, pad_mode="valid"),
        X2,
    ),
    "conv_transpose3d": (
        lambda t: t.ConvTranspose3d(4, 6, 3, stride=2, bias=False),
        lambda m: m.Conv3dTranspose(4, 6, 3, stride=2, pad_mode="valid"),
        X3,
    ),
    "conv_transpose3d-output": (
        lambda t: t.ConvTranspose3d(4, 6, 3, stride=2, padding=1, output_padding=1, bias=False),
        lambda m: m.Conv3dTranspose(4, 6, 3, stride=2, pad_mode="pad", padding=1, output_padding=1),
        X3,
    ),
    "linear": (lambda t: t.Linear(6, 3), lambda m: m.Dense(6, 3), TOKENS),
    "linear-without-bias": (
        lambda t: t.Linear(6, 3, bias=False),
        lambda m: m.Dense(6, 3, has_bias=False),
        FLAT,
    ),
    "batch_norm1d": (
        lambda t: t.BatchNorm1d(6, eps=0.01, momentum=0.3),
        lambda m: m.BatchNorm1d(6, eps=0.01, momentum=0.7),
        FLAT,
    ),
    "batch_norm2d": (
        lambda t: t.BatchNorm2d(4, eps=0.01),
        lambda m: m.BatchNorm2d(4, eps=0.01),
        X2,
    ),
    "batch_norm3d": (
        lambda t: t.BatchNorm3d(4, eps=0.01, momentum=0.2),
        lambda m: m.BatchNorm3d(4, eps=0.01, momentum=0.8),
        X3,
    ),
    "layer_norm": (
        lambda t: t.LayerNorm((5, 6), eps=0.01),
        lambda m: m.LayerNorm((5, 6), begin_norm_axis=1, begin_params_axis=1, epsilon=0.01),
        TOKENS,
    ),
    "group_norm": (
        lambda t: t.GroupNorm(2, 4, eps=0.01),
        lambda m: m.GroupNorm(2, 4, eps=0.01),
        X2,
    ),
    "instance_norm2d": (
        lambda t: t.InstanceNorm2d(4, eps=0.01, affine=True),
        lambda m: m.InstanceNorm2d(4, eps=0.01),
        (),
    ),
    "local_response_norm": (
        lambda t: t.LocalResponseNorm(5, alpha=0.5, beta=0.6, k=2.0),
        lambda m: m.LRN(2, bias=2.0, alpha=0.1, beta=0.6),
        X2,
    ),
    "max_pool1d": (lambda t: t.MaxPool1d(3, 2), lambda m: m.MaxPool1d(3, 2), X1),
    "max_pool2d": (
        lambda t: t.MaxPool2d((3, 2), (2, 1), padding=1, dilation=2, ceil_mode=True),
        lambda m: m.MaxPool2d(
            (3, 2), (2, 1), pad_mode="pad", padding=1, dilation=2, ceil_mode=True
        ),
        X2,
    ),
    "max_pool3d": (
        lambda t: t.MaxPool3d(3, 2, padding=1, ceil_mode=True),
        lambda m: m.MaxPool3d(3, 2, pad_mode="pad", padding=1, ceil_mode=True),
        X3,
    ),
    "avg_pool1d": (
        lambda t: t.AvgPool1d(3, 2, padding=1),
        lambda m: m.AvgPool1d(3, 2, pad_mode="pad", padding=1),
        X1,
    ),
    "avg_pool2d": (
        lambda t: t.AvgPool2d((3, 2), 2, padding=1, count_include_pad=False, divisor_override=4),
        lambda m: m.AvgPool2d(
            (3, 2), 2, pad_mode="pad", padding=1, count_include_pad=False, divisor_override=4
        ),
        X2,
    ),
    "avg_pool2d-same": (
        lambda t: t.AvgPool2d(3, 1, padding=1, count_include_pad=False),
        lambda m: m.AvgPool2d(3, 1, pad_mode="same"),
        X2,
    ),
    "avg_pool3d": (
        lambda t: t.AvgPool3d(3, 1, padding=1),
        lambda m: m.AvgPool3d(3, 1, pad_mode="same"),
        X3,
    ),
    "adaptive_avg_pool1d": (
        lambda t: t.AdaptiveAvgPool1d(3),
        lambda m: m.AdaptiveAvgPool1d(3),
        X1,
    ),
    "adaptive_avg_pool2d": (
        lambda t: t.AdaptiveAvgPool2d((2, None)),
        lambda m: m.AdaptiveAvgPool2d((2, None)),
        X2,
    ),
    "adaptive_avg_pool3d": (
        lambda t: t.AdaptiveAvgPool3d(2),
        lambda m: m.AdaptiveAvgPool3d(2),
        X3,
    ),
    "adaptive_max_pool1d": (
        lambda t: t.AdaptiveMaxPool1d(3),
        lambda m: m.AdaptiveMaxPool1d(3),
        X1,
    ),
    "adaptive_max_pool2d": (
        lambda t: t.AdaptiveMaxPool2d((3, 2)),
        lambda m: m.AdaptiveMaxPool2d((3, 2)),
        X2,
    ),
    "adaptive_max_pool3d": (lambda t: t.AdaptiveMaxPool3d(2), lambda m: m.AdaptiveMaxPool3d(2), X3),
    "relu": (lambda t: t.ReLU(), lambda m: m.ReLU(), FLAT),
    "relu6": (lambda t: t.ReLU6(), lambda m: m.ReLU6(), FLAT),
    "leaky_relu": (lambda t: t.LeakyReLU(0.3), lambda m: m.LeakyReLU(0.3), FLAT),
    "leaky_relu-default": (lambda t: t.LeakyReLU(0.2), lambda m: m.LeakyReLU(), FLAT),
    "prelu": (lambda t: t.PReLU(4, init=0.5), lambda m: m.PReLU(4, w=0.5), X2),
    "elu": (lambda t: t.ELU(), lambda m: m.ELU(), FLAT),
    "celu": (lambda t: t.CELU(0.5), lambda m: m.CELU(0.5), FLAT),
    "selu": (lambda t: t.SELU(), lambda m: m.SeLU(), FLAT),
    "gelu": (lambda t: t.GELU(), lambda m: m.GELU(approximate=False), FLAT),
    "gelu-default": (lambda t: t.GELU("tanh"), lambda m: m.GELU(), FLAT),
    "silu": (lambda t: t.SiLU(), lambda m: m.SiLU(), FLAT),
    "mish": (lambda t: t.Mish(), lambda m: m.Mish(), FLAT),
    "sigmoid": (lambda t: t.Sigmoid(), lambda m: m.Sigmoid(), FLAT),
    "logsigmoid": (lambda t: t.LogSigmoid(), lambda m: m.LogSigmoid(), FLAT),
    "tanh": (lambda t: t.Tanh(), lambda m: m.Tanh(), FLAT),
    "tanhshrink": (lambda t: t.Tanhshrink(), lambda m: m.Tanhshrink(), FLAT),
    "softsign": (lambda t: t.Softsign(), lambda m: m.Softsign(), FLAT),
    "hardswish": (lambda t: t.Hardswish(), lambda m: m.HSwish(), FLAT),
    "hardsigmoid": (lambda t: t.Hardsigmoid(), lambda m: m.HSigmoid(), FLAT),
    "hardtanh": (lambda t: t.Hardtanh(-0.5, 0.7), lambda m: m.Hardtanh(-0.5, 0.7), FLAT),
    "hardshrink": (lambda t: t.Hardshrink(0.3), lambda m: m.HShrink(0.3), FLAT),
    "softshrink": (lambda t: t.Softshrink(0.3), lambda m: m.SoftShrink(0.3), FLAT),
    "threshold": (lambda t: t.Threshold(0.1, 20.0), lambda m: m.Threshold(0.1, 20.0), FLAT),
    "glu": (lambda t: t.GLU(1), lambda m: m.GLU(1), FLAT),
    "softmax": (lambda t: t.Softmax(1), lambda m: m.Softmax(1), X2),
    "softmax-2d": (lambda t: t.Softmax2d(), lambda m: m.Softmax2d(), X2),
    "softmin": (lambda t: t.Softmin(1), lambda m: m.Softmin(1), X2),
    "log_softmax": (lambda t: t.LogSoftmax(1), lambda m: m.LogSoftmax(1), FLAT),
    "identity": (lambda t: t.Identity(), lambda m: m.Identity(), FLAT),
    "flatten": (lambda t: t.Flatten(2, -1), lambda m: m.Flatten(2, -1), X2),
    "unflatten": (lambda t: t.Unflatten(1, (2, 2)), lambda m: m.Unflatten(1, (2, 2)), X2),
    "pixel_shuffle": (lambda t: t.PixelShuffle(2), lambda m: m.PixelShuffle(2), X2),
    "pixel_unshuffle": (lambda t: t.PixelUnshuffle(2), lambda m: m.PixelUnshuffle(2), (2, 4, 6, 8)),
    "channel_shuffle": (lambda t: t.ChannelShuffle(2), lambda m: m.ChannelShuffle(2), X2),
    "upsample": (
        lambda t: t.Upsample(size=(18, 16), mode="bilinear", align_corners=True),
        lambda m: m.Upsample(size=(18, 16), mode="bilinear", align_corners=True),
        X2,
    ),
    "pad-constant": (
        lambda t: t.ConstantPad2d((1, 2, 3, 0), 1.5),
        lambda m: m.ConstantPad2d((1, 2, 3, 0), 1.5),
        X2,
    ),
    "pad-reflect": (
        lambda t: t.ReflectionPad2d((1, 2, 3, 0)),
        lambda m: m.ReflectionPad2d((1, 2, 3, 0)),
        X2,
    ),
    "pad-replicate": (
        lambda t: t.ReplicationPad2d((1, 2, 3, 0)),
        lambda m: m.ReplicationPad2d((1, 2, 3, 0)),
        X2,
    ),
    "pad-of-all-axes": (
        lambda t: t.ZeroPad2d((1, 2, 3, 0)),
        lambda m: m.Pad(((0, 0), (0, 0), (3, 0), (1, 2))),
        X2,
    ),
    "lstm": (
        lambda t: t.LSTM(6, 3, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2),
        lambda m: m.LSTM(6, 3, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2),
        (),
    ),
    "gru": (lambda t: t.GRU(6, 3, bias=False), lambda m: m.GRU(6, 3, has_bias=False), ()),
    "rnn": (
        lambda t: t.RNN(6, 3, nonlinearity="relu", dropout=0.0),
        lambda m: m.RNN(6, 3, nonlinearity="relu"),
        (),
    ),
    "multihead_attention": (
        lambda t: t.MultiheadAttention(6, 2, dropout=0.1, batch_first=True),
        lambda m: m.MultiheadAttention(6, 2, dropout=0.1, batch_first=True),
        (),
    ),
    "embedding": (lambda t: t.Embedding(7, 3), lambda m: m.Embedding(7, 3), ()),
    "dropout": (lambda t: t.Dropout(0.3), lambda m: m.Dropout(p=0.3), ()),
    "dropout-by-what-is-kept": (lambda t: t.Dropout(0.3), lambda m: m.Dropout(keep_prob=0.7), ()),
    "dropout1d": (lambda t: t.Dropout1d(0.3), lambda m: m.Dropout1d(0.3), ()),
    "dropout2d": (lambda t: t.Dropout2d(0.3), lambda m: m.Dropout2d(0.3), ()),
    "dropout3d": (lambda t: t.Dropout3d(0.3), lambda m: m.Dropout3d(0.3), ()),
}  # fmt: skip
MINT: dict[str, tuple[Build, Build]] = {
    "conv2d": (
        lambda t: t.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        lambda m: m.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
    ),
    "conv2d-same": (
        lambda t: t.Conv2d(4, 6, 4, padding="same"),
        lambda m: m.Conv2d(4, 6, 4, padding="same"),
    ),
    "conv_transpose2d": (
        lambda t: t.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
        lambda m: m.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    ),
    "linear": (lambda t: t.Linear(6, 3, bias=False), lambda m: m.Linear(6, 3, bias=False)),
    "batch_norm2d": (
        lambda t: t.BatchNorm2d(4, eps=0.1, momentum=0.3),
        lambda m: m.BatchNorm2d(4, eps=0.1, momentum=0.3),
    ),
    "layer_norm": (lambda t: t.LayerNorm(6, eps=0.1), lambda m: m.LayerNorm(6, eps=0.1)),
    "layer_norm-without-bias": (
        lambda t: t.LayerNorm(6, bias=False),
        lambda m: m.LayerNorm(6, bias=False),
    ),
    "group_norm": (lambda t: t.GroupNorm(2, 4, eps=0.1), lambda m: m.GroupNorm(2, 4, eps=0.1)),
    "embedding": (
        lambda t: t.Embedding(7, 3, padding_idx=-1),
        lambda m: m.Embedding(7, 3, padding_idx=-1),
    ),
    "max_pool2d": (
        lambda t: t.MaxPool2d(3, padding=1, ceil_mode=True),
        lambda m: m.MaxPool2d(3, padding=1, ceil_mode=True),
    ),
    "avg_pool2d": (lambda t: t.AvgPool2d(3, padding=1), lambda m: m.AvgPool2d(3, padding=1)),
    "adaptive_avg_pool2d": (
        lambda t: t.AdaptiveAvgPool2d((2, None)),
        lambda m: m.AdaptiveAvgPool2d((2, None)),
    ),
    "gelu": (lambda t: t.GELU(), lambda m: m.GELU()),
    "hardswish": (lambda t: t.Hardswish(), lambda m: m.Hardswish()),
    "softmax": (lambda t: t.Softmax(1), lambda m: m.Softmax(1)),
    "prelu": (lambda t: t.PReLU(4), lambda m: m.PReLU(4)),
    "elu": (lambda t: t.ELU(0.5), lambda m: m.ELU(0.5)),
    "dropout": (lambda t: t.Dropout(0.3), lambda m: m.Dropout(0.3)),
    "pad": (lambda t: t.ZeroPad2d((1, 2, 3, 0)), lambda m: m.ZeroPad2d((1, 2, 3, 0))),
}
DEFAULTS_DIFFER = {
    "conv2d": ("Conv2d(4, 6, 3, 2)", "Conv2d(4, 6, 3, 2)", {"padding", "bias"}),
    "layer_norm": ("LayerNorm((6,))", "LayerNorm((6,))", {"eps"}),
    "max_pool2d": ("MaxPool2d(3)", "MaxPool2d(3)", {"stride"}),
    "leaky_relu": ("LeakyReLU()", "LeakyReLU()", {"negative_slope"}),
    "gelu": ("GELU()", "GELU()", {"approximate"}),
    "embedding": ("Embedding(7, 3, 1)", "Embedding(7, 3, padding_idx=1)", {"padding_idx"}),
    "batch_norm2d": ("BatchNorm2d(4, momentum=0.9)", "BatchNorm2d(4, momentum=0.9)", {"momentum"}),
    "instance_norm1d": ("InstanceNorm1d(4)", "InstanceNorm1d(4)", {"affine"}),
    "layer_norm-other-axes": (
        "LayerNorm((5, 6), eps=1e-7)", "LayerNorm((5, 6), -1, -2)", {"begin_norm_axis"},
    ),
    "conv_transpose2d": (
        "ConvTranspose2d(4, 6, 3, 2, output_padding=1, bias=False)",
        "Conv2dTranspose(4, 6, 3, 2, 'pad', output_padding=1)",
        {"output_padding", "zeros_after"},
    ),
    "identical": ("BatchNorm2d(4)", "BatchNorm2d(4)", set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def torch_() -> ModuleType:
    from conformance.worker import port_settings_torch  # noqa: PLC0415

    return port_settings_torch


@pytest.fixture(scope="module")
def mindspore_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with contextlib.chdir(tmp_path_factory.mktemp("worker")), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mindspore  # noqa: PLC0415

        mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
        from conformance.worker import port_settings_mindspore  # noqa: PLC0415

        yield port_settings_mindspore


def build(
    torch_: ModuleType, mindspore_: ModuleType, theirs: Build, ours: Build
) -> tuple[Any, Any]:
    return theirs(torch_.nn).eval(), ours(mindspore_.nn)


def drawn(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(0, 4, shape).astype(np.float32)


def give(layer: Any, cell: Any) -> None:
    """Give both layers the same values, far from where they begin."""
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    draws = np.random.default_rng(2)
    theirs = {n: p for n, p in layer.state_dict(keep_vars=True).items() if p.ndim}
    ours = list(cell.get_parameters())
    if "running_mean" in theirs:  # MindSpore defines statistics before scale and shift
        ours = ours[2:] + ours[:2]
    assert len(theirs) == len(ours)
    for p, q in zip(theirs.values(), ours, strict=True):
        value = draws.uniform(0.2, 1.0, tuple(p.shape)).astype(np.float32)
        p.data = torch.from_numpy(value).to(p.dtype)
        q.set_data(mindspore.Tensor(value.reshape(q.shape)))


def call(layer: Any, cell: Any, x: Any) -> tuple[Any, Any]:
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
        theirs = layer(torch.from_numpy(x).to(next(iter(layer.parameters()), torch.empty(0)).dtype))
    return theirs.numpy(), cell(mindspore.Tensor(x)).asnumpy()


@pytest.mark.parametrize("name", COMPUTE)
def test_equal_layers_have_equal_settings_and_compute_the_same(
    name: str, torch_: ModuleType, mindspore_: ModuleType
) -> None:
    theirs, ours, shape = COMPUTE[name]
    layer, cell = build(torch_, mindspore_, theirs, ours)
    assert torch_.kind(layer) == mindspore_.kind(cell) == name.split("-", maxsplit=1)[0]
    assert torch_.settings(layer) == mindspore_.settings(cell)
    assert torch_.public_type(layer).startswith("torch.nn.")
    assert mindspore_.public_type(cell) == f"mindspore.nn.{type(cell).__name__}"
    if shape:
        give(layer, cell)
        a, b = call(layer, cell, drawn(shape))
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", MINT)
def test_mint_has_pytorchs_settings(name: str, torch_: ModuleType, mindspore_: ModuleType) -> None:
    import mindspore  # noqa: PLC0415

    theirs, ours = MINT[name]
    layer, cell = theirs(torch_.nn), ours(mindspore.mint.nn)
    assert torch_.kind(layer) == mindspore_.kind(cell) == name.split("-", maxsplit=1)[0]
    assert torch_.settings(layer) == mindspore_.settings(cell)
    public = mindspore_.public_type(cell).rpartition(".")[2]
    assert public == torch_.public_type(layer).rpartition(".")[2] or name == "hardswish"


@pytest.mark.parametrize("name", DEFAULTS_DIFFER)
def test_the_same_words_with_other_meaning_show(
    name: str, torch_: ModuleType, mindspore_: ModuleType
) -> None:
    theirs, ours, differ = DEFAULTS_DIFFER[name]
    layer = eval(f"nn.{theirs}", {"nn": torch_.nn})
    a, b = torch_.settings(layer), mindspore_.settings(eval(f"nn.{ours}", {"nn": mindspore_.nn}))
    assert {k for k in a | b if a.get(k, "-") != b.get(k, "-")} == differ


# ------------------------------------------------------------------------------------ own classes


def test_a_subclass_keeps_its_kind_only_if_it_adds_no_computation(torch_: ModuleType) -> None:
    nn = torch_.nn
    renamed = type("Renamed", (nn.Conv2d,), {})
    scaled = type(
        "Scaled", (nn.Conv2d,), {"forward": lambda self, x: 2 * nn.Conv2d.forward(self, x)}
    )
    assert torch_.kind(renamed(4, 6, 3)) == "conv2d"
    assert torch_.kind(scaled(4, 6, 3)) == ""
    assert torch_.settings(scaled(4, 6, 3))["kernel_size"] == (3, 3)
    assert torch_.kind(type("Own", (nn.Module,), {})()) == ""


def test_layers_of_other_libraries(torch_: ModuleType, mindspore_: ModuleType) -> None:
    """Known by name: the libraries need not be installed here."""
    nn = torch_.nn
    body = {"__module__": "timm.layers.norm", "forward": lambda self, x: x}
    norm = type("LayerNorm", (nn.LayerNorm,), body)(6, eps=0.1)
    assert torch_.kind(norm) == "layer_norm"
    assert torch_.public_type(norm) == "timm.layers.norm.LayerNorm"
    torch_.patch(norm, "", {"eps": 0.5})
    assert norm.eps == 0.5
    path = type("DropPath", (nn.Module,), {"__module__": "timm.layers.drop", "drop_prob": 0.2})()
    assert (torch_.kind(path), torch_.settings(path)) == ("drop_path", {"p": 0.2})
    body = {"__module__": "mindcv.models.layers.drop_path"}
    cell = type("DropPath", (mindspore_.nn.Cell,), body)()
    cell.dropout = mindspore_.nn.Dropout(p=0.2)
    assert (mindspore_.kind(cell), mindspore_.settings(cell)) == ("drop_path", {"p": 0.2})


def fused(nn: Any, activation: Any) -> Any:
    def init(self: Any) -> None:
        nn.BatchNorm2d.__init__(self, 4, eps=0.01)
        self.drop, self.act = nn.Identity(), activation

    def forward(self: Any, x: Any) -> Any:
        return self.act(self.drop(nn.BatchNorm2d.forward(self, x)))

    return type("NormAct", (nn.BatchNorm2d,), {"__init__": init, "forward": forward})()


def test_fused_layers_say_what_is_fused(torch_: ModuleType, mindspore_: ModuleType) -> None:
    layer = fused(torch_.nn, torch_.nn.LeakyReLU(0.3))
    assert torch_.kind(layer) == "batch_norm2d+leaky_relu"
    assert torch_.settings(layer)["negative_slope"] == 0.3
    assert torch_.settings(layer)["eps"] == 0.01
    dense = mindspore_.nn.Dense(6, 3, activation="gelu")
    assert mindspore_.kind(dense) == "linear+gelu"
    assert mindspore_.settings(dense)["approximate"] == "tanh"
    own = mindspore_.nn.Dense(6, 3, activation=mindspore_.nn.LeakyReLU(0.3))
    assert mindspore_.kind(own) == "linear+leaky_relu"
    assert mindspore_.settings(own)["negative_slope"] == 0.3


# ------------------------------------------------------------------------------------------ patches

PORTED: dict[str, tuple[Build, Build, tuple[int, ...]]] = {
    "batch_norm2d": (
        lambda t: t.BatchNorm2d(4),
        lambda m: m.BatchNorm2d(4, eps=0.1, momentum=0.6),
        X2,
    ),
    "layer_norm": (lambda t: t.LayerNorm(6), lambda m: m.LayerNorm((6,), epsilon=0.5), TOKENS),
    "group_norm": (lambda t: t.GroupNorm(2, 4), lambda m: m.GroupNorm(2, 4, eps=0.5), X2),
    "gelu": (lambda t: t.GELU(), lambda m: m.GELU(), FLAT),
    "leaky_relu": (lambda t: t.LeakyReLU(), lambda m: m.LeakyReLU(), FLAT),
    "elu": (lambda t: t.ELU(0.3), lambda m: m.ELU(), FLAT),
    "softmax": (lambda t: t.Softmax(1), lambda m: m.Softmax(2), X2),
    "relu6": (lambda t: t.ReLU6(), lambda m: m.ReLU(), X2),
    "hardtanh": (lambda t: t.Hardtanh(-0.5, 0.7), lambda m: m.GELU(), FLAT),
    "conv2d": (
        lambda t: t.Conv2d(4, 6, 3, stride=2, padding=1, bias=False),
        lambda m: m.Conv2d(4, 6, 3, stride=2),
        (2, 4, 8, 9),
    ),
    "conv2d-uneven": (
        lambda t: t.Conv2d(4, 6, 3, padding=1),
        lambda m: m.Conv2d(4, 6, 3, pad_mode="pad", padding=(0, 2, 1, 2), has_bias=True),
        X2,
    ),
    "conv2d-stride": (
        lambda t: t.Conv2d(4, 6, 3),
        lambda m: m.Conv2d(4, 6, 3, stride=2, dilation=2, pad_mode="valid", has_bias=True),
        X2,
    ),
    "conv1d": (
        lambda t: t.Conv1d(4, 6, 3, stride=2, padding=1, bias=False),
        lambda m: m.Conv1d(4, 6, 3, stride=2),
        (2, 4, 8),
    ),
    "conv3d": (
        lambda t: t.Conv3d(4, 6, 3, stride=2, bias=False),
        lambda m: m.Conv3d(4, 6, 3, stride=2),
        X3,
    ),
    "conv_transpose2d": (
        lambda t: t.ConvTranspose2d(4, 6, 3, stride=2, bias=False),
        lambda m: m.Conv2dTranspose(4, 6, 3, stride=2),
        X2,
    ),
    "max_pool2d": (
        lambda t: t.MaxPool2d(3, 2, padding=1),
        lambda m: m.MaxPool2d(3, 2, pad_mode="same"),
        (2, 4, 8, 9),
    ),
    "max_pool2d-stride": (lambda t: t.MaxPool2d(3), lambda m: m.MaxPool2d(3), X2),
    "avg_pool2d": (
        lambda t: t.AvgPool2d(3, 2, padding=1),
        lambda m: m.AvgPool2d(3, 2, pad_mode="same"),
        (2, 4, 8, 9),
    ),
    "avg_pool2d-max": (lambda t: t.AvgPool2d(3, 2), lambda m: m.MaxPool2d(3, 2), X2),
    "avg_pool3d": (
        lambda t: t.AvgPool3d(3, 2),
        lambda m: m.AvgPool3d(3, 2, pad_mode="same"),
        (2, 4, 8, 6, 5),
    ),
    "local_response_norm": (
        lambda t: t.LocalResponseNorm(5),
        lambda m: m.LRN(1, bias=2.0, alpha=0.1, beta=0.6),
        X2,
    ),
    "flatten": (lambda t: t.Flatten(), lambda m: m.Flatten(2), X2),
    "pad": (lambda t: t.ZeroPad2d(1), lambda m: m.Pad(((0, 0), (0, 0), (1, 2), (3, 4))), X2),
}
NO_PATCH = {"elu": "alpha = 1 only"}
"""What MindSpore cannot compute."""


def changes(mine: ModuleType, layer: Any, theirs: ModuleType, other: Any) -> dict[str, Any]:
    """Return what makes `layer` an `other`; what decides tensors is the same."""
    a, b = mine.settings(layer), theirs.settings(other)
    kind = theirs.kind(other)
    swap = {"kind": kind} if kind != mine.kind(layer) else {}
    return swap | {k: v for k, v in b.items() if swap or a.get(k, "-") != v}


@pytest.mark.parametrize("name", PORTED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_patched_torch_layer_computes_what_the_port_does(
    name: str, dtype: str, torch_: ModuleType, mindspore_: ModuleType
) -> None:
    theirs, ours, shape = PORTED[name]
    layer, cell = build(torch_, mindspore_, theirs, ours)
    give(layer, cell)
    layer = layer.to(getattr(torch_.torch, dtype))
    model, x = torch_.nn.Sequential(layer), drawn(shape)
    names = list(model.state_dict())
    a, b = call(model, cell, x)
    assert a.shape != b.shape or not np.allclose(a, b, rtol=2e-4, atol=2e-5)
    torch_.patch(model, "0", changes(torch_, layer, mindspore_, cell))
    assert torch_.settings(layer) == mindspore_.settings(cell)
    assert torch_.kind(layer) == mindspore_.kind(cell)
    assert list(model.state_dict()) == names
    a, b = call(model, cell, x)
    np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(PORTED))
def test_a_patched_cell_computes_what_the_original_does(
    name: str, torch_: ModuleType, mindspore_: ModuleType
) -> None:
    theirs, ours, shape = PORTED[name]
    layer, cell = build(torch_, mindspore_, theirs, ours)
    give(layer, cell)
    model, x = mindspore_.nn.SequentialCell(cell), drawn(shape)
    names = [p.name for p in model.get_parameters()]
    wanted = changes(mindspore_, cell, torch_, layer)
    if name in NO_PATCH:
        with pytest.raises(ValueError, match=NO_PATCH[name]):
            mindspore_.patch(model, "0", wanted)
        return
    mindspore_.patch(model, "0", wanted)
    assert mindspore_.settings(cell) == torch_.settings(layer)
    assert [p.name for p in model.get_parameters()] == names
    a, b = call(layer, model, x)
    np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


def test_patches_of_what_training_shows(torch_: ModuleType, mindspore_: ModuleType) -> None:
    """Momentum shows in the running statistics of one batch, dropout in how many are kept."""
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    layer, cell = torch_.nn.BatchNorm2d(4), mindspore_.nn.BatchNorm2d(4, momentum=0.1)
    mindspore_.patch(cell, "", {"momentum": 0.1})
    x = drawn(X2) + 5
    layer.train()(torch.from_numpy(x))
    cell.set_train()(mindspore.Tensor(x))
    np.testing.assert_allclose(cell.moving_mean.asnumpy(), layer.running_mean, rtol=1e-5)
    torch_.patch(layer, "", {"momentum": 0.9})
    assert torch_.settings(layer)["momentum"] == 0.9
    for module, drop in (
        (torch_, torch_.nn.Dropout(0.1)),
        (mindspore_, mindspore_.nn.Dropout(p=0.1)),
    ):
        module.patch(drop, "", {"p": 0.75})
        assert module.settings(drop) == {"p": 0.75}
    ones = np.ones((100, 100), np.float32)
    kept = float(np.mean(drop.set_train()(mindspore.Tensor(ones)).asnumpy() != 0))
    assert 0.2 < kept < 0.3


def test_parts_of_fused_layers_are_patched(torch_: ModuleType, mindspore_: ModuleType) -> None:
    layer = fused(torch_.nn, torch_.nn.ReLU6())
    torch_.patch(layer, "", {"kind": "batch_norm2d+leaky_relu", "negative_slope": 0.3, "eps": 0.5})
    assert torch_.kind(layer) == "batch_norm2d+leaky_relu"
    assert torch_.settings(layer)["negative_slope"] == 0.3
    assert layer.eps == 0.5
    dense = mindspore_.nn.Dense(6, 3, activation="gelu")
    mindspore_.patch(dense, "", {"approximate": "none"})
    assert mindspore_.settings(dense)["approximate"] == "none"
    mindspore_.patch(dense, "", {"kind": "linear+relu"})
    assert mindspore_.kind(dense) == "linear+relu"
    layer, x = torch_.nn.Sequential(torch_.nn.Linear(6, 3), torch_.nn.ReLU()), drawn(FLAT)
    give(layer, dense)
    a, b = call(layer, dense, x)
    np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


def test_a_layer_shared_by_two_is_patched_in_both(
    torch_: ModuleType, mindspore_: ModuleType
) -> None:
    shared = mindspore_.nn.ReLU6()
    model = mindspore_.nn.SequentialCell(shared, mindspore_.nn.Identity(), shared)
    mindspore_.patch(model, "0", {"kind": "relu"})
    x = 10 + drawn(FLAT)
    both = torch_.nn.Sequential(torch_.nn.ReLU())
    a, b = call(both, model, x)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("layer", "settings", "line"),
    [
        ("Conv2d(4, 6, 3)", {"eps": 1.0}, "has no setting 'eps'"),
        ("Conv2d(4, 6, 3)", {"groups": 2}, "decides the layer's tensors"),
        ("Conv2d(4, 6, 3)", {"kind": "relu"}, "and cannot become relu"),
        ("ReLU()", {"kind": "nonsense"}, "nothing is known of a layer of kind 'nonsense'"),
        ("ReLU()", {"kind": "leaky_relu", "slope": 3}, "slope"),
    ],
)
def test_what_cannot_be_patched_is_said_in_one_line(
    layer: str, settings: dict[str, Any], line: str, torch_: ModuleType, mindspore_: ModuleType
) -> None:
    for module, model in (
        (torch_, torch_.nn.Sequential),
        (mindspore_, mindspore_.nn.SequentialCell),
    ):
        built = model(eval(f"nn.{layer}", {"nn": module.nn}))
        before = module.settings(built[0])
        with pytest.raises(ValueError, match=line) as error:
            module.patch(built, "0", settings)
        assert "\n" not in str(error.value)
        assert str(error.value).startswith("0: ")
        assert module.settings(built[0]) == before
