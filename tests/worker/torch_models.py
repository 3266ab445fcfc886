"""PyTorch models, and a side of this process for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.port.remote import LocalSide

if TYPE_CHECKING:
    import torch
    from torch import nn
else:
    torch = pytest.importorskip("torch")
    nn = torch.nn

R = np.random.RandomState(7)
IMAGES = R.randn(6, 3, 9, 9).astype(np.float32)
OTHERS = R.randn(6, 3, 9, 9).astype(np.float32)
TOKENS = R.randint(0, 20, (6, 5))


def side(model: Any, **options: Any) -> LocalSide:
    from conformance.worker.port_torch import TorchSession  # noqa: PLC0415

    return LocalSide(TorchSession(), model, **options)


class Block(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        return x + self.act(self.norm(self.conv(x)))


class Small(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.block = Block(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        x = self.block(self.block(self.stem(x)))
        return self.head(self.drop(x.mean((2, 3))))


class Tied(nn.Module):  # type: ignore[misc]
    """Embedding and head are one tensor, two layers one module."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(20, 16)
        self.first = nn.Linear(16, 16)
        self.second = self.first
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.emb.weight

    def forward(self, i: Any) -> Any:
        return self.head(self.second(torch.tanh(self.first(self.emb(i)))).mean(1))


class Plain(nn.Module):  # type: ignore[misc]
    """A hundred layers without normalisation."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.stem = nn.Conv2d(3, 16, 3)
        self.layers = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(100))

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for layer in self.layers:
            y = torch.relu(layer(x))
            x = x + y if self.residual else y
        return x.mean((2, 3))


class Deep(nn.Module):  # type: ignore[misc]
    """A hundred residual layers with normalisation, of which half begin as nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.blocks = nn.ModuleList(Block(6) for _ in range(100))
        for block in self.blocks[::2]:
            nn.init.zeros_(block.norm.weight)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x.mean((2, 3))


class Inverted(nn.Module):  # type: ignore[misc]
    """As mobilenet_v2 is built and initialised."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[Any] = []
        for i in range(14):
            width = 3 if i == 0 else 12
            layers += [nn.Conv2d(width, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6()]
            layers += [nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)]
            layers += [nn.BatchNorm2d(12), nn.ReLU6()]
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        self.features, self.head = nn.Sequential(*layers), nn.Linear(12, 10)
        nn.init.normal_(self.head.weight, 0, 0.01)

    def forward(self, x: Any) -> Any:
        return self.head(self.features(x).mean((2, 3)))


class Transformer(nn.Module):  # type: ignore[misc]
    def __init__(self, norm_first: bool) -> None:
        super().__init__()
        self.tied, self.norm = Tied(), nn.LayerNorm(16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)

    def forward(self, i: Any) -> Any:
        return self.tied.head(self.encoder(self.norm(self.tied.emb(i))))[:, 0]


class Recurrent(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 12, 3, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(24, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, i: Any) -> Any:
        return self.head(self.gru(self.lstm(self.emb(i))[0])[0][:, -1])
