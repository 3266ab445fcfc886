"""Cells for the session's tests: small enough that what they return is worked out by hand."""

# mypy: disable-error-code="misc,untyped-decorator"

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.ops import dropout as imported_dropout


class Mixed(nn.Cell):
    """All kinds of tensors: statistics, a frozen bias, a parameter named otherwise, a tied one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = ms.Parameter(ms.Tensor(np.ones(3, np.float32)), name="gain")
        self.norm = nn.BatchNorm1d(3, momentum=0.9)
        self.first = nn.Dense(3, 3)
        self.second = nn.Dense(3, 3, has_bias=False)
        self.second.weight = self.first.weight
        self.first.bias.requires_grad = False
        self.register_buffer("shift", ms.Tensor(np.zeros(3, np.float32)))

    def construct(self, x: Any) -> Any:
        return self.second(self.first(self.norm(x) * self.scale)) + self.shift


class Nested(nn.Cell):
    """One layer called twice, one with keywords, an LSTM, and outputs in a dict in a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.ReLU()
        self.masked = Masked()
        self.lstm = nn.LSTM(3, 2, batch_first=True)

    def construct(self, x: Any) -> Any:
        y = self.twice(self.twice(x) - 1.0)
        states, (h, c) = self.lstm(self.masked(y, mask=(x, x), scale=2.0))
        return {"states": states, "last": [h, (c,)]}, y.shape


class Masked(nn.Cell):
    def construct(self, x: Any, mask: Any = None, scale: float = 1.0) -> Any:
        return x + mask[0] * mask[1] * scale


class Line(nn.Cell):
    """``weight * x + bias``; `unused` is trainable, but nothing depends on it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = ms.Parameter(ms.Tensor(np.array([2.0], np.float32)), name="weight")
        self.bias = ms.Parameter(ms.Tensor(np.array([1.0], np.float32)), name="bias")
        self.unused = ms.Parameter(ms.Tensor(np.array([5.0], np.float32)), name="unused")

    def construct(self, x: Any) -> Any:
        return self.weight * x + self.bias


class Dropping(nn.Cell):
    """Dropout in every form: cells, cells of the user's, functions by two names, a primitive."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Dropout(p=0.5)
        self.none = nn.Dropout(p=0.0)
        self.two = nn.Dropout2d(p=0.5)
        self.kept = Functions()
        self.bare = Bare()
        self.path = DropPath(0.5)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)

    def construct(self, x: Any) -> Any:
        y = self.bare(self.kept(self.two(self.none(self.one(x)))))[:, 0]
        return self.attention(self.path(y), y, y)[0]


class Functions(nn.Cell):
    def construct(self, x: Any) -> Any:
        x = ops.dropout(x, p=0.5, training=self.training)
        return imported_dropout(x, 0.5, self.training)


class Bare(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.operator = ops.Dropout(keep_prob=0.5)

    def construct(self, x: Any) -> Any:
        return self.operator(x)[0] if self.training else x


class DropPath(nn.Cell):
    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def construct(self, x: Any) -> Any:
        if not self.training:
            return x
        keep = 1 - self.drop_prob
        return x / keep * ops.floor(keep + ops.rand(x.shape[0], 1, 1))


class Noisy(nn.Cell):
    """Random in training, by no name that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ReLU()
        self.noise = Noise()

    def construct(self, x: Any) -> Any:
        return self.noise(self.first(x))


class Noise(nn.Cell):
    def construct(self, x: Any) -> Any:
        return x + ops.randn(x.shape) if self.training else x


class Guilty(nn.Cell):
    """Calls a layer that does not fail, then one that does: ``blocks.1``."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.stem = nn.Dense(3, 3)
        self.blocks = nn.SequentialCell(nn.Tanh(), FAULTS[how]())
        self.last = nn.Dense(3, 3)

    def construct(self, x: Any) -> Any:
        return self.last(self.blocks(self.stem(x)))


class NoGraph(nn.Cell):
    def construct(this, x: Any) -> Any:  # noqa: N805  MindSpore compiles methods of `self` only
        return x + 1


class NoGradient(nn.Cell):
    def construct(self, x: Any) -> Any:
        return x + 1

    def bprop(self, *_: Any) -> Any:
        raise RuntimeError("no gradient")


class Huge(nn.Cell):
    def construct(self, x: Any) -> Any:
        return ops.ones((1 << 20, 1 << 20), ms.float32) + x.sum()


class NaN(nn.Cell):
    def construct(self, x: Any) -> Any:
        return ops.sqrt(x - 5.0)


class Heads(nn.Cell):
    """Outputs in a dict whose first key is not the first that is put in, with what is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = ms.Parameter(ms.Tensor([2.0], ms.float32))

    def construct(self, x: Any) -> Any:
        return {"b": (x > 0, 0.5, None, True), "a": x * self.scale}


FAULTS: dict[str, Any] = {
    "instance": lambda: nn.InstanceNorm2d(2),
    "graph": NoGraph,
    "gradient": NoGradient,
    "memory": Huge,
    "nan": NaN,
}


class Compiled(nn.Cell):
    """Its author compiles a layer that holds another."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = Outer()

    def construct(self, x: Any) -> Any:
        return self.outer(x)


class Outer(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ReLU()

    @ms.jit
    def construct(self, x: Any) -> Any:
        return self.inner(x)


class Twice(nn.Cell):
    """Two parameters of one name, as happens without prefixes."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.a = nn.Dense(2, 2)
        self.b = nn.Dense(2, 2)

    def construct(self, x: Any) -> Any:
        return self.a(self.b(x))


class Broken(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Dense(3, "4")


def squares(output: Any, target: Any) -> Any:
    """Return the sum of squares."""
    return ((output - target) ** 2).sum()


def each(output: Any, target: Any) -> Any:
    """Return no single number."""
    return output - target


def rates(values: list[float]) -> list[float]:
    """Return a schedule as MindSpore takes it."""
    return values


class ByHand:
    """An optimizer of the user's: called with the model, it halves the weight."""

    def __init__(self, model: Any, learning_rate: float) -> None:
        self.model, self.learning_rate = model, learning_rate

    def __call__(self, gradients: Any) -> None:
        ops.assign(self.model.weight, self.model.weight * self.learning_rate)
