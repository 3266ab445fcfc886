"""What a framework says of a model: its layers, its tensors, and the calls of one forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Framework = Literal["torch", "mindspore"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class TensorInfo:
    """A parameter or buffer of a model, by the name its framework gives it.

    `layer` is the name of the layer that owns it, "" for the model itself; `trainable` says that
    the framework would update it in training.  A tensor that has several names is listed by each;
    `same_as` is the first of them, "" for the first itself.  `saved` says that checkpoints hold it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    layer: str
    same_as: str = ""
    saved: bool = True


@dataclass(frozen=True)
class LayerInfo:
    """A module or cell.  `name` is its dotted path, "" for the model itself.

    `type` is its class's public name, such as ``torch.nn.Conv2d`` or ``mindspore.nn.Dense``, or
    ``module.Class`` for a class of the user's; `kind` its canonical kind, such as ``conv2d``, or ""
    for a class nobody knows here.  `settings` are its hyperparameters under canonical names in
    canonical units (PyTorch's), so that equal settings compare equal.  `tensors` are those it owns
    itself; a `leaf` has no layers inside.
    """

    name: str
    type: str
    kind: str
    leaf: bool
    tensors: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def atomic(self) -> bool:
        """Whether its calls are compared: it has no layers inside, or is of a known kind."""
        return self.leaf or bool(self.kind)


@dataclass(frozen=True, order=True)
class CallKey:
    """The `nth` call (from 0) of a layer in one forward pass."""

    layer: str
    nth: int = 0

    def __str__(self) -> str:
        return self.layer if self.nth == 0 else f"{self.layer} (call {self.nth + 1})"


@dataclass(frozen=True)
class LayerCall:
    """One call of an atomic layer, in the order of execution; shapes of its tensors.

    `depth` is 1 for a call made inside the call of another atomic layer, and so on; 0 otherwise.
    """

    key: CallKey
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    depth: int = 0


@dataclass(frozen=True)
class Captured:
    """What one call was given and returned: its tensors, flattened left to right."""

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


@dataclass(frozen=True)
class Forward:
    """One forward pass: the model's output tensors, flattened, and the calls that were captured.

    `form` is what the tensors lie in, in their order; see ``worker/port_form.Form``.  ``()`` stands
    for tensors in a row.
    """

    outputs: tuple[Array, ...]
    captured: Mapping[CallKey, Captured] = field(default_factory=dict)
    form: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Drop:
    """What is dropped at one place of a pass in training, by a layer or a function inside of it.

    `share` is None where it is no plain number; `how` is ``elements``, ``channels``, ``alpha``, or
    ``own`` for a layer that is not the framework's, whose inputs have the shapes `inputs`.
    """

    layer: str
    share: float | None
    how: str
    inputs: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Backward:
    """Loss, and the gradient of each trainable tensor; None where the framework gives none.

    `state` holds every tensor that is not trainable after the forward pass, so running statistics.
    """

    loss: float
    gradients: Mapping[str, Array | None]
    state: Mapping[str, Array]


@dataclass(frozen=True)
class Step:
    """One step of training: the loss before it, and the rate of each group it was made with."""

    loss: float
    rates: tuple[float, ...]
