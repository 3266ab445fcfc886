"""The ports, each defect a choice: what porters do wrong, where they do it."""

from __future__ import annotations

import math
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops


class Block(nn.Cell):
    def __init__(self, width: int, out: int, stride: int, defect: str) -> None:
        super().__init__()
        guilty = stride == 2
        eps = 1e-3 if guilty and defect == "bn-eps" else 1e-5
        momentum = 0.1 if guilty and defect == "bn-momentum" else 0.9
        conv: dict[str, Any] = {"pad_mode": "pad", "padding": 1}
        if guilty and defect == "pad-same":
            conv = {"pad_mode": "same"}
        self.conv1 = nn.Conv2d(width, out, 3, stride, has_bias=False, **conv)
        self.bn1 = nn.BatchNorm2d(out, eps=eps, momentum=momentum)
        self.conv2 = nn.Conv2d(out, out, 3, 1, pad_mode="pad", padding=1, has_bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.shortcut: nn.Cell = nn.Identity()
        if stride != 1 or width != out:
            self.shortcut = nn.SequentialCell(
                nn.Conv2d(width, out, 1, stride, pad_mode="valid", has_bias=False),
                nn.BatchNorm2d(out),
            )
        self.added_late = guilty and defect == "residual-after-activation"

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.added_late:
            return self.relu(y) + self.shortcut(x)
        return self.relu(y + self.shortcut(x))


class Root(nn.Cell):
    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return ops.sqrt(x)


class SmallCNN(nn.Cell):
    def __init__(self, classes: int = 10, dropout: float = 0.1, defect: str = "") -> None:
        super().__init__()
        self.stem = nn.SequentialCell(
            nn.Conv2d(3, 8, 3, 2, pad_mode="pad", padding=1, has_bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, pad_mode="pad", padding=1),
        )
        self.block1 = Block(8, 8, 1, defect)
        self.block2 = Block(8, 16, 2, defect)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.fc1 = nn.Dense(16, 16)
        self.act = Root() if defect == "root" else nn.ReLU()
        self.drop = nn.Dropout(p=1 - dropout if defect == "keep-prob" else dropout)
        self.fc2 = nn.Dense(16, classes)
        if defect == "frozen":
            self.block2.conv2.weight.requires_grad = False

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        y = self.block2(self.block1(self.stem(x)))
        sequence = y.mean(axis=2).swapaxes(1, 2)
        states, _ = self.lstm(sequence)
        y = self.act(self.fc1(states.mean(axis=1)))
        return self.fc2(self.drop(y))


class Attention(nn.Cell):
    def __init__(self, width: int, heads: int, defect: str) -> None:
        super().__init__()
        self.heads, self.size, self.defect = heads, width // heads, defect
        self.qkv = nn.Dense(width, 3 * width)
        self.proj = nn.Dense(width, width)
        self.scale = 1.0 if defect == "no-scale" else 1 / math.sqrt(self.size)
        allowed = np.triu(np.ones((16, 16), np.bool_), 2 if defect == "mask-off-by-one" else 1)
        self.future = ms.Tensor(allowed)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        n, t, width = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, self.heads, self.size).transpose(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = ops.matmul(q, k.swapaxes(-1, -2)) * self.scale
        weights = ops.softmax(scores.masked_fill(self.future[:t, :t], -1e9), axis=-1)
        mixed = ops.matmul(weights, v).swapaxes(1, 2).reshape(n, t, width)
        return self.proj(mixed)


class Layer(nn.Cell):
    def __init__(self, width: int, heads: int, dropout: float, defect: str) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm((width,), epsilon=1e-7 if defect == "ln-eps" else 1e-5)
        self.attention = Attention(width, heads, defect)
        self.norm2 = nn.LayerNorm((width,), epsilon=1e-5)
        self.fc1 = nn.Dense(width, 2 * width)
        self.act = nn.GELU(approximate=defect == "gelu-tanh")
        self.fc2 = nn.Dense(2 * width, width)
        self.drop = nn.Dropout(p=dropout)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.fc2(self.act(self.fc1(self.norm2(x)))))


class SmallTransformer(nn.Cell):
    """The defect is that of the second layer."""

    def __init__(
        self,
        vocabulary: int = 32,
        width: int = 16,
        heads: int = 4,
        dropout: float = 0.1,
        defect: str = "",
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.position = ms.Parameter(ms.ops.zeros((1, 16, width), ms.float32), name="position")
        layers = [Layer(width, heads, dropout, defect if i else "") for i in range(2)]
        self.layers = nn.CellList(layers)
        self.norm = nn.LayerNorm((width,), epsilon=1e-5)
        self.head = nn.Dense(width, vocabulary)

    def construct(self, tokens: ms.Tensor) -> ms.Tensor:
        x = self.embed(tokens) + self.position[:, : tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def token_loss(logits: ms.Tensor, targets: ms.Tensor) -> ms.Tensor:
    return ops.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def rates(late: int = 0) -> list[float]:
    """The rates of StepLR(step_size=2, gamma=0.5) from 0.1, that many steps late."""
    return [0.1 * 0.5 ** (max(step - late, 0) // 2) for step in range(16)]
