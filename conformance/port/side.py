"""One side of a port: a built model in its framework, wherever that runs.

The methods are those of the worker's session (``worker/port.py``), with arrays for wire messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from conformance.port.model import (
    Array,
    Backward,
    CallKey,
    Captured,
    Drop,
    Forward,
    Framework,
    LayerCall,
    LayerInfo,
    Precision,
    Step,
    TensorInfo,
)


class Side(Protocol):
    """A model in its framework.  Every method raises PortFailed with one clear line.

    Inputs are arrays in the order of the model's positional arguments.  `precision` is float32, or
    float64 where the side can (PyTorch); each precision has a model of its own, which `write`
    and `restore` set alike and training moves apart.
    """

    framework: Framework
    info: Mapping[str, Any]

    def layers(self) -> list[LayerInfo]:
        """Return all layers, parents before children, in the order of their definition."""
        ...

    def tensors(self) -> list[TensorInfo]:
        """Return parameters and buffers in the order of their definition."""
        ...

    def read(
        self, names: Sequence[str] | None = None, precision: Precision = "float32"
    ) -> dict[str, Array]:
        """Return the values of `names`, or of all tensors."""
        ...

    def write(self, values: Mapping[str, Array]) -> None:
        """Set tensors in every precision.  Shapes must be equal."""
        ...

    def load(self, path: str) -> None:
        """Load a checkpoint file of the framework's own, or safetensors."""
        ...

    def save(self, path: str) -> None:
        """Write a checkpoint file of the framework's own, or safetensors, by `path`'s suffix."""
        ...

    def convert(self, function: str, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return what the user's ``module:callable`` makes of PyTorch's values by name."""
        ...

    def calibrate(self, inputs: Sequence[Array], seed: int) -> None:
        """Give the model values that make mistakes visible (PyTorch only); see docs/port.md."""
        ...

    def drops(self, inputs: Sequence[Array]) -> list[Drop]:
        """Return what one pass in training drops; nothing once all is still."""
        ...

    def still(self) -> list[str]:
        """Switch off dropout and what else is random in training; return the layers concerned."""
        ...

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """Give a layer other settings (canonical names and units); ValueError if it cannot be."""
        ...

    def trace(self, inputs: Sequence[Array], *, training: bool = False) -> list[LayerCall]:
        """Return the calls of atomic layers in one forward pass."""
        ...

    def run(
        self,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        capture: Sequence[CallKey] = (),
        graph: bool = False,
    ) -> Forward:
        """Run the model forward.  Values stay what they were, running statistics included."""
        ...

    def replay(
        self,
        layer: str,
        inputs: Sequence[Array],
        *,
        training: bool = False,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> tuple[Array, ...]:
        """Call one layer alone with tensors as `Captured.inputs` holds them; see `run`."""
        ...

    def differentiate(
        self,
        inputs: Sequence[Array],
        targets: Sequence[Array],
        *,
        training: bool = True,
        precision: Precision = "float32",
        graph: bool = False,
    ) -> Backward:
        """Return loss and gradients.  Values stay what they were.

        Without a loss of the configuration's: the sum of the first output times a fixed cotangent.
        """
        ...

    def begin(self, precision: Precision = "float32") -> None:
        """Begin training from the present values with the configuration's loss and optimizer."""
        ...

    def step(
        self, inputs: Sequence[Array], targets: Sequence[Array], precision: Precision = "float32"
    ) -> Step:
        """Make one step of training, which changes values of this precision's model."""
        ...

    def close(self) -> None:
        """End the worker, if there is one."""
        ...


__all__ = ["Captured", "Side"]
