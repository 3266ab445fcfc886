"""The map carried out: MindSpore's layers compute with mapped values what PyTorch's compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from conformance.port.converters import block_order
from conformance.port.model import Array, LayerInfo, TensorInfo
from conformance.port.weights import Inventory, apply, map_weights, restore

pytestmark = pytest.mark.frameworks

KINDS = {
    "Conv1d": "conv1d",
    "Conv1dTranspose": "conv_transpose1d",
    "ConvTranspose1d": "conv_transpose1d",
    "Conv2dTranspose": "conv_transpose2d",
    "ConvTranspose2d": "conv_transpose2d",
    "BatchNorm2d": "batch_norm2d",
    "LayerNorm": "layer_norm",
    "GroupNorm": "group_norm",
    "Embedding": "embedding",
    "PReLU": "prelu",
    "LSTM": "lstm",
    "GRU": "gru",
    "RNN": "rnn",
    "MultiheadAttention": "multihead_attention",
    "Linear": "linear",
    "NonDynamicallyQuantizableLinear": "linear",
    "Dense": "linear",
}


def of_torch(module: Any) -> tuple[Inventory, dict[str, Array]]:
    """Return what the module holds, and other values than it was built with, set."""
    import torch  # noqa: PLC0415

    layers, tensors, values = [], [], {}
    random = np.random.RandomState(5)
    for path, layer in module.named_modules():
        name = type(layer).__name__
        layers.append(LayerInfo(path, name, KINDS.get(name, ""), not list(layer.children())))
        for leaf, tensor in (
            *layer.named_parameters(recurse=False),
            *layer.named_buffers(recurse=False),
        ):
            full = f"{path}.{leaf}".lstrip(".")
            dtype = str(tensor.dtype).removeprefix("torch.")
            tensors.append(TensorInfo(full, tuple(tensor.shape), dtype, tensor.requires_grad, path))
            if tensor.dtype == torch.float32:
                value = random.uniform(0.1, 0.9, tensor.shape).astype(np.float32)
                with torch.no_grad():
                    tensor.copy_(torch.from_numpy(value))
            values[full] = tensor.detach().numpy().copy()
    return Inventory(tensors, layers), values


def of_mindspore(cell: Any) -> tuple[Inventory, dict[str, Any]]:
    """Return what the cell holds, and its parameters by name."""
    layers, tensors, held = [], [], {}
    for path, layer in cell.cells_and_names():
        name = type(layer).__name__
        layers.append(LayerInfo(path, name, KINDS.get(name, ""), not list(layer.cells())))
    for _, parameter in cell.parameters_and_names():
        layer = max(
            (x.name for x in layers if parameter.name.startswith(x.name + ".")), key=len, default=""
        )
        dtype = str(parameter.dtype).lower()
        shape = tuple(parameter.shape)
        tensors.append(TensorInfo(parameter.name, shape, dtype, parameter.requires_grad, layer))
        held[parameter.name] = parameter
    return Inventory(tensors, layers), held


X = np.random.RandomState(1).randn(2, 4, 6).astype(np.float32)
IMAGE = np.random.RandomState(2).randn(2, 4, 5, 5).astype(np.float32)
IDS = np.array([[0, 3], [2, 1]])


def _recurrent(name: str, *, bidirectional: bool) -> Callable[[Any, str], Any]:
    def build(nn: Any, bias: str) -> Any:
        flag: dict[str, Any] = {bias: True, "bidirectional": bidirectional, "num_layers": 2}
        if name == "RNN":
            # MindSpore's tanh alone is 1,650 roundoffs off where its argument is large.
            flag["nonlinearity"] = "relu"
        return getattr(nn, name)(6, 3, **flag)

    return build


def _cases() -> list[Any]:
    recurrent = [
        pytest.param(build, build, X, id=f"{name}-{'both' if two else 'one'}")
        for name in ("LSTM", "GRU", "RNN")
        for two in (False, True)
        for build in [_recurrent(name, bidirectional=two)]
    ]
    plain: list[tuple[str, str, str, tuple[int, ...], dict[str, Any], dict[str, Any], Array]] = [
        ("conv1d", "Conv1d", "Conv1d", (4, 3, 3), {}, {"pad_mode": "valid", "has_bias": True}, X),
        (
            "conv_transpose1d",
            "ConvTranspose1d",
            "Conv1dTranspose",
            (4, 3, 3),
            {},
            {"pad_mode": "valid", "has_bias": True},
            X,
        ),
        (
            "conv_transpose2d",
            "ConvTranspose2d",
            "Conv2dTranspose",
            (4, 6, 3),
            {"groups": 2},
            {"group": 2, "pad_mode": "valid", "has_bias": True},
            IMAGE,
        ),
        ("batch_norm", "BatchNorm2d", "BatchNorm2d", (4,), {}, {}, IMAGE),
        ("group_norm", "GroupNorm", "GroupNorm", (2, 4), {}, {}, IMAGE),
        ("prelu", "PReLU", "PReLU", (4,), {}, {}, IMAGE),
        ("embedding", "Embedding", "Embedding", (5, 3), {}, {}, IDS),
        ("linear", "Linear", "Dense", (6, 3), {}, {}, X),
    ]
    modules = [
        pytest.param(
            lambda nn, _, n=ours, a=args, k=ours_only: getattr(nn, n)(*a, **k),
            lambda nn, _, n=theirs, a=args, k=theirs_only: getattr(nn, n)(*a, **k),
            x,
            id=id_,
        )
        for id_, ours, theirs, args, ours_only, theirs_only, x in plain
    ]
    return recurrent + modules


@pytest.mark.parametrize(("ours", "theirs", "x"), _cases())
@pytest.mark.parametrize("nested", [False, True])
def test_layers_agree(ours: Any, theirs: Any, x: Array, nested: bool) -> None:
    """A layer alone and one inside a model: MindSpore names their tensors differently."""
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    module, cell = ours(torch.nn, "bias"), theirs(mindspore.nn, "has_bias")
    if nested:
        module, cell = torch.nn.Sequential(module), mindspore.nn.SequentialCell(cell)
    (torch_model, values), (port, held) = (
        of_torch(module.eval()),
        of_mindspore(cell.set_train(False)),
    )
    rows = map_weights(torch_model, port)
    assert [row for row in rows if row.problem] == []
    mapped = apply(rows, values)
    assert set(mapped) == set(held)
    for name, value in mapped.items():
        held[name].set_data(mindspore.Tensor(value))
    expected, found = module(torch.from_numpy(x)), cell(mindspore.Tensor(x))
    first, second = (out[0] if isinstance(out, tuple) else out for out in (expected, found))
    np.testing.assert_allclose(second.asnumpy(), first.detach().numpy(), rtol=1e-5, atol=1e-6)
    back = restore(rows, {name: parameter.asnumpy() for name, parameter in held.items()})
    for name, value in back.items():
        np.testing.assert_array_equal(value, values[name])
    assert set(values) - set(back) <= {name for name in values if name.endswith("batches_tracked")}


@pytest.mark.parametrize(("name", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_another_order_of_gates_is_another_function(name: str, gates: int) -> None:
    """Were the order of gates not PyTorch's, the test above could not have passed."""
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    module, cell = getattr(torch.nn, name)(6, 3), getattr(mindspore.nn, name)(6, 3)
    (torch_model, values), (port, held) = of_torch(module), of_mindspore(cell)
    mapped = apply(map_weights(torch_model, port), values)
    for key, value in mapped.items():
        blocks = np.split(value, gates)
        swapped = np.concatenate([blocks[1], blocks[0], *blocks[2:]])
        assert block_order(value, swapped) == "blocks_10" + "23"[: gates - 2]
        held[key].set_data(mindspore.Tensor(swapped))
    expected = module(torch.from_numpy(X))[0].detach().numpy()
    found = cell(mindspore.Tensor(X))[0].asnumpy()
    assert np.max(np.abs(found - expected)) > 1e-2


def test_attention_fused_against_three_dense_layers() -> None:
    """in_proj_weight holds q, k, v in this order: three Dense layers compute the same."""
    import mindspore  # noqa: PLC0415
    import torch  # noqa: PLC0415

    module = torch.nn.MultiheadAttention(6, 1, batch_first=True)

    class Attention(mindspore.nn.Cell):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name in ("v_proj", "q_proj", "k_proj", "out_proj"):
                setattr(self, name, mindspore.nn.Dense(6, 6))

        def construct(self, x: Any) -> Any:
            scores = self.q_proj(x) @ self.k_proj(x).swapaxes(1, 2) / 6**0.5
            return self.out_proj(mindspore.ops.softmax(scores, -1) @ self.v_proj(x))

    cell = Attention()
    (torch_model, values), (port, held) = of_torch(module), of_mindspore(cell)
    rows = map_weights(torch_model, port)
    assert [row for row in rows if row.problem] == []
    for name, value in apply(rows, values).items():
        held[name].set_data(mindspore.Tensor(value))
    x = torch.from_numpy(X)
    expected = module(x, x, x)[0].detach().numpy()
    np.testing.assert_allclose(cell(mindspore.Tensor(X)).asnumpy(), expected, rtol=1e-5, atol=1e-5)
