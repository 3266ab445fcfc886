"""What a framework's session provides to verify a ported model.

Runs inside a framework's interpreter: standard library and NumPy only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.worker.port_calls import Array, Call, Key
from conformance.worker.port_drops import Drop
from conformance.worker.port_errors import SessionError
from conformance.worker.port_form import Form

Message = dict[str, Any]
Arrays = Sequence[Array]


@dataclass(frozen=True)
class Recipe:
    """How to make an optimizer or a schedule; `named` is what the configuration calls it.

    `native` says that it is the framework's own class, which is called with the parameters; what
    is not native is called with the model (an optimizer) or as ``build(**arguments)``.
    """

    build: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    native: bool = False
    named: str = ""

    def make(self, *given: Any, **more: Any) -> Any:
        """Return what it makes of `given` and the arguments.

        Raises SessionError with kind ``Arguments`` for one that it does not take, which the
        signatures of wrapped constructors, such as those of ``mindspore.nn``, do not tell.
        """
        arguments = {**self.arguments, **more}
        try:
            return self.build(*given, **arguments)
        except TypeError as error:
            words = str(error).strip().split("\n", 1)[0]
            unknown = any(f"unexpected keyword argument '{name}'" in words for name in arguments)
            if not unknown:
                raise
            raise SessionError("Arguments", f"{self.named}: {words}") from None


@dataclass(frozen=True)
class Ran:
    """A forward pass: output tensors, flattened, (inputs, outputs) of captured calls, the form.

    Tensors come in the order of the form; ``()`` for one stands for tensors in a row.
    """

    outputs: Arrays
    captured: Mapping[Key, tuple[Arrays, Arrays]] = field(default_factory=dict)
    form: Form = ()


@dataclass(frozen=True)
class Differentiated:
    """See ``port/model.Backward``."""

    loss: float
    gradients: Mapping[str, Array | None]
    state: Mapping[str, Array]


class Abstract:
    """What a framework's session provides.  Each method is that of ``port/side.Side``.

    Inputs, targets and values are NumPy arrays.  A method may raise anything: `Session.answer`
    makes one line of it, with the layer in `running[-1]`.
    """

    framework = ""
    optimizers: tuple[str, ...] = ()
    """Packages whose classes are the framework's own optimizers, such as ``torch.optim``."""
    unsupported: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """(reason, pattern of the messages by which the framework says that it has no kernel)."""

    device: str
    mode: str
    loss: Callable[..., Any] | None
    optimizer: Recipe | None
    schedule: Recipe | None
    running: list[str]

    def info(self) -> Message:
        """Return version and device of the framework, as an adapter's `info` does."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Called before the user's code builds; settings of the process belong here."""

    def release(self) -> None:
        """Put back what the session has changed of the process, for whoever goes on in it."""

    def seed(self, seed: int) -> None:
        """Seed the framework's, Python's and NumPy's default generators."""
        raise NotImplementedError

    def hold(self, model: Any) -> None:
        """Take `model`, in float32, as the one all methods speak of.

        Raises SessionError with kind ``Build`` for what is no model of the framework's.
        """
        raise NotImplementedError

    def forward(self) -> Callable[..., Any] | None:
        """Return the user's function that a call of the model runs; None when there is none."""
        return None

    def layers(self) -> list[Message]:
        """Return the fields of ``LayerInfo`` for each layer; settings as builtin types."""
        raise NotImplementedError

    def tensors(self) -> list[Message]:
        """Return the fields of ``TensorInfo`` for each tensor."""
        raise NotImplementedError

    def read(self, names: Sequence[str] | None, precision: str) -> dict[str, Array]:
        """Return values."""
        raise NotImplementedError

    def write(self, values: Mapping[str, Array]) -> None:
        """Set values; SessionError with kind ``Write`` for a name or a shape that is none."""
        raise NotImplementedError

    def load(self, path: str) -> None:
        """Load a checkpoint."""
        raise NotImplementedError

    def save(self, path: str) -> None:
        """Write a checkpoint."""
        raise NotImplementedError

    def calibrate(self, inputs: Arrays, seed: int) -> None:
        """Give the model values that make mistakes visible."""
        raise NotImplementedError

    def drops(self, inputs: Arrays) -> list[Drop]:
        """Return what one pass in training drops, in the order of execution."""
        raise NotImplementedError

    def still(self) -> list[str]:
        """Switch off what is random in training; return the layers concerned."""
        raise NotImplementedError

    def patch(self, layer: str, settings: Mapping[str, Any]) -> None:
        """Give a layer other settings; ValueError if it cannot be."""
        raise NotImplementedError

    def trace(self, inputs: Arrays, training: bool) -> list[Call]:
        """Return calls in order; SessionError with kind ``NaN`` when PyTorch's output is NaN."""
        raise NotImplementedError

    def run(
        self, inputs: Arrays, training: bool, precision: str, capture: Collection[Key], graph: bool
    ) -> Ran:
        """Run forward."""
        raise NotImplementedError

    def replay(
        self, layer: str, inputs: Arrays, training: bool, precision: str, graph: bool
    ) -> Arrays:
        """Call one layer alone."""
        raise NotImplementedError

    def differentiate(
        self, inputs: Arrays, targets: Arrays, training: bool, precision: str, graph: bool
    ) -> Differentiated:
        """Return loss and gradients."""
        raise NotImplementedError

    def begin(self, precision: str) -> None:
        """Begin training; SessionError with kind ``Optimizer`` when none was given."""
        raise NotImplementedError

    def step(
        self, inputs: Arrays, targets: Arrays, precision: str
    ) -> tuple[float, tuple[float, ...]]:
        """Make one step; return the loss before it and the rates it was made with."""
        raise NotImplementedError
